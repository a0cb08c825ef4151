//! What is kept, and what commits together.
//!
//! A change is a value, a [`Changeset`]: what must hold, what to do, what to tell. A [`Store`]
//! takes changesets from anywhere at once, applies all that are queued in one write transaction
//! with one fsync, and only then answers each. Reads see a consistent [`Snapshot`] that holds
//! every answered change.
//!
//! The promises:
//!
//! - **Answered means on disk.** A commit that answered `Ok` survives power loss.
//! - **All or nothing.** A changeset is applied whole or not at all, and one that is refused does
//!   not touch its neighbours in the same transaction.
//! - **Nothing damaged is served.** Every record carries a checksum over its table, key and value
//!   and is checked at every read; one that fails is an error, never a value.
//! - **An unknown outcome is called unknown.** After a failed commit nobody may go on as if
//!   nothing had happened; see [`CommitError::Unknown`].
//!
//! The logic (indexes, membership rows, feed numbers, marks) is written once, over a plain
//! ordered key-value interface; [`RedbStore`] and [`MemoryStore`] only read and write pairs.
//!
//! Not here: who may change what and when (`actors`), what a role is (`access`), HTTP.

pub mod backup;
pub mod changeset;
pub mod check;
pub mod conformance;
pub mod document;
pub mod oauth;
pub mod record;
pub mod requests;
pub mod setup_link;
pub mod snapshot;
pub mod tenant;
pub mod token;

mod decoded;
mod hex;
mod key;
mod kv;
mod memory;
mod overlay;
mod plan;
mod redb_backend;
mod table;
mod webhooks;
mod writer;

pub use changeset::{
    Changeset, CommitError, Committed, Expected, Log, MemberChange, NewRecord, Operation, Refusal,
    Requirement,
};
pub use decoded::Decoded;
pub use document::{Collection, Document, DocumentKey, Kept};
pub use key::TenantKey;
pub use kv::ReadError;
pub use memory::MemoryStore;
pub use record::{Mark, Marked, Record};
pub use redb_backend::{OpenError, RedbStore, RedbStoreOptions};
pub use snapshot::{Looked, Snapshot, Texts};
pub use writer::{Queue, Reply};

/// Whether a store takes changes, and if not, why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// It does not; reads may go on. The text is for operators.
    Unavailable(String),
}

/// Something that keeps tenants, users, groups, accounts and the feed.
pub trait Store: Send + Sync + 'static {
    /// A consistent view of everything answered so far. Cheap: open one for each request, and do
    /// not hold it for long, since it keeps old pages from being used again.
    fn snapshot(&self) -> Result<Snapshot, ReadError>;

    /// Hands a change to the writer and answers at once; the reply tells what became of it.
    /// Changes from one caller are applied in the order they were handed in.
    fn commit(&self, change: Changeset) -> Reply;

    /// Whether changes are taken right now.
    fn health(&self) -> Health;

    /// What waits for the writer right now. Stores that write at once have no queue.
    fn queue(&self) -> Queue {
        Queue::default()
    }

    /// Bytes on disk; none for a store that is not on one.
    fn size_bytes(&self) -> Option<u64> {
        None
    }
}
