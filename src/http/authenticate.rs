//! Who sends a SCIM request: the tenant of a token, and who holds it.
//!
//! A token of the tenant's and an access token of one of its OAuth clients open the same. A wrong
//! token and an unknown tenant look the same, also in time. What fails is counted by address.

use access::{Author, RequestId, TokenId};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;
use store::oauth::{AccessToken, OAuthClient, PresentedAccess, access_key, client_key};
use store::tenant::Tenant;
use store::token::Presented;
use store::{ReadError, Snapshot};

use super::error::Failure;
use crate::app::{App, bearer};
use crate::logins::Peer;

/// Whose token it is: its id, or that of its client, and what people call it.
struct Holder {
    id: TokenId,
    label: String,
    /// Whether it still counts.
    counts: bool,
}

/// Finds the tenant of a token, and who holds it.
pub(super) async fn authenticate(
    app: &App,
    parts: &Parts,
    tenant: &str,
) -> Result<(actors::Tenant, Author), Failure> {
    let from = Peer::of(&parts.extensions);
    let found = {
        let snapshot = app.service().store().snapshot()?;
        let kept = match tenant.parse() {
            Ok(id) => snapshot.known_tenant(&id, app.known_tenants())?,
            Err(_) => None,
        };
        let text = bearer(&parts.headers).unwrap_or_default();
        let holder = holder(app, &snapshot, kept.as_deref(), text)?;
        kept.zip(holder)
    };
    let (tenant, holder) = match found {
        Some((tenant, holder)) if holder.counts => (tenant, holder),
        expired => {
            // What presents no token at all is no attempt to guess one.
            if parts.headers.contains_key(AUTHORIZATION) {
                let expired = expired.map(|(_, holder)| holder.id);
                let logins = app.failed_logins();
                let counted = logins.failed_with(from, "scim", Some(tenant), expired);
                counted.map_err(Failure::too_many_failed_logins)?;
                refused(app, tenant, expired.is_some());
            }
            return Err(Failure::unauthorized());
        }
    };
    let request = parts.extensions.get::<RequestId>().copied();
    let author = Author::token(holder.id, holder.label, request);
    let tenant = app.service().tenant(&tenant).await?;
    tenant.shared().token_uses.used(holder.id, app.service().clock().now(), from);
    Ok((tenant, author))
}

/// Counts a refusal, if there is such a tenant. Slowed down by address above, so that nobody can
/// count up another's refusals fast.
fn refused(app: &App, tenant: &str, expired: bool) {
    let live = app.service().live_tenant(tenant);
    if let Some(tenant) = live {
        tenant.shared().refused(expired);
    }
}

/// Whoever holds this token, or held it before it expired. Both kinds are compared, whichever it
/// is.
fn holder(
    app: &App,
    snapshot: &Snapshot,
    tenant: Option<&Tenant>,
    text: &str,
) -> Result<Option<Holder>, ReadError> {
    let (presented, access) = (Presented::read(text), PresentedAccess::read(text));
    let now = app.service().clock().now();
    let token = match (tenant, presented.id()) {
        (Some(tenant), Some(id)) => snapshot.known_token(tenant.key, id, app.known_tokens())?,
        _ => None,
    };
    let client = match (tenant, access.ids()) {
        (Some(tenant), Some((client, token))) => {
            let token = snapshot.document(tenant.key, &access_key(client, token))?;
            let client = snapshot.document(tenant.key, &client_key(client))?;
            client.zip(token)
        }
        _ => None,
    };
    let (client, access_token): (Option<OAuthClient>, Option<AccessToken>) =
        client.map(|(client, token)| (client.value, token.value)).unzip();
    // Of a token of the tenant's it is told when it has expired: somebody forgot to renew it.
    let was_token = presented.matches(token.as_deref(), Timestamp::MIN);
    let counts = presented.matches(token.as_deref(), now);
    let is_access = access.matches(client.as_ref(), access_token.as_ref(), now);
    let token = token.filter(|_| was_token).map(|token| (token.id, token.label.clone(), counts));
    let client = client.filter(|_| is_access).map(|client| (client.id, client.label, true));
    Ok(token.or(client).map(|(id, label, counts)| Holder { id, label, counts }))
}
