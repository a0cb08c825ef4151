//! What a courier makes of an answer, or of none.

use std::time::Duration;

use access::wave::later;
use access::webhook::{Delivery, DeliveryState, WITHOUT_SUCCESS_MAX, probe_after, retry_after};
use jiff::Timestamp;
use metrics::{counter, histogram};

use super::attempt::Outcome;
use super::journal::DEAD_MAX;
use super::supply::WAITING_MAX;
use super::{CourierState, InFlight, Probed, SLOW_FROM, Sent};

/// Failures since the last success that open the circuit, of those that speak against the endpoint.
const FAILURES_TO_OPEN: usize = 5;
/// When the circuit was open for so long, what waits is tried as soon as it closes; after a shorter
/// time each event's own schedule is soon enough.
const OUTAGE_MIN: Duration = Duration::from_mins(1);

impl CourierState {
    /// A request is done.
    pub(super) fn done(&mut self, attempt: u64, took: Duration, outcome: &Outcome) {
        // One that was given up meanwhile is sent again.
        let Some(InFlight { what, is_probe }) = self.in_flight.remove(&attempt) else { return };
        self.is_slow = took >= SLOW_FROM;
        let made = if outcome.is_success() { "delivered" } else { "failed" };
        counter!("slackwater_webhook_attempts_total", "outcome" => made).increment(1);
        histogram!("slackwater_webhook_attempt_duration_seconds").record(took.as_secs_f64());
        if outcome.is_success() {
            self.succeeded(&what, outcome);
            return;
        }
        let now = self.now();
        self.position.last_failure_at = Some(now);
        self.position.last_error.clone_from(&outcome.error);
        let failing_since = *self.position.failing_since.get_or_insert(now);
        if outcome.is_gone() {
            self.put_back(what);
            self.to_disable = Some("the receiver answered 410: it wants no more".to_owned());
            return;
        }
        if later(failing_since, WITHOUT_SUCCESS_MAX) <= now {
            // Before anything is given up: nothing says that it is the event that is at fault.
            self.to_disable = Some("the receiver has taken nothing for three days".to_owned());
        }
        if self.to_disable.is_some() {
            self.put_back(what);
        } else if self.is_open() {
            self.failed_while_open(what, is_probe, outcome);
        } else {
            if is_against_endpoint(&what, outcome) {
                self.failures += 1;
                self.failed_lanes.insert(what.lane().to_owned());
            }
            if self.failures >= FAILURES_TO_OPEN || self.lanes.waiting() >= WAITING_MAX {
                self.open_circuit(outcome);
                self.put_back(what);
            } else {
                self.try_again_later(what, outcome);
            }
        }
    }

    fn succeeded(&mut self, what: &Sent, outcome: &Outcome) {
        let now = self.now();
        if self.is_open() {
            tracing::info!(
                tenant.id = %self.shared.id, webhook.id = %self.id,
                "a webhook's receiver is back",
            );
        }
        self.position.last_success_at = Some(now);
        self.close_circuit();
        let delivery = match what {
            Sent::Fresh(event) => self.delivery_of(event),
            Sent::Waiting { delivery, .. } => (**delivery).clone(),
        };
        self.lanes.done(&delivery.lane, delivery.seq);
        self.journal.put(Delivery {
            state: DeliveryState::Delivered,
            attempts: delivery.attempts + 1,
            last_status: outcome.status,
            last_error: None,
            next_attempt_at: None,
            delivered_at: Some(now),
            entry: None,
            ..delivery
        });
    }

    /// The receiver takes events.
    pub(super) fn close_circuit(&mut self) {
        self.failures = 0;
        self.failed_lanes.clear();
        self.position.failing_since = None;
        self.position.probes = 0;
        let since = self.position.circuit_open_since.take();
        if since.is_some_and(|since| later(since, OUTAGE_MIN) <= self.now()) {
            self.lanes.all_due();
        }
    }

    fn open_circuit(&mut self, outcome: &Outcome) {
        let now = self.now();
        tracing::warn!(
            tenant.id = %self.shared.id, webhook.id = %self.id,
            error = outcome.error.as_deref(), "a webhook's receiver takes nothing",
        );
        self.position.circuit_open_since = Some(now);
        self.position.probes = 0;
        self.probed = Probed::default();
        self.rest_before_probe(outcome);
    }

    fn rest_before_probe(&mut self, outcome: &Outcome) {
        let rest = probe_after(self.position.probes + 1, random());
        let rest = rest.max(outcome.retry_after.unwrap_or_default());
        self.probe_at = later(self.now(), rest);
    }

    /// While the circuit is open no attempt counts: it is the endpoint that fails, not the event.
    fn failed_while_open(&mut self, what: Sent, is_probe: bool, outcome: &Outcome) {
        if is_probe {
            self.position.probes = self.position.probes.saturating_add(1);
            self.rest_before_probe(outcome);
        }
        if let Sent::Fresh(event) = &what {
            self.failed_lanes.insert(event.lane.clone());
        }
        self.put_back(what);
    }

    /// As if it had not been sent.
    fn put_back(&mut self, what: Sent) {
        match what {
            Sent::Fresh(event) => self.lanes.put_back(*event),
            Sent::Waiting { delivery, .. } => {
                let next_at = delivery.next_attempt_at.unwrap_or_else(|| self.now());
                self.lanes.rest(&delivery.lane, delivery.seq, next_at);
            }
        }
    }

    /// The event failed, while others do not: it waits, and what follows in its lane with it; or it
    /// is given up.
    fn try_again_later(&mut self, what: Sent, outcome: &Outcome) {
        let now = self.now();
        let (mut delivery, is_due) = match what {
            Sent::Fresh(event) => (self.delivery_of(&event), true),
            Sent::Waiting { delivery, is_due } => (*delivery, is_due),
        };
        let heeded = later(now, outcome.retry_after.unwrap_or_default());
        let (attempts, next_at) = if is_due {
            let attempts = delivery.attempts + 1;
            let first = *delivery.first_attempt_at.get_or_insert(now);
            let enough = later(first, WITHOUT_SUCCESS_MAX);
            match retry_after(attempts, random()) {
                Some(rest) => (attempts, later(now, rest)),
                // The rests were short ones: once more, when the three days are over.
                None if now < enough => (delivery.attempts, enough),
                None => return self.give_up(delivery, attempts, outcome),
            }
        } else {
            // Tried before its time: that does not count.
            (delivery.attempts, delivery.next_attempt_at.unwrap_or(now))
        };
        let next_at = next_at.max(heeded);
        let lane = delivery.lane.clone();
        self.keep_waiting(delivery, attempts, next_at, outcome);
        let room = WAITING_MAX.saturating_sub(self.lanes.waiting());
        for event in self.lanes.drain_fresh(&lane, room) {
            self.make_wait(&event);
        }
    }

    fn keep_waiting(
        &mut self,
        delivery: Delivery,
        attempts: usize,
        next_at: Timestamp,
        outcome: &Outcome,
    ) {
        self.lanes.rest(&delivery.lane, delivery.seq, next_at);
        self.journal.put(Delivery {
            attempts,
            next_attempt_at: Some(next_at),
            last_status: outcome.status,
            last_error: outcome.error.clone(),
            ..delivery
        });
    }

    fn give_up(&mut self, delivery: Delivery, attempts: usize, outcome: &Outcome) {
        tracing::error!(
            tenant.id = %self.shared.id, webhook.id = %self.id,
            event.id = delivery.event_id, attempts, error = outcome.error.as_deref(),
            "an event was given up",
        );
        counter!("slackwater_webhook_given_up_total").increment(1);
        // Kept with it, so that it can be replayed when the feed holds it no more.
        let entry = self.shared.snapshot().and_then(|snapshot| self.entry(&snapshot, delivery.seq));
        self.lanes.done(&delivery.lane, delivery.seq);
        self.journal.put(Delivery {
            state: DeliveryState::Dead,
            attempts,
            next_attempt_at: None,
            last_status: outcome.status,
            last_error: outcome.error.clone(),
            entry: delivery.entry.clone().or_else(|| entry.ok().flatten()),
            ..delivery
        });
        if self.journal.dead_count() >= DEAD_MAX {
            self.to_disable = Some(format!("{DEAD_MAX} events were given up; replay them"));
        }
    }
}

impl Sent {
    fn lane(&self) -> &str {
        match self {
            Self::Fresh(event) => &event.lane,
            Self::Waiting { delivery, .. } => &delivery.lane,
        }
    }
}

/// Whether a failure says something about the endpoint. An event that was refused before says only
/// that it is refused again, unless there was no answer at all.
fn is_against_endpoint(what: &Sent, outcome: &Outcome) -> bool {
    let is_first = match what {
        Sent::Fresh(_) => true,
        Sent::Waiting { delivery, .. } => delivery.first_attempt_at.is_none(),
    };
    is_first || outcome.is_of_endpoint()
}

/// From 0 up to 1. Without randomness the middle, which is still right.
fn random() -> f64 {
    let mut bytes = [0; 4];
    let filled = getrandom::fill(&mut bytes);
    filled.map_or(0.5, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
