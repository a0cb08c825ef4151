//! `/tenants/{t}/reports`.

use access::duration::HumanDuration;
use access::equipment::report::{Item, State as ItemState, to_csv};
use actors::Tenant;
use actors::equipment::report::{self, Place, Wanted};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{ListRequest, Outcome};
use crate::answer::{self, CSV, JSON};
use crate::app::App;
use crate::openapi::schemas::equipment as schemas;

/// Items in a report as CSV.
const CSV_ITEMS_MAX: usize = 200_000;
/// What a browser calls the file.
const CSV_FILE: HeaderValue =
    HeaderValue::from_static("attachment; filename=\"disabled-with-equipment.csv\"");

/// A page of the report.
#[derive(Serialize, ToSchema)]
struct ReportPage {
    /// At most `limit` of them.
    #[schema(value_type = Vec<schemas::ReportItem>)]
    items: Vec<Item>,
    /// The `cursor` of the next page; null on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Which items are asked for.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct ReportQuery {
    /// In this state; `held` where it is missing.
    #[param(inline, nullable = false)]
    state: Option<schemas::WantedReportState>,
    /// Of people with this manager.
    #[param(nullable = false)]
    manager: Option<String>,
    /// Of accounts that have been disabled or deleted for so long, such as `30d`.
    #[param(pattern = "^[0-9]+(ms|s|m|h|d)$", nullable = false)]
    min_age: Option<String>,
}

/// Who is disabled or deleted and still holds something, an item an asset.
///
/// As CSV it is given whole.
#[utoipa::path(
    get, path = "/tenants/{tenant}/reports/disabled-with-equipment", tag = "equipment",
    params(Paging, ReportQuery),
    responses((status = 200, description = "The report", content(
        (ReportPage = "application/json"), (String = "text/csv"),
    )))
)]
pub async fn disabled_with_equipment(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<Place>::read(&app, &tenant, query.as_deref()).await?;
    let wanted = wanted(&parameters)?;
    if prefers_csv(&headers) {
        return as_csv(&app, &tenant, wanted).await;
    }
    let (items, next) = read_items(&app, &tenant, wanted, after, limit).await?;
    let next_cursor = next.map(|place| place.to_string());
    Ok(answer::json(StatusCode::OK, JSON, &ReportPage { items, next_cursor }))
}

/// A piece of the report, and where the next one begins.
pub(crate) async fn read_items(
    app: &App,
    tenant: &Tenant,
    wanted: Wanted,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Item>, Option<Place>), Problem> {
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let tenant = tenant.clone();
    let read = tokio::task::spawn_blocking(move || {
        let found = report::read(tenant.shared(), &wanted, after, limit);
        drop(permits);
        found
    });
    Ok(read.await.map_err(|_| Problem::unavailable())??)
}

/// The whole report as a file.
pub(crate) async fn as_csv(app: &App, tenant: &Tenant, wanted: Wanted) -> Outcome {
    let (items, _) = read_items(app, tenant, wanted, None, CSV_ITEMS_MAX).await?;
    let written = tokio::task::spawn_blocking(move || to_csv(&items));
    let csv = written.await.map_err(|_| Problem::unavailable())?.map_err(|error| {
        tracing::error!(%error, "a report could not be written as CSV");
        Problem::unavailable()
    })?;
    let mut answer = answer::with_body(StatusCode::OK, CSV, csv);
    answer.headers_mut().insert(CONTENT_DISPOSITION, CSV_FILE);
    Ok(answer)
}

/// What the query asks for.
pub(crate) fn wanted(parameters: &Parameters) -> Result<Wanted, Problem> {
    let filled = |name: &str| parameters.get(name).filter(|text| !text.is_empty());
    let state = match filled("state") {
        None => Some(ItemState::Held),
        Some("all") => None,
        Some(name) => Some(ItemState::from_name(name).ok_or_else(|| {
            Problem::bad_request("state: expected held, re_enabled, returned or all")
        })?),
    };
    let min_age = parameters.parse::<HumanDuration>("min_age", "a duration such as 30d")?;
    Ok(Wanted {
        state,
        manager: filled("manager").map(str::to_owned),
        min_age: min_age.map(|age| age.get()),
    })
}

/// Whether `text/csv` stands in `Accept` before JSON or anything.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut types = accepted
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let first = types.find(|range| ["text/csv", "application/json", "*/*"].contains(&&**range));
    first.as_deref() == Some("text/csv")
}
