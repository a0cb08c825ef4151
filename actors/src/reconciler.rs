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

use access::wave::{Wave, WaveState, later};
use access::{Author, HoldId, HoldState};
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use store::Marked;
use tokio::task::AbortHandle;

use self::pass::holds::newest_holds;
use self::pass::{Page, Pass, Report, Trigger};
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;

/// Passes that may wait for an operator's turn; more are refused.
const PASSES_MAX: usize = 16;
/// Waves that may be found open at the start though they have settled.
const WAVES_TAKEN_UP_MAX: usize = 64;
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
        /// Who changed them.
        author: Author,
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// Apply the rules to every account now.
    Reconcile {
        /// Only tell what would change.
        dry_run: bool,
        /// Which changes the report names.
        page: Page,
        /// Who asks.
        author: Author,
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// Tell what these settings would change.
    Preview {
        /// The settings.
        config: Arc<ActiveConfig>,
        /// Which changes the report names.
        page: Page,
        /// Who asks.
        author: Author,
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// A mass change was approved or rejected: see to its accounts.
    Resolve {
        /// Which one.
        hold: HoldId,
        /// Whether it is made.
        approve: bool,
        /// Who decided.
        author: Author,
        /// Gets the report.
        reply_to: RpcReplyPort<Result<Report, ChangeError>>,
    },
    /// A lock ends then: its account goes back to the rules.
    LockExpires(Timestamp),
    /// Look at the clock. Sent by its own timer, of this arming.
    Tick(u64),
    /// Do the next piece of the most urgent pass.
    Step,
}

/// Who asked for a pass, and where its report goes.
pub(crate) type Asked = (Author, RpcReplyPort<Result<Report, ChangeError>>);

/// The actor; see the module.
pub(crate) struct ReconcilerActor;

/// What it knows between messages. All of it can be made anew from the store.
pub(crate) struct ReconcilerState {
    shared: Arc<Shared>,
    tenant: ActorRef<TenantMessage>,
    passes: Vec<Pass>,
    /// Whether a `Step` is on its way.
    stepping: bool,
    /// The timer that is set, until its `Tick` is handled.
    timer: Option<Timer>,
    /// Timers set so far.
    armings: u64,
    sweep_at: Timestamp,
    /// When the next lock ends, of those that are known.
    expiry_at: Option<Timestamp>,
    /// When the longest waiting account in the open wave is due.
    forced_at: Option<Timestamp>,
    /// Roles changed in the open wave because their accounts could wait no longer.
    forced_changes: u64,
    /// Mapped roles taken away among those.
    forced_losses: u64,
}

/// A timer that is set.
struct Timer {
    arming: u64,
    at: Timestamp,
    task: AbortHandle,
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
            timer: None,
            armings: 0,
            sweep_at,
            expiry_at: None,
            forced_at: None,
            forced_changes: 0,
            forced_losses: 0,
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
            ReconcilerMessage::SettingsChanged { author, reply_to } => {
                state.sweep_at = state.sweep_at.min(next_sweep(&state.shared));
                // `max_delay` may be another now.
                state.forced_at = state.forced_at.map(|_| state.shared.clock.now());
                state.enqueue(Trigger::Settings, false, Some((author, reply_to)));
            }
            ReconcilerMessage::Reconcile { dry_run, page, author, reply_to } => {
                let naming = |pass: Pass| pass.naming(page);
                state.enqueue_as(Trigger::Operator, dry_run, Some((author, reply_to)), naming);
            }
            ReconcilerMessage::Preview { config, page, author, reply_to } => {
                let trying = |pass: Pass| pass.naming(page).trying(config);
                state.enqueue_as(Trigger::Settings, true, Some((author, reply_to)), trying);
            }
            ReconcilerMessage::Resolve { hold, approve, author, reply_to } => {
                let trigger = Trigger::Resolve { hold, approve };
                state.enqueue(trigger, false, Some((author, reply_to)));
            }
            ReconcilerMessage::LockExpires(at) => state.lock_expires(Some(at)),
            ReconcilerMessage::Tick(arming) => {
                state.timer.take_if(|timer| timer.arming == arming);
                state.look_at_the_clock();
            }
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
    /// Takes up what an earlier life left: waves that have settled and whose pass did not end,
    /// marks, and changed settings. (The wave that is open was taken up before any request came.)
    fn start(&mut self) -> Result<(), ChangeError> {
        let mut settled = self.shared.settled_waves();
        let newest = self.shared.snapshot()?.waves(self.shared.key, None, WAVES_TAKEN_UP_MAX)?;
        for wave in newest {
            if wave.state == WaveState::Open && self.shared.live_wave(wave.id).is_none() {
                // When it ended was not written any more.
                let ended_at = Some(wave.started_at);
                settled.push(Wave { state: WaveState::Settled, ended_at, ..wave });
            }
        }
        for wave in settled {
            self.enqueue(Trigger::Wave(Box::new(wave)), false, None);
        }
        if self.shared.open_wave().is_some() {
            self.forced_at = Some(self.shared.clock.now());
        }
        // Looks for locks that will end; it changes nothing.
        self.enqueue(Trigger::LockExpiry, true, None);
        self.take_up_marks()
    }

    /// Sees to marks that no wave and no pass will answer, and to holds that were decided on and not
    /// seen to: of an earlier life, or of a change whose outcome nobody knew at the time.
    fn take_up_marks(&mut self) -> Result<(), ChangeError> {
        for hold in newest_holds(&self.shared)?.into_iter().filter(|hold| hold.done_at.is_none()) {
            let approve = hold.state == HoldState::Approved;
            let is_decided = approve || hold.state == HoldState::Rejected;
            let is_known = |pass: &Pass| pass.trigger.resolves(hold.id);
            if is_decided && !self.passes.iter().any(is_known) {
                self.enqueue(Trigger::Resolve { hold: hold.id, approve }, false, None);
            }
        }
        let snapshot = self.shared.snapshot()?;
        let settings = snapshot.mark(self.shared.key, Marked::Tenant)?.is_some();
        // The mark of changed settings comes before all others.
        let others = settings.then_some(Marked::Tenant);
        let any = !snapshot.marks(self.shared.key, others, 1)?.is_empty();
        drop(snapshot);
        let awaited = |pass: &Pass| pass.trigger.answers_marks();
        if any && self.shared.open_wave().is_none() && !self.passes.iter().any(awaited) {
            self.enqueue(Trigger::Leftover, false, None);
        }
        if settings && !self.passes.iter().any(Pass::applies_settings) {
            self.shared.reload_config()?;
            self.enqueue(Trigger::Settings, false, None);
        }
        Ok(())
    }

    fn enqueue(&mut self, trigger: Trigger, dry_run: bool, asked: Option<Asked>) {
        self.enqueue_as(trigger, dry_run, asked, |pass| pass);
    }

    fn enqueue_as(
        &mut self,
        trigger: Trigger,
        dry_run: bool,
        asked: Option<Asked>,
        shape: impl FnOnce(Pass) -> Pass,
    ) {
        if self.passes.len() >= PASSES_MAX
            && let Some((_, reply_to)) = asked
        {
            // The requester may be gone already.
            let _ = reply_to.send(Err(ChangeError::Overloaded));
            // What an operator decided about a hold is on disk already.
            if matches!(trigger, Trigger::Resolve { .. }) {
                return self.enqueue(trigger, dry_run, None);
            }
            // Changed settings are to be applied all the same, by one pass for all who asked.
            let follows = |pass: &Pass| pass.applies_settings() && pass.is_new();
            if !matches!(trigger, Trigger::Settings) || dry_run || self.passes.iter().any(follows) {
                return;
            }
            return self.passes.push(Pass::new(trigger, dry_run, self.shared.clock.now(), None));
        }
        let now = self.shared.clock.now();
        self.passes.push(shape(Pass::new(trigger, dry_run, now, asked)));
    }

    fn look_at_the_clock(&mut self) {
        let now = self.shared.clock.now();
        let reconcile = self.shared.config().settings.reconcile.clone();
        if let Some(mut wave) = self.shared.take_settled_wave(now, reconcile.settle.get()) {
            self.forced_at = None;
            wave.role_changes = std::mem::take(&mut self.forced_changes);
            let lost = std::mem::take(&mut self.forced_losses);
            let trigger = Trigger::Wave(Box::new(wave));
            self.enqueue_as(trigger, false, None, |pass| pass.losing(lost));
        } else if self.forced_at.is_some_and(|at| at <= now) {
            self.force(now, reconcile.max_delay.get());
        }
        if self.expiry_at.is_some_and(|at| at <= now) {
            // The pass tells when the next one ends.
            self.expiry_at = None;
            self.enqueue(Trigger::LockExpiry, false, None);
        }
        if self.sweep_at <= now {
            self.sweep_at = next_sweep(&self.shared);
            if let Err(error) = self.take_up_marks() {
                tracing::error!(tenant.id = %self.shared.id, %error, "marks cannot be read");
            }
            if !self.passes.iter().any(|pass| matches!(pass.trigger, Trigger::Sweep)) {
                self.enqueue(Trigger::Sweep, false, None);
            }
        }
    }

    /// Reconciles who has waited `max_delay`, or nearly, in a wave that goes on.
    fn force(&mut self, now: Timestamp, max_delay: Duration) {
        self.forced_at = None;
        if self.shared.open_wave().is_none() {
            return;
        }
        if self.passes.iter().any(|pass| matches!(pass.trigger, Trigger::MaxDelay { .. })) {
            self.forced_at = Some(later(now, RETRY_AFTER));
            return;
        }
        let slack = max_delay / FORCED_SLACK_DIVISOR;
        let touched_until = earlier(now, max_delay.saturating_sub(slack));
        match self.oldest_mark_after(touched_until) {
            Ok((due, next)) => {
                if due {
                    let wave = self.shared.open_wave().map(|wave| wave.id);
                    let (trigger, lost) =
                        (Trigger::MaxDelay { touched_until, wave }, self.forced_losses);
                    self.enqueue_as(trigger, false, None, |pass| pass.losing(lost));
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
            Ok(true) => {
                self.finished(&pass);
                pass.finish(&self.shared);
            }
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

    /// A pass is done. Whoever waits too long and was touched again while it went on is still
    /// overdue.
    fn finished(&mut self, pass: &Pass) {
        self.lock_expires(pass.next_expiry());
        if matches!(pass.trigger, Trigger::Resolve { .. })
            && let Err(error) = self.take_up_marks()
        {
            tracing::error!(tenant.id = %self.shared.id, %error, "marks cannot be read");
        }
        let Trigger::MaxDelay { touched_until, wave } = pass.trigger else { return };
        let of_wave = |other: &&mut Pass| {
            wave.is_some() && matches!(&other.trigger, Trigger::Wave(of) if Some(of.id) == wave)
        };
        if let Some(settled) = self.passes.iter_mut().find(of_wave) {
            // Its wave has settled meanwhile.
            settled.add_losses(pass.lost());
        } else {
            self.forced_changes += pass.changed();
            self.forced_losses += pass.lost();
        }
        let overdue = self.oldest_mark_after(touched_until).is_ok_and(|(due, _)| due);
        if overdue && self.forced_at.is_some() {
            let again = later(self.shared.clock.now(), RETRY_AFTER);
            self.forced_at = self.forced_at.map(|at| at.min(again));
        }
    }

    fn lock_expires(&mut self, at: Option<Timestamp>) {
        self.expiry_at = self.expiry_at.into_iter().chain(at).min();
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
        let moments = [settles_at, self.forced_at, self.expiry_at, Some(self.sweep_at)];
        let Some(next) = moments.into_iter().flatten().min() else { return };
        // One that is set for an earlier moment finds out then that it must wait longer; one whose
        // moment has passed has its `Tick` on the way, behind a long piece perhaps.
        if self.timer.as_ref().is_some_and(|timer| timer.at <= next) {
            return;
        }
        self.armings += 1;
        let arming = self.armings;
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        let task = myself.send_after(wait.max(Duration::from_millis(1)), move || {
            ReconcilerMessage::Tick(arming)
        });
        if let Some(late) =
            self.timer.replace(Timer { arming, at: next, task: task.abort_handle() })
        {
            late.task.abort();
        }
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
    // Whole milliseconds, as all times that are shown.
    let wait_ms = u64::try_from((least + jitter).as_millis()).unwrap_or(u64::MAX);
    later(shared.clock.now(), Duration::from_millis(wait_ms))
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
