//! The user actor: one per user in use, and the only writer of that user and its account.
//!
//! Changes to one user never race because they all pass through this mailbox: each is decided
//! against what is committed, committed, and only then answered.
//!
//! The actor keeps no copy of its user. It reads the committed state for each message (a few
//! microseconds), so after a commit whose outcome nobody knows there is nothing stale to act on.
//!
//! Lifecycle: spawned by the tenant actor on the first message for the user; drained by it after
//! a while without one. The tenant holds new messages until the old actor has ended, so a user
//! never has two writers.

pub(crate) mod decide;

use std::sync::Arc;

use access::lifecycle::{self, Changed, Moment};
use access::{Account, Lock, Status, UserId, WaveId, Why};
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use scim::patch::Patch;
use serde::Serialize;
use serde_json::Value;
use store::{
    Changeset, Expected, Marked, Operation, ReadError, Record, Refusal, Requirement, Snapshot,
};

use self::decide::{Next, UserState};
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::observe::Observed;
use crate::shared::{Shared, WriteGuard, attempt};
use crate::version::{self, Precondition};

/// Times that a change is decided again because something moved between reading and committing.
const ATTEMPTS_MAX: usize = 8;

type Answer<T> = RpcReplyPort<Result<T, ChangeError>>;

/// What a user actor can be told.
#[derive(Debug)]
pub(crate) enum UserMessage {
    /// Apply a PATCH request. Replies with the user as committed.
    Patch {
        /// The compiled request.
        patch: Patch,
        /// What it demands of the version.
        precondition: Precondition,
        /// The request; tells the wave.
        write: WriteGuard,
        /// Gets the user.
        reply_to: Answer<Record>,
    },
    /// Apply a PUT request. Replies with the user as committed.
    Replace {
        /// The request's body.
        body: Value,
        /// What it demands of the version.
        precondition: Precondition,
        /// The request; tells the wave.
        write: WriteGuard,
        /// Gets the user.
        reply_to: Answer<Record>,
    },
    /// Delete the user.
    Delete {
        /// What the request demands of the version.
        precondition: Precondition,
        /// The request; tells the wave.
        write: WriteGuard,
        /// Gets nothing, once it is gone.
        reply_to: Answer<()>,
    },
    /// An operator's act on the account.
    Manual {
        /// Which one.
        act: ManualAct,
        /// Gets the account.
        reply_to: Answer<Account>,
    },
    /// Give the account the role that the rules give.
    Reconcile {
        /// On whose behalf.
        cause: Cause,
        /// Gets what changed.
        reply_to: Answer<Reconciled>,
    },
}

impl UserMessage {
    /// Whether its requester went away before its turn came. Working on it all the same would let
    /// a mailbox grow for as long as the disk is stuck.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Patch { reply_to, .. } | Self::Replace { reply_to, .. } => reply_to.is_closed(),
            Self::Delete { reply_to, .. } => reply_to.is_closed(),
            Self::Manual { reply_to, .. } => reply_to.is_closed(),
            Self::Reconcile { reply_to, .. } => reply_to.is_closed(),
        }
    }
}

/// What an operator does to an account by hand.
#[derive(Debug, Clone)]
pub enum ManualAct {
    /// Pins the role; to the current one, if none is given.
    Lock {
        /// The role.
        role: Option<String>,
        /// Why, in the operator's words.
        reason: Option<String>,
        /// From when on the lock no longer counts.
        expires_at: Option<Timestamp>,
        /// Who.
        by: String,
    },
    /// Gives the account back to the rules.
    Unlock {
        /// Who.
        by: String,
    },
    /// Sets a role until the next reconciliation.
    SetRole {
        /// The role.
        role: String,
    },
}

/// On whose behalf an account is reconciled; decides which accounts are left to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A wave has settled. Only if the mark is still the one that was read: else a newer wave has
    /// touched the account.
    Mark {
        /// The wave.
        wave: Option<WaveId>,
        /// The mark's generation; none where the group is marked and the account is not.
        generation: Option<u64>,
    },
    /// An account has waited long enough in a wave that goes on, whether or not it was touched
    /// again; unless it was decided meanwhile.
    Overdue {
        /// The wave.
        wave: Option<WaveId>,
        /// Those first touched by then are overdue.
        touched_until: Timestamp,
    },
    /// A sweep. Accounts pending in an open wave are left to it.
    Sweep,
    /// Changed settings. As a sweep; mapped fields are read anew too.
    Settings,
    /// An operator asked.
    Operator,
}

/// What a reconciliation did to one account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reconciled {
    /// Nothing was to do.
    Unchanged,
    /// It is left to somebody else.
    Left,
    /// The role changed.
    Changed(RoleChange),
}

/// One role that a reconciliation changed, or would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleChange {
    /// The account.
    pub account: UserId,
    /// Its userName.
    pub user_name: String,
    /// The role before.
    pub from: Option<String>,
    /// The role after.
    pub to: Option<String>,
    /// Why.
    pub why: Why,
}

impl RoleChange {
    /// The difference between an account and what it becomes, if its role differs.
    pub(crate) fn between(before: &Account, after: &Account) -> Option<Self> {
        (before.role != after.role).then(|| Self {
            account: after.id,
            user_name: after.user_name.clone(),
            from: before.role.clone(),
            to: after.role.clone(),
            why: after.why.clone(),
        })
    }
}

/// What a user actor is started with.
pub(crate) struct UserArguments {
    pub(crate) id: UserId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) observed: Arc<Observed>,
}

/// The actor; see the module.
pub(crate) struct UserActor;

impl Actor for UserActor {
    type Msg = UserMessage;
    type State = UserArguments;
    type Arguments = UserArguments;

    async fn pre_start(
        &self,
        _: ActorRef<UserMessage>,
        arguments: UserArguments,
    ) -> Result<UserArguments, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn handle(
        &self,
        _: ActorRef<UserMessage>,
        message: UserMessage,
        user: &mut UserArguments,
    ) -> Result<(), ActorProcessingErr> {
        user.observed.begin(user.shared.clock.now());
        if message.is_abandoned() {
            user.observed.end();
            return Ok(());
        }
        // A requester that timed out does not take its change back, hence the ignored sends.
        match message {
            UserMessage::Patch { patch, precondition, write, reply_to } => {
                let decide = |state: &UserState, config: &ActiveConfig, moment| {
                    decide::patch(state, &patch, config, moment)
                };
                let _ = reply_to.send(user.change(&precondition, write.wave(), decide).await);
            }
            UserMessage::Replace { body, precondition, write, reply_to } => {
                let decide = |state: &UserState, config: &ActiveConfig, moment| {
                    decide::replace(state, &body, config, moment)
                };
                let _ = reply_to.send(user.change(&precondition, write.wave(), decide).await);
            }
            UserMessage::Delete { precondition, write, reply_to } => {
                let _ = reply_to.send(user.delete(&precondition, write.wave()).await);
            }
            UserMessage::Manual { act, reply_to } => {
                let _ = reply_to.send(user.manual(&act).await);
            }
            UserMessage::Reconcile { cause, reply_to } => {
                let _ = reply_to.send(user.reconcile(cause).await);
            }
        }
        user.observed.end();
        Ok(())
    }
}

impl UserArguments {
    /// Decides and commits a change of the user by the directory.
    async fn change(
        &self,
        precondition: &Precondition,
        wave: WaveId,
        decide: impl Fn(&UserState, &ActiveConfig, Moment) -> Result<Option<Next>, scim::error::Error>,
    ) -> Result<Record, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_change(precondition, wave, &decide))
    }

    async fn try_change(
        &self,
        precondition: &Precondition,
        wave: WaveId,
        decide: &impl Fn(&UserState, &ActiveConfig, Moment) -> Result<Option<Next>, scim::error::Error>,
    ) -> Result<Attempt<Record>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let state = self.load(&snapshot)?;
        self.check_version(&snapshot, &state.record, precondition)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let next = decide(&state, &config, Moment { now, wave: Some(wave) })?;
        let Some(Next { record, changed }) = next else { return Ok(Ok(state.record)) };
        let revision = state.record.revision;
        let kept = Record {
            revision: revision + 1,
            modified: now,
            name: record.name.clone(),
            external_id: record.external_id.clone(),
            body: record.body.clone(),
            ..state.record
        };
        let expected = Expected::Revision(revision);
        let mut change = Changeset::new(self.shared.key, now, Some(wave))
            .requiring(Requirement::Config(config.revision))
            .with(Operation::PutUser { id: self.id, expected, record })
            .with(Operation::Mark(Marked::User(self.id)));
        if changed.account != state.account {
            change = change.with(Operation::PutAccount(Box::new(changed.account)));
        }
        change.operations.extend(self.shared.wave_row(now));
        self.commit(change.telling(changed.events), kept).await
    }

    async fn delete(&self, precondition: &Precondition, wave: WaveId) -> Result<(), ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_delete(precondition, wave))
    }

    async fn try_delete(
        &self,
        precondition: &Precondition,
        wave: WaveId,
    ) -> Result<Attempt<()>, ChangeError> {
        let snapshot = self.shared.snapshot()?;
        let state = self.load(&snapshot)?;
        self.check_version(&snapshot, &state.record, precondition)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let Changed { account, events } =
            lifecycle::delete(&state.account, Moment { now, wave: Some(wave) });
        let expected = Expected::Revision(state.record.revision);
        let mut change = Changeset::new(self.shared.key, now, Some(wave))
            .with(Operation::DeleteUser { id: self.id, expected })
            .with(Operation::PutAccount(Box::new(account)))
            .telling(events);
        change.operations.extend(self.shared.wave_row(now));
        self.commit(change, ()).await
    }

    async fn manual(&self, act: &ManualAct) -> Result<Account, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_manual(act))
    }

    async fn try_manual(&self, act: &ManualAct) -> Result<Attempt<Account>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let account = self.account(&snapshot)?;
        let groups = snapshot.groups_of(self.shared.key, self.id)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let moment = Moment { now, wave: None };
        let Changed { account: next, events } = match act {
            ManualAct::Lock { role, reason, expires_at, by } => {
                let role = role.clone().or_else(|| account.role.clone()).unwrap_or_default();
                let lock = Lock {
                    role,
                    reason: reason.clone(),
                    by: by.clone(),
                    since: now,
                    expires_at: *expires_at,
                };
                lifecycle::lock(&account, lock, &groups, &config.rules, moment)?
            }
            ManualAct::Unlock { by } => {
                lifecycle::unlock(&account, by, &groups, &config.rules, moment)?
            }
            ManualAct::SetRole { role } => lifecycle::set_role(&account, role, moment)?,
        };
        if next == account {
            return Ok(Ok(account));
        }
        let change = Changeset::new(self.shared.key, now, None)
            .requiring(Requirement::Config(config.revision))
            .with(Operation::PutAccount(Box::new(next.clone())))
            .telling(events);
        self.commit(change, next).await
    }

    async fn reconcile(&self, cause: Cause) -> Result<Reconciled, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_reconcile(cause))
    }

    async fn try_reconcile(&self, cause: Cause) -> Result<Attempt<Reconciled>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let account = self.account(&snapshot)?;
        let groups = snapshot.groups_of(self.shared.key, self.id)?;
        let mark = snapshot.mark(self.shared.key, Marked::User(self.id))?;
        let generation = mark.map(|mark| mark.generation);
        let (wave, left) = match cause {
            Cause::Mark { wave, generation: read } => {
                let newer =
                    read != generation || self.shared.awaits_open_wave(&snapshot, &groups)?;
                (wave, newer)
            }
            Cause::Overdue { wave, touched_until } => {
                (wave, mark.is_some_and(|mark| mark.first_touched > touched_until))
            }
            Cause::Sweep | Cause::Settings => {
                let open = self.shared.open_wave().is_some();
                (None, open && self.shared.is_touched(&snapshot, self.id, &groups)?)
            }
            Cause::Operator => (None, false),
        };
        if left {
            return Ok(Ok(Reconciled::Left));
        }
        let now = self.shared.clock.now();
        let moment = Moment { now, wave };
        let mut changed = lifecycle::reconcile(&account, &groups, &config.rules, moment);
        let reads_profile = !matches!(cause, Cause::Sweep | Cause::Operator);
        if reads_profile && account.status != Status::Deleted {
            let projected = reprojected(&self.shared, &snapshot, &changed.account, &config)?;
            if let Some(projected) = projected {
                changed.account = projected.account;
                changed.events.extend(projected.events);
            }
        }
        drop(snapshot);
        let role_change = RoleChange::between(&account, &changed.account);
        if changed.account == account && generation.is_none() {
            return Ok(Ok(Reconciled::Unchanged));
        }
        let mut change = Changeset::new(self.shared.key, now, wave)
            .requiring(Requirement::Config(config.revision))
            .requiring(Requirement::UserMark { user: self.id, generation });
        if let Some(generation) = generation {
            let marked = Marked::User(self.id);
            change = change.with(Operation::ClearMark { marked, generation });
        }
        if changed.account != account {
            change = change.with(Operation::PutAccount(Box::new(changed.account)));
        }
        let done = role_change.map_or(Reconciled::Unchanged, Reconciled::Changed);
        self.commit(change.telling(changed.events), done).await
    }

    fn load(&self, snapshot: &Snapshot) -> Result<UserState, ChangeError> {
        let record = snapshot.user(self.shared.key, self.id)?.ok_or(ChangeError::NotFound)?;
        let account = self.account(snapshot)?;
        UserState::new(record, account)
            .ok_or_else(|| ChangeError::unavailable("the user's record cannot be read"))
    }

    fn account(&self, snapshot: &Snapshot) -> Result<Account, ChangeError> {
        snapshot.account(self.shared.key, self.id)?.ok_or(ChangeError::NotFound)
    }

    fn check_version(
        &self,
        snapshot: &Snapshot,
        record: &Record,
        precondition: &Precondition,
    ) -> Result<(), ChangeError> {
        if !precondition.is_some() {
            return Ok(());
        }
        let groups = self.shared.groups_with_names(snapshot, self.id)?;
        if precondition.accepts(&version::of_user(record.revision, &groups)) {
            Ok(())
        } else {
            Err(ChangeError::VersionMismatch)
        }
    }

    /// Commits and answers `done`; answers `Err` inside `Ok` if it is to be decided again.
    async fn commit<T>(&self, change: Changeset, done: T) -> Result<Attempt<T>, ChangeError> {
        let reply = self.shared.store.commit(change);
        self.shared.wait_or_moved(reply).await.map(|moved| match moved {
            Ok(_) => Ok(done),
            Err(moved) => Err(moved),
        })
    }
}

/// The account with its user's attributes as the field mappings now say; none for a user that is
/// gone or cannot be read, since a role does not depend on it.
pub(crate) fn reprojected(
    shared: &Shared,
    snapshot: &Snapshot,
    account: &Account,
    config: &ActiveConfig,
) -> Result<Option<Changed>, ReadError> {
    let record = match snapshot.user(shared.key, account.id) {
        Err(ReadError::Damaged { table }) => {
            tracing::error!(tenant.id = %shared.id, user.id = %account.id, table, "damaged");
            None
        }
        read => read?,
    };
    let state = record.and_then(|record| UserState::new(record, account.clone()));
    Ok(state.map(|state| {
        let profile = access::projection::Profile::of(&state.resource, &config.fields);
        lifecycle::reproject(account, profile)
    }))
}

/// What was done, or why it must be decided again.
type Attempt<T> = Result<T, Refusal>;
