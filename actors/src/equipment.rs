//! Equipment as it is kept: the list that counts, whose each asset is, and the report.
//!
//! A list lies in the store as one row an asset, behind the list's generation and the account that
//! holds it, so that what an account holds is one short range. A new list is written beside the
//! old one, in pieces, and counts from the one small transaction that names its generation: it is
//! there whole or not at all, and nobody else waits for a hundred thousand rows. What is left of
//! other generations is removed by the reporter.
//!
//! Not here: who is told of it, see [`crate::reporter`]; parsing, see [`access::equipment`].

pub mod documents;
pub mod report;
pub mod upload;

use access::UserId;
use serde_json::{Map, Value};
use store::{DocumentKey, ReadError, Snapshot, TenantKey};

use self::documents::AssetRow;

/// Rows of assets that are read at once.
const ROWS_AT_ONCE: usize = 1_000;
/// Whose the rows are that no account matches. No account has this id: ours are of version 7.
pub(crate) const NOBODY: UserId = UserId::from_bytes([0; 16]);

/// What an account holds: all of it, or so much that it makes no difference.
pub(crate) fn held(
    snapshot: &Snapshot,
    tenant: TenantKey,
    generation: u64,
    account: UserId,
) -> Result<Vec<AssetRow>, ReadError> {
    let prefix = AssetRow::prefix(generation, account);
    let mut rows: Vec<AssetRow> = Vec::new();
    loop {
        let after = rows.last().map(store::Document::key);
        let piece: Vec<AssetRow> =
            snapshot.documents_within(tenant, &prefix, after.as_ref(), ROWS_AT_ONCE)?;
        let done = piece.len() < ROWS_AT_ONCE;
        rows.extend(piece);
        if done {
            rows.sort_by(|one, other| one.asset_id.cmp(&other.asset_id));
            return Ok(rows);
        }
    }
}

/// The next account after `after` that holds something.
pub(crate) fn next_holder(
    snapshot: &Snapshot,
    tenant: TenantKey,
    generation: u64,
    after: UserId,
) -> Result<Option<UserId>, ReadError> {
    let all = DocumentKey::default().then_number(generation);
    // Behind all rows of that account.
    let after = AssetRow::prefix(generation, after).then_number(u64::MAX);
    let next: Vec<AssetRow> = snapshot.documents_within(tenant, &all, Some(&after), 1)?;
    Ok(next.first().and_then(|row| row.account))
}

/// The manager that the directory names for a user: an id, or whatever it sends. None for a user
/// that is gone, or who has none.
pub(crate) fn manager_of(
    snapshot: &Snapshot,
    tenant: TenantKey,
    user: UserId,
) -> Result<Option<String>, ReadError> {
    let Some(record) = snapshot.user(tenant, user)? else { return Ok(None) };
    let attributes: Map<String, Value> = serde_json::from_slice(&record.body).unwrap_or_default();
    let enterprise = attributes.get(scim::urn::ENTERPRISE_USER);
    let manager = enterprise.and_then(|extension| extension.get("manager"));
    let value = manager.and_then(|manager| manager.get("value").unwrap_or(manager).as_str());
    Ok(value.filter(|value| !value.is_empty()).map(str::to_owned))
}
