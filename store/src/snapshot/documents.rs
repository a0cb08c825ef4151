//! Documents, the audit log, and memberships that wait.

use std::ops::ControlFlow;

use access::GroupId;
use jiff::Timestamp;
use serde_json::Value;

use super::{Flow, Read, Snapshot, damaged, decode_json};
use crate::document::{self, Document, DocumentKey, Kept};
use crate::hex::Hex;
use crate::key::{self, Key, TenantKey};
use crate::kv::{Order, Range};
use crate::table::Table;

/// A membership that waits for its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The group.
    pub group: GroupId,
    /// The member's value, as the directory sent it.
    pub value: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// Where it is in the list.
    pub place: Vec<u8>,
}

impl Snapshot {
    /// One document.
    pub fn document<D: Document>(
        &self,
        tenant: TenantKey,
        key: &DocumentKey,
    ) -> Read<Option<Kept<D>>> {
        let row = document::row_key(tenant, D::COLLECTION, key);
        let Some(payload) = self.get(Table::Documents, &row)? else { return Ok(None) };
        let value = decode_json(Table::Documents, &payload)?;
        Ok(Some(Kept { value, revision: document::revision_of(&payload) }))
    }

    /// Documents in the order of their keys, after `after`, at most `limit`.
    pub fn documents<D: Document>(
        &self,
        tenant: TenantKey,
        after: Option<&DocumentKey>,
        limit: usize,
    ) -> Read<Vec<D>> {
        self.documents_within(tenant, &DocumentKey::default(), after, limit)
    }

    /// The same, of those whose key starts with `prefix`.
    pub fn documents_within<D: Document>(
        &self,
        tenant: TenantKey,
        prefix: &DocumentKey,
        after: Option<&DocumentKey>,
        limit: usize,
    ) -> Read<Vec<D>> {
        let mut range = Range::prefix(&document::row_key(tenant, D::COLLECTION, prefix));
        if let Some(after) = after {
            range = range.after(document::row_key(tenant, D::COLLECTION, after));
        }
        self.json_rows(Table::Documents, &range, Order::Ascending, limit)
    }

    /// Documents in the reverse order of their keys, before `before`, at most `limit`, of those
    /// whose key starts with `prefix`.
    pub fn documents_reversed<D: Document>(
        &self,
        tenant: TenantKey,
        prefix: &DocumentKey,
        before: Option<&DocumentKey>,
        limit: usize,
    ) -> Read<Vec<D>> {
        let mut range = Range::prefix(&document::row_key(tenant, D::COLLECTION, prefix));
        if let Some(before) = before {
            range = range.before(document::row_key(tenant, D::COLLECTION, before));
        }
        self.json_rows(Table::Documents, &range, Order::Descending, limit)
    }

    /// Visits the audit log's entries after the number `after`, oldest first.
    pub fn audit(
        &self,
        tenant: TenantKey,
        after: u64,
        mut visit: impl FnMut(Value) -> Flow,
    ) -> Read<()> {
        let range = Range::prefix(&Key::tenant(tenant).done()).after(key::audit(tenant, after));
        self.scan(Table::Audit, &range, Order::Ascending, |_, payload| {
            Ok(visit(audit_entry(payload)?))
        })
    }

    /// Memberships that wait for their users, after `after`, at most `limit`.
    pub fn all_parked(
        &self,
        tenant: TenantKey,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Read<Vec<Parked>> {
        let prefix = Key::tenant(tenant).done();
        let mut range = Range::prefix(&prefix);
        if let Some(after) = after {
            range = range.after([prefix.as_slice(), after].concat());
        }
        let mut rows = Vec::new();
        self.scan(Table::Parked, &range, Order::Ascending, |key, since| {
            if rows.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            let group = key::last_id(key).map(GroupId::from_bytes);
            let since = since.try_into().ok().map(i64::from_le_bytes);
            let since = since.and_then(|since| Timestamp::from_millisecond(since).ok());
            let place = key.get(prefix.len()..).map(<[u8]>::to_vec);
            let Some(((group, since), place)) = group.zip(since).zip(place) else {
                return Err(damaged(Table::Parked));
            };
            rows.push((group, since, place));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut found = Vec::with_capacity(rows.len());
        for (group, since, place) in rows {
            // A long value stands in keys as its hash; the group's row has it whole.
            let text = place.get(..place.len() - 16).unwrap_or_default();
            let mut row = key::members_prefix(tenant, group, key::MEMBER_PARKED);
            row.extend_from_slice(text);
            let value = self.get(Table::Members, &row)?;
            let value = value.and_then(|value| String::from_utf8(value).ok());
            let value = value.ok_or_else(|| damaged(Table::Parked))?;
            found.push(Parked { group, value, since, place });
        }
        Ok(found)
    }
}

/// An entry from its row: its hash, then its JSON.
pub(super) fn audit_entry(payload: &[u8]) -> Read<Value> {
    let (hash, json) = payload.split_first_chunk::<32>().ok_or_else(|| damaged(Table::Audit))?;
    let mut entry: Value = decode_json(Table::Audit, json)?;
    if let Value::Object(entry) = &mut entry {
        entry.insert("hash".into(), Hex(hash).to_string().into());
    }
    Ok(entry)
}
