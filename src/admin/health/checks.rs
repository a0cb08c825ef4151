//! Checks of what is kept: tokens, parked memberships, holds, protected roles, webhooks.

use std::time::Duration;

use access::expiry::warning_due;
use access::wave::later;
use access::webhook::{Position, Webhook};
use access::{Hold, HoldState};
use actors::service::webhooks::is_failing;
use store::oauth::OAuthClient;
use store::{DocumentKey, ReadError};

use super::{ExpiringToken, Health, Looking, ParkedHealth, Status};

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

pub(super) fn expiring_tokens(
    looking: &Looking<'_>,
    health: &mut Health,
) -> Result<Status, ReadError> {
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

pub(super) fn parked_memberships(
    looking: &Looking<'_>,
    health: &mut Health,
) -> Result<Status, ReadError> {
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

pub(super) fn open_holds(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, .. } = looking;
    let all = DocumentKey::default();
    let holds: Vec<Hold> = snapshot.documents_reversed(shared.key, &all, None, HOLDS_MAX)?;
    let open = holds.iter().filter(|hold| hold.state == HoldState::Open);
    health.holds = open.map(|hold| hold.id).collect();
    Ok(if health.holds.is_empty() { Status::Ok } else { Status::Attention })
}

#[expect(clippy::unnecessary_wraps, reason = "a check as the others are")]
pub(super) fn last_protected(
    looking: &Looking<'_>,
    health: &mut Health,
) -> Result<Status, ReadError> {
    health.last_protected = looking.shared.last_protected();
    Ok(if health.last_protected.is_empty() { Status::Ok } else { Status::Attention })
}

pub(super) fn failing_webhooks(
    looking: &Looking<'_>,
    health: &mut Health,
) -> Result<Status, ReadError> {
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
