//! Finding holders who were not known when the list was uploaded.

use std::collections::BTreeSet;
use std::sync::Arc;

use access::UserId;
use access::equipment::matching::Holders;
use store::{Document as _, DocumentKey, Operation, ReadError, Snapshot, TenantKey};

use super::{Desk, read};
use crate::equipment::documents::AssetRow;
use crate::equipment::{NOBODY, manager_of};
use crate::error::ChangeError;
use crate::shared::Shared;

/// Rows without an account that are looked at together.
const ROWS_AT_ONCE: usize = 20_000;
/// Rows that are given to their accounts in one transaction.
const ROWS_PER_COMMIT: usize = 500;

/// Gives rows that nobody held to those of these accounts who hold them.
pub(super) async fn rematch(
    shared: &Arc<Shared>,
    desk: &Desk,
    accounts: BTreeSet<UserId>,
) -> Result<(), ChangeError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let (accounts, generation) = (Arc::new(accounts), desk.list.value.generation);
    let mut after: Option<DocumentKey> = None;
    loop {
        let (accounts, from) = (Arc::clone(&accounts), after.take());
        let found = read(shared, move |shared| {
            find(&shared.snapshot()?, shared.key, generation, from.as_ref(), &accounts)
        });
        let Found { matched, looked_to } = found.await?;
        for piece in matched.chunks(ROWS_PER_COMMIT) {
            let mut change = desk.change_of_list(shared);
            for row in piece {
                let unknown = AssetRow { account: None, ..row.clone() };
                change = change
                    .with(Operation::delete::<AssetRow>(unknown.key()))
                    .with(Operation::put(row)?);
            }
            shared.commit(change).await?;
        }
        let Some(last) = looked_to else { return Ok(()) };
        after = Some(last);
    }
}

/// All rows that nobody held and that one of these accounts holds.
pub(crate) fn find_all(
    snapshot: &Snapshot,
    tenant: TenantKey,
    generation: u64,
    accounts: &BTreeSet<UserId>,
) -> Result<Vec<AssetRow>, ReadError> {
    let (mut all, mut after) = (Vec::new(), None);
    if accounts.is_empty() {
        return Ok(all);
    }
    loop {
        let found = find(snapshot, tenant, generation, after.as_ref(), accounts)?;
        all.extend(found.matched);
        if found.looked_to.is_none() {
            return Ok(all);
        }
        after = found.looked_to;
    }
}

struct Found {
    matched: Vec<AssetRow>,
    /// The last row that was looked at, if there may be more.
    looked_to: Option<DocumentKey>,
}

fn find(
    snapshot: &Snapshot,
    tenant: TenantKey,
    generation: u64,
    after: Option<&DocumentKey>,
    accounts: &BTreeSet<UserId>,
) -> Result<Found, ReadError> {
    let prefix = AssetRow::prefix(generation, NOBODY);
    let rows: Vec<AssetRow> = snapshot.documents_within(tenant, &prefix, after, ROWS_AT_ONCE)?;
    let looked_to = rows.last().filter(|_| rows.len() == ROWS_AT_ONCE).map(AssetRow::key);
    let mut holders = Holders::default();
    for row in &rows {
        holders.add(&row.holder);
    }
    if !holders.is_empty() {
        for account in accounts {
            if let Some(account) = snapshot.account(tenant, *account)? {
                holders.see(&account);
            }
        }
    }
    let mut matched = Vec::new();
    for mut row in rows {
        if let Some(account) = holders.account_of(&row.holder) {
            row.account = Some(account);
            row.manager = manager_of(snapshot, tenant, account)?;
            matched.push(row);
        }
    }
    Ok(Found { matched, looked_to })
}
