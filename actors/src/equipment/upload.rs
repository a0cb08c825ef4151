//! A new list takes the place of the old one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::equipment::Asset;
use access::equipment::matching::Holders;
use access::{Author, UserId};
use serde::Serialize;
use store::{Changeset, Document as _, DocumentKey, Kept, Operation, ReadError, Requirement};
use tokio::sync::OwnedMutexGuard;

use super::documents::{AssetRow, EquipmentList};
use super::manager_of;
use crate::error::ChangeError;
use crate::reporter::ReporterMessage;
use crate::service::Tenant;
use crate::shared::Shared;

/// Rows that are written in one transaction: so few that whoever commits behind it hardly waits.
const ROWS_PER_COMMIT: usize = 500;
/// Accounts that are read at once.
const ACCOUNTS_AT_ONCE: usize = 512;
/// How long an upload waits for the one before it.
const TURN_WAIT_MAX: Duration = Duration::from_secs(10);
/// Holders that are named in an answer because nobody matches.
const UNMATCHED_NAMED_MAX: usize = 100;

/// The turn to upload: one list of a tenant at a time is in memory.
#[derive(Debug)]
pub struct UploadTurn {
    _held: OwnedMutexGuard<()>,
}

/// A list whose holders were looked for.
#[derive(Debug)]
pub struct MatchedList {
    rows: Vec<AssetRow>,
    feed: u64,
}

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// Assets in the list.
    pub assets: u64,
    /// Those whose holder is known.
    pub matched: u64,
    /// Those whose holder is not: they are matched when somebody appears.
    pub unmatched: u64,
    /// The first hundred of these holders, in the list's order.
    pub unmatched_holders: Vec<String>,
}

impl Tenant {
    /// Waits for the turn to upload a list.
    pub async fn upload_turn(&self) -> Result<UploadTurn, ChangeError> {
        let turn = Arc::clone(&self.shared().equipment).lock_owned();
        let turn = tokio::time::timeout(TURN_WAIT_MAX, turn).await;
        turn.map(|held| UploadTurn { _held: held }).map_err(|_| ChangeError::Overloaded)
    }

    /// Finds the accounts that hold the assets. Looks at every account: not for a task that others
    /// wait for.
    pub fn match_equipment(&self, assets: Vec<Asset>) -> Result<MatchedList, ReadError> {
        let shared = self.shared();
        let snapshot = shared.snapshot()?;
        let feed = snapshot.counts(shared.key)?.feed;
        let mut holders = Holders::default();
        for asset in &assets {
            holders.add(&asset.holder);
        }
        let mut after = None;
        while !holders.is_empty() {
            let accounts = snapshot.readable_accounts(shared.key, after, ACCOUNTS_AT_ONCE)?;
            let Some((last, _)) = accounts.last() else { break };
            after = Some(*last);
            for (_, account) in &accounts {
                // One that is damaged does not keep the others from being found; the log of the
                // next sweep names it.
                if let Ok(account) = account {
                    holders.see(account);
                }
            }
        }
        let mut managers: HashMap<UserId, Option<String>> = HashMap::new();
        let mut rows = Vec::with_capacity(assets.len());
        for Asset { asset_id, name, holder } in assets {
            let account = holders.account_of(&holder);
            let manager = match account {
                None => None,
                Some(id) if managers.contains_key(&id) => managers.get(&id).cloned().flatten(),
                Some(id) => {
                    let manager = manager_of(&snapshot, shared.key, id)?;
                    managers.insert(id, manager.clone());
                    manager
                }
            };
            rows.push(AssetRow { generation: 0, asset_id, name, holder, account, manager });
        }
        Ok(MatchedList { rows, feed })
    }

    /// Makes this the list that counts. Goes on when the requester goes away.
    pub async fn replace_equipment(
        &self,
        turn: UploadTurn,
        list: MatchedList,
        author: Author,
    ) -> Result<Uploaded, ChangeError> {
        let shared = Arc::clone(self.shared());
        let task = tokio::spawn(async move {
            let uploaded = replace(&shared, list, author).await;
            drop(turn);
            // Also after a failure: there are rows to remove then.
            shared.tell_reporter(ReporterMessage::ListReplaced);
            uploaded
        });
        task.await.map_err(|_| ChangeError::unknown("an upload failed"))?
    }
}

async fn replace(
    shared: &Shared,
    list: MatchedList,
    author: Author,
) -> Result<Uploaded, ChangeError> {
    let MatchedList { mut rows, feed } = list;
    let (current, generation) = {
        let snapshot = shared.snapshot()?;
        let current: Option<Kept<EquipmentList>> =
            snapshot.document(shared.key, &EquipmentList::place())?;
        let newest: Vec<AssetRow> =
            snapshot.documents_reversed(shared.key, &DocumentKey::default(), None, 1)?;
        // Rows that an upload has left, which did not get to its end, are not taken for ours.
        let counts = current.as_ref().map(|list| list.value.generation);
        let newest = newest.first().map(|row| row.generation);
        (current, counts.max(newest).unwrap_or_default().saturating_add(1))
    };
    for piece in rows.chunks_mut(ROWS_PER_COMMIT) {
        let mut change = Changeset::new(shared.key, shared.clock.now(), None);
        for row in piece {
            row.generation = generation;
            change = change.with(Operation::put(row)?);
        }
        shared.commit(change).await?;
    }
    let uploaded = summary(&rows);
    let list = EquipmentList {
        generation,
        assets: uploaded.assets,
        matched: uploaded.matched,
        unmatched: uploaded.unmatched,
        uploaded_at: shared.clock.now(),
        uploaded_by: author.clone(),
        feed,
    };
    // From here on it counts.
    let change = Changeset::new(shared.key, list.uploaded_at, None)
        .by(author)
        .requiring(Requirement::Document {
            collection: EquipmentList::COLLECTION,
            key: EquipmentList::place(),
            revision: current.map(|list| list.revision),
        })
        .with(Operation::put(&list)?);
    shared.commit(change).await?;
    Ok(uploaded)
}

fn summary(rows: &[AssetRow]) -> Uploaded {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let unmatched = rows.iter().filter(|row| row.account.is_none());
    let unmatched_count = unmatched.clone().count();
    let mut unmatched_holders: Vec<String> = Vec::new();
    for row in unmatched {
        if unmatched_holders.len() >= UNMATCHED_NAMED_MAX {
            break;
        }
        if !unmatched_holders.contains(&row.holder) {
            unmatched_holders.push(row.holder.clone());
        }
    }
    Uploaded {
        assets: count(rows.len()),
        matched: count(rows.len() - unmatched_count),
        unmatched: count(unmatched_count),
        unmatched_holders,
    }
}
