//! The reconciler: gives accounts the roles that the rules give, when the water is slack.
//!
//! It wakes when a wave has settled, when an account has waited `max_delay` in a wave that goes
//! on, at a random moment between `sweep_min` and `sweep_max`, when settings changed, and when an
//! operator asks. However it was woken, the work is the same and doing it twice is doing it once:
//! read who is concerned, decide, and where the decision differs from what is kept, ask the
//! user's own actor to decide again and commit.
//!
//! Its memory is on disk: dirty marks, made in the transaction of the change that calls for them
//! and cleared in the one that answers them, and only if nobody was touched in between. A crash
//! forgets nothing, and a wave's pass costs what the wave touched.
//!
//! A pass runs in pieces, one message each, so that a settled wave does not wait for a sweep and
//! SCIM traffic gets through.

pub mod pass;

use std::sync::Arc;
use std::time::Duration;

use access::wave::later;
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use store::Marked;

use self::pass::{Pass, Report, Trigger};
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;

/// Passes that may wait for an operator's turn; more are refused.
const PASSES_MAX: usize = 16;
/// How soon the clock is looked at again while a write keeps a quiet wave open, at least.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(20);
/// How long a pass that failed rests before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A forced pass takes along who would be due within this share of `max_delay`.
const FORCED_SLACK_DIVISOR: u32 = 20;

/// What a reconciler can be told.
#[derive(Debug)]
pub enum ReconcilerMessage {
    /// Take up what an earlier life left.
    Start,
    /// A wave has opened.
    WaveOpened,
    /// Settings changed: apply them to all whom they concern.
    SettingsChanged {
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// Apply the rules to every account now.
    Reconcile {
        /// Only tell what would change.
        dry_run: bool,
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// Look at the clock. Sent by its own timer; one of an older arming is ignored.
    Tick(u64),
    /// Do the next piece of the most urgent pass.
    Step,
}

/// The actor; see the module.
pub(crate) struct ReconcilerActor;

/// What it knows between messages. All of it can be made anew from the store.
pub(crate) struct ReconcilerState {
    shared: Arc<Shared>,
    tenant: ActorRef<TenantMessage>,
    passes: Vec<Pass>,
    /// Whether a `Step` is on its way.
    stepping: bool,
    /// The arming of the timer that counts.
    arming: u64,
    armed_for: Option<Timestamp>,
    sweep_at: Timestamp,
    /// When the longest waiting account in the open wave is due.
    forced_at: Option<Timestamp>,
}

impl Actor for ReconcilerActor {
    type Msg = ReconcilerMessage;
    type State = ReconcilerState;
    type Arguments = (Arc<Shared>, ActorRef<TenantMessage>);

    async fn pre_start(
        &self,
        _: ActorRef<ReconcilerMessage>,
        (shared, tenant): Self::Arguments,
    ) -> Result<ReconcilerState, ActorProcessingErr> {
        let sweep_at = next_sweep(&shared);
        Ok(ReconcilerState {
            shared,
            tenant,
            passes: Vec::new(),
            stepping: false,
            arming: 0,
            armed_for: None,
            sweep_at,
            forced_at: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ReconcilerMessage>,
        message: ReconcilerMessage,
        state: &mut ReconcilerState,
    ) -> Result<(), ActorProcessingErr> {
        state.shared.reconciler_observed.begin(state.shared.clock.now());
        match message {
            ReconcilerMessage::Start => state.start()?,
            ReconcilerMessage::WaveOpened => {
                let max_delay = state.shared.config().settings.reconcile.max_delay.get();
                let due = later(state.shared.clock.now(), max_delay);
                state.forced_at = Some(state.forced_at.map_or(due, |at| at.min(due)));
            }
            ReconcilerMessage::SettingsChanged { reply_to } => {
                state.sweep_at = state.sweep_at.min(next_sweep(&state.shared));
                state.enqueue(Trigger::Settings, false, Some(reply_to));
            }
            ReconcilerMessage::Reconcile { dry_run, reply_to } => {
                state.enqueue(Trigger::Operator, dry_run, Some(reply_to));
            }
            ReconcilerMessage::Tick(arming) if arming == state.arming => {
                state.armed_for = None;
                state.look_at_the_clock();
            }
            ReconcilerMessage::Tick(_) => {}
            ReconcilerMessage::Step => {
                state.stepping = false;
                state.step(&myself).await;
            }
        }
        if !state.passes.is_empty() && !state.stepping {
            state.stepping = myself.cast(ReconcilerMessage::Step).is_ok();
        }
        state.arm(&myself);
        state.shared.reconciler_observed.end();
        Ok(())
    }
}

impl ReconcilerState {
    /// Takes up what an earlier life of the service left: an open wave, marks without one, and
    /// changed settings whose pass did not end.
    fn start(&mut self) -> Result<(), ChangeError> {
        let now = self.shared.clock.now();
        let snapshot = self.shared.snapshot()?;
        if self.shared.open_wave().is_none() {
            let newest = snapshot.waves(self.shared.key, None, 1)?.pop();
            let open = newest.filter(|wave| wave.state == access::wave::WaveState::Open);
            if let Some(wave) = open {
                self.shared.resume_wave(wave, now);
            } else if !snapshot.marks(self.shared.key, None, 1)?.is_empty() {
                self.enqueue(Trigger::Leftover, false, None);
            }
        }
        if snapshot.mark(self.shared.key, Marked::Tenant)?.is_some() {
            self.enqueue(Trigger::Settings, false, None);
        }
        if self.shared.open_wave().is_some() {
            self.forced_at = Some(now);
        }
        Ok(())
    }

    fn enqueue(
        &mut self,
        trigger: Trigger,
        dry_run: bool,
        reply_to: Option<RpcReplyPort<Result<Report, ChangeError>>>,
    ) {
        if self.passes.len() >= PASSES_MAX
            && let Some(reply_to) = reply_to
        {
            // The requester may be gone already.
            let _ = reply_to.send(Err(ChangeError::Overloaded));
            return;
        }
        let now = self.shared.clock.now();
        self.passes.push(Pass::new(trigger, dry_run, now, reply_to));
    }

    fn look_at_the_clock(&mut self) {
        let now = self.shared.clock.now();
        let reconcile = self.shared.config().settings.reconcile.clone();
        if let Some(wave) = self.shared.take_settled_wave(now, reconcile.settle.get()) {
            self.forced_at = None;
            self.enqueue(Trigger::Wave(Box::new(wave)), false, None);
        } else if self.forced_at.is_some_and(|at| at <= now) {
            self.force(now, reconcile.max_delay.get());
        }
        if self.sweep_at <= now {
            self.sweep_at = next_sweep(&self.shared);
            self.enqueue(Trigger::Sweep, false, None);
        }
    }

    /// Reconciles who has waited `max_delay`, or nearly, in a wave that goes on.
    fn force(&mut self, now: Timestamp, max_delay: Duration) {
        self.forced_at = None;
        if self.shared.open_wave().is_none() {
            return;
        }
        let touched_until = earlier(now, max_delay - max_delay / FORCED_SLACK_DIVISOR);
        match self.oldest_mark_after(touched_until) {
            Ok((due, next)) => {
                if due {
                    self.enqueue(Trigger::MaxDelay { touched_until }, false, None);
                }
                // Whoever is touched from now on is due no earlier than this.
                let next = next.map_or(now, |first_touched| first_touched.min(now));
                self.forced_at = Some(later(next, max_delay));
            }
            Err(error) => {
                tracing::error!(tenant.id = %self.shared.id, %error, "marks cannot be read");
                self.forced_at = Some(later(now, RETRY_AFTER));
            }
        }
    }

    /// Whether somebody was first touched by `until`, and the first touch after that.
    fn oldest_mark_after(
        &self,
        until: Timestamp,
    ) -> Result<(bool, Option<Timestamp>), ChangeError> {
        let snapshot = self.shared.snapshot()?;
        let marks = snapshot.marks(self.shared.key, None, usize::MAX)?;
        let due = marks.iter().any(|(_, mark)| mark.first_touched <= until);
        let later = marks.iter().map(|(_, mark)| mark.first_touched).filter(|at| *at > until);
        Ok((due, later.min()))
    }

    /// Does the next piece of the most urgent pass.
    async fn step(&mut self, myself: &ActorRef<ReconcilerMessage>) {
        let urgency = |pass: &Pass| pass.trigger.urgency();
        let most_urgent = (0..self.passes.len())
            .min_by_key(|index| self.passes.get(*index).map_or(u8::MAX, urgency));
        let Some(mut pass) = most_urgent.map(|index| self.passes.remove(index)) else { return };
        match pass.step(&self.shared, &self.tenant).await {
            Ok(false) => self.passes.push(pass),
            Ok(true) => pass.finish(&self.shared),
            Err(error) => {
                tracing::warn!(
                    tenant.id = %self.shared.id, trigger = pass.trigger.name(), %error,
                    "a pass failed",
                );
                if let Some(again) = pass.failed(error) {
                    self.passes.push(again);
                    self.stepping = true;
                    myself.send_after(RETRY_AFTER, || ReconcilerMessage::Step);
                }
            }
        }
    }

    /// Sets the timer to the next moment that matters.
    fn arm(&mut self, myself: &ActorRef<ReconcilerMessage>) {
        let now = self.shared.clock.now();
        let settle = self.shared.config().settings.reconcile.settle.get();
        let settles_at = self.shared.open_wave().map(|_| {
            // A write in flight: its end is not told, so look again.
            let look_again = later(now, settle.max(LOOK_AGAIN_MIN));
            self.shared.wave_settles_at(settle).unwrap_or(look_again)
        });
        self.shared.set_next_sweep(self.sweep_at);
        let moments = [settles_at, self.forced_at, Some(self.sweep_at)];
        let Some(next) = moments.into_iter().flatten().min() else { return };
        // A timer that is set for an earlier moment finds out then that it must wait longer.
        if self.armed_for.is_some_and(|armed| armed <= next && armed > now) {
            return;
        }
        self.arming += 1;
        self.armed_for = Some(next);
        let arming = self.arming;
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        myself.send_after(wait.max(Duration::from_millis(1)), move || {
            ReconcilerMessage::Tick(arming)
        });
    }
}

/// A random moment between `sweep_min` and `sweep_max` from now, so that tenants do not all sweep
/// at once.
fn next_sweep(shared: &Shared) -> Timestamp {
    let reconcile = &shared.config().settings.reconcile;
    let (least, most) = (reconcile.sweep_min.get(), reconcile.sweep_max.get());
    let mut bytes = [0; 4];
    // Without randomness all sweep at the earliest moment, which is still right.
    let share = getrandom::fill(&mut bytes).map_or(0, |()| u32::from_le_bytes(bytes));
    let jitter = most.saturating_sub(least).mul_f64(f64::from(share) / f64::from(u32::MAX));
    later(shared.clock.now(), least + jitter)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
