//! The pieces of a pass: who is concerned, who differs, who is asked.

use access::lifecycle::{self, Moment};
use access::{Account, Author, GroupId, Status, UserId, WaveId};
use futures_util::{StreamExt, stream};
use ractor::ActorRef;
use ractor::rpc::CallResult;
use std::time::Duration;
use store::snapshot::Member;
use store::{Changeset, Mark, Marked, Operation, ReadError, Requirement, Snapshot};

use super::deferred::Deferred;
use super::{Pass, Place, Trigger};
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::shared::Shared;
use crate::tenant::TenantMessage;
use crate::user::{Brake, Cause, Reconciled, RoleChange, UserMessage, deferral, reprojected};

/// Accounts or marks in one piece: some times what is asked at once, so that the end of a piece, where
/// less is in flight, does not count for much.
const PIECE: usize = 1_024;
/// Accounts that are looked at before whatever else waits for the thread gets its turn: about half a
/// millisecond of them.
const SLICE: usize = 128;
/// Slices after which a pass over all accounts rests, if it can, and for how long at least: it would
/// keep a processor busy from its first account to its last, and requests would wait for the other.
const SLICES_BEFORE_REST: usize = 4;
const REST: Duration = Duration::from_millis(1);
/// Accounts that are asked of their actors at once. Their changes share transactions: with 64, a pass
/// that changes every role takes 1.4 times as long. With more, whoever writes meanwhile waits for larger
/// transactions, which take some 20 ms at 256.
const IN_FLIGHT_MAX: usize = 256;
/// How long one account's actor may take, and how long its turn may.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(20);

/// How an account looks beside what the rules give.
enum Looks {
    Right,
    Wrong,
    /// A group of it was changed by the open wave, which will see to it.
    Awaited,
}

impl Pass {
    pub(super) async fn step_marks(
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
            Trigger::MaxDelay { touched_until, .. } => mark.first_touched <= touched_until,
            _ => mark.wave.is_none() || mark.wave != open,
        }
    }

    pub(super) async fn step_group(
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
        if group_is_done && !self.braking.deferred.is_empty() {
            // Some of its members may be among them, and have no other mark.
            self.braking.groups.push((group, mark.generation));
        } else if group_is_done {
            let (marked, generation) = (Marked::Group(group), mark.generation);
            let clear = Operation::ClearMark { marked, generation };
            let change = Changeset::new(shared.key, shared.clock.now(), None)
                .requiring(Requirement::Config(shared.config().revision))
                .with(clear);
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
        let wave = self.wave();
        let mut clear = Vec::new();
        let mut ask = Vec::new();
        let config = shared.config();
        {
            let snapshot = shared.snapshot()?;
            let moment = Moment { now: shared.clock.now(), wave, request: None };
            for (place, (user, generation)) in users.into_iter().enumerate() {
                if place % SLICE == SLICE - 1 {
                    tokio::task::yield_now().await;
                }
                self.report.examined += 1;
                match self.look(shared, &snapshot, &config, user, moment) {
                    // One that cannot be read keeps its mark, and nobody else waits for it.
                    Err(ReadError::Damaged { table }) => {
                        tracing::error!(tenant.id = %shared.id, user.id = %user, table, "damaged");
                    }
                    Err(error) => return Err(error.into()),
                    Ok(Looks::Awaited) => {}
                    Ok(Looks::Wrong) => {
                        ask.push((user, self.cause_of_mark(wave, generation), self.brake()));
                    }
                    Ok(Looks::Right) => {
                        let marked = Marked::User(user);
                        let clears = |generation| Operation::ClearMark { marked, generation };
                        clear.extend(generation.map(clears));
                    }
                }
            }
        }
        if !clear.is_empty() {
            // They are right by these rules; others would have to be asked anew.
            let mut change = Changeset::new(shared.key, shared.clock.now(), wave)
                .requiring(Requirement::Config(config.revision));
            change.operations = clear;
            shared.commit(change).await?;
        }
        self.ask_actors(shared, tenant, ask).await.map(drop)
    }

    /// How an account looks beside what the rules give.
    fn look(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        config: &ActiveConfig,
        user: UserId,
        moment: Moment,
    ) -> Result<Looks, ReadError> {
        let Some(account) = snapshot.account(shared.key, user)? else { return Ok(Looks::Right) };
        let groups = snapshot.groups_of(shared.key, user)?;
        if !self.is_forced() && shared.awaits_open_wave(snapshot, &groups)? {
            return Ok(Looks::Awaited);
        }
        let next = lifecycle::reconcile(&account, &groups, &config.rules, moment);
        let is_right = next.account == account && !profile_differs(shared, snapshot, &account)?;
        Ok(if is_right { Looks::Right } else { Looks::Wrong })
    }

    pub(super) async fn step_accounts(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        after: Option<UserId>,
        mark: Option<u64>,
    ) -> Result<bool, ChangeError> {
        let (mut ask, mut after, mut mark) = (Vec::new(), after, mark);
        for slice in 0..PIECE / SLICE {
            let (last, generation) = match self.look_at_accounts(shared, after, mark, &mut ask) {
                Ok(looked) => looked,
                // What was seen is seen to; the next piece begins with the error.
                Err(_) if slice > 0 => break,
                Err(error) => return Err(error),
            };
            mark = generation;
            let Some(last) = last else {
                if slice == 0 {
                    return self.all_accounts_done(shared, mark).await;
                }
                break;
            };
            after = Some(last);
            self.place = Place::Accounts(after, mark);
            self.let_others_go(slice + 1).await;
        }
        self.ask_actors(shared, tenant, ask).await?;
        Ok(false)
    }

    /// Gives whatever else waits its turn, after so many slices of a piece.
    async fn let_others_go(&self, slices: usize) {
        // Whoever changed settings waits for all of it, and their pass for the disk.
        let may_rest = matches!(self.trigger, Trigger::Sweep | Trigger::Operator);
        if may_rest && slices.is_multiple_of(SLICES_BEFORE_REST) {
            tokio::time::sleep(REST).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    /// Looks at the next accounts, and adds those that differ to `ask`. Answers the last of them, none at
    /// the end, and the mark of the settings that this pass applies.
    fn look_at_accounts(
        &mut self,
        shared: &Shared,
        after: Option<UserId>,
        mark: Option<u64>,
        ask: &mut Vec<Question>,
    ) -> Result<(Option<UserId>, Option<u64>), ChangeError> {
        let config = self.config(shared);
        let snapshot = shared.snapshot()?;
        let mark = match (after, mark) {
            (None, None) => snapshot.mark(shared.key, Marked::Tenant)?.map(|mark| mark.generation),
            (_, mark) => mark,
        };
        let Some((last, accounts)) = read_slice(shared, &snapshot, after)? else {
            return Ok((None, mark));
        };
        let moment = Moment { now: shared.clock.now(), wave: None, request: None };
        let wave_is_open = shared.open_wave().is_some();
        for (account, groups) in &accounts {
            let end = account.lock.as_ref().and_then(|lock| lock.expires_at);
            let has_ended = end.is_some_and(|end| end <= moment.now);
            // A first look finds those too that have ended while nobody looked.
            let counts = !has_ended || self.report.dry_run;
            self.next_expiry = self.next_expiry.into_iter().chain(end.filter(|_| counts)).min();
            if matches!(self.trigger, Trigger::LockExpiry) && !has_ended {
                continue;
            }
            if !self.meet(account.withheld.as_ref()) {
                continue;
            }
            self.report.examined += 1;
            if matches!(self.trigger, Trigger::Resolve { .. }) {
                ask.push((account.id, self.cause(), self.brake()));
                continue;
            }
            let next = lifecycle::reconcile(account, groups, &config.rules, moment).account;
            // Only changed settings make a difference here, so only their pass pays for it.
            let looks = matches!(self.trigger, Trigger::Settings) && !self.report.dry_run;
            let is_right =
                next == *account && !(looks && profile_differs(shared, &snapshot, account)?);
            // Its own actor would leave it too; here that spares the asking.
            let leave = !is_right
                && wave_is_open
                && !matches!(self.trigger, Trigger::Operator)
                && shared.is_touched(&snapshot, account.id, groups)?;
            if self.report.dry_run {
                let next = if leave { account } else { &next };
                self.would_change(account, next, groups, &config, moment);
            } else if !is_right && !leave {
                ask.push((account.id, self.cause(), self.brake()));
            }
        }
        Ok((Some(last), mark))
    }

    /// Changed settings have reached everybody, unless they changed again meanwhile.
    async fn all_accounts_done(
        &self,
        shared: &Shared,
        mark: Option<u64>,
    ) -> Result<bool, ChangeError> {
        if let Some(generation) = mark.filter(|_| self.applies_settings()) {
            let clear = Operation::ClearMark { marked: Marked::Tenant, generation };
            let change = Changeset::new(shared.key, shared.clock.now(), None)
                .requiring(Requirement::Config(shared.config().revision))
                .with(clear);
            shared.commit(change).await?;
        }
        Ok(true)
    }

    /// Takes note of what a dry run would do to an account.
    fn would_change(
        &mut self,
        account: &Account,
        next: &Account,
        groups: &[GroupId],
        config: &ActiveConfig,
        moment: Moment,
    ) {
        let protected = &config.settings.protected_roles;
        let mut holds = |role: Option<&String>| {
            if let Some(role) = role.filter(|role| protected.contains(role))
                && account.status == Status::Active
            {
                *self.braking.holders.entry(role.clone()).or_default() += 1;
            }
        };
        let Some(change) = RoleChange::between(account, next) else {
            return holds(account.role.as_ref());
        };
        let decision = lifecycle::decision_on(account, groups, &config.rules, moment);
        let deferral = deferral(account, &decision, config);
        // One that leaves a protected role has it until its turn comes.
        let leaves = deferral.protected.is_some();
        holds(if leaves { account.role.as_ref() } else { next.role.as_ref() });
        if leaves {
            let (cause, change) = (self.cause(), Some(change));
            self.braking.deferred.insert(account.id, Deferred { cause, deferral, change });
        } else {
            self.count(change);
        }
    }

    /// Asks accounts' own actors to decide again and commit, some at a time. Answers how many
    /// roles changed.
    pub(super) async fn ask_actors(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        ask: Vec<Question>,
    ) -> Result<u64, ChangeError> {
        let author = &self.author;
        let mut answers = stream::iter(ask)
            .map(|question| async move {
                (question, ask_actor(shared, tenant, question, author.clone()).await)
            })
            .buffer_unordered(IN_FLIGHT_MAX);
        let mut failed = None;
        let mut answered = Vec::new();
        while let Some((question, answer)) = answers.next().await {
            match answer {
                Ok(answer) => answered.push((question, answer)),
                // An account can be gone by now.
                Err(ChangeError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        drop(answers);
        let before = self.report.changed;
        for (question, answer) in answered {
            self.take_answer(question, answer);
        }
        // The others are done; the pass goes on with this piece's marks later.
        failed.map_or(Ok(self.report.changed - before), Err)
    }

    /// Asks one account's own actor. Answers nothing for an account that is gone.
    pub(super) async fn ask_one(
        &mut self,
        shared: &Shared,
        tenant: &ActorRef<TenantMessage>,
        question: Question,
    ) -> Result<Option<Reconciled>, ChangeError> {
        match ask_actor(shared, tenant, question, self.author.clone()).await {
            Ok(answer) => {
                self.take_answer(question, answer.clone());
                Ok(Some(answer))
            }
            Err(ChangeError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take_answer(&mut self, (user, cause, _): Question, answer: Reconciled) {
        match answer {
            Reconciled::Changed(change) => self.count(change),
            Reconciled::Deferred(deferral) => {
                self.braking.deferred.insert(user, Deferred { cause, deferral, change: None });
            }
            Reconciled::Unchanged
            | Reconciled::Left
            | Reconciled::NoWitness
            | Reconciled::Withheld(_) => {}
        }
    }
}

/// An account to be asked, on whose behalf, and what may stop it.
pub(super) type Question = (UserId, Cause, Brake);

/// Some accounts with their groups, and the last id that was read.
type Slice = (UserId, Vec<(Account, Vec<GroupId>)>);

/// The next accounts after `after`; none at the end. One that cannot be read is told of and left
/// out: nobody else waits for it.
fn read_slice(
    shared: &Shared,
    snapshot: &Snapshot,
    after: Option<UserId>,
) -> Result<Option<Slice>, ReadError> {
    let damaged = |user: &UserId, error: &ReadError| {
        tracing::error!(tenant.id = %shared.id, user.id = %user, %error, "damaged");
    };
    let accounts = snapshot.readable_accounts(shared.key, after, SLICE)?;
    let (Some((first, _)), Some((last, _))) = (accounts.first(), accounts.last()) else {
        return Ok(None);
    };
    let (first, last) = (*first, *last);
    // In one go, unless a row among them is damaged.
    let mut together = match snapshot.memberships(shared.key, first, last) {
        Err(ReadError::Damaged { .. }) => None,
        read => Some(read?.into_iter().peekable()),
    };
    let mut slice = Vec::with_capacity(accounts.len());
    for (user, account) in accounts {
        let mut groups = Vec::new();
        if let Some(rows) = &mut together {
            while let Some((of, group)) = rows.next_if(|(of, _)| *of <= user) {
                groups.extend((of == user).then_some(group));
            }
        } else {
            match snapshot.groups_of(shared.key, user) {
                Err(error @ ReadError::Damaged { .. }) => {
                    damaged(&user, &error);
                    continue;
                }
                read => groups = read?,
            }
        }
        match account {
            Ok(account) => slice.push((account, groups)),
            Err(error) => damaged(&user, &error),
        }
    }
    Ok(Some((last, slice)))
}

/// Whether an account shows its user's attributes otherwise than the field mappings now say.
fn profile_differs(
    shared: &Shared,
    snapshot: &Snapshot,
    account: &Account,
) -> Result<bool, ReadError> {
    let projected = reprojected(shared, snapshot, account, &shared.config())?;
    Ok(projected.is_some_and(|projected| projected.account != *account))
}

async fn ask_actor(
    shared: &Shared,
    tenant: &ActorRef<TenantMessage>,
    (user, cause, brake): Question,
    author: Author,
) -> Result<Reconciled, ChangeError> {
    let permit = tokio::time::timeout(ACCOUNT_WAIT_MAX, shared.pass_permits.acquire()).await;
    let Ok(Ok(_permit)) = permit else {
        return Err(ChangeError::unavailable("too many passes change accounts at once"));
    };
    shared.tenant_observed.sent();
    let span = tracing::Span::current();
    let message = |reply_to| {
        let message = UserMessage::Reconcile { cause, brake, author, span, reply_to };
        TenantMessage::User(user, Box::new(message))
    };
    match tenant.call(message, Some(ACCOUNT_WAIT_MAX)).await {
        Ok(CallResult::Success(answer)) => answer,
        Ok(CallResult::Timeout) => {
            Err(ChangeError::unknown("a user's actor did not answer in time"))
        }
        Ok(CallResult::SenderError) => Err(ChangeError::unknown("a user's actor failed")),
        Err(_) => Err(ChangeError::unavailable("the tenant's actor has ended")),
    }
}
