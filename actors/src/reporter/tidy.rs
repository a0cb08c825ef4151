//! Tidying: rows of lists that do not count go, and what was returned is noted.

use std::collections::HashSet;
use std::sync::Arc;

use access::UserId;
use store::{Changeset, Document as _, DocumentKey, Kept, Operation, ReadError, Requirement};

use super::read;
use crate::equipment::documents::{AssetRow, EquipmentList, Notice};
use crate::equipment::held;
use crate::equipment::report::RETURNED_SHOWN;
use crate::error::ChangeError;
use crate::shared::Shared;

/// Rows that are removed in one transaction.
const ROWS_PER_COMMIT: usize = 500;
/// Notices that are looked through at once.
const NOTICES_AT_ONCE: usize = 100;

/// How far the tidying has come. To do all of it again harms nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// What was returned is being noted, after this account.
    Notices(Option<UserId>),
    /// Rows of other lists are being removed.
    Rows,
    /// There is nothing to do.
    Done,
}

impl Progress {
    /// At the beginning.
    pub(super) const fn begun() -> Self {
        Self::Notices(None)
    }

    pub(super) const fn is_done(self) -> bool {
        matches!(self, Self::Done)
    }

    /// Does the next piece, where the list of `generation` counts. Answers whether there is more.
    pub(super) async fn step(
        &mut self,
        shared: &Arc<Shared>,
        generation: u64,
    ) -> Result<bool, ChangeError> {
        match *self {
            Self::Notices(after) => {
                *self = match look_through_notices(shared, generation, after).await? {
                    Some(last) => Self::Notices(Some(last)),
                    None => Self::Rows,
                };
            }
            Self::Rows => {
                if !remove_rows(shared).await? {
                    *self = Self::Done;
                }
            }
            Self::Done => {}
        }
        Ok(!self.is_done())
    }
}

/// Notes in some notices what was returned. Answers where to go on, if there are more.
async fn look_through_notices(
    shared: &Arc<Shared>,
    generation: u64,
    after: Option<UserId>,
) -> Result<Option<UserId>, ChangeError> {
    let (operations, last) = read(shared, move |shared| notes(shared, generation, after)).await?;
    if !operations.is_empty() {
        let mut change = Changeset::new(shared.key, shared.clock.now(), None);
        change.operations = operations;
        shared.commit(change).await?;
    }
    Ok(last)
}

fn notes(
    shared: &Shared,
    generation: u64,
    after: Option<UserId>,
) -> Result<(Vec<Operation>, Option<UserId>), ReadError> {
    let (snapshot, now) = (shared.snapshot()?, shared.clock.now());
    let after = after.map(DocumentKey::user);
    let notices: Vec<Notice> = snapshot.documents(shared.key, after.as_ref(), NOTICES_AT_ONCE)?;
    let last = notices.last().filter(|_| notices.len() == NOTICES_AT_ONCE);
    let last = last.map(|notice| notice.account);
    let mut operations = Vec::new();
    for mut notice in notices {
        let rows = held(&snapshot, shared.key, generation, notice.account)?;
        let still: HashSet<&str> = rows.iter().map(|row| row.asset_id.as_str()).collect();
        let before = notice.assets.clone();
        for asset in &mut notice.assets {
            asset.returned_at = if still.contains(asset.asset_id.as_str()) {
                None
            } else {
                asset.returned_at.or(Some(now))
            };
        }
        let shown = |at| now.duration_since(at) <= RETURNED_SHOWN;
        notice.assets.retain(|asset| asset.returned_at.is_none_or(shown));
        if notice.assets.is_empty() {
            operations.push(Operation::delete::<Notice>(notice.key()));
        } else if notice.assets != before {
            operations.push(Operation::put(&notice)?);
        }
    }
    Ok((operations, last))
}

/// Removes some rows of other lists. Answers whether there may be more.
async fn remove_rows(shared: &Arc<Shared>) -> Result<bool, ChangeError> {
    // An upload that goes on writes such rows; when it is done it tells of that.
    let Ok(_turn) = shared.equipment.try_lock() else { return Ok(false) };
    let read = read(shared, move |shared| {
        let snapshot = shared.snapshot()?;
        let list: Option<Kept<EquipmentList>> =
            snapshot.document(shared.key, &EquipmentList::place())?;
        let revision = list.as_ref().map(|list| list.revision);
        let generation = list.map_or(0, |list| list.value.generation);
        let all = DocumentKey::default();
        let other = |row: &AssetRow| row.generation != generation;
        let mut rows: Vec<AssetRow> = snapshot.documents(shared.key, None, ROWS_PER_COMMIT)?;
        rows.retain(other);
        if rows.is_empty() {
            rows = snapshot.documents_reversed(shared.key, &all, None, ROWS_PER_COMMIT)?;
            rows.retain(other);
        }
        Ok((rows, revision))
    });
    let (rows, revision) = read.await?;
    if rows.is_empty() {
        return Ok(false);
    }
    // An upload that was given up may come to count all the same, and its rows with it: the disk
    // was late. Then this is refused, and done again for the list that counts by then.
    let mut change =
        Changeset::new(shared.key, shared.clock.now(), None).requiring(Requirement::Document {
            collection: EquipmentList::COLLECTION,
            key: EquipmentList::place(),
            revision,
        });
    for row in &rows {
        change = change.with(Operation::delete::<AssetRow>(row.key()));
    }
    shared.commit(change).await?;
    Ok(true)
}
