//! What the reporter has yet to read: retention leaves it in the feed.

use access::EventType;
use serde_json::Value;
use store::{Changeset, Kept, Operation, ReadError, Requirement, Snapshot, TenantKey};

use super::Position;

/// The reporter's place, as retention sees it.
pub(crate) struct Unread {
    position: Kept<Position>,
    /// Up to here entries are gone.
    trimmed: u64,
}

impl Unread {
    /// None where there is no reporter at work: nothing was ever uploaded.
    pub(crate) fn of(snapshot: &Snapshot, tenant: TenantKey) -> Result<Option<Self>, ReadError> {
        let trimmed = snapshot.counts(tenant)?.feed_trimmed;
        let position = snapshot.document::<Position>(tenant, &Position::place())?;
        Ok(position.map(|position| Self { position, trimmed }))
    }

    /// Whether an entry tells the reporter something that it has not read.
    pub(crate) fn needs(&self, entry: &Value) -> bool {
        let is_unread = entry["seq"].as_u64().is_some_and(|seq| seq > self.position.value.feed);
        let kind = entry["type"].as_str().and_then(EventType::from_name);
        is_unread
            && matches!(
                kind,
                Some(
                    EventType::AccountCreated
                        | EventType::AccountUpdated
                        | EventType::AccountDisabled
                        | EventType::AccountDeleted
                )
            )
    }

    /// Takes the reporter past entries up to `last` that go and that it does not need. Without
    /// that it would think that it has missed something.
    pub(crate) fn pass_over(self, last: u64, change: Changeset) -> Result<Changeset, ReadError> {
        let feed = self.position.value.feed;
        if last <= feed || self.trimmed > feed {
            return Ok(change);
        }
        let still = Requirement::of(&self.position);
        let position = Position { feed: last, ..self.position.value };
        Ok(change.requiring(still).with(Operation::put(&position)?))
    }
}
