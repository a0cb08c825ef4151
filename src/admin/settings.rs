//! `/tenants/{t}/settings`.

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;

use super::page::Paging;
use super::reconcile::changes_page;
use super::{Operator, Outcome, open_tenant, read_value};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas::Report;
use crate::openapi::schemas::settings::{Settings, SettingsPatch};

/// The settings of a tenant.
#[utoipa::path(
    get, path = "/tenants/{tenant}/settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings))
)]
pub async fn show(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &tenant.shared().config().settings))
}

/// Changes settings by a JSON merge patch; answers when they are applied.
#[utoipa::path(
    patch, path = "/tenants/{tenant}/settings", tag = "settings", request_body = SettingsPatch,
    responses((status = 200, description = "The new settings", body = Settings))
)]
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

/// Tells which accounts a merge patch would change, and changes nothing.
#[utoipa::path(
    post, path = "/tenants/{tenant}/settings/preview", tag = "settings",
    params(Paging), request_body = SettingsPatch,
    responses((status = 200, description = "What the same PATCH would change", body = Report))
)]
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
