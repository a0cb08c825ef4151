//! What is told of an account: the event, and the notice that remembers it.

use std::collections::HashSet;

use access::equipment::report::status_name;
use access::{Event, EventType, Status, UserId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Changeset, DocumentKey, Operation, ReadError, Snapshot, TenantKey};

use crate::equipment::documents::{AssetRow, Notice, ReportedAsset};
use crate::equipment::report::manager_account;
use crate::equipment::{held, manager_of};

/// Assets that an event names.
const ASSETS_NAMED_MAX: usize = 100;
/// Accounts that are told of in one transaction.
pub(super) const TOLD_PER_COMMIT: usize = 100;
/// Accounts that are looked at for it.
pub(super) const LOOKED_AT_MAX: usize = 2_000;

/// Something to tell.
pub(super) struct Told {
    pub(super) account: UserId,
    event: Event,
    notice: Notice,
}

impl Told {
    /// What there is to tell of an account; nothing if it is active or holds nothing.
    pub(super) fn of(
        snapshot: &Snapshot,
        tenant: TenantKey,
        generation: u64,
        id: UserId,
        now: Timestamp,
        reminder: bool,
    ) -> Result<Option<Self>, ReadError> {
        let account = snapshot.account(tenant, id)?;
        let Some(account) = account.filter(|account| account.status != Status::Active) else {
            return Ok(None);
        };
        let rows = held(snapshot, tenant, generation, id)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let before = snapshot.document::<Notice>(tenant, &DocumentKey::user(id))?;
        let before = before.map(|kept| kept.value);
        // Who is deleted had a manager when told of before, or when the list was uploaded.
        let known = before.as_ref().and_then(|notice| notice.manager.clone());
        let known = known.or_else(|| rows.iter().find_map(|row| row.manager.clone()));
        let manager = manager_of(snapshot, tenant, id)?.or(known);
        let shown = match &manager {
            Some(raw) => manager_account(snapshot, tenant, raw)?,
            None => None,
        };
        let shown = shown.map(|manager| manager.user_name).or_else(|| manager.clone());
        let assets: Vec<Value> = rows
            .iter()
            .take(ASSETS_NAMED_MAX)
            .map(|row| json!({"asset_id": row.asset_id, "name": row.name}))
            .collect();
        let event = Event::account(EventType::EquipmentUnreturned, id)
            .with("user_name", account.user_name.as_str())
            .with("status", status_name(account.status))
            .with("since", account.status_since.to_string())
            .with("manager", shown)
            .with("assets", assets)
            .with("assets_count", rows.len())
            .with("reminder", reminder);
        let (first, times) =
            before.as_ref().map_or((now, 0), |notice| (notice.first_reported_at, notice.times));
        let notice = Notice {
            account: id,
            user_name: account.user_name,
            status: account.status,
            since: account.status_since,
            manager,
            first_reported_at: first,
            last_reported_at: now,
            times: times.saturating_add(1),
            assets: remembered(&rows, before),
        };
        Ok(Some(Self { account: id, event, notice }))
    }

    /// Adds it to a change.
    pub(super) fn add_to(self, change: Changeset) -> Result<Changeset, ReadError> {
        Ok(change.with(Operation::put(&self.notice)?).telling([self.event]))
    }
}

/// What is held now, then what was told of before and is not held any more.
fn remembered(rows: &[AssetRow], before: Option<Notice>) -> Vec<ReportedAsset> {
    let still: HashSet<&str> = rows.iter().map(|row| row.asset_id.as_str()).collect();
    let held = rows.iter().map(|row| ReportedAsset {
        asset_id: row.asset_id.clone(),
        name: row.name.clone(),
        returned_at: None,
    });
    let before = before.map(|notice| notice.assets).unwrap_or_default();
    let gone = before.into_iter().filter(|asset| !still.contains(asset.asset_id.as_str()));
    held.chain(gone).take(Notice::ASSETS_MAX).collect()
}
