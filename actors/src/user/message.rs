//! What a user actor can be told, and what it answers.

use access::{Account, Author, HoldId, UserId, WaveId, Why};
use jiff::Timestamp;
use ractor::RpcReplyPort;
use scim::patch::Patch;
use serde::Serialize;
use serde_json::Value;
use store::Record;
use tracing::Span;

use crate::error::ChangeError;
use crate::observe::Kind;
use crate::shared::WriteGuard;
use crate::trace;
use crate::version::Precondition;

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
        /// Who.
        author: Author,
        /// The span of the request.
        span: Span,
        /// Gets the account.
        reply_to: Answer<Account>,
    },
    /// Give the account the role that the rules give.
    Reconcile {
        /// On whose behalf.
        cause: Cause,
        /// What may stop it.
        brake: Brake,
        /// In whose name.
        author: Author,
        /// The span of the pass.
        span: Span,
        /// Gets what changed.
        reply_to: Answer<Reconciled>,
    },
}

impl UserMessage {
    /// The span in which it is worked on.
    pub(super) fn span(&self) -> Span {
        let (parent, operation) = match self {
            Self::Patch { write, .. } => (write.span(), "patch"),
            Self::Replace { write, .. } => (write.span(), "replace"),
            Self::Delete { write, .. } => (write.span(), "delete"),
            Self::Manual { span, .. } => (span, "manual"),
            Self::Reconcile { span, .. } => (span, "reconcile"),
        };
        trace::handling(parent, Kind::User, operation)
    }

    /// Whether its requester went away before its turn came. Working on it all the same would let
    /// a mailbox grow for as long as the disk is stuck.
    pub(super) fn is_abandoned(&self) -> bool {
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

impl Cause {
    /// The wave that brings it about.
    pub(super) const fn wave(self) -> Option<WaveId> {
        match self {
            Self::Mark { wave, .. } | Self::Overdue { wave, .. } => wave,
            Self::Sweep | Self::Settings | Self::Operator => None,
        }
    }
}

/// What may stop a change of role. A pass first asks with [`Brake::Defer`]; what may have to wait
/// comes back, and is decided when the pass knows all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brake {
    /// Leave a change to the pass if it takes the account out of a protected role, or, where
    /// `mass` says so, a mapped role away.
    Defer {
        /// Whether changes can be part of a mass change.
        mass: bool,
    },
    /// It is part of a mass change that waits for an operator.
    Hold(HoldId),
    /// An operator rejected the mass change that it is part of.
    Reject(HoldId),
    /// The same, for one that was to be part of it and was not marked yet.
    RejectNow(HoldId),
    /// Nobody else has the protected role.
    Keep,
    /// Make it.
    Make {
        /// The mass change that an operator approved, if it is part of one.
        approved: Option<HoldId>,
        /// Somebody else who has the protected role, and must have it still when the change is
        /// made. Without one a change that leaves a protected role is left to the pass.
        witness: Option<UserId>,
    },
}

/// A change that was left to the pass.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Deferral {
    /// Whether it takes a mapped role away.
    pub(crate) mass: bool,
    /// The protected role that the account would leave.
    pub(crate) protected: Option<String>,
}

/// What a reconciliation did to one account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reconciled {
    /// Nothing was to do.
    Unchanged,
    /// It is left to somebody else.
    Left,
    /// It is left to the pass.
    Deferred(Deferral),
    /// The witness does not have the protected role any more.
    NoWitness,
    /// A change is withheld; whose it is, and what it would be.
    Withheld(RoleChange),
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
    /// What an account would become, were its change not withheld.
    pub(crate) fn withheld(account: &Account) -> Self {
        Self {
            account: account.id,
            user_name: account.user_name.clone(),
            from: account.role.clone(),
            to: account.withheld.as_ref().map(|withheld| withheld.role.clone()),
            why: account.why.clone(),
        }
    }

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
