//! `/tenants/{t}/oauth-clients`: clients that fetch short-lived access tokens with an id and a
//! secret, as Entra can do instead of sending one token for ever; see [`crate::oauth`].

use std::net::IpAddr;

use access::duration::HumanDuration;
use access::{Author, TokenId};
use actors::Tenant;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::DocumentKey;
use store::oauth::{ClientId, OAuthClient};
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::tokens::{check_label, expiry, last_use};
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Clients of one tenant.
pub(crate) const CLIENTS_MAX: usize = 100;

/// A client to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOAuthClient, examples(json!({"label": "entra", "expires_in": "365d"})))]
pub(crate) struct NewClient {
    /// What operators call it.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(crate) label: String,
    /// For how long it is good, such as `365d`; for ever where it is missing.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(crate) expires_in: Option<HumanDuration>,
}

/// A client that was made; its secret is shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeOAuthClient, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057",
    "client_id": "acme.01990a5d-ac96-774b-bcce-b302099a8057", "client_secret": "…",
    "token_endpoint": "https://sync.example.com/oauth/token", "label": "entra",
    "expires_at": null
})))]
pub(crate) struct MadeClient {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// Entra's *Client Identifier*.
    pub(crate) client_id: String,
    /// Entra's *Client Secret*. It is never shown again.
    pub(crate) client_secret: String,
    /// Entra's *Token Endpoint*.
    pub(crate) token_endpoint: String,
    /// What operators call it.
    pub(crate) label: String,
    /// When it ends; null: never.
    #[schema(required)]
    pub(crate) expires_at: Option<Timestamp>,
}

/// A client without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthClient, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057",
    "client_id": "acme.01990a5d-ac96-774b-bcce-b302099a8057", "label": "entra",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": null,
    "last_used_at": "2026-03-02T08:00:00Z", "last_used_from": "192.0.2.7"
})))]
pub(crate) struct ShownClient {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// What it logs in with.
    pub(crate) client_id: String,
    /// What operators call it.
    pub(crate) label: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    pub(crate) expires_at: Option<Timestamp>,
    /// When one of its access tokens was used last, to the minute.
    #[schema(required)]
    pub(crate) last_used_at: Option<Timestamp>,
    /// The address that it was used from.
    #[schema(value_type = Option<String>, required)]
    pub(crate) last_used_from: Option<IpAddr>,
}

/// Makes a client; its secret is shown only here.
#[utoipa::path(
    post, path = "/tenants/{tenant}/oauth-clients", tag = "tokens",
    request_body = Option<NewClient>,
    responses(
        (status = 201, description = "The client", body = MadeClient),
        (status = 409, description = "the tenant has 100 clients; delete one"),
    )
)]
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = read_body(request).await?;
    let made = make(&app, &tenant, &headers, author, new).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

pub(crate) async fn make(
    app: &App,
    tenant: &Tenant,
    headers: &HeaderMap,
    author: Author,
    new: NewClient,
) -> Result<MadeClient, Problem> {
    let NewClient { label, expires_in } = new;
    check_label(&label)?;
    let now = app.service().clock().now();
    let expires_at = expiry(now, expires_in.as_ref())?;
    let kept: Vec<OAuthClient> =
        tenant.shared().snapshot()?.documents(tenant.key(), None, CLIENTS_MAX)?;
    if kept.len() >= CLIENTS_MAX {
        return Err(Problem::conflict(format!("the tenant has {CLIENTS_MAX} clients; delete one")));
    }
    let (client, client_secret) =
        OAuthClient::make(label, now, expires_at).map_err(|_| Problem::unavailable())?;
    app.service().create_client(tenant.key(), &client, author).await?;
    let client_id = ClientId { tenant: tenant.shared().id.clone(), id: client.id };
    Ok(MadeClient {
        id: client.id,
        client_id: client_id.to_string(),
        client_secret,
        token_endpoint: app.token_endpoint(headers),
        label: client.label,
        expires_at,
    })
}

/// The clients, without their secrets.
#[utoipa::path(
    get, path = "/tenants/{tenant}/oauth-clients", tag = "tokens", params(Paging),
    responses((status = 200, description = "Clients", body = Page<ShownClient>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<TokenId>::read(&app, &tenant, query.as_deref()).await?;
    let items = listed(&tenant, after, limit.saturating_add(1))?;
    Ok(page(items, limit, |item| item.id.to_string()))
}

pub(crate) fn listed(
    tenant: &Tenant,
    after: Option<TokenId>,
    limit: usize,
) -> Result<Vec<ShownClient>, Problem> {
    let snapshot = tenant.shared().snapshot()?;
    let after = after.map(|after| DocumentKey::id(after.as_bytes()));
    let clients: Vec<OAuthClient> = snapshot.documents(tenant.key(), after.as_ref(), limit)?;
    let mut items = Vec::new();
    for client in clients {
        let last = last_use(&snapshot, tenant, client.id)?;
        let (last_used_at, last_used_from) = last.map(|last| (last.at, last.from)).unzip();
        let client_id = ClientId { tenant: tenant.shared().id.clone(), id: client.id };
        items.push(ShownClient {
            id: client.id,
            client_id: client_id.to_string(),
            label: client.label,
            created_at: client.created_at,
            expires_at: client.expires_at,
            last_used_at,
            last_used_from: last_used_from.flatten(),
        });
    }
    Ok(items)
}

/// Deletes a client: from now on neither it nor its access tokens open anything.
///
/// Takes the client's `id`, or its whole `client_id`.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/oauth-clients/{client}", tag = "tokens",
    responses((status = 204, description = "It is deleted"))
)]
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, client)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    remove(&app, &tenant, &client, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) async fn remove(
    app: &App,
    tenant: &Tenant,
    client: &str,
    author: Author,
) -> Result<(), Problem> {
    let no_such_client = || Problem::not_found("there is no such client");
    let id = match client.parse::<ClientId>() {
        Ok(whole) if whole.tenant == tenant.shared().id => whole.id,
        _ => client.parse().map_err(|_| no_such_client())?,
    };
    app.service().delete_client(tenant.key(), id, author).await?;
    tenant.shared().token_uses.forget(id);
    Ok(())
}
