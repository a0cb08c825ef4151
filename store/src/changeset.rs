//! Changesets: a change as a value.
//!
//! What must hold, what to do, what to tell. A changeset names intentions ("this user is now so",
//! "these users join this group"), not rows; the writer turns it into rows against the state that
//! it really meets. That makes membership changes commute without anybody reading a member list,
//! and makes the unique index the last word on names.

use std::sync::Arc;

use access::settings::Settings;
use access::wave::Wave;
use access::{Account, Author, Bindings, Event, GroupId, TenantId, TokenId, UserId, WaveId};
use jiff::Timestamp;

use crate::document::{Collection, Document, DocumentKey, Kept};
use crate::key::TenantKey;
use crate::record::Marked;
use crate::requests::{BlockId, SealedBlock};
use crate::tenant::Token;

/// A change: applied whole, or not at all.
#[derive(Debug, Clone)]
pub struct Changeset {
    /// Whose it is; see [`TenantKey::SERVICE`] for what belongs to no tenant.
    pub tenant: TenantKey,
    /// When it is made. Stands in resources, feed entries and marks.
    pub now: Timestamp,
    /// The wave that it belongs to; stands in the marks that it makes.
    pub wave: Option<WaveId>,
    /// Who makes it; the audit log names them.
    pub author: Author,
    /// What must hold, or the change is refused.
    pub require: Vec<Requirement>,
    /// What to do, in order.
    pub operations: Vec<Operation>,
}

impl Changeset {
    /// A change of a tenant that does nothing yet, made by the service itself.
    pub const fn new(tenant: TenantKey, now: Timestamp, wave: Option<WaveId>) -> Self {
        let author = Author::service();
        Self { tenant, now, wave, author, require: Vec::new(), operations: Vec::new() }
    }

    /// The same, made by `author`.
    #[must_use]
    pub fn by(mut self, author: Author) -> Self {
        self.author = author;
        self
    }

    /// With one more thing to do.
    #[must_use]
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// With one more thing that must hold.
    #[must_use]
    pub fn requiring(mut self, requirement: Requirement) -> Self {
        self.require.push(requirement);
        self
    }

    /// With events to tell, in order.
    #[must_use]
    pub fn telling(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.operations.extend(events.into_iter().map(Operation::Tell));
        self
    }
}

impl TenantKey {
    /// The service itself, for changes that belong to no tenant.
    pub const SERVICE: Self = Self(0);
}

/// Something that must hold when the change is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Settings and bindings are those of this revision.
    Config(u64),
    /// The settings are those of this revision; bindings may have changed.
    Settings(u64),
    /// The names of the tenant's groups are those of this revision.
    GroupNames(u64),
    /// The account's mark has this generation; none: it has no mark.
    UserMark {
        /// The account.
        user: UserId,
        /// The generation that was read.
        generation: Option<u64>,
    },
    /// The account is active and has this role.
    HasRole {
        /// The account.
        user: UserId,
        /// The role.
        role: String,
    },
    /// The document is the one that was read; none: there is none.
    Document {
        /// Its collection.
        collection: Collection,
        /// Its key.
        key: DocumentKey,
        /// See [`crate::document::Kept::revision`].
        revision: Option<u64>,
    },
}

impl Requirement {
    /// The document is still the one that was read.
    pub fn of<D: Document>(kept: &Kept<D>) -> Self {
        let (collection, key) = (D::COLLECTION, kept.value.key());
        Self::Document { collection, key, revision: Some(kept.revision) }
    }
}

/// What must hold of a resource that an operation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none of this id yet.
    Absent,
    /// There is one, at this revision.
    Revision(u64),
    /// There is one.
    Present,
}

/// A resource to keep; the store adds revision and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The unique name, as sent: userName or displayName.
    pub name: String,
    /// `externalId`, as sent.
    pub external_id: Option<String>,
    /// The resource's JSON, less `meta`, `groups` and `members`.
    pub body: Vec<u8>,
}

/// A change of a group's members, by the values that the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// These join. One that is a member already stays one; one that nobody has pushed is parked.
    Add(Vec<String>),
    /// These leave. One that is no member is no error.
    Remove(Vec<String>),
    /// These, and nobody else.
    Replace(Vec<String>),
    /// Nobody.
    RemoveAll,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Keep a user. A new one, or one with a new externalId, is bound to the memberships that
    /// wait for it.
    PutUser {
        /// Its id.
        id: UserId,
        /// What must hold of it.
        expected: Expected,
        /// What to keep.
        record: NewRecord,
    },
    /// Delete a user, with its memberships and its mark.
    DeleteUser {
        /// Its id.
        id: UserId,
        /// What must hold of it.
        expected: Expected,
    },
    /// Keep a group. One with a new name is bound to the mapping that waits for that name.
    PutGroup {
        /// Its id.
        id: GroupId,
        /// What must hold of it.
        expected: Expected,
        /// What to keep.
        record: NewRecord,
    },
    /// Delete a group, with its memberships; its members are marked. Mappings that meant it are
    /// bound to the next group of their name.
    DeleteGroup {
        /// Its id.
        id: GroupId,
        /// What must hold of it.
        expected: Expected,
    },
    /// Change a group's members; users who join or leave are marked, and the feed tells of them.
    ChangeMembers {
        /// The group.
        group: GroupId,
        /// What must hold of it.
        expected: Expected,
        /// The changes, in order.
        changes: Vec<MemberChange>,
    },
    /// Keep an account. Refused unless the kept one has the revision that this one was read with;
    /// a new account has revision 0.
    PutAccount(Box<Account>),
    /// Mark somebody as owed a decision.
    Mark(Marked),
    /// Clear a mark, if it still has this generation.
    ClearMark {
        /// Whose.
        marked: Marked,
        /// The generation that was read.
        generation: u64,
    },
    /// Keep a tenant's settings and bindings.
    PutConfig {
        /// The settings.
        settings: Box<Settings>,
        /// The bindings.
        bindings: Bindings,
    },
    /// Keep a wave.
    PutWave(Box<Wave>),
    /// Append to the feed.
    Tell(Event),
    /// Make a tenant, with its first token.
    CreateTenant {
        /// Its id.
        id: TenantId,
        /// Its name, for people.
        name: String,
        /// Its first token.
        token: Box<Token>,
    },
    /// Delete a tenant: it is gone at once; its rows follow by [`Operation::Purge`].
    DeleteTenant {
        /// Its id.
        id: TenantId,
    },
    /// Delete some rows of a deleted tenant, damaged ones too.
    Purge {
        /// Whose.
        tenant: TenantKey,
        /// At most so many.
        rows_max: usize,
    },
    /// Keep a token.
    PutToken(Box<Token>),
    /// Delete a token.
    DeleteToken(TokenId),
    /// Let a token end then, unless it ends earlier anyway.
    ExpireToken {
        /// Which one.
        token: TokenId,
        /// From when on it no longer counts.
        at: Timestamp,
    },
    /// Keep the operator token's hash.
    PutOperatorToken([u8; 32]),
    /// Keep a document; see [`Operation::put`].
    PutDocument {
        /// Its collection.
        collection: Collection,
        /// Its key.
        key: DocumentKey,
        /// It, as JSON.
        json: Vec<u8>,
    },
    /// Delete a document; see [`Operation::delete`].
    DeleteDocument {
        /// Its collection.
        collection: Collection,
        /// Its key.
        key: DocumentKey,
    },
    /// Take a membership back that nobody has appeared for; the feed tells of it.
    ExpireParked {
        /// The group.
        group: GroupId,
        /// The member's value.
        value: String,
    },
    /// Forget a deleted user's account.
    ForgetAccount(UserId),
    /// Forget a wave.
    ForgetWave(WaveId),
    /// Keep a block of the request record.
    PutRequests(Arc<SealedBlock>),
    /// Forget blocks of the request record, the oldest first.
    TrimRequests {
        /// Up to and with this one.
        last: BlockId,
        /// At most so many at once.
        blocks_max: usize,
    },
    /// Take the oldest entries out of a log, up to and with this number.
    Trim {
        /// Which log.
        log: Log,
        /// The last number to go.
        last: u64,
        /// At most so many at once.
        rows_max: usize,
    },
}

/// A log whose oldest entries go in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The change feed.
    Feed,
    /// The audit log.
    Audit,
}

/// What came of a change that is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The feed's last number, if the change told of anything.
    pub feed: Option<u64>,
    /// The tenant that was made.
    pub tenant: Option<TenantKey>,
    /// The revision of the resource that was put, or whose members were changed, last. Groups
    /// that changed because a user came or went do not count.
    pub revision: Option<u64>,
    /// Whether a mapping was bound to a group, or lost its group.
    pub rebound: bool,
    /// Whether a purge or a trim has more to do.
    pub more_to_purge: bool,
}

/// Why a change was refused. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The name belongs to another resource of the tenant.
    #[error("{attribute} is taken")]
    NotUnique {
        /// The attribute.
        attribute: &'static str,
    },
    /// There is no such resource.
    #[error("there is no such resource")]
    Gone,
    /// There is one already.
    #[error("the resource exists already")]
    Exists,
    /// The resource is at another revision.
    #[error("the resource was changed meanwhile")]
    RevisionMoved,
    /// Settings or bindings were changed meanwhile.
    #[error("the settings were changed meanwhile")]
    ConfigMoved,
    /// The account was touched meanwhile.
    #[error("the account was touched meanwhile")]
    MarkMoved,
    /// The account that was to keep a role has it no more.
    #[error("the account does not have that role any more")]
    RoleMoved,
    /// The document was changed meanwhile.
    #[error("the document was changed meanwhile")]
    DocumentMoved,
    /// The tenant was deleted.
    #[error("there is no such tenant")]
    NoTenant,
    /// A record that the change depends on is damaged.
    #[error("a record in table {table} is damaged")]
    Damaged {
        /// The table.
        table: &'static str,
    },
}

/// Why a change did not commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// It was refused; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was not tried; nothing changed. It can be sent again later.
    #[error("changes are not taken now: {0}")]
    Unavailable(String),
    /// It was tried, and nobody knows whether it is on disk. State that was derived from it is
    /// not to be trusted.
    #[error("the outcome of the change is unknown: {0}")]
    Unknown(String),
}
