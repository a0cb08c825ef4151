//! `/actors`: what each actor is doing. Read from counters, without waiting for anybody's turn.

use std::sync::Arc;

use access::{TenantId, UserId, WebhookId};
use actors::Tenant;
use actors::observe::{ActorState, Observed};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::page::{Page, Paging, Parameters, page};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas::{Actor, TenantActors};

/// What the actors of all live tenants are doing.
#[utoipa::path(
    get, path = "/actors", tag = "service", params(Paging),
    responses((status = 200, description = "Live tenants", body = Page<TenantActors>))
)]
pub async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Outcome {
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor::<TenantId>()?);
    let mut tenants = app.service().live_tenants();
    tenants.retain(|tenant| after.as_ref().is_none_or(|after| tenant.shared().id > *after));
    tenants.sort_by(|one, other| one.shared().id.cmp(&other.shared().id));
    let items = tenants.iter().take(limit + 1).map(shown).collect();
    Ok(page(items, limit, |item: &Value| item["tenant"].as_str().unwrap_or_default().to_owned()))
}

/// What a tenant's actors are doing.
#[utoipa::path(
    get, path = "/tenants/{tenant}/actors", tag = "service",
    responses((status = 200, description = "Its actors", body = TenantActors))
)]
pub async fn tenant(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown(&tenant)))
}

/// What a user's live actor is doing.
#[utoipa::path(
    get, path = "/tenants/{tenant}/actors/users/{user}", tag = "service",
    responses((status = 200, description = "Its actor", body = Actor))
)]
pub async fn user(State(app): State<App>, Path((tenant, user)): Path<(String, String)>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let not_live = || Problem::not_found("the user has no live actor");
    let id: UserId = user.parse().map_err(|_| not_live())?;
    let observed = tenant.shared().live_user(id).ok_or_else(not_live)?;
    let mut body = state(&observed.state());
    put(&mut body, "id", id.to_string());
    Ok(answer::json(StatusCode::OK, JSON, &body))
}

fn shown(tenant: &Tenant) -> Value {
    let shared = tenant.shared();
    let mut body = state(&shared.tenant_observed.state());
    put(&mut body, "tenant", shared.id.to_string());
    put(&mut body, "wave", shared.open_wave().map(|wave| json!(wave)));
    put(&mut body, "next_sweep", shared.next_sweep().map(|at| at.to_string()));
    put(&mut body, "live_users", shared.live_users());
    put(&mut body, "live_groups", shared.live_groups());
    let courier = |(id, observed): (WebhookId, Arc<Observed>)| {
        let mut body = state(&observed.state());
        put(&mut body, "webhook", id.to_string());
        body
    };
    let couriers: Vec<Value> = shared.live_couriers().into_iter().map(courier).collect();
    put(&mut body, "couriers", couriers);
    put(&mut body, "reconciler", state(&shared.reconciler_observed.state()));
    put(&mut body, "housekeeper", state(&shared.housekeeper_observed.state()));
    put(&mut body, "reporter", state(&shared.reporter_observed.state()));
    body
}

fn state(state: &ActorState) -> Value {
    serde_json::to_value(state).unwrap_or_default()
}

fn put(body: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(body) = body {
        body.insert(key.to_owned(), value.into());
    }
}
