//! Passes: one reconciliation of many accounts, in pieces.
//!
//! A piece reads some accounts in one snapshot and decides them at once. Those that are as they
//! should be cost nothing more (their marks are cleared together); those that differ are sent to
//! their own actors, a few at a time, which decide again on what is committed by then.

use access::lifecycle::{self, Moment};
use access::wave::Wave;
use access::{Account, Event, EventType, GroupId, UserId, WaveId};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use ractor::rpc::CallResult;
use ractor::{ActorRef, RpcReplyPort};
use serde::Serialize;
use std::time::Duration;
use store::snapshot::Member;
use store::{Changeset, Mark, Marked, Operation, ReadError};

use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;
use crate::user::{Cause, Reconciled, RoleChange, UserMessage, reprojected};

/// Accounts or marks in one piece.
const PIECE: usize = 512;
/// Accounts that are asked of their actors at once.
const IN_FLIGHT_MAX: usize = 64;
/// Changes that a report names; it counts all.
const CHANGES_NAMED_MAX: usize = 1_000;
/// How long one account's actor may take.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(20);
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
    },
    /// Marks were found at the start, and no wave that is open.
    Leftover,
    /// Settings changed.
    Settings,
    /// It was time.
    Sweep,
    /// An operator asked.
    Operator,
}

/// What a pass did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The pass's id.
    pub id: String,
    /// Why it ran: `operator`, `settings`, `wave`, `max_delay`, `leftover` or `sweep`.
    pub trigger: &'static str,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Accounts looked at.
    pub examined: u64,
    /// Accounts whose role changed.
    pub changed: u64,
    /// The first 1,000 of them.
    pub changes: Vec<RoleChange>,
    /// Whether there are more.
    pub truncated: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

/// A pass that is not done.
pub(crate) struct Pass {
    pub(crate) trigger: Trigger,
    started_at: Timestamp,
    place: Place,
    report: Report,
    failures: u32,
    reply_to: Option<RpcReplyPort<Result<Report, ChangeError>>>,
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
}

impl Trigger {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Wave(_) => "wave",
            Self::MaxDelay { .. } => "max_delay",
            Self::Leftover => "leftover",
            Self::Settings => "settings",
            Self::Sweep => "sweep",
            Self::Operator => "operator",
        }
    }

    /// Lower goes first.
    pub(crate) const fn urgency(&self) -> u8 {
        match self {
            Self::Operator => 0,
            Self::Wave(_) | Self::MaxDelay { .. } | Self::Leftover => 1,
            Self::Settings => 2,
            Self::Sweep => 3,
        }
    }

    const fn follows_marks(&self) -> bool {
        matches!(self, Self::Wave(_) | Self::MaxDelay { .. } | Self::Leftover)
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
        reply_to: Option<RpcReplyPort<Result<Report, ChangeError>>>,
    ) -> Self {
        let report = Report {
            id: WaveId::new(now).to_string(),
            trigger: trigger.name(),
            dry_run,
            examined: 0,
            changed: 0,
            changes: Vec::new(),
            truncated: false,
            duration_ms: 0,
        };
        let place =
            if trigger.follows_marks() { Place::Marks(None) } else { Place::Accounts(None, None) };
        Self { trigger, started_at: now, place, report, failures: 0, reply_to }
    }

    /// Does one piece. Answers whether the pass is done.
    pub(crate) async fn step(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
    ) -> Result<bool, ChangeError> {
        let before = self.place;
        let stepped = self.step_from(shared, tenant).await;
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
        };
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
        }
        Ok(done)
    }

    /// Whether it has not begun yet.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self.place, Place::Marks(None) | Place::Accounts(None, _))
    }

    /// Roles changed so far.
    pub(crate) const fn changed(&self) -> u64 {
        self.report.changed
    }

    /// Tells who waits that the pass is done.
    pub(crate) fn finish(mut self, shared: &Shared) {
        let now = shared.clock.now();
        self.report.duration_ms = now.as_millisecond() - self.started_at.as_millisecond();
        tracing::info!(
            tenant.id = %shared.id, trigger = self.report.trigger, dry_run = self.report.dry_run,
            examined = self.report.examined, changed = self.report.changed,
            duration_ms = self.report.duration_ms, "reconciled",
        );
        if let Trigger::Wave(wave) = &self.trigger {
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
            if !matches!(self.trigger, Trigger::Settings) {
                return None;
            }
        }
        self.failures += 1;
        let must_end_well = !matches!(self.trigger, Trigger::Sweep);
        (must_end_well || self.failures < FAILURES_MAX).then_some(self)
    }

    async fn step_marks(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        after: Option<Marked>,
    ) -> Result<bool, ChangeError> {
        let mut users = Vec::new();
        {
            let snapshot = shared.snapshot()?;
            // Asked after the snapshot was taken: a wave whose marks it holds has begun by now.
            let open = shared.open_wave().map(|wave| wave.id);
            let marks = snapshot.marks(shared.key, after, PIECE)?;
            let Some((last, _)) = marks.last() else { return Ok(true) };
            self.place = Place::Marks(Some(*last));
            for (marked, mark) in marks {
                if !self.concerns(&mark, open) {
                    continue;
                }
                match marked {
                    Marked::User(user) => users.push((user, Some(mark.generation))),
                    Marked::Group(group) => {
                        // Its members first; then on with the marks behind it.
                        self.place = Place::Group(group, mark, None);
                        break;
                    }
                    // Changed settings have a pass of their own.
                    Marked::Tenant => {}
                }
            }
        }
        self.reconcile_marked(shared, tenant, users).await?;
        Ok(false)
    }

    /// Whether this pass is to answer a mark. What the open wave touched last is left to it.
    fn concerns(&self, mark: &Mark, open: Option<WaveId>) -> bool {
        match self.trigger {
            Trigger::MaxDelay { touched_until } => mark.first_touched <= touched_until,
            _ => mark.wave.is_none() || mark.wave != open,
        }
    }

    async fn step_group(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        group: GroupId,
        mark: Mark,
        after: Option<[u8; 16]>,
    ) -> Result<(), ChangeError> {
        let mut users = Vec::new();
        {
            let snapshot = shared.snapshot()?;
            let open = shared.open_wave().map(|wave| wave.id);
            let members = snapshot.members(shared.key, group, after.as_ref(), PIECE)?;
            self.place = match members.last() {
                Some(Member::User(user)) => Place::Group(group, mark, Some(*user.as_bytes())),
                Some(Member::Group(member)) => Place::Group(group, mark, Some(*member.as_bytes())),
                None => Place::Marks(Some(Marked::Group(group))),
            };
            for member in members {
                let Member::User(user) = member else { continue };
                let own = snapshot.mark(shared.key, Marked::User(user))?;
                // One that is marked itself is answered by its own mark, if it is its turn.
                if own.is_none_or(|own| self.concerns(&own, open)) {
                    users.push((user, own.map(|own| own.generation)));
                }
            }
        }
        let group_is_done = matches!(self.place, Place::Marks(_));
        self.reconcile_marked(shared, tenant, users).await?;
        if group_is_done {
            let (marked, generation) = (Marked::Group(group), mark.generation);
            let clear = Operation::ClearMark { marked, generation };
            let change = Changeset::new(shared.key, shared.clock.now(), None).with(clear);
            shared.commit(change).await?;
        }
        Ok(())
    }

    /// Decides accounts by their marks. Those that are right already lose their marks together.
    async fn reconcile_marked(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        users: Vec<(UserId, Option<u64>)>,
    ) -> Result<(), ChangeError> {
        let wave = match &self.trigger {
            Trigger::Wave(wave) => Some(wave.id),
            Trigger::MaxDelay { .. } => shared.open_wave().map(|wave| wave.id),
            _ => None,
        };
        let mut clear = Vec::new();
        let mut ask = Vec::new();
        {
            let config = shared.config();
            let snapshot = shared.snapshot()?;
            let moment = Moment { now: shared.clock.now(), wave };
            for (user, generation) in users {
                self.report.examined += 1;
                let account = match snapshot.account(shared.key, user) {
                    // One that cannot be read keeps its mark, and nobody else waits for it.
                    Err(ReadError::Damaged { table }) => {
                        tracing::error!(tenant.id = %shared.id, user.id = %user, table, "damaged");
                        continue;
                    }
                    read => read?,
                };
                let unchanged = match account {
                    None => true,
                    Some(account) => {
                        let groups = snapshot.groups_of(shared.key, user)?;
                        if !self.is_forced() && shared.awaits_open_wave(&snapshot, &groups)? {
                            continue;
                        }
                        let next = lifecycle::reconcile(&account, &groups, &config.rules, moment);
                        next.account == account && !profile_differs(shared, &snapshot, &account)?
                    }
                };
                if !unchanged {
                    ask.push((user, self.cause_of_mark(wave, generation)));
                } else if let Some(generation) = generation {
                    let marked = Marked::User(user);
                    clear.push(Operation::ClearMark { marked, generation });
                }
            }
        }
        if !clear.is_empty() {
            let mut change = Changeset::new(shared.key, shared.clock.now(), wave);
            change.operations = clear;
            shared.commit(change).await?;
        }
        self.ask_actors(shared, tenant, ask).await
    }

    async fn step_accounts(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        after: Option<UserId>,
        mark: Option<u64>,
    ) -> Result<bool, ChangeError> {
        let mut ask = Vec::new();
        let mark = {
            let config = shared.config();
            let snapshot = shared.snapshot()?;
            let mark = match (after, mark) {
                (None, None) => {
                    snapshot.mark(shared.key, Marked::Tenant)?.map(|mark| mark.generation)
                }
                (_, mark) => mark,
            };
            let accounts = snapshot.accounts(shared.key, after, PIECE)?;
            let (Some(first), Some(last)) = (accounts.first(), accounts.last()) else {
                return self.all_accounts_done(shared, mark).await;
            };
            self.place = Place::Accounts(Some(last.id), mark);
            let mut memberships =
                snapshot.memberships(shared.key, first.id, last.id)?.into_iter().peekable();
            let moment = Moment { now: shared.clock.now(), wave: None };
            let wave_is_open = shared.open_wave().is_some();
            for account in &accounts {
                let mut groups = Vec::new();
                while let Some((user, group)) = memberships.next_if(|(user, _)| *user <= account.id)
                {
                    if user == account.id {
                        groups.push(group);
                    }
                }
                self.report.examined += 1;
                let next = lifecycle::reconcile(account, &groups, &config.rules, moment).account;
                // Only changed settings make a difference here, so only their pass pays for it.
                let looks = matches!(self.trigger, Trigger::Settings);
                if next == *account && !(looks && profile_differs(shared, &snapshot, account)?) {
                    continue;
                }
                let leave = wave_is_open
                    && !matches!(self.trigger, Trigger::Operator)
                    && shared.is_touched(&snapshot, account.id, &groups)?;
                if leave {
                    continue;
                }
                if self.report.dry_run {
                    self.count(RoleChange::between(account, &next));
                } else {
                    ask.push((account.id, self.cause()));
                }
            }
            mark
        };
        self.place = match self.place {
            Place::Accounts(after, _) => Place::Accounts(after, mark),
            Place::Marks(_) | Place::Group(..) => Place::Accounts(after, mark),
        };
        self.ask_actors(shared, tenant, ask).await?;
        Ok(false)
    }

    const fn is_forced(&self) -> bool {
        matches!(self.trigger, Trigger::MaxDelay { .. })
    }

    const fn cause_of_mark(&self, wave: Option<WaveId>, generation: Option<u64>) -> Cause {
        match self.trigger {
            Trigger::MaxDelay { touched_until } => Cause::Overdue { wave, touched_until },
            _ => Cause::Mark { wave, generation },
        }
    }

    const fn cause(&self) -> Cause {
        match self.trigger {
            Trigger::Settings => Cause::Settings,
            Trigger::Operator => Cause::Operator,
            _ => Cause::Sweep,
        }
    }

    /// Changed settings have reached everybody, unless they changed again meanwhile.
    async fn all_accounts_done(
        &self,
        shared: &Shared,
        mark: Option<u64>,
    ) -> Result<bool, ChangeError> {
        if let Some(generation) = mark.filter(|_| matches!(self.trigger, Trigger::Settings)) {
            let clear = Operation::ClearMark { marked: Marked::Tenant, generation };
            let change = Changeset::new(shared.key, shared.clock.now(), None).with(clear);
            shared.commit(change).await?;
        }
        Ok(true)
    }

    /// Asks accounts' own actors to decide again and commit, a few at a time.
    async fn ask_actors(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        ask: Vec<(UserId, Cause)>,
    ) -> Result<(), ChangeError> {
        let mut answers = stream::iter(ask)
            .map(|(user, cause)| ask_actor(shared, tenant, user, cause))
            .buffer_unordered(IN_FLIGHT_MAX);
        let mut failed = None;
        let mut changes = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Reconciled::Changed(change)) => changes.push(change),
                // An account can be gone by now.
                Ok(_) | Err(ChangeError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        drop(answers);
        for change in changes {
            self.count(Some(change));
        }
        // The others are done; the pass goes on with this piece's marks later.
        failed.map_or(Ok(()), Err)
    }

    fn count(&mut self, change: Option<RoleChange>) {
        let Some(change) = change else { return };
        self.report.changed += 1;
        if self.report.changes.len() < CHANGES_NAMED_MAX {
            self.report.changes.push(change);
        } else {
            self.report.truncated = true;
        }
    }
}

/// Whether an account shows its user's attributes otherwise than the field mappings now say.
fn profile_differs(
    shared: &Shared,
    snapshot: &store::Snapshot,
    account: &Account,
) -> Result<bool, ChangeError> {
    let projected = reprojected(shared, snapshot, account, &shared.config())?;
    Ok(projected.is_some_and(|projected| projected.account != *account))
}

async fn ask_actor(
    shared: &Shared,
    tenant: &ActorRef<TenantMessage>,
    user: UserId,
    cause: Cause,
) -> Result<Reconciled, ChangeError> {
    shared.tenant_observed.sent();
    let message =
        |reply_to| TenantMessage::User(user, Box::new(UserMessage::Reconcile { cause, reply_to }));
    match tenant.call(message, Some(ACCOUNT_WAIT_MAX)).await {
        Ok(CallResult::Success(answer)) => answer,
        Ok(CallResult::Timeout) => {
            Err(ChangeError::unknown("a user's actor did not answer in time"))
        }
        Ok(CallResult::SenderError) => Err(ChangeError::unknown("a user's actor failed")),
        Err(_) => Err(ChangeError::unavailable("the tenant's actor has ended")),
    }
}
