//! The journal: what a courier writes of its deliveries.
//!
//! Changes gather here and go to disk together with the cursor that goes with them, every second
//! or every hundred: after a crash a few are delivered again, and none is left out. What was
//! delivered lately is kept to be looked at; dead letters are kept until they are replayed.

use std::collections::{BTreeMap, BTreeSet};

use access::WebhookId;
use access::webhook::{Delivery, DeliveryState, Position};
use store::{Changeset, DocumentKey, Operation, ReadError, Snapshot, TenantKey};

use super::lanes::Lanes;

/// Changes that are written at once, at the latest.
pub(super) const CHANGES_MAX: usize = 100;
/// Deliveries that are kept to be looked at.
const DELIVERED_KEPT_MAX: usize = 1_000;
/// Dead letters of one webhook; then it is disabled.
pub(super) const DEAD_MAX: usize = 10_000;
/// Documents that are read at once.
const READ_AT_ONCE: usize = 1_000;

/// What is not on disk yet, and what is there.
#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: BTreeMap<u64, Option<Delivery>>,
    delivered: BTreeSet<u64>,
    dead: BTreeSet<u64>,
    /// The position as it was last written.
    written: Option<Position>,
}

impl Journal {
    /// Reads what an earlier life left; what waits goes into the lanes.
    pub(super) fn load(
        snapshot: &Snapshot,
        tenant: TenantKey,
        webhook: WebhookId,
        lanes: &mut Lanes,
    ) -> Result<Self, ReadError> {
        let mut journal = Self::default();
        let prefix = DocumentKey::webhook(webhook);
        let mut after: Option<DocumentKey> = None;
        loop {
            let page: Vec<Delivery> =
                snapshot.documents_within(tenant, &prefix, after.as_ref(), READ_AT_ONCE)?;
            let Some(last) = page.last() else { return Ok(journal) };
            after = Some(prefix.clone().then_number(last.seq));
            for delivery in page {
                match delivery.state {
                    DeliveryState::Waiting => {
                        lanes.wait(&delivery.lane, delivery.seq, delivery.next_attempt_at);
                    }
                    DeliveryState::Delivered => drop(journal.delivered.insert(delivery.seq)),
                    DeliveryState::Dead => drop(journal.dead.insert(delivery.seq)),
                }
            }
        }
    }

    /// Keeps a delivery in place of the one with its number.
    pub(super) fn put(&mut self, delivery: Delivery) {
        let seq = delivery.seq;
        self.delivered.remove(&seq);
        self.dead.remove(&seq);
        match delivery.state {
            DeliveryState::Waiting => {}
            DeliveryState::Dead => drop(self.dead.insert(seq)),
            DeliveryState::Delivered => {
                self.delivered.insert(seq);
                if self.delivered.len() > DELIVERED_KEPT_MAX
                    && let Some(oldest) = self.delivered.pop_first()
                {
                    self.changes.insert(oldest, None);
                }
            }
        }
        if delivery.state != DeliveryState::Delivered || self.delivered.contains(&seq) {
            self.changes.insert(seq, Some(delivery));
        }
    }

    /// Forgets a delivery.
    pub(super) fn remove(&mut self, seq: u64) {
        self.delivered.remove(&seq);
        self.dead.remove(&seq);
        self.changes.insert(seq, None);
    }

    /// The delivery as it will be on disk.
    pub(super) fn read(
        &self,
        snapshot: &Snapshot,
        tenant: TenantKey,
        webhook: WebhookId,
        seq: u64,
    ) -> Result<Option<Delivery>, ReadError> {
        if let Some(change) = self.changes.get(&seq) {
            return Ok(change.clone());
        }
        let key = DocumentKey::webhook(webhook).then_number(seq);
        Ok(snapshot.document(tenant, &key)?.map(|kept| kept.value))
    }

    /// Dead letters.
    pub(super) fn dead(&self) -> impl Iterator<Item = u64> {
        self.dead.iter().copied()
    }

    pub(super) fn dead_count(&self) -> usize {
        self.dead.len()
    }

    /// Changes that are not on disk yet.
    pub(super) fn unwritten(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is anything to write.
    pub(super) fn is_dirty(&self, position: &Position) -> bool {
        !self.changes.is_empty() || self.written.as_ref() != Some(position)
    }

    /// The change that writes all of it.
    pub(super) fn changeset(
        &self,
        empty: Changeset,
        position: &Position,
    ) -> Result<Changeset, ReadError> {
        let mut changeset = empty.with(Operation::put(position)?);
        for (seq, change) in &self.changes {
            changeset = changeset.with(if let Some(delivery) = change {
                Operation::put(delivery)?
            } else {
                let key = DocumentKey::webhook(position.webhook).then_number(*seq);
                Operation::delete::<Delivery>(key)
            });
        }
        Ok(changeset)
    }

    /// All of it is on disk.
    pub(super) fn written(&mut self, position: Position) {
        self.changes.clear();
        self.written = Some(position);
    }
}
