//! What a courier keeps on disk, and what it reads from there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use access::webhook::{Disabled, Position, Webhook};
use store::{Changeset, Document, DocumentKey, Operation, Requirement};
use tokio::task::JoinSet;

use super::attempt::{self, Signer};
use super::journal::Journal;
use super::lanes::Lanes;
use super::{CourierArguments, CourierState, Probed, egress};
use crate::error::ChangeError;

impl CourierState {
    pub(super) fn load(arguments: CourierArguments) -> Result<Self, ChangeError> {
        let CourierArguments { id, shared, observed } = arguments;
        let snapshot = shared.snapshot()?;
        let key = DocumentKey::webhook(id);
        let kept = snapshot.document::<Webhook>(shared.key, &key)?;
        let kept = kept.filter(|kept| !kept.value.deleted).ok_or(ChangeError::NotFound)?;
        let position = snapshot.document::<Position>(shared.key, &key)?;
        let position = position.map_or_else(|| Position::at(id, 0), |kept| kept.value);
        let mut lanes = Lanes::after(position.cursor);
        let journal = Journal::load(&snapshot, shared.key, id, &mut lanes)?;
        drop(snapshot);
        let limiter = egress::limiter(kept.value.requests_per_second);
        let mut state = Self {
            id,
            webhook: kept.value,
            revision: kept.revision,
            signer: None,
            limiter,
            position,
            lanes,
            journal,
            in_flight: HashMap::new(),
            attempts: 0,
            tasks: JoinSet::new(),
            watcher: JoinSet::new(),
            is_slow: false,
            failures: 0,
            failed_lanes: BTreeSet::new(),
            probe_at: shared.clock.now(),
            untried_at: shared.clock.now(),
            probed: Probed::default(),
            to_disable: None,
            write_at: None,
            rest_until: None,
            rate_at: None,
            growing: Arc::default(),
            timer: None,
            armings: 0,
            shared,
            observed,
        };
        state.open_secrets();
        Ok(state)
    }

    /// Reads everything anew; what is under way is given up. What is to stay must have been written:
    /// the cursor and the deliveries go together, so both are those of the disk.
    pub(super) fn reload(&mut self) -> Result<(), ChangeError> {
        let was_disabled = self.webhook.disabled.is_some();
        let key = DocumentKey::webhook(self.id);
        let snapshot = self.shared.snapshot()?;
        let kept = snapshot.document::<Webhook>(self.shared.key, &key)?;
        let kept = kept.ok_or(ChangeError::NotFound)?;
        let position = snapshot.document::<Position>(self.shared.key, &key)?;
        let position = position.map_or_else(|| Position::at(self.id, 0), |kept| kept.value);
        let mut lanes = Lanes::after(position.cursor);
        let journal = Journal::load(&snapshot, self.shared.key, self.id, &mut lanes)?;
        drop(snapshot);
        self.tasks.abort_all();
        self.in_flight.clear();
        (self.position, self.lanes, self.journal) = (position, lanes, journal);
        self.failures = 0;
        self.failed_lanes.clear();
        (self.webhook, self.revision) = (kept.value, kept.revision);
        self.limiter = egress::limiter(self.webhook.requests_per_second);
        self.to_disable = None;
        self.rate_at = None;
        self.probe_at = self.now();
        if was_disabled && self.webhook.disabled.is_none() {
            self.close_circuit();
        }
        self.open_secrets();
        Ok(())
    }

    pub(super) fn open_secrets(&mut self) {
        let opened = Signer::open(&self.webhook, &self.shared.id, &self.shared.outbound.vault);
        match opened {
            Ok(signer) => {
                self.signer = Some(signer);
                self.position.trouble = None;
            }
            Err(error) => {
                tracing::error!(
                    tenant.id = %self.shared.id, webhook.id = %self.id, %error,
                    "a webhook delivers nothing",
                );
                self.signer = None;
                self.position.trouble = Some(error.to_string());
            }
        }
    }

    pub(super) fn observe_lanes(&mut self) {
        self.position.cursor = self.lanes.cursor();
        self.position.waiting = self.lanes.waiting();
        self.position.dead = self.journal.dead_count();
    }

    /// Writes what was done, and the cursor with it.
    pub(super) async fn write(&mut self) -> Result<(), ChangeError> {
        self.observe_lanes();
        self.write_at = None;
        if !self.journal.is_dirty(&self.position) {
            return Ok(());
        }
        let position = self.position.clone();
        let empty = Changeset::new(self.shared.key, self.now(), None)
            // A webhook that is gone gets no position.
            .requiring(Requirement::Document {
                collection: Webhook::COLLECTION,
                key: DocumentKey::webhook(self.id),
                revision: Some(self.current_revision()?),
            });
        let changeset = self.journal.changeset(empty, &position)?;
        self.shared.commit(changeset).await?;
        self.journal.written(position);
        Ok(())
    }

    /// The revision of the webhook's document now: what an operator changed is read again later.
    pub(super) fn current_revision(&self) -> Result<u64, ChangeError> {
        let key = DocumentKey::webhook(self.id);
        let kept = self.shared.snapshot()?.document::<Webhook>(self.shared.key, &key)?;
        Ok(kept.ok_or(ChangeError::NotFound)?.revision)
    }

    /// Keeps that the webhook is disabled.
    pub(super) async fn disable(&mut self) -> Result<(), ChangeError> {
        let Some(reason) = self.to_disable.clone() else { return Ok(()) };
        // What is read again below must hold what was done.
        self.write().await?;
        // Where an operator has changed it meanwhile, that is read first.
        if self.current_revision()? != self.revision {
            return self.reload();
        }
        let vault = &self.shared.outbound.vault;
        let mut disabled = self.webhook.clone();
        let owner = attempt::owner(&self.shared.id, self.id);
        crate::service::webhooks::reseal(&mut disabled, vault, &owner);
        disabled.disabled = Some(Disabled { reason, since: self.now() });
        let change = Changeset::new(self.shared.key, self.now(), None)
            .requiring(Requirement::Document {
                collection: Webhook::COLLECTION,
                key: DocumentKey::webhook(self.id),
                revision: Some(self.revision),
            })
            .with(Operation::put(&disabled)?);
        self.shared.commit(change).await?;
        self.reload()?;
        tracing::warn!(
            tenant.id = %self.shared.id, webhook.id = %self.id,
            reason = self.webhook.disabled.as_ref().map(|disabled| disabled.reason.as_str()),
            "a webhook was disabled",
        );
        Ok(())
    }
}
