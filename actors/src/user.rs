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
mod message;
mod reconcile;

use std::sync::Arc;

use access::lifecycle::{self, Changed, Moment};
use access::projection::Profile;
use access::{Account, Author, Lock, UserId};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use scim::resource::Replacement;
use scim::schema::ResourceType;
use scim::stored::Stored;
use store::{
    Changeset, Expected, Marked, Operation, ReadError, Record, Refusal, Requirement, Snapshot,
};
use tracing::Instrument;

use self::decide::{Next, UserState};
pub(crate) use self::message::{Brake, Cause, Deferral, Reconciled, UserMessage};
pub use self::message::{ManualAct, RoleChange};
pub(crate) use self::reconcile::deferral;
use crate::config::ActiveConfig;
use crate::error::ChangeError;
use crate::observe::Observed;
use crate::reconciler::ReconcilerMessage;
use crate::shared::{Shared, WriteGuard, attempt};
use crate::version::{self, Precondition};

/// Times that a change is decided again because something moved between reading and committing.
const ATTEMPTS_MAX: usize = 8;

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
        let span = message.span();
        user.handle(message).instrument(span).await;
        user.observed.end();
        Ok(())
    }
}

impl UserArguments {
    async fn handle(&self, message: UserMessage) {
        // A requester that timed out does not take its change back, hence the ignored sends.
        match message {
            UserMessage::Patch { patch, precondition, write, reply_to } => {
                let decide = |state: &UserState<'_>, config: &ActiveConfig, moment| {
                    decide::patch(state, &patch, config, moment)
                };
                let _ = reply_to.send(self.change(&precondition, &write, decide).await);
            }
            UserMessage::Replace { body, precondition, write, reply_to } => {
                // Read once, however often it is decided; and who is not there is told that first.
                let read = Replacement::read(ResourceType::User, &self.id.to_string(), body);
                let decide = |state: &UserState<'_>, config: &ActiveConfig, moment| {
                    let read = read.as_ref().map_err(Clone::clone)?;
                    decide::replace(state, read, config, moment)
                };
                let _ = reply_to.send(self.change(&precondition, &write, decide).await);
            }
            UserMessage::Delete { precondition, write, reply_to } => {
                let _ = reply_to.send(self.delete(&precondition, &write).await);
            }
            UserMessage::Manual { act, author, reply_to, .. } => {
                let _ = reply_to.send(self.manual(&act, &author).await);
            }
            UserMessage::Reconcile { cause, brake, author, reply_to, .. } => {
                let _ = reply_to.send(self.reconcile(cause, brake, &author).await);
            }
        }
    }

    /// Decides and commits a change of the user by the directory.
    async fn change(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
        decide: impl Fn(&UserState<'_>, &ActiveConfig, Moment) -> Result<Option<Next>, ChangeError>,
    ) -> Result<Record, ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_change(precondition, write, &decide))
    }

    async fn try_change(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
        decide: &impl Fn(&UserState<'_>, &ActiveConfig, Moment) -> Result<Option<Next>, ChangeError>,
    ) -> Result<Attempt<Record>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let before = self.record(&snapshot)?;
        self.check_version(&snapshot, &before, precondition)?;
        let now = self.shared.clock.now();
        let next = {
            let state = UserState { record: &before, account: &|| self.account(&snapshot) };
            decide(&state, &config, write.moment(now))?
        };
        drop(snapshot);
        let Some(Next { record, account, events }) = next else { return Ok(Ok(before)) };
        let revision = before.revision;
        let kept = Record {
            revision: revision + 1,
            modified: now,
            name: record.name.clone(),
            external_id: record.external_id.clone(),
            body: record.body.clone(),
            ..before
        };
        let expected = Expected::Revision(revision);
        let mut change = write
            .changeset(now)
            .requiring(Requirement::Settings(config.settings_revision))
            .with(Operation::PutUser { id: self.id, expected, record })
            .with(Operation::Mark(Marked::User(self.id)));
        if let Some(account) = account {
            change = change.with(Operation::PutAccount(Box::new(account)));
        }
        change.operations.extend(self.shared.wave_row(now));
        self.commit(change.telling(events), kept).await
    }

    async fn delete(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
    ) -> Result<(), ChangeError> {
        attempt!(ATTEMPTS_MAX, self.try_delete(precondition, write))
    }

    async fn try_delete(
        &self,
        precondition: &Precondition,
        write: &WriteGuard,
    ) -> Result<Attempt<()>, ChangeError> {
        let snapshot = self.shared.snapshot()?;
        let record = self.record(&snapshot)?;
        let account = self.account(&snapshot)?;
        self.check_version(&snapshot, &record, precondition)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let Changed { account, events } = lifecycle::delete(&account, write.moment(now));
        let expected = Expected::Revision(record.revision);
        let mut change = write
            .changeset(now)
            .with(Operation::DeleteUser { id: self.id, expected })
            .with(Operation::PutAccount(Box::new(account)))
            .telling(events);
        change.operations.extend(self.shared.wave_row(now));
        self.commit(change, ()).await
    }

    async fn manual(&self, act: &ManualAct, author: &Author) -> Result<Account, ChangeError> {
        let account = attempt!(ATTEMPTS_MAX, self.try_manual(act, author))?;
        if let Some(end) = account.lock.as_ref().and_then(|lock| lock.expires_at) {
            self.shared.tell_reconciler(ReconcilerMessage::LockExpires(end));
        }
        Ok(account)
    }

    async fn try_manual(
        &self,
        act: &ManualAct,
        author: &Author,
    ) -> Result<Attempt<Account>, ChangeError> {
        let config = self.shared.config();
        let snapshot = self.shared.snapshot()?;
        let account = self.account(&snapshot)?;
        let groups = snapshot.groups_of(self.shared.key, self.id)?;
        drop(snapshot);
        let now = self.shared.clock.now();
        let moment = Moment { now, wave: None, request: author.request };
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
            .by(author.clone())
            .requiring(Requirement::Config(config.revision))
            .with(Operation::PutAccount(Box::new(next.clone())))
            .telling(events);
        self.commit(change, next).await
    }

    fn record(&self, snapshot: &Snapshot) -> Result<Record, ChangeError> {
        snapshot.user(self.shared.key, self.id)?.ok_or(ChangeError::NotFound)
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
    let excerpt = record.and_then(|record| {
        let stored = Stored::read(ResourceType::User, &record.body).ok()?;
        stored.excerpt(config.fields.reads()).ok()
    });
    Ok(excerpt.map(|attributes| {
        let profile = Profile::of(&attributes, &config.fields);
        lifecycle::reproject(account, profile)
    }))
}

/// What was done, or why it must be decided again.
type Attempt<T> = Result<T, Refusal>;
