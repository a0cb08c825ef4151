//! `/tenants/{t}/reconcile`: applies the rules to every account now, or tells what that would
//! change.

use actors::service::Page;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas::Report;

/// How to reconcile.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"dry_run": true})))]
struct Reconciliation {
    /// Whether only to tell what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Applies the rules to every account now, open wave or not.
#[utoipa::path(
    post, path = "/tenants/{tenant}/reconcile", tag = "accounts",
    params(Paging), request_body = Option<Reconciliation>,
    responses((status = 200, description = "What changed, or would", body = Report))
)]
pub async fn run(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let page = changes_page(query.as_deref())?;
    let Reconciliation { dry_run } = read_body(request).await?;
    let report = tenant.reconcile(dry_run, page, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &report))
}

/// Which changes a report is to name: `limit` (1,000 if absent) and `cursor`.
pub(super) fn changes_page(query: Option<&str>) -> Result<Page, Problem> {
    let parameters = Parameters::read(query);
    let limit = match parameters.get("limit") {
        Some(_) => parameters.limit()?,
        None => Page::default().limit,
    };
    Ok(Page { after: parameters.cursor()?, limit })
}
