//! `/tenants/{t}/settings`.

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;

use super::reconcile::changes_page;
use super::{Operator, Outcome, open_tenant, read_value};
use crate::answer::{self, JSON};
use crate::app::App;

/// GET.
pub async fn show(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &tenant.shared().config().settings))
}

/// PATCH: a JSON merge patch; answers when the new settings are applied.
pub async fn patch(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let patch = read_value(request).await?;
    let settings = tenant.patch_settings(&patch, &author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &settings))
}

/// POST of a merge patch: which accounts it would change, and nothing else. Large results in
/// pages, by `limit` and `cursor`.
pub async fn preview(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let page = changes_page(query.as_deref())?;
    let patch = read_value(request).await?;
    let report = tenant.preview_settings(&patch, page, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &report))
}
