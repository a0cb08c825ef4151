//! `/tenants`: make, show, list, delete.

use access::{Author, TenantId};
use actors::Tenant;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, Paging, Parameters, page};
use super::problem::Problem;
use super::{Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Characters in a tenant's name.
const NAME_CHARS_MAX: usize = 256;

/// A tenant to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"id": "acme", "name": "Acme Corp"})))]
pub(crate) struct NewTenant {
    /// How it is called in paths.
    #[schema(pattern = "^[a-z0-9-]{1,63}$")]
    pub(crate) id: String,
    /// How people call it; the id where it is missing.
    #[schema(min_length = 1, max_length = 256)]
    pub(crate) name: Option<String>,
}

/// Where a directory pushes to.
#[derive(Serialize, ToSchema)]
struct Endpoint {
    /// Entra's *Tenant URL*.
    endpoint: String,
}

/// A tenant: one customer directory.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant, examples(json!({
    "id": "acme", "name": "Acme Corp", "created_at": "2026-03-01T12:00:00Z",
    "scim": {"endpoint": "https://slackwater.example.com/scim/v2/acme"}, "users": 120, "groups": 4
})))]
struct ShownTenant {
    /// How it is called in paths.
    #[schema(value_type = String)]
    id: TenantId,
    /// How people call it.
    name: String,
    /// When it was made.
    created_at: Timestamp,
    scim: Endpoint,
    /// Users that the directory pushed; lists of tenants do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    users: Option<u64>,
    /// Groups that the directory pushed; lists of tenants do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    groups: Option<u64>,
}

/// Where a directory pushes to, and what it logs in with.
#[derive(Serialize, ToSchema)]
pub(crate) struct Access {
    /// Entra's *Tenant URL*.
    pub(crate) endpoint: String,
    /// Entra's *Secret Token*. It is never shown again.
    pub(crate) token: String,
}

/// A tenant that was just made.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "acme", "name": "Acme Corp",
    "scim": {"endpoint": "https://slackwater.example.com/scim/v2/acme", "token": "sw_…"}
})))]
pub(crate) struct MadeTenant {
    /// How it is called in paths.
    #[schema(value_type = String)]
    pub(crate) id: TenantId,
    /// How people call it.
    pub(crate) name: String,
    pub(crate) scim: Access,
}

/// Makes a tenant. Its token is shown only here.
#[utoipa::path(
    post, path = "/tenants", tag = "tenants", request_body = NewTenant,
    responses(
        (status = 201, description = "The tenant", body = MadeTenant),
        (status = 409, description = "id is taken"),
    )
)]
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    headers: HeaderMap,
    request: Request,
) -> Outcome {
    let new = read_body(request).await?;
    let made = make(&app, &headers, author, new).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

pub(crate) async fn make(
    app: &App,
    headers: &HeaderMap,
    author: Author,
    new: NewTenant,
) -> Result<MadeTenant, Problem> {
    let NewTenant { id, name } = new;
    let id: TenantId =
        id.parse().map_err(|error| Problem::unprocessable(format!("id: {error}")))?;
    let name = name.unwrap_or_else(|| id.to_string());
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let detail = format!("name: expected 1 to {NAME_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    let now = app.service().clock().now();
    let (token, text) =
        store::token::make("first".to_owned(), now, None).map_err(|_| Problem::unavailable())?;
    app.service().create_tenant(id.clone(), name.clone(), token, author).await?;
    let endpoint = app.scim_endpoint(headers, &id);
    Ok(MadeTenant { id, name, scim: Access { endpoint, token: text } })
}

/// All tenants.
#[utoipa::path(
    get, path = "/tenants", tag = "tenants", params(Paging),
    responses((status = 200, description = "Tenants", body = Page<ShownTenant>))
)]
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor::<TenantId>()?);
    let tenants = app.service().store().snapshot()?.tenants(after.as_ref(), limit + 1)?;
    let items = tenants.into_iter().map(|tenant| shown(&app, &headers, tenant)).collect();
    Ok(page(items, limit, |tenant: &ShownTenant| tenant.id.to_string()))
}

/// One tenant, with how much it holds.
#[utoipa::path(
    get, path = "/tenants/{tenant}", tag = "tenants",
    responses((status = 200, description = "The tenant", body = ShownTenant))
)]
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Path(tenant): Path<String>,
) -> Outcome {
    let live = open_tenant(&app, &tenant).await?;
    let snapshot = live.shared().snapshot()?;
    let kept = snapshot.tenant(&live.shared().id)?;
    let kept = kept.ok_or_else(|| Problem::not_found("there is no such tenant"))?;
    let counts = snapshot.counts(live.key())?;
    let (users, groups) = (Some(counts.users), Some(counts.groups));
    let body = ShownTenant { users, groups, ..shown(&app, &headers, kept) };
    Ok(answer::json(StatusCode::OK, JSON, &body))
}

/// Deletes a tenant: it is gone at once, its rows follow.
#[utoipa::path(
    delete, path = "/tenants/{tenant}", tag = "tenants",
    responses((status = 204, description = "It is deleted"))
)]
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
) -> Outcome {
    let live = open_tenant(&app, &tenant).await?;
    remove(&app, &live, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) async fn remove(app: &App, tenant: &Tenant, author: Author) -> Result<(), Problem> {
    app.service().delete_tenant(&tenant.shared().id, author).await?;
    app.forget(tenant.key());
    Ok(())
}

fn shown(app: &App, headers: &HeaderMap, tenant: store::tenant::Tenant) -> ShownTenant {
    let scim = Endpoint { endpoint: app.scim_endpoint(headers, &tenant.id) };
    let store::tenant::Tenant { id, name, created_at, .. } = tenant;
    ShownTenant { id, name, created_at, scim, users: None, groups: None }
}
