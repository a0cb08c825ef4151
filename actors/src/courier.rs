//! The courier: brings a tenant's events to one webhook's receiver.
//!
//! It reads the feed behind the webhook's cursor, a little ahead, and sends what the receiver asked
//! for: events of one account one after the other, accounts side by side. An event that fails gets
//! a document of its own and is tried again by its schedule, and what follows in its lane waits
//! behind it; other lanes go on, and so does the cursor. When one failure follows the other across
//! lanes the endpoint itself is down: the circuit opens, and one event at a time is sent to see
//! whether it is back; an event of a lane in which nothing has failed goes at once all the same. An
//! outage costs no documents, and no attempts: what fails in it, or is tried before its time, does
//! not count.
//!
//! At least once: the cursor goes to disk with what was done, every second or every hundred
//! deliveries; after a crash a few are sent again, with the same `webhook-id`.
//!
//! Requests are tasks of their own, a bounded number of them; the actor waits for the disk at most.
//! Not here: HTTP (see [`egress::Egress`]), which addresses may be reached.

pub mod egress;

pub(crate) mod attempt;
mod journal;
mod keep;
mod lanes;
mod outcome;
mod supply;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use access::WebhookId;
use access::wave::later;
use access::webhook::{Delivery, Position, Webhook};
use futures_util::FutureExt;
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use self::attempt::{Outcome, Signer};
use self::egress::{Limiter, Outgoing};
use self::journal::Journal;
use self::lanes::{Fresh, Lanes};
use crate::error::ChangeError;
use crate::observe::Observed;
use crate::shared::Shared;

/// Requests of one webhook in flight; of one whose receiver takes long, so many.
const IN_FLIGHT_MAX: usize = 16;
const IN_FLIGHT_SLOW_MAX: usize = 4;
/// From here on a receiver takes long.
const SLOW_FROM: Duration = Duration::from_secs(2);
/// How long what was done may wait to be written.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// While the circuit is open, how often an event of a lane is sent that has not failed.
const UNTRIED_EVERY: Duration = Duration::from_secs(1);
/// How long a courier rests when the store did not do what it asked for.
const STORE_REST: Duration = Duration::from_secs(1);

/// What a courier can be told.
pub(crate) enum CourierMessage {
    /// The feed has grown, or there is more to read. Sent by its own tasks.
    Grown,
    /// The webhook was changed: read it again. Answers when the change counts.
    Changed(RpcReplyPort<()>),
    /// Deliver what comes after this entry again, or what was given up. Answers when that is kept.
    Replay(Replay, RpcReplyPort<Result<(), ChangeError>>),
    /// A request is done. Sent by its own tasks.
    Done {
        /// Which attempt.
        attempt: u64,
        /// How long it took.
        took: Duration,
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// Look at the clock. Sent by its own timer, of this arming.
    Tick(u64),
}

/// What is to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Everything after this entry.
    After(u64),
    /// What was given up.
    DeadLetters,
}

/// What a courier is started with.
pub(crate) struct CourierArguments {
    pub(crate) id: WebhookId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) observed: Arc<Observed>,
}

/// The actor; see the module.
pub(crate) struct CourierActor;

/// What it knows between messages. All of it can be made anew from the store.
pub(crate) struct CourierState {
    id: WebhookId,
    shared: Arc<Shared>,
    observed: Arc<Observed>,
    webhook: Webhook,
    /// The webhook's document as read; see [`store::Kept`].
    revision: u64,
    signer: Option<Signer>,
    limiter: Limiter,
    position: Position,
    lanes: Lanes,
    journal: Journal,
    in_flight: HashMap<u64, InFlight>,
    attempts: u64,
    tasks: JoinSet<()>,
    /// Watches the feed; ends with this state, however the actor ends.
    watcher: JoinSet<()>,
    is_slow: bool,
    /// Failures since the last success that speak against the endpoint, and the lanes that they were
    /// in; while the circuit is open, all lanes whose fresh events failed.
    failures: usize,
    failed_lanes: BTreeSet<String>,
    /// While the circuit is open: when the next probe is sent, and what the last one was.
    probe_at: Timestamp,
    probed: Probed,
    /// While it is open: when an event of a lane may be sent that has not failed.
    untried_at: Timestamp,
    /// Why the webhook is to be disabled.
    to_disable: Option<String>,
    write_at: Option<Timestamp>,
    rest_until: Option<Timestamp>,
    rate_at: Option<Timestamp>,
    /// Whether a `Grown` is on its way.
    growing: Arc<AtomicBool>,
    timer: Option<Timer>,
    armings: u64,
}

/// A request that is under way.
struct InFlight {
    what: Sent,
    is_probe: bool,
}

/// What was sent last: probes take turns.
#[derive(Default)]
struct Probed {
    fresh: u64,
    waiting: u64,
}

/// What was sent.
enum Sent {
    Fresh(Box<Fresh>),
    Waiting { delivery: Box<Delivery>, is_due: bool },
}

struct Timer {
    arming: u64,
    at: Timestamp,
    task: AbortHandle,
}

impl Actor for CourierActor {
    type Msg = CourierMessage;
    type State = CourierState;
    type Arguments = CourierArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<CourierMessage>,
        arguments: CourierArguments,
    ) -> Result<CourierState, ActorProcessingErr> {
        let mut state = CourierState::load(arguments)?;
        state.watch_feed(&myself);
        state.grow(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<CourierMessage>,
        message: CourierMessage,
        state: &mut CourierState,
    ) -> Result<(), ActorProcessingErr> {
        state.observed.begin(state.now());
        match message {
            CourierMessage::Grown => state.growing.store(false, Ordering::Release),
            CourierMessage::Changed(reply_to) => {
                state.write().await?;
                state.reload()?;
                // An operator who mends something wants to see it work. It is not counted.
                state.lanes.all_due();
                if state.webhook.deleted {
                    myself.stop(None);
                }
                // The requester may have timed out; the change counts all the same.
                let _ = reply_to.send(());
            }
            CourierMessage::Replay(replay, reply_to) => {
                let _ = reply_to.send(state.replay(replay).await);
            }
            CourierMessage::Done { attempt, took, outcome } => {
                state.done(attempt, took, &outcome);
            }
            CourierMessage::Tick(arming) => {
                state.timer.take_if(|timer| timer.arming == arming);
            }
        }
        state.go_on(&myself).await;
        state.observed.end();
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<CourierMessage>,
        state: &mut CourierState,
    ) -> Result<(), ActorProcessingErr> {
        // What is not written is delivered once more by the next life.
        match state.write().await {
            // Its webhook is gone, and so is what belongs to it.
            Err(ChangeError::NotFound) => Ok(()),
            written => Ok(written?),
        }
    }
}

impl CourierState {
    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    const fn in_flight_max(&self) -> usize {
        if self.is_slow { IN_FLIGHT_SLOW_MAX } else { IN_FLIGHT_MAX }
    }

    const fn is_open(&self) -> bool {
        self.position.circuit_open_since.is_some()
    }

    /// Tells of the feed's growth, one message at a time.
    fn watch_feed(&mut self, myself: &ActorRef<CourierMessage>) {
        let (myself, growing) = (myself.clone(), Arc::clone(&self.growing));
        let mut feed = self.shared.feed();
        self.watcher.spawn(async move {
            while feed.changed().await.is_ok() {
                if !growing.swap(true, Ordering::AcqRel)
                    && myself.cast(CourierMessage::Grown).is_err()
                {
                    return;
                }
            }
        });
    }

    fn grow(&self, myself: &ActorRef<CourierMessage>) {
        if !self.growing.swap(true, Ordering::AcqRel) {
            // A courier that has ended has nothing to read.
            let _ = myself.cast(CourierMessage::Grown);
        }
    }

    /// Does what there is to do now, and sets the timer for what comes later.
    async fn go_on(&mut self, myself: &ActorRef<CourierMessage>) {
        let now = self.now();
        while self.tasks.try_join_next().is_some() {}
        if self.rest_until.is_none_or(|until| until <= now) {
            self.rest_until = None;
            if let Err(error) = self.work(myself).await {
                tracing::warn!(
                    tenant.id = %self.shared.id, webhook.id = %self.id, %error,
                    "a courier rests",
                );
                self.rest_until = Some(later(self.now(), STORE_REST));
            }
        }
        self.arm(myself);
    }

    async fn work(&mut self, myself: &ActorRef<CourierMessage>) -> Result<(), ChangeError> {
        if self.to_disable.is_some() {
            self.disable().await?;
        }
        self.observe_lanes();
        let now = self.now();
        let is_due = self.write_at.is_some_and(|at| at <= now);
        if is_due || self.journal.unwritten() >= journal::CHANGES_MAX {
            self.write().await?;
        }
        if self.webhook.disabled.is_none() && !self.webhook.deleted && self.signer.is_some() {
            self.rate_at = None;
            if self.refill()? {
                self.grow(myself);
            }
            self.send_all(myself)?;
        }
        self.observe_lanes();
        if self.write_at.is_none() && self.journal.is_dirty(&self.position) {
            self.write_at = Some(later(self.now(), WRITE_EVERY));
        }
        Ok(())
    }

    /// Sends what may be sent now.
    fn send_all(&mut self, myself: &ActorRef<CourierMessage>) -> Result<(), ChangeError> {
        if self.is_open() {
            if self.in_flight.is_empty() && self.probe_at <= self.now() {
                self.send_next(myself)?;
            }
            self.send_untried(myself);
            return Ok(());
        }
        while self.in_flight.len() < self.in_flight_max() && self.send_next(myself)? {}
        Ok(())
    }

    /// Sends the next event, if there is one and the rates allow it.
    fn send_next(&mut self, myself: &ActorRef<CourierMessage>) -> Result<bool, ChangeError> {
        if !self.lanes.has_next(self.now(), self.is_open()) {
            return Ok(false);
        }
        if !self.is_within_rates() {
            return Ok(false);
        }
        let Some(next) = self.next_event()? else { return Ok(false) };
        self.send(myself, next, self.is_open());
        Ok(true)
    }

    /// While the circuit is open: sends an event of a lane in which nothing has failed since the
    /// last success, one in a second. Who is healthy must not wait for who is not; and in an outage
    /// it costs one request for each lane that is held.
    fn send_untried(&mut self, myself: &ActorRef<CourierMessage>) {
        let now = self.now();
        let may_send = self.untried_at <= now && self.in_flight.len() < self.in_flight_max();
        if !may_send || !self.lanes.is_ready_besides(&self.failed_lanes) || !self.is_within_rates()
        {
            return;
        }
        if let Some(next) = self.next_untried() {
            self.untried_at = later(now, UNTRIED_EVERY);
            self.send(myself, next, false);
        }
    }

    fn is_within_rates(&mut self) -> bool {
        let limited =
            egress::take(&self.limiter).and_then(|()| egress::take(&self.shared.outbound.limiter));
        self.rate_at = limited.err().map(|wait| later(self.now(), wait));
        self.rate_at.is_none()
    }

    fn send(
        &mut self,
        myself: &ActorRef<CourierMessage>,
        (what, webhook_id, body): (Sent, String, Vec<u8>),
        is_probe: bool,
    ) {
        let Some(signer) = &self.signer else { return };
        let request = signer.request(&webhook_id, body, self.now());
        self.attempts += 1;
        self.in_flight.insert(self.attempts, InFlight { what, is_probe });
        self.spawn(myself.clone(), self.attempts, request);
    }

    fn spawn(&mut self, myself: ActorRef<CourierMessage>, attempt: u64, request: Outgoing) {
        let outbound = Arc::clone(&self.shared.outbound);
        let observed = Arc::clone(&self.observed);
        let webhook = self.id;
        self.tasks.spawn(async move {
            let Ok(_permit) = Arc::clone(&outbound.permits).acquire_owned().await else { return };
            let began = tokio::time::Instant::now();
            let span = tracing::debug_span!(parent: None, "deliver", webhook.id = %webhook);
            let sent = attempt::send(&outbound, request).instrument(span);
            let sent = std::panic::AssertUnwindSafe(sent);
            let outcome = sent.catch_unwind().await.unwrap_or_else(|_| Outcome::panicked());
            let (took, outcome) = (began.elapsed(), Box::new(outcome));
            observed.sent();
            if myself.cast(CourierMessage::Done { attempt, took, outcome }).is_err() {
                // The courier has ended; the next one sends it again.
                observed.taken();
            }
        });
    }

    /// Sets the timer to the next moment that matters.
    fn arm(&mut self, myself: &ActorRef<CourierMessage>) {
        let now = self.now();
        let is_sending = self.webhook.disabled.is_none() && self.signer.is_some();
        let next_event = match (is_sending, self.is_open(), self.rate_at) {
            (false, ..) => None,
            (true, true, rate_at) => {
                let can_probe = self.in_flight.is_empty() && self.lanes.has_any();
                let can_try = self.in_flight.len() < self.in_flight_max()
                    && self.lanes.is_ready_besides(&self.failed_lanes);
                let moments =
                    [can_probe.then_some(self.probe_at), can_try.then_some(self.untried_at)];
                let next = moments.into_iter().flatten().min();
                next.map(|at| rate_at.map_or(at, |rate_at| at.max(rate_at)))
            }
            (true, false, Some(rate_at)) => Some(rate_at),
            // With all hands full, whoever is done first takes the next one.
            (true, false, None) => {
                let is_full = self.in_flight.len() >= self.in_flight_max();
                self.lanes.next_due().filter(|_| !is_full)
            }
        };
        let moments = match self.rest_until {
            Some(until) => [Some(until), None],
            None => [next_event, self.write_at],
        };
        let Some(next) = moments.into_iter().flatten().min() else { return };
        if self.timer.as_ref().is_some_and(|timer| timer.at <= next) {
            return;
        }
        self.armings += 1;
        let arming = self.armings;
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        let wait = wait.max(Duration::from_millis(1));
        let task = myself.send_after(wait, move || CourierMessage::Tick(arming)).abort_handle();
        if let Some(late) = self.timer.replace(Timer { arming, at: next, task }) {
            late.task.abort();
        }
    }

    /// Delivers again.
    async fn replay(&mut self, replay: Replay) -> Result<(), ChangeError> {
        self.write().await?;
        match replay {
            Replay::After(seq) => {
                self.position.cursor = self.position.cursor.min(seq);
                // Entries that wait are not read again, but are due at once.
                self.lanes = Lanes::after(self.position.cursor);
                let written = self.write().await;
                self.reload()?;
                written?;
                self.lanes.all_due();
            }
            Replay::DeadLetters => self.replay_dead_letters().await?,
        }
        self.probe_at = self.now();
        Ok(())
    }
}
