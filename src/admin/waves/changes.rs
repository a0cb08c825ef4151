//! What one wave changed: its entries of the feed.
//!
//! The feed has no index by wave. Its entries stand in the order of time, so the first one of a
//! wave is found by halving, and reading goes on from there, so far and no farther at once.

use std::ops::ControlFlow;

use access::wave::Wave;
use access::{EventType, UserId, WaveId};
use actors::Tenant;
use jiff::Timestamp;
use serde_json::Value;
use store::{ReadError, Snapshot, TenantKey};

use crate::admin::problem::Problem;

/// Entries that are looked at for one page.
const LOOKED_AT_MAX: usize = 5_000;

/// A change that a wave, or the slack after it, made to an account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WaveChange {
    /// What happened.
    pub(crate) kind: EventType,
    /// When.
    pub(crate) at: Timestamp,
    /// Whose account.
    pub(crate) account: UserId,
    /// Its `userName` now; none if the account is forgotten.
    pub(crate) user_name: Option<String>,
    /// The role before; none if that did not change.
    pub(crate) from: Option<String>,
    /// The role after it; none if that did not change, or there is none any more.
    pub(crate) to: Option<String>,
    /// Whether the role changed.
    pub(crate) is_role: bool,
    /// Why, in words; empty where there is nothing to say.
    pub(crate) why: String,
}

/// A page of what a wave changed.
#[derive(Debug)]
pub(crate) struct WaveChanges {
    /// In order.
    pub(crate) items: Vec<WaveChange>,
    /// The number of the entry after which the next page begins; none on the last.
    pub(crate) next_after: Option<u64>,
    /// Whether some of them may be gone, since the feed does not reach back so far any more.
    pub(crate) is_trimmed: bool,
}

/// What a wave changed, after the feed's entry `after`.
pub(crate) fn of_wave(
    tenant: &Tenant,
    wave: &Wave,
    after: Option<u64>,
    limit: usize,
) -> Result<WaveChanges, Problem> {
    let shared = tenant.shared();
    let snapshot = shared.snapshot()?;
    let counts = snapshot.counts(shared.key)?;
    let first = first_since(&snapshot, shared.key, counts.feed_trimmed, counts.feed, wave)?;
    let start = after.unwrap_or(first).max(first);
    let end = wave.reconciled_at.unwrap_or(Timestamp::MAX);
    let mut found = WaveChanges {
        items: Vec::new(),
        next_after: None,
        is_trimmed: after.is_none() && first == counts.feed_trimmed && first > 0,
    };
    let (mut looked_at, mut looked_to) = (0, start);
    snapshot.feed(shared.key, start, |entry| {
        let at = time_of(&entry);
        if at.is_some_and(|at| at > end) {
            return ControlFlow::Break(());
        }
        if found.items.len() >= limit || looked_at >= LOOKED_AT_MAX {
            found.next_after = Some(looked_to);
            return ControlFlow::Break(());
        }
        looked_at += 1;
        looked_to = entry.get("seq").and_then(Value::as_u64).unwrap_or(looked_to);
        found.items.extend(change_of(&entry, wave));
        ControlFlow::Continue(())
    })?;
    for change in &mut found.items {
        let account = snapshot.account(shared.key, change.account)?;
        change.user_name = account.map(|account| account.user_name);
    }
    Ok(found)
}

/// The number of the last entry before the wave began.
fn first_since(
    snapshot: &Snapshot,
    tenant: TenantKey,
    trimmed: u64,
    last: u64,
    wave: &Wave,
) -> Result<u64, ReadError> {
    let (mut before, mut after) = (trimmed, last.saturating_add(1));
    while after.saturating_sub(before) > 1 {
        let middle = before + (after - before) / 2;
        let mut at = None;
        snapshot.feed(tenant, middle - 1, |entry| {
            at = time_of(&entry);
            ControlFlow::Break(())
        })?;
        if at.is_some_and(|at| at < wave.started_at) {
            before = middle;
        } else {
            after = middle;
        }
    }
    Ok(before)
}

fn time_of(entry: &Value) -> Option<Timestamp> {
    entry.get("at")?.as_str()?.parse().ok()
}

/// The change that an entry tells of, if it is one of this wave.
fn change_of(entry: &Value, wave: &Wave) -> Option<WaveChange> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let kind = text("type").and_then(EventType::from_name)?;
    let is_of_directory = matches!(
        kind,
        EventType::AccountCreated
            | EventType::AccountUpdated
            | EventType::AccountDisabled
            | EventType::AccountEnabled
            | EventType::AccountDeleted
    );
    let at = time_of(entry)?;
    // What the directory changed after the wave's last write belongs to the next wave. A reason
    // does not tell: it may be older than the change, as that of a lock is.
    let is_of_directory = is_of_directory && wave.ended_at.is_none_or(|end| at <= end);
    let why = entry.get("why");
    let of: Option<WaveId> =
        why.and_then(|why| why.get("wave")?.as_str()).and_then(|id| id.parse().ok());
    let is_own_role = kind == EventType::AccountRoleChanged && of == Some(wave.id);
    if !is_of_directory && !is_own_role {
        return None;
    }
    Some(WaveChange {
        kind,
        at,
        account: text("account")?.parse().ok()?,
        user_name: None,
        from: text("from").map(str::to_owned),
        to: text("to").map(str::to_owned),
        is_role: entry.get("to").is_some(),
        why: why.map(words_of).unwrap_or_default(),
    })
}

/// A reason in words.
fn words_of(why: &Value) -> String {
    let text = |key: &str| why.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("rule") {
        "mapping" => format!("is in the group {}", text("group")),
        "default" => "is in no group of a role mapping".to_owned(),
        "disabled" => "is disabled".to_owned(),
        "lock" => "is locked".to_owned(),
        "manual" => "was set by hand".to_owned(),
        "deleted" => "was deleted".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn entry(kind: EventType, second: i64, why: &Value) -> Value {
        let account = UserId::new(at(0));
        json!({"type": kind.as_str(), "at": at(second), "account": account, "why": why})
    }

    #[test]
    fn what_the_next_wave_sent_before_this_one_was_reconciled_is_not_shown_as_this_ones() {
        let own = WaveId::new(at(0));
        let next = WaveId::new(at(100));
        let ended_at = Some(at(10));
        let wave = Wave { ended_at, reconciled_at: Some(at(200)), ..Wave::begun(own, at(0)) };
        let is_shown =
            |kind, second, why: Value| change_of(&entry(kind, second, &why), &wave).is_some();

        assert!(is_shown(EventType::AccountCreated, 10, json!({"wave": own})));
        // The reason may be one of long ago.
        assert!(is_shown(EventType::AccountDisabled, 5, json!({"wave": WaveId::new(at(-100))})));
        assert!(is_shown(EventType::AccountRoleChanged, 70, json!({"wave": own})));
        for kind in [EventType::AccountCreated, EventType::AccountUpdated] {
            assert!(!is_shown(kind, 101, json!({"wave": next})), "{kind:?}");
        }
        assert!(!is_shown(EventType::AccountRoleChanged, 70, json!({"wave": next})));
    }
}
