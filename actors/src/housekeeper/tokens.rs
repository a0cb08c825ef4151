//! Tokens that are about to expire, and what is left of those that are gone.

use std::collections::HashSet;

use access::expiry::warning_due;
use access::{Event, EventType, TokenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::oauth::{AccessToken, OAuthClient};
use store::{Changeset, Collection, Document, DocumentKey, Operation, Requirement, Snapshot};

use super::chores::{PIECE, commit};
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::token_uses::TokenUse;

/// Tokens and clients that are looked at; a tenant has fewer of each.
const TOKENS_MAX: usize = 1_024;

/// Of which expiry the feed has told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TokenWarning {
    token: TokenId,
    /// When it ends. One that is to end at another time is told of anew.
    expires_at: Timestamp,
    /// The most urgent warning that was given, in days.
    days: u16,
}

impl Document for TokenWarning {
    const COLLECTION: Collection = Collection::TokenWarnings;

    fn key(&self) -> DocumentKey {
        warning_key(self.token)
    }
}

fn warning_key(token: TokenId) -> DocumentKey {
    DocumentKey::id(token.as_bytes())
}

/// What is known of a token, or of an OAuth client.
struct Known {
    id: TokenId,
    kind: &'static str,
    label: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// Warns once for each threshold; of several that have passed at once, for the most urgent.
pub(super) async fn warn(shared: &Shared) -> Result<(), ChangeError> {
    let snapshot = shared.snapshot()?;
    let known = known_tokens(shared, &snapshot)?;
    let left = left_of_deleted(shared, &snapshot, &known)?;
    drop(snapshot);
    commit(shared, left).await?;
    for token in &known {
        warn_of(shared, token).await?;
    }
    Ok(())
}

async fn warn_of(shared: &Shared, token: &Known) -> Result<(), ChangeError> {
    let now = shared.clock.now();
    let Some(expires_at) = token.expires_at else { return Ok(()) };
    let Some(days) = warning_due(token.created_at, expires_at, now) else { return Ok(()) };
    let key = warning_key(token.id);
    let before = shared.snapshot()?.document::<TokenWarning>(shared.key, &key)?;
    let told = |warning: &TokenWarning| warning.expires_at == expires_at && warning.days <= days;
    if before.as_ref().is_some_and(|before| told(&before.value)) {
        return Ok(());
    }
    let warning = TokenWarning { token: token.id, expires_at, days };
    let event = Event::token(EventType::TokenExpiring, token.id)
        .with("kind", token.kind)
        .with("label", token.label.as_str())
        .with("expires_at", expires_at.to_string())
        .with("days", days);
    let collection = Collection::TokenWarnings;
    let revision = before.map(|before| before.revision);
    let change = Changeset::new(shared.key, now, None)
        .requiring(Requirement::Document { collection, key, revision })
        .with(Operation::put(&warning)?)
        .telling([event]);
    shared.commit(change).await?;
    let tenant = &shared.id;
    tracing::warn!(tenant.id = %tenant, token.id = %token.id, days, "a token is about to expire");
    Ok(())
}

/// Deletes access tokens that have expired. Answers whether there are more to look at.
pub(super) async fn delete_expired(
    shared: &Shared,
    after: &mut Option<DocumentKey>,
) -> Result<bool, ChangeError> {
    let now = shared.clock.now();
    let tokens: Vec<AccessToken> =
        shared.snapshot()?.documents(shared.key, after.as_ref(), PIECE)?;
    let more = tokens.len() >= PIECE;
    *after = tokens.last().map(Document::key);
    let expired = tokens.iter().filter(|token| token.expires_at <= now);
    commit(shared, expired.map(|token| Operation::delete::<AccessToken>(token.key())).collect())
        .await?;
    Ok(more)
}

fn known_tokens(shared: &Shared, snapshot: &Snapshot) -> Result<Vec<Known>, ChangeError> {
    let tokens = snapshot.tokens(shared.key, None, TOKENS_MAX)?.into_iter().map(|token| Known {
        id: token.id,
        kind: "token",
        label: token.label,
        created_at: token.created_at,
        expires_at: token.expires_at,
    });
    let clients: Vec<OAuthClient> = snapshot.documents(shared.key, None, TOKENS_MAX)?;
    let clients = clients.into_iter().map(|client| Known {
        id: client.id,
        kind: "oauth_client",
        label: client.label,
        created_at: client.created_at,
        expires_at: client.expires_at,
    });
    Ok(tokens.chain(clients).collect())
}

/// What is kept about tokens that are gone goes.
fn left_of_deleted(
    shared: &Shared,
    snapshot: &Snapshot,
    known: &[Known],
) -> Result<Vec<Operation>, ChangeError> {
    let known: HashSet<TokenId> = known.iter().map(|token| token.id).collect();
    let warnings: Vec<TokenWarning> = snapshot.documents(shared.key, None, TOKENS_MAX)?;
    let uses: Vec<TokenUse> = snapshot.documents(shared.key, None, TOKENS_MAX)?;
    let warnings = warnings
        .iter()
        .filter(|warning| !known.contains(&warning.token))
        .map(|warning| Operation::delete::<TokenWarning>(warning.key()));
    let uses = uses
        .iter()
        .filter(|used| !known.contains(&used.token))
        .map(|used| Operation::delete::<TokenUse>(used.key()));
    Ok(warnings.chain(uses).collect())
}
