//! `/tenants/{t}/health`: what an operator should look at.
//!
//! Each check looks at one thing, writes down what it found, and says whether somebody should look
//! at it. To add one, add its part to [`Health`] and the check to [`CHECKS`].

use std::time::Duration;

use access::expiry::warning_due;
use access::wave::later;
use access::webhook::{Position, Webhook};
use access::{Hold, HoldId, HoldState, TokenId, UserId, WebhookId};
use actors::housekeeper::ExpiredParked;
use actors::service::webhooks::is_failing;
use actors::shared::Shared;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use store::oauth::OAuthClient;
use store::{DocumentKey, ReadError, Snapshot};
use utoipa::ToSchema;

use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// Tokens and clients that are looked at; a tenant has fewer of each.
const TOKENS_MAX: usize = 1_024;
/// Parked memberships that are counted.
const PARKED_COUNTED_MAX: usize = 1_000;
/// Holds that are looked at, newest first.
const HOLDS_MAX: usize = 1_000;
/// Webhooks that are looked at; a tenant has fewer.
const WEBHOOKS_MAX: usize = 64;
/// How long a membership may wait before somebody should look why.
const PARKED_FOR_LONG: Duration = Duration::from_hours(24);

/// Whether somebody should look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthStatus)]
enum Status {
    /// Nothing to see.
    #[default]
    Ok,
    /// Somebody should look.
    Attention,
}

/// What the checks found.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(examples(json!({
    "status": "attention",
    "tokens_expiring": [{"id": "01990a5d-ac96-774b-bcce-b302099a8057", "kind": "token",
                         "label": "first", "expires_at": "2026-04-01T12:00:00Z", "days": 30}],
    "parked": {"count": 1, "more": false, "oldest": "2026-03-01T12:00:00Z", "expired": null},
    "holds": [], "last_protected": [],
    "webhooks_failing": ["01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90"]
})))]
struct Health {
    /// The worst that a check said.
    status: Status,
    /// Tokens and OAuth clients whose end is near.
    tokens_expiring: Vec<ExpiringToken>,
    /// Memberships that wait for their users.
    parked: ParkedHealth,
    /// Mass changes that wait.
    #[schema(value_type = Vec<Uuid>)]
    holds: Vec<HoldId>,
    /// Accounts that keep a protected role because nobody else has it, as the latest passes found.
    #[schema(value_type = Vec<Uuid>)]
    last_protected: Vec<UserId>,
    /// Webhooks that are disabled, or whose receivers take nothing.
    #[schema(value_type = Vec<Uuid>)]
    webhooks_failing: Vec<WebhookId>,
}

/// A token or an OAuth client whose end is near.
#[derive(Debug, Serialize, ToSchema)]
struct ExpiringToken {
    /// Its id.
    #[schema(value_type = Uuid)]
    id: TokenId,
    /// `token` or `oauth_client`.
    kind: &'static str,
    /// What operators call it.
    label: String,
    /// When it ends.
    expires_at: Timestamp,
    /// The warning that is due: 30, 7 or 1 days before.
    days: u16,
}

/// Memberships that wait for their users.
#[derive(Debug, Default, Serialize, ToSchema)]
struct ParkedHealth {
    /// How many, of those that were counted.
    count: usize,
    /// Whether there are more than were counted.
    more: bool,
    /// Since when the oldest of them waits.
    #[schema(required)]
    oldest: Option<Timestamp>,
    /// Those that were taken back since the service started because nobody appeared.
    #[schema(value_type = Option<crate::openapi::schemas::ExpiredParked>, required)]
    expired: Option<ExpiredParked>,
}

/// What checks look at.
struct Looking<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

type Check = fn(&Looking<'_>, &mut Health) -> Result<Status, ReadError>;

/// Every check.
const CHECKS: [Check; 5] =
    [expiring_tokens, parked_memberships, open_holds, last_protected, failing_webhooks];

/// What an operator should look at.
#[utoipa::path(
    get, path = "/tenants/{tenant}/health", tag = "service",
    responses((status = 200, description = "What the checks found", body = Health))
)]
pub async fn show(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let snapshot = tenant.shared().snapshot()?;
    let now = app.service().clock().now();
    let looking = Looking { shared: tenant.shared(), snapshot: &snapshot, now };
    let mut health = Health::default();
    for check in CHECKS {
        health.status = check(&looking, &mut health)?.max(health.status);
    }
    Ok(answer::json(StatusCode::OK, JSON, &health))
}

fn expiring_tokens(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, now } = looking;
    let tokens = snapshot.tokens(shared.key, None, TOKENS_MAX)?;
    let tokens = tokens
        .into_iter()
        .map(|token| ("token", token.id, token.label, token.created_at, token.expires_at));
    let clients: Vec<OAuthClient> = snapshot.documents(shared.key, None, TOKENS_MAX)?;
    let clients = clients
        .into_iter()
        .map(|kept| ("oauth_client", kept.id, kept.label, kept.created_at, kept.expires_at));
    for (kind, id, label, created_at, expires_at) in tokens.chain(clients) {
        let Some(expires_at) = expires_at else { continue };
        if let Some(days) = warning_due(created_at, expires_at, *now) {
            health.tokens_expiring.push(ExpiringToken { id, kind, label, expires_at, days });
        }
    }
    let none = health.tokens_expiring.is_empty();
    Ok(if none { Status::Ok } else { Status::Attention })
}

fn parked_memberships(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, now } = looking;
    let parked = snapshot.all_parked(shared.key, None, PARKED_COUNTED_MAX + 1)?;
    let oldest = parked.iter().map(|parked| parked.since).min();
    let expired = shared.expired_parked();
    let is_long = oldest.is_some_and(|since| later(since, PARKED_FOR_LONG) <= *now);
    health.parked = ParkedHealth {
        count: parked.len().min(PARKED_COUNTED_MAX),
        more: parked.len() > PARKED_COUNTED_MAX,
        oldest,
        expired,
    };
    Ok(if is_long || expired.is_some() { Status::Attention } else { Status::Ok })
}

fn open_holds(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, .. } = looking;
    let all = DocumentKey::default();
    let holds: Vec<Hold> = snapshot.documents_reversed(shared.key, &all, None, HOLDS_MAX)?;
    let open = holds.iter().filter(|hold| hold.state == HoldState::Open);
    health.holds = open.map(|hold| hold.id).collect();
    Ok(if health.holds.is_empty() { Status::Ok } else { Status::Attention })
}

#[expect(clippy::unnecessary_wraps, reason = "a check as the others are")]
fn last_protected(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    health.last_protected = looking.shared.last_protected();
    Ok(if health.last_protected.is_empty() { Status::Ok } else { Status::Attention })
}

fn failing_webhooks(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, .. } = looking;
    for webhook in snapshot.documents::<Webhook>(shared.key, None, WEBHOOKS_MAX)? {
        let key = DocumentKey::id(webhook.id.as_bytes());
        let position = snapshot.document::<Position>(shared.key, &key)?;
        let fails = position.is_some_and(|position| is_failing(&position.value));
        if !webhook.deleted && (fails || webhook.disabled.is_some()) {
            health.webhooks_failing.push(webhook.id);
        }
    }
    let none = health.webhooks_failing.is_empty();
    Ok(if none { Status::Ok } else { Status::Attention })
}
