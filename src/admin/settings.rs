//! `/tenants/{t}/settings`.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;

use super::{Operator, Outcome, open_tenant, read_value};
use crate::answer::{self, JSON};
use crate::app::App;
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
