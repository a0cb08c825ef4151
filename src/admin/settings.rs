//! `/tenants/{t}/settings`.

use access::Author;
use actors::Tenant;
use actors::service::{Page as ChangesPage, Report as PassReport};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::page::Paging;
use super::problem::Problem;
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
    let settings = change(&tenant, &patch, None, &author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &settings))
}

/// Changes settings; with a revision, only if the settings are still those of that revision.
pub(crate) async fn change(
    tenant: &Tenant,
    patch: &Value,
    revision: Option<u64>,
    author: &Author,
) -> Result<access::Settings, Problem> {
    Ok(tenant.patch_settings_at(patch, revision, author).await?)
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
    let report = try_out(&tenant, &patch, page, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &report))
}

/// Which accounts a merge patch would change.
pub(crate) async fn try_out(
    tenant: &Tenant,
    patch: &Value,
    page: ChangesPage,
    author: Author,
) -> Result<PassReport, Problem> {
    Ok(tenant.preview_settings(patch, page, author).await?)
}
