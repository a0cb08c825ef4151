//! A tenant's webhooks: made, changed, deleted, tested, replayed.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use access::wave::later;
use access::webhook::{
    Delivery, DeliveryState, Position, REQUESTS_PER_SECOND, ROTATE_OVERLAP, Secret, WEBHOOKS_MAX,
    Webhook,
};
use access::{Author, EventType, WebhookId};
use jiff::Timestamp;
use serde_json::json;
use store::{Changeset, Document, DocumentKey, Kept, Operation, Requirement};

use super::{ANSWER_WAIT_MAX, Tenant, answered};
pub use crate::courier::Replay;
use crate::courier::attempt::{self, Signer};
use crate::courier::{CourierMessage, egress};
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;
use crate::vault::{Vault, VaultError};

/// Deliveries that are deleted in one transaction.
const DELETED_AT_ONCE: usize = 500;
/// Requests in a second that a webhook may be given.
const PER_SECOND_MAX: u32 = 10_000;

/// A webhook to make.
#[derive(Debug, Clone, Default)]
pub struct NewWebhook {
    /// Where events are sent.
    pub url: String,
    /// The types that are sent; none means all.
    pub types: Vec<EventType>,
    /// Requests in a second at most.
    pub requests_per_second: Option<NonZeroU32>,
    /// The entry after which to begin; without it, the feed's last.
    pub after: Option<u64>,
}

/// What to change of a webhook.
#[derive(Debug, Clone, Default)]
pub struct WebhookPatch {
    /// Another address.
    pub url: Option<String>,
    /// Other types.
    pub types: Option<Vec<EventType>>,
    /// Another rate.
    pub requests_per_second: Option<NonZeroU32>,
    /// Whether it is to deliver.
    pub active: Option<bool>,
    /// A new secret; the old one signs beside it for so long.
    pub rotate_secret: bool,
    /// See [`ROTATE_OVERLAP`].
    pub rotate_overlap: Option<Duration>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Whether the receiver took the sample.
    pub delivered: bool,
    /// The status that it answered, if it answered.
    pub status: Option<u16>,
    /// How long it took.
    pub duration: Duration,
    /// The first bytes of the answer.
    pub body: Vec<u8>,
    /// What was wrong.
    pub error: Option<String>,
}

/// Why a webhook was not made, changed or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is no such webhook.
    #[error("there is no such webhook")]
    NotFound,
    /// The tenant has as many as it may have.
    #[error("the tenant has {WEBHOOKS_MAX} webhooks; delete one")]
    TooMany,
    /// A value is not allowed.
    #[error("{key}: {reason}")]
    Invalid {
        /// The key at fault.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What is to be replayed is not in the feed any more.
    #[error("the feed begins with the entry {oldest}")]
    Trimmed {
        /// The oldest entry that is there.
        oldest: u64,
    },
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] VaultError),
    /// It could not be kept or read.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<store::ReadError> for WebhookError {
    fn from(error: store::ReadError) -> Self {
        Self::Change(error.into())
    }
}

/// Encrypts secrets that were kept before there was a key.
pub(crate) fn reseal(webhook: &mut Webhook, vault: &Vault, owner: &str) {
    for secret in webhook.secrets.iter_mut().filter(|secret| vault.should_reseal(&secret.sealed)) {
        let sealed = vault.open(&secret.sealed, owner).and_then(|text| vault.seal(&text, owner));
        // One that cannot be sealed stays as it is, and works.
        if let Ok(sealed) = sealed {
            secret.sealed = sealed;
        }
    }
}

impl Tenant {
    /// A webhook and how far it has come.
    pub fn webhook(&self, id: WebhookId) -> Result<(Webhook, Position), WebhookError> {
        let kept = self.kept_webhook(id)?;
        Ok((kept.value, self.position_of(id)?))
    }

    /// All webhooks, oldest first.
    pub fn webhooks(&self) -> Result<Vec<(Webhook, Position)>, WebhookError> {
        let found: Vec<Webhook> =
            self.shared.snapshot()?.documents(self.key(), None, usize::MAX)?;
        let live = found.into_iter().filter(|webhook| !webhook.deleted);
        live.map(|webhook| Ok((self.position_of(webhook.id)?, webhook)))
            .map(|found| found.map(|(position, webhook)| (webhook, position)))
            .collect()
    }

    /// Deliveries, newest first, before the entry `before`, at most `limit`.
    pub fn deliveries(
        &self,
        id: WebhookId,
        state: Option<DeliveryState>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Delivery>, WebhookError> {
        self.kept_webhook(id)?;
        let snapshot = self.shared.snapshot()?;
        let prefix = DocumentKey::webhook(id);
        let mut before = before.map(|seq| prefix.clone().then_number(seq));
        let mut found = Vec::new();
        loop {
            let page: Vec<Delivery> = snapshot.documents_reversed(
                self.key(),
                &prefix,
                before.as_ref(),
                DELETED_AT_ONCE,
            )?;
            let Some(last) = page.last() else { return Ok(found) };
            before = Some(last.key());
            let wanted = |delivery: &Delivery| state.is_none_or(|state| state == delivery.state);
            found.extend(page.into_iter().filter(wanted));
            if found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// Makes a webhook. Answers it with its secret, which is not shown again.
    pub async fn create_webhook(
        &self,
        new: NewWebhook,
        author: Author,
    ) -> Result<(Webhook, String), WebhookError> {
        let shared = &self.shared;
        self.check_url(&new.url).await?;
        let _changing = shared.webhooks.lock().await;
        check_rate(new.requests_per_second)?;
        let snapshot = shared.snapshot()?;
        if snapshot.documents::<Webhook>(self.key(), None, WEBHOOKS_MAX)?.len() >= WEBHOOKS_MAX {
            return Err(WebhookError::TooMany);
        }
        let counts = snapshot.counts(self.key())?;
        drop(snapshot);
        let cursor = new.after.unwrap_or(counts.feed).min(counts.feed);
        check_there(cursor, counts)?;
        let now = shared.clock.now();
        let id = WebhookId::new(now);
        let (secret, text) = self.make_secret(id)?;
        let webhook = Webhook {
            id,
            url: new.url,
            types: new.types,
            secrets: vec![secret],
            requests_per_second: new.requests_per_second.unwrap_or(REQUESTS_PER_SECOND),
            created_at: now,
            disabled: None,
            deleted: false,
        };
        let change = Changeset::new(self.key(), now, None)
            .by(author)
            .with(Operation::put(&webhook)?)
            .with(Operation::put(&Position::at(id, cursor))?);
        shared.commit(change).await?;
        self.start_courier(id);
        Ok((webhook, text))
    }

    /// Changes a webhook. Answers it, and its new secret if there is one.
    pub async fn patch_webhook(
        &self,
        id: WebhookId,
        patch: WebhookPatch,
        author: Author,
    ) -> Result<(Webhook, Option<String>), WebhookError> {
        let shared = &self.shared;
        let _changing = shared.webhooks.lock().await;
        let kept = self.kept_webhook(id)?;
        let mut webhook = kept.value;
        if let Some(url) = patch.url {
            self.check_url(&url).await?;
            webhook.url = url;
        }
        if let Some(types) = patch.types {
            webhook.types = types;
        }
        check_rate(patch.requests_per_second)?;
        if let Some(rate) = patch.requests_per_second {
            webhook.requests_per_second = rate;
        }
        let now = shared.clock.now();
        match patch.active {
            Some(true) => webhook.disabled = None,
            Some(false) if webhook.disabled.is_none() => {
                let reason = "an operator disabled it".to_owned();
                webhook.disabled = Some(access::webhook::Disabled { reason, since: now });
            }
            _ => {}
        }
        let owner = attempt::owner(&shared.id, id);
        reseal(&mut webhook, &shared.outbound.vault, &owner);
        webhook.secrets.retain(|secret| secret.until.is_none_or(|until| now < until));
        let mut text = None;
        if patch.rotate_secret {
            let overlap = patch.rotate_overlap.unwrap_or(ROTATE_OVERLAP);
            let (secret, new) = self.make_secret(id)?;
            // Two live secrets at most: the current one and the one before, if that can be read.
            webhook.secrets.truncate(1);
            let vault = &shared.outbound.vault;
            webhook.secrets.retain(|secret| vault.open(&secret.sealed, &owner).is_ok());
            for old in &mut webhook.secrets {
                old.until = Some(later(now, overlap));
            }
            webhook.secrets.insert(0, secret);
            text = Some(new);
        }
        let change = Changeset::new(self.key(), now, None)
            .by(author)
            .requiring(is_still(id, Some(kept.revision)))
            .with(Operation::put(&webhook)?);
        shared.commit(change).await?;
        self.tell_changed(id).await;
        Ok((webhook, text))
    }

    /// Deletes a webhook: it is gone at once; what belongs to it follows.
    pub async fn delete_webhook(&self, id: WebhookId, author: Author) -> Result<(), WebhookError> {
        let shared = &self.shared;
        let _changing = shared.webhooks.lock().await;
        let kept = self.kept_webhook(id)?;
        // Nothing of it can be read any more: nobody needs its secrets.
        let gone = Webhook { deleted: true, secrets: Vec::new(), ..kept.value };
        let change = Changeset::new(self.key(), shared.clock.now(), None)
            .by(author)
            .requiring(is_still(id, Some(kept.revision)))
            .with(Operation::put(&gone)?);
        shared.commit(change).await?;
        finish_delete(shared, id);
        Ok(())
    }

    /// Sends a sample, and tells what came of it.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<TestReport, WebhookError> {
        let shared = &self.shared;
        let webhook = self.kept_webhook(id)?.value;
        let signer = Signer::open(&webhook, &shared.id, &shared.outbound.vault)?;
        let now = shared.clock.now();
        let sample = format!("test_{}", WebhookId::new(now));
        let data = json!({
            "seq": null, "id": sample, "type": "webhook.test", "at": format!("{now:.3}"),
            "note": "A sample. It is not in the change feed.",
        });
        let permit = Arc::clone(&shared.outbound.permits).acquire_owned();
        let permit = tokio::time::timeout(super::PERMIT_WAIT_MAX, permit).await;
        let _permit = permit.ok().and_then(Result::ok).ok_or(ChangeError::Overloaded)?;
        let request = signer.request(&sample, attempt::body_of(&data), now);
        let began = tokio::time::Instant::now();
        let outcome = attempt::send(&shared.outbound, request).await;
        Ok(TestReport {
            delivered: outcome.is_success(),
            status: outcome.status,
            duration: began.elapsed(),
            body: outcome.body,
            error: outcome.error,
        })
    }

    /// Delivers again; answers when that is kept.
    pub async fn replay_webhook(&self, id: WebhookId, replay: Replay) -> Result<(), WebhookError> {
        let _changing = self.shared.webhooks.lock().await;
        self.kept_webhook(id)?;
        if let Replay::After(after) = replay {
            check_there(after, self.shared.snapshot()?.counts(self.key())?)?;
        }
        let (courier, observed) = self
            .shared
            .courier(id)
            .ok_or_else(|| ChangeError::unavailable("the courier is being started again"))?;
        observed.sent();
        let message = |reply_to| CourierMessage::Replay(replay, reply_to);
        Ok(answered(courier.call(message, Some(ANSWER_WAIT_MAX)).await)??)
    }

    // --- underneath ------------------------------------------------------------------------------

    fn kept_webhook(&self, id: WebhookId) -> Result<Kept<Webhook>, WebhookError> {
        let kept = self.shared.snapshot()?.document(self.key(), &DocumentKey::webhook(id))?;
        kept.filter(|kept: &Kept<Webhook>| !kept.value.deleted).ok_or(WebhookError::NotFound)
    }

    fn position_of(&self, id: WebhookId) -> Result<Position, WebhookError> {
        let kept = self.shared.snapshot()?.document(self.key(), &DocumentKey::webhook(id))?;
        Ok(kept.map_or_else(|| Position::at(id, 0), |kept: Kept<Position>| kept.value))
    }

    async fn check_url(&self, url: &str) -> Result<(), WebhookError> {
        let check = self.shared.outbound.egress.check(url.to_owned());
        match tokio::time::timeout(egress::REQUEST_WAIT_MAX, check).await {
            // A name that cannot be looked up now is judged when it is connected to.
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(WebhookError::Invalid { key: "url", reason: error.to_string() }),
        }
    }

    fn make_secret(&self, id: WebhookId) -> Result<(Secret, String), VaultError> {
        let secret = attempt::make_secret()?;
        let owner = attempt::owner(&self.shared.id, id);
        let sealed = self.shared.outbound.vault.seal(&secret, &owner)?;
        Ok((Secret { sealed, until: None }, attempt::secret_text(&secret)))
    }

    fn start_courier(&self, id: WebhookId) {
        self.shared.tenant_observed.sent();
        if self.actor.cast(TenantMessage::StartCourier(id)).is_err() {
            // The tenant is being started again, and starts its couriers itself.
            self.shared.tenant_observed.taken();
        }
    }

    async fn tell_changed(&self, id: WebhookId) {
        // One that is being started again reads the change by itself.
        let Some((courier, observed)) = self.shared.courier(id) else { return };
        observed.sent();
        let told = courier.call(CourierMessage::Changed, Some(ANSWER_WAIT_MAX)).await;
        if let Err(error) = answered(told) {
            tracing::warn!(webhook.id = %id, %error, "a courier has not read its webhook yet");
        }
    }
}

/// Ends a deleted webhook's courier and takes away what belongs to it, in the background; what is
/// left at a stop, the next start takes up.
pub(crate) fn finish_delete(shared: &Arc<Shared>, id: WebhookId) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Some((courier, _)) = shared.courier(id) {
            // One that does not end finds that its webhook is gone.
            let _ = courier.stop_and_wait(None, Some(ANSWER_WAIT_MAX)).await;
        }
        if let Err(error) = delete_pieces(&shared, id).await {
            tracing::warn!(webhook.id = %id, %error, "a deleted webhook is left for the next start");
        }
    });
}

async fn delete_pieces(shared: &Shared, id: WebhookId) -> Result<(), ChangeError> {
    let prefix = DocumentKey::webhook(id);
    loop {
        let page: Vec<Delivery> =
            shared.snapshot()?.documents_within(shared.key, &prefix, None, DELETED_AT_ONCE)?;
        let mut change = Changeset::new(shared.key, shared.clock.now(), None);
        for delivery in &page {
            change = change.with(Operation::delete::<Delivery>(delivery.key()));
        }
        if page.is_empty() {
            change = change
                .with(Operation::delete::<Position>(prefix.clone()))
                .with(Operation::delete::<Webhook>(prefix));
            return shared.commit(change).await.map(drop);
        }
        shared.commit(change).await?;
    }
}

fn is_still(id: WebhookId, revision: Option<u64>) -> Requirement {
    let (collection, key) = (Webhook::COLLECTION, DocumentKey::webhook(id));
    Requirement::Document { collection, key, revision }
}

fn check_rate(rate: Option<NonZeroU32>) -> Result<(), WebhookError> {
    if rate.is_some_and(|rate| rate.get() > PER_SECOND_MAX) {
        let reason = format!("expected a number from 1 to {PER_SECOND_MAX}");
        return Err(WebhookError::Invalid { key: "requests_per_second", reason });
    }
    Ok(())
}

fn check_there(after: u64, counts: store::snapshot::Counts) -> Result<(), WebhookError> {
    if after < counts.feed_trimmed {
        return Err(WebhookError::Trimmed { oldest: counts.feed_trimmed + 1 });
    }
    Ok(())
}

/// Whether a webhook is behind for a reason.
pub fn is_failing(position: &Position) -> bool {
    position.circuit_open_since.is_some() || position.waiting > 0 || position.trouble.is_some()
}

/// When a secret that was rotated stops signing.
pub fn overlap_ends(webhook: &Webhook, now: Timestamp) -> Option<Timestamp> {
    webhook.secrets.iter().filter_map(|secret| secret.until).find(|until| now < *until)
}
