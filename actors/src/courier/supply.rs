//! What a courier takes from the feed and from disk to send next.

use std::ops::ControlFlow;

use access::webhook::{Delivery, DeliveryState, lane_of};
use serde_json::Value;
use store::ReadError;

use super::attempt::{body_of, webhook_id};
use super::journal::CHANGES_MAX;
use super::lanes::Fresh;
use super::{CourierState, Sent};
use crate::error::ChangeError;

/// Events that are held in memory, and their bytes.
const FRESH_MAX: usize = 256;
const FRESH_BYTES_MAX: usize = 4 << 20;
/// Events of one webhook that may wait with a document of their own.
pub(super) const WAITING_MAX: usize = 10_000;
/// Entries that are looked at before others get their turn.
const LOOKED_AT_MAX: usize = 1_000;

impl CourierState {
    /// Reads ahead as far as there is room. Answers whether there is more to read at once.
    pub(super) fn refill(&mut self) -> Result<bool, ReadError> {
        if self.lanes.fresh() > FRESH_MAX / 2 || self.lanes.fresh_bytes() >= FRESH_BYTES_MAX {
            return Ok(false);
        }
        let snapshot = self.shared.snapshot()?;
        let counts = snapshot.counts(self.shared.key)?;
        if counts.feed_trimmed > self.lanes.read_to() {
            self.note_missing(self.lanes.read_to() + 1, counts.feed_trimmed);
        }
        if counts.feed <= self.lanes.read_to() {
            return Ok(false);
        }
        let (mut looked_at, mut more) = (0, false);
        let after = self.lanes.read_to();
        snapshot.feed(self.shared.key, after, |entry| {
            if looked_at >= LOOKED_AT_MAX || self.journal.unwritten() >= CHANGES_MAX {
                more = true;
                return ControlFlow::Break(());
            }
            if self.lanes.fresh() >= FRESH_MAX || self.lanes.fresh_bytes() >= FRESH_BYTES_MAX {
                return ControlFlow::Break(());
            }
            looked_at += 1;
            self.take_up(&entry);
            ControlFlow::Continue(())
        })?;
        Ok(more)
    }

    /// Takes up one entry of the feed.
    fn take_up(&mut self, entry: &Value) {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(seq) = entry.get("seq").and_then(Value::as_u64) else { return };
        let (kind, lane) = (text("type").unwrap_or_default(), lane_of(entry));
        if self.webhook.wants(&kind) && !self.lanes.is_waiting(&lane, seq) {
            let event = Fresh {
                seq,
                event_id: text("id").unwrap_or_default(),
                kind,
                account: text("account"),
                webhook_id: webhook_id(entry, &self.shared.id),
                body: body_of(entry),
                lane,
            };
            let has_room = !self.is_open() && self.lanes.waiting() < WAITING_MAX;
            if has_room && self.lanes.is_blocked(&event.lane) {
                self.make_wait(&event);
            } else {
                self.lanes.push(event);
            }
        }
        self.lanes.looked_to(seq);
    }

    /// An event waits behind another of its lane.
    pub(super) fn make_wait(&mut self, event: &Fresh) {
        self.lanes.wait(&event.lane, event.seq, None);
        self.journal.put(self.delivery_of(event));
    }

    /// A delivery that was not tried yet.
    pub(super) fn delivery_of(&self, event: &Fresh) -> Delivery {
        Delivery {
            webhook: self.id,
            seq: event.seq,
            event_id: event.event_id.clone(),
            kind: event.kind.clone(),
            account: event.account.clone(),
            lane: event.lane.clone(),
            state: DeliveryState::Waiting,
            attempts: 0,
            last_status: None,
            last_error: None,
            first_attempt_at: None,
            next_attempt_at: None,
            delivered_at: None,
            entry: None,
            missing_to: None,
        }
    }

    /// Retention has taken entries away that were still to be delivered.
    fn note_missing(&mut self, from: u64, to: u64) {
        tracing::error!(
            tenant.id = %self.shared.id, webhook.id = %self.id, from, to,
            "events are gone from the feed that were not delivered",
        );
        let reason = format!("retention took the events {from} to {to} before they were delivered");
        self.journal.put(Delivery {
            webhook: self.id,
            seq: from,
            event_id: String::new(),
            kind: String::new(),
            account: None,
            lane: String::new(),
            state: DeliveryState::Dead,
            attempts: 0,
            last_status: None,
            last_error: Some(reason),
            first_attempt_at: None,
            next_attempt_at: None,
            delivered_at: None,
            entry: None,
            missing_to: Some(to),
        });
        self.lanes.looked_to(to);
    }

    /// Takes the next event that may be sent, with its id and body.
    pub(super) fn next_event(&mut self) -> Result<Option<(Sent, String, Vec<u8>)>, ChangeError> {
        let now = self.now();
        let is_open = self.is_open();
        // While the circuit is open, what is fresh and what waits take turns, and so do lanes: one
        // event that its receiver cannot take must not keep the circuit open.
        let waiting_first = !is_open || !self.position.probes.is_multiple_of(2);
        for take_waiting in [waiting_first, !waiting_first] {
            loop {
                if !take_waiting {
                    break;
                }
                let head = if is_open {
                    self.lanes.take_waiting_after(self.probed.waiting)
                } else {
                    self.lanes.take_due(now)
                };
                let Some(head) = head else { break };
                self.probed.waiting = head.seq;
                if let Some(next) = self.waiting_event(&head.lane, head.seq)? {
                    return Ok(Some(next));
                }
            }
            if take_waiting {
                continue;
            }
            let after = if is_open { self.probed.fresh } else { 0 };
            if let Some(fresh) = self.lanes.take_ready(after).or_else(|| self.lanes.take_ready(0)) {
                self.probed.fresh = fresh.seq;
                let (id, body) = (fresh.webhook_id.clone(), fresh.body.clone());
                return Ok(Some((Sent::Fresh(Box::new(fresh)), id, body)));
            }
        }
        Ok(None)
    }

    /// Takes the next event of a lane in which nothing has failed lately; see
    /// [`CourierState::send_untried`].
    pub(super) fn next_untried(&mut self) -> Option<(Sent, String, Vec<u8>)> {
        let fresh = self.lanes.take_ready_besides(&self.failed_lanes)?;
        let (id, body) = (fresh.webhook_id.clone(), fresh.body.clone());
        Some((Sent::Fresh(Box::new(fresh)), id, body))
    }

    /// An event that waits, from disk. None: it is given up, since its entry is gone.
    fn waiting_event(
        &mut self,
        lane: &str,
        seq: u64,
    ) -> Result<Option<(Sent, String, Vec<u8>)>, ChangeError> {
        let read = self.read_waiting(seq);
        let (delivery, entry) = match read {
            Ok(read) => read,
            Err(error) => {
                // Not to know it is not to have delivered it.
                self.lanes.rest(lane, seq, self.now());
                return Err(error.into());
            }
        };
        let Some(mut delivery) = delivery else {
            self.lanes.done(lane, seq);
            return Ok(None);
        };
        let Some(entry) = entry else {
            delivery.state = DeliveryState::Dead;
            delivery.next_attempt_at = None;
            delivery.missing_to = Some(seq);
            delivery.last_error = Some("retention took the event before it was delivered".into());
            self.journal.put(delivery);
            self.lanes.done(lane, seq);
            return Ok(None);
        };
        let (id, body) = (webhook_id(&entry, &self.shared.id), body_of(&entry));
        let is_due = delivery.next_attempt_at.is_none_or(|at| at <= self.now());
        Ok(Some((Sent::Waiting { delivery: Box::new(delivery), is_due }, id, body)))
    }

    fn read_waiting(&self, seq: u64) -> Result<(Option<Delivery>, Option<Value>), ReadError> {
        let snapshot = self.shared.snapshot()?;
        let delivery = self.journal.read(&snapshot, self.shared.key, self.id, seq)?;
        let kept = delivery.as_ref().and_then(|delivery| delivery.entry.clone());
        if kept.is_some() {
            return Ok((delivery, kept));
        }
        let entry = self.entry(&snapshot, seq)?;
        Ok((delivery, entry))
    }

    /// An entry of the feed, if it is still there.
    pub(super) fn entry(
        &self,
        snapshot: &store::Snapshot,
        seq: u64,
    ) -> Result<Option<Value>, ReadError> {
        let mut found = None;
        snapshot.feed(self.shared.key, seq.saturating_sub(1), |entry| {
            found =
                Some(entry).filter(|entry| entry.get("seq").and_then(Value::as_u64) == Some(seq));
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// What was given up waits again. In pieces, since there may be many.
    pub(super) async fn replay_dead_letters(&mut self) -> Result<(), ChangeError> {
        let dead: Vec<u64> = self.journal.dead().collect();
        for seq in dead {
            let snapshot = self.shared.snapshot()?;
            let delivery = self.journal.read(&snapshot, self.shared.key, self.id, seq)?;
            drop(snapshot);
            match delivery {
                Some(delivery) if delivery.missing_to.is_none() => {
                    let now = self.now();
                    self.lanes.wait(&delivery.lane, seq, Some(now));
                    self.journal.put(Delivery {
                        state: DeliveryState::Waiting,
                        attempts: 0,
                        first_attempt_at: None,
                        next_attempt_at: Some(now),
                        ..delivery
                    });
                }
                // A notice that something is gone has been read.
                _ => self.journal.remove(seq),
            }
            if self.journal.unwritten() >= CHANGES_MAX {
                self.write().await?;
            }
        }
        self.write().await
    }
}
