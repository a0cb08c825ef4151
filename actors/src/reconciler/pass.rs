//! Passes: one reconciliation of many accounts, in pieces.
//!
//! A piece reads some accounts in one snapshot and decides them at once. Those that are as they
//! should be cost nothing more (their marks are cleared together); those that differ are sent to
//! their own actors, some at a time, which decide again on what is committed by then.

mod deferred;
pub(crate) mod holds;
mod measured;
mod report;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use access::wave::Wave;
use access::{Author, Event, EventType, GroupId, HoldId, UserId, WaveId};
use jiff::Timestamp;
use ractor::{ActorRef, RpcReplyPort};
use store::{Changeset, Mark, Marked, Operation};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use self::deferred::Braking;
use self::report::NamedChanges;
pub use self::report::{Held, Page, Report};
use super::Asked;
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::reporter::ReporterMessage;
use crate::shared::Shared;
use crate::tenant::TenantMessage;
use crate::user::{Cause, RoleChange};

/// Times that a pass nobody waits for is tried again.
const FAILURES_MAX: u32 = 5;

/// What a pass was run for.
#[derive(Debug)]
pub(crate) enum Trigger {
    /// A wave has settled.
    Wave(Box<Wave>),
    /// Accounts have waited `max_delay` in a wave that goes on.
    MaxDelay {
        /// Those first touched by then.
        touched_until: Timestamp,
        /// The wave.
        wave: Option<WaveId>,
    },
    /// Marks were found at the start, and no wave that is open.
    Leftover,
    /// Settings changed.
    Settings,
    /// A lock has ended.
    LockExpiry,
    /// It was time.
    Sweep,
    /// An operator asked.
    Operator,
    /// An operator approved or rejected a mass change.
    Resolve {
        /// Which one.
        hold: HoldId,
        /// Whether it is made.
        approve: bool,
    },
}

/// A pass that is not done.
pub(crate) struct Pass {
    pub(crate) trigger: Trigger,
    started_at: Timestamp,
    place: Place,
    /// Settings that are only tried.
    tried: Option<Arc<ActiveConfig>>,
    named: NamedChanges,
    braking: Braking,
    /// Accounts met whose changes wait for an operator, by hold.
    waiting: BTreeMap<HoldId, u64>,
    report: Report,
    failures: u32,
    /// The earliest end of a lock that was met and still counts.
    next_expiry: Option<Timestamp>,
    /// In whose name it changes what it changes.
    author: Author,
    reply_to: Option<RpcReplyPort<Result<Report, ChangeError>>>,
    /// All its pieces are within.
    span: Span,
}

/// How far a pass has come.
#[derive(Clone, Copy)]
enum Place {
    /// Marks after this one.
    Marks(Option<Marked>),
    /// Members, after this one, of a marked group, whose mark has this generation.
    Group(GroupId, Mark, Option<[u8; 16]>),
    /// All accounts after this one; before the first piece, no mark of the tenant is known.
    Accounts(Option<UserId>, Option<u64>),
    /// The changes that had to wait until all were known.
    Deferred,
}

impl Trigger {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Wave(_) => "wave",
            Self::MaxDelay { .. } => "max_delay",
            Self::Leftover => "leftover",
            Self::Settings => "settings",
            Self::LockExpiry => "lock_expiry",
            Self::Sweep => "sweep",
            Self::Operator => "operator",
            Self::Resolve { .. } => "hold",
        }
    }

    /// Lower goes first.
    pub(crate) const fn urgency(&self) -> u8 {
        match self {
            Self::Operator | Self::Resolve { .. } => 0,
            Self::Wave(_) | Self::MaxDelay { .. } | Self::Leftover | Self::LockExpiry => 1,
            Self::Settings => 2,
            Self::Sweep => 3,
        }
    }

    const fn follows_marks(&self) -> bool {
        matches!(self, Self::Wave(_) | Self::MaxDelay { .. } | Self::Leftover)
    }

    /// Whether it carries out what was decided about this hold.
    pub(crate) fn resolves(&self, id: HoldId) -> bool {
        matches!(self, Self::Resolve { hold, .. } if *hold == id)
    }

    /// Whether it answers every mark that the open wave did not make.
    pub(crate) const fn answers_marks(&self) -> bool {
        matches!(self, Self::Wave(_) | Self::Leftover)
    }
}

impl Pass {
    pub(crate) fn new(
        trigger: Trigger,
        dry_run: bool,
        now: Timestamp,
        asked: Option<Asked>,
    ) -> Self {
        let (author, reply_to) = asked.unzip();
        let author = match (&trigger, author) {
            (Trigger::Operator | Trigger::Resolve { .. }, Some(author)) => author,
            (_, author) => Author::reconciler(author.and_then(|author| author.request)),
        };
        let report = Report::new(trigger.name(), dry_run, now);
        let place =
            if trigger.follows_marks() { Place::Marks(None) } else { Place::Accounts(None, None) };
        Self {
            trigger,
            started_at: now,
            place,
            tried: None,
            named: NamedChanges::new(Page::default()),
            braking: Braking::default(),
            waiting: BTreeMap::new(),
            report,
            failures: 0,
            next_expiry: None,
            author,
            reply_to,
            span: Span::none(),
        }
    }

    /// Does one piece. Answers whether the pass is done.
    pub(crate) async fn step(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
    ) -> Result<bool, ChangeError> {
        let before = self.place;
        if self.span.is_disabled() {
            let (trigger, dry_run) = (self.report.trigger, self.report.dry_run);
            self.span = tracing::debug_span!(
                parent: None, "reconcile", tenant.id = %shared.id, trigger, dry_run,
                examined = Empty, changed = Empty,
            );
        }
        let span = self.span.clone();
        let stepped = self.step_from(shared, tenant).instrument(span).await;
        if stepped.is_err() {
            // What the piece had done stays done; what it had not is met again.
            self.place = before;
        }
        stepped
    }

    async fn step_from(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
    ) -> Result<bool, ChangeError> {
        let done = match self.place {
            Place::Marks(after) => self.step_marks(shared, tenant, after).await?,
            Place::Group(group, mark, after) => {
                self.step_group(shared, tenant, group, mark, after).await?;
                false
            }
            Place::Accounts(after, mark) => self.step_accounts(shared, tenant, after, mark).await?,
            Place::Deferred => self.step_deferred(shared, tenant).await?,
        };
        if done && !matches!(self.place, Place::Deferred) && self.has_deferred() {
            self.place = Place::Deferred;
            return Ok(false);
        }
        if done {
            self.close_holds(shared).await?;
        }
        if done && let Trigger::Wave(wave) = &self.trigger {
            let now = shared.clock.now();
            let mut wave = wave.clone();
            wave.reconciled_at = Some(now);
            wave.role_changes += self.report.changed;
            let event = Event { kind: EventType::WaveSettled, data: serde_json::Map::new() }
                .with("wave", wave.id.to_string())
                .with("requests", wave.requests)
                .with("role_changes", wave.role_changes);
            let change = Changeset::new(shared.key, now, Some(wave.id))
                .with(Operation::PutWave(wave))
                .telling([event]);
            shared.commit(change).await?;
            shared.tell_reporter(ReporterMessage::WaveSettled);
        }
        Ok(done)
    }

    /// The same, of which the report names the changes of this page.
    pub(crate) fn naming(mut self, page: Page) -> Self {
        self.named = NamedChanges::new(page);
        self
    }

    /// The same, under settings that are only tried.
    pub(crate) fn trying(mut self, config: Arc<ActiveConfig>) -> Self {
        self.tried = Some(config);
        self
    }

    /// The same, after passes of the same wave that took so many mapped roles away.
    pub(crate) const fn losing(mut self, lost: u64) -> Self {
        self.add_losses(lost);
        self
    }

    /// Passes of the same wave took so many mapped roles away before.
    pub(crate) const fn add_losses(&mut self, lost: u64) {
        self.braking.lost_before += lost;
    }

    /// Mapped roles that it took away.
    pub(crate) const fn lost(&self) -> u64 {
        self.braking.lost
    }

    /// Whether it applies changed settings, rather than trying some.
    pub(crate) const fn applies_settings(&self) -> bool {
        matches!(self.trigger, Trigger::Settings) && !self.report.dry_run
    }

    /// The settings that it goes by.
    fn config(&self, shared: &Shared) -> Arc<ActiveConfig> {
        self.tried.as_ref().map_or_else(|| shared.config(), Arc::clone)
    }

    /// The wave that it is for.
    pub(super) fn wave(&self) -> Option<WaveId> {
        match &self.trigger {
            Trigger::Wave(wave) => Some(wave.id),
            Trigger::MaxDelay { wave, .. } => *wave,
            _ => None,
        }
    }

    /// Whether it has not begun yet.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self.place, Place::Marks(None) | Place::Accounts(None, _))
    }

    /// When the next of the locks ends that it has met.
    pub(crate) const fn next_expiry(&self) -> Option<Timestamp> {
        self.next_expiry
    }

    /// Roles changed so far.
    pub(crate) const fn changed(&self) -> u64 {
        self.report.changed
    }

    /// Tells who waits that the pass is done.
    pub(crate) fn finish(mut self, shared: &Shared) {
        let now = shared.clock.now();
        self.named.put_into(&mut self.report);
        self.report.duration_ms = now.as_millisecond() - self.started_at.as_millisecond();
        tracing::info!(
            tenant.id = %shared.id, trigger = self.report.trigger, dry_run = self.report.dry_run,
            examined = self.report.examined, changed = self.report.changed,
            duration_ms = self.report.duration_ms, "reconciled",
        );
        self.span.record("examined", self.report.examined);
        self.span.record("changed", self.report.changed);
        measured::done(&self.report);
        if !self.report.dry_run {
            let kept = self.report.kept.iter().map(|change| change.account);
            let all =
                matches!(self.trigger, Trigger::Sweep | Trigger::Operator | Trigger::Settings);
            shared.kept_in_protected_roles(kept, all);
        }
        if let Trigger::Wave(wave) = &self.trigger {
            measured::settled(wave, wave.role_changes + self.report.changed, now);
            shared.wave_reconciled(wave.id);
        }
        if let Some(reply_to) = self.reply_to {
            // The requester may have timed out; the pass stands.
            let _ = reply_to.send(Ok(self.report));
        }
    }

    /// A piece failed. Answers the pass if it is to be tried again from there: marks stay until
    /// they are answered, so nothing is lost either way.
    pub(crate) fn failed(mut self, error: ChangeError) -> Option<Self> {
        if let Some(reply_to) = self.reply_to.take() {
            let _ = reply_to.send(Err(error));
            // Whoever asked for a change of settings is told; the change must be applied anyway.
            if !self.applies_settings() && !matches!(self.trigger, Trigger::Resolve { .. }) {
                return None;
            }
        }
        measured::failed(&self.report);
        self.failures += 1;
        let must_end_well = !matches!(self.trigger, Trigger::Sweep);
        (must_end_well || self.failures < FAILURES_MAX).then_some(self)
    }

    const fn is_forced(&self) -> bool {
        matches!(self.trigger, Trigger::MaxDelay { .. })
    }

    const fn cause_of_mark(&self, wave: Option<WaveId>, generation: Option<u64>) -> Cause {
        match self.trigger {
            Trigger::MaxDelay { touched_until, .. } => Cause::Overdue { wave, touched_until },
            _ => Cause::Mark { wave, generation },
        }
    }

    const fn cause(&self) -> Cause {
        match self.trigger {
            Trigger::Settings => Cause::Settings,
            Trigger::Operator | Trigger::Resolve { .. } => Cause::Operator,
            _ => Cause::Sweep,
        }
    }

    fn count(&mut self, change: RoleChange) {
        self.report.changed += 1;
        self.named.add(change);
    }
}
