//! Accounts and their marks, the feed, and waves.

use std::ops::ControlFlow;

use access::wave::Wave;
use access::{Account, Status, UserId, WaveId};
use serde_json::Value;

use super::{Flow, Read, Snapshot, damaged, decode_json, mark_key, marked_of};
use crate::key::{self, Key, TenantKey};
use crate::kv::{Order, Range};
use crate::record::{self, Mark, Marked};
use crate::table::Table;

impl Snapshot {
    /// One account, also of a deleted user.
    pub fn account(&self, tenant: TenantKey, user: UserId) -> Read<Option<Account>> {
        let payload = self.get(Table::Accounts, &key::user(tenant, user))?;
        payload.as_deref().map(record::decode_account).transpose()
    }

    /// The status of one account, without reading what else is known of it.
    pub fn account_status(&self, tenant: TenantKey, user: UserId) -> Read<Option<Status>> {
        #[derive(serde::Deserialize)]
        struct Part {
            status: Status,
        }
        let Some(payload) = self.get(Table::Accounts, &key::user(tenant, user))? else {
            return Ok(None);
        };
        let part: Part = decode_json(Table::Accounts, record::account_json(&payload)?)?;
        Ok(Some(part.status))
    }

    /// Accounts, oldest first, after `after`, at most `limit`.
    pub fn accounts(
        &self,
        tenant: TenantKey,
        after: Option<UserId>,
        limit: usize,
    ) -> Read<Vec<Account>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(key::user(tenant, after));
        }
        let mut found = Vec::new();
        self.scan(Table::Accounts, &range, Order::Ascending, |_, payload| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(record::decode_account(payload)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The same, but an account that cannot be read does not keep the others from being: for
    /// sweeps, which must not stop at a damaged record.
    pub fn readable_accounts(
        &self,
        tenant: TenantKey,
        after: Option<UserId>,
        limit: usize,
    ) -> Read<Vec<(UserId, Read<Account>)>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(key::user(tenant, after));
        }
        let mut found = Vec::new();
        self.view.scan(Table::Accounts, &range, Order::Ascending, &mut |key, sealed| {
            if found.len() >= limit {
                return ControlFlow::Break(());
            }
            if let Some(id) = key::last_id(key) {
                let payload = record::open(Table::Accounts, key, sealed);
                let account = payload.and_then(record::decode_account);
                found.push((UserId::from_bytes(id), account));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// One mark.
    pub fn mark(&self, tenant: TenantKey, marked: Marked) -> Read<Option<Mark>> {
        let payload = self.get(Table::Marks, &mark_key(tenant, marked))?;
        payload.as_deref().map(Mark::decode).transpose()
    }

    /// A tenant's marks, at most `limit`, after `after`.
    pub fn marks(
        &self,
        tenant: TenantKey,
        after: Option<Marked>,
        limit: usize,
    ) -> Read<Vec<(Marked, Mark)>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(mark_key(tenant, after));
        }
        let mut found = Vec::new();
        self.scan(Table::Marks, &range, Order::Ascending, |key, payload| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            let Some(marked) = marked_of(key) else { return Err(damaged(Table::Marks)) };
            found.push((marked, Mark::decode(payload)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Visits the feed's entries after the number `after`, in order.
    pub fn feed(
        &self,
        tenant: TenantKey,
        after: u64,
        mut visit: impl FnMut(Value) -> Flow,
    ) -> Read<()> {
        let range = Range::prefix(&Key::tenant(tenant).done()).after(key::feed(tenant, after));
        self.scan(Table::Feed, &range, Order::Ascending, |_, payload| {
            Ok(visit(decode_json(Table::Feed, payload)?))
        })
    }

    /// Visits the feed after `after`, in order: each entry's number, and the entry itself if its type
    /// is wanted. The others are not parsed, so that few among many are found fast.
    pub fn feed_of(
        &self,
        tenant: TenantKey,
        after: u64,
        wants: impl Fn(&str) -> bool,
        mut visit: impl FnMut(u64, Option<Value>) -> Flow,
    ) -> Read<()> {
        let range = Range::prefix(&Key::tenant(tenant).done()).after(key::feed(tenant, after));
        self.scan(Table::Feed, &range, Order::Ascending, |key, payload| {
            let number = key.last_chunk::<8>().map_or(after, |bytes| u64::from_be_bytes(*bytes));
            if type_of(payload).is_some_and(|kind| !wants(kind)) {
                return Ok(visit(number, None));
            }
            let entry: Value = decode_json(Table::Feed, payload)?;
            let is_wanted = entry.get("type").and_then(Value::as_str).is_some_and(&wants);
            Ok(visit(number, is_wanted.then_some(entry)))
        })
    }

    /// One wave.
    pub fn wave(&self, tenant: TenantKey, wave: WaveId) -> Read<Option<Wave>> {
        self.json(Table::Waves, &key::wave(tenant, wave))
    }

    /// Waves, newest first, before `before`, at most `limit`.
    pub fn waves(
        &self,
        tenant: TenantKey,
        before: Option<WaveId>,
        limit: usize,
    ) -> Read<Vec<Wave>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(before) = before {
            range = range.before(key::wave(tenant, before));
        }
        self.json_rows(Table::Waves, &range, Order::Descending, limit)
    }
}

/// The type of an entry, read where the writer puts it: behind its number and its id, which hold no
/// text from outside. None if it is elsewhere.
fn type_of(entry: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\"type\":\"";
    const WITHIN: usize = 128;
    let head = entry.get(..WITHIN.min(entry.len()))?;
    let start = head.windows(NAME.len()).position(|bytes| bytes == NAME)? + NAME.len();
    let rest = head.get(start..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}
