//! `/actors`: what each actor is doing. Read from counters, without waiting for anybody's turn.

pub(crate) mod shown;

use access::{TenantId, UserId};
use actors::Tenant;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;

use self::shown::{Actor, NodeActors, TenantActors};
use super::page::{Page, Paging, Parameters, paged};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// What the actors of the service are doing: the directory, and a page of tenants.
#[utoipa::path(
    get, path = "/actors", tag = "service", params(Paging),
    responses((status = 200, description = "The directory and its tenants", body = NodeActors))
)]
pub async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Outcome {
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor::<TenantId>()?);
    Ok(answer::json(StatusCode::OK, JSON, &of_node(&app, limit, after.as_ref())))
}

/// What a tenant's actors are doing.
#[utoipa::path(
    get, path = "/tenants/{tenant}/actors", tag = "service",
    responses((status = 200, description = "Its actors", body = TenantActors))
)]
pub async fn tenant(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &of_tenant(&app, &tenant)))
}

/// What a user's live actor is doing.
#[utoipa::path(
    get, path = "/tenants/{tenant}/actors/users/{user}", tag = "service",
    responses((status = 200, description = "Its actor", body = Actor))
)]
pub async fn user(State(app): State<App>, Path((tenant, user)): Path<(String, String)>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &of_user(&app, &tenant, &user)?))
}

/// The directory, and at most `limit` tenants after this one.
pub(crate) fn of_node(app: &App, limit: usize, after: Option<&TenantId>) -> NodeActors {
    let (service, now) = (app.service(), app.service().clock().now());
    let live = service.live_tenants().into_iter().map(|tenant| {
        let id = tenant.shared().id.clone();
        (id, Ok(tenant))
    });
    let resting = service.resting_tenants().into_iter().map(|(id, state)| (id, Err(state)));
    let mut tenants: Vec<_> = live.chain(resting).collect();
    tenants.retain(|(id, _)| after.is_none_or(|after| id > after));
    // One that is being started again while we look counts as live.
    tenants.sort_by(|(one, seen), (other, also_seen)| {
        one.cmp(other).then_with(|| seen.is_err().cmp(&also_seen.is_err()))
    });
    tenants.dedup_by(|(one, _), (other, _)| one == other);
    tenants.truncate(limit.saturating_add(1));
    let shown = tenants.into_iter().map(|(id, seen)| match seen {
        Ok(tenant) => TenantActors::of(&tenant, now),
        Err(state) => TenantActors::resting(&id, state, now),
    });
    let Page { items, next_cursor } = paged(shown.collect(), limit, |item| item.tenant.clone());
    NodeActors { directory: Actor::new(service.directory(), now), items, next_cursor }
}

/// A tenant's actors, with those of its busiest users and groups.
pub(crate) fn of_tenant(app: &App, tenant: &Tenant) -> TenantActors {
    TenantActors::in_full(tenant, app.service().clock().now())
}

/// A user's live actor.
pub(crate) fn of_user(app: &App, tenant: &Tenant, user: &str) -> Result<Actor, Problem> {
    let not_live = || Problem::not_found("the user has no live actor");
    let id: UserId = user.parse().map_err(|_| not_live())?;
    let observed = tenant.shared().live_user(id).ok_or_else(not_live)?;
    Ok(Actor::new(observed.state(), app.service().clock().now()).named(&id))
}
