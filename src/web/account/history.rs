//! What happened to an account: its entries of the change feed, newest first.
//!
//! The feed has no index by account. It is looked through backwards, up to so many entries for a
//! page, and the page says how far that was.

use std::time::Duration;

use access::{Rule, UserId, Why};
use actors::Tenant;
use jiff::Timestamp;
use serde_json::Value;
use store::Texts;
use tokio::time::timeout;

use crate::admin::problem::Problem;
use crate::app::App;

/// Events on a page, and entries of the feed that are looked through for them.
const EVENTS: usize = 30;
const LOOKED_AT_MAX: usize = 50_000;
/// How long the page waits for its turn to look.
const TURN_WAIT_MAX: Duration = Duration::from_secs(1);

/// The history of an account, or a piece of it.
#[derive(Default)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// How many entries were looked through.
    pub(super) looked_at: usize,
    /// Where to look further back, if there may be more.
    pub(super) before: Option<u64>,
    /// Whether retention has taken older entries away.
    pub(super) is_trimmed: bool,
    /// Whether it could not be read now.
    pub(super) is_missing: bool,
}

/// Something that happened.
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) what: What,
    pub(super) why: Option<Why>,
}

/// What it was.
pub(super) enum What {
    Created { role: Option<String> },
    Role { from: Option<String>, to: Option<String> },
    Changed { names: Vec<String> },
    Disabled { to: Option<String> },
    Enabled,
    Deleted,
    Locked { role: String, by: String, reason: Option<String> },
    Unlocked { by: String },
    Joined { group: String },
    Left { group: String },
    Holds { assets: u64 },
    Other { kind: String },
}

/// The newest events of an account before the entry `before`.
pub(super) async fn read(
    app: &App,
    tenant: &Tenant,
    account: UserId,
    before: Option<u64>,
) -> Result<History, Problem> {
    // Somebody else's long look is no reason to show nothing of the account.
    let turn = timeout(TURN_WAIT_MAX, app.scan_permits(tenant.key())).await;
    let Ok(Some(permits)) = turn else {
        return Ok(History { is_missing: true, ..History::default() });
    };
    let (snapshot, key) = (tenant.shared().snapshot()?, tenant.key());
    let read = tokio::task::spawn_blocking(move || {
        let id = account.to_string();
        let texts = Texts::default().with_value(&id);
        let limits = (EVENTS, LOOKED_AT_MAX);
        let looked = snapshot
            .feed_back(key, before, &texts, limits, |entry| Event::read(entry, &id).is_some())?;
        let is_trimmed = snapshot.counts(key)?.feed_trimmed > 0;
        drop(permits);
        let events: Vec<Event> =
            looked.found.iter().filter_map(|entry| Event::read(entry, &id)).collect();
        let is_born = events.last().is_some_and(|event| matches!(event.what, What::Created { .. }));
        let before = looked.more_after.filter(|_| !is_born);
        let is_trimmed = is_trimmed && before.is_none() && !is_born;
        Ok(History { events, looked_at: looked.rows, before, is_trimmed, is_missing: false })
    });
    read.await.map_err(|_| Problem::unavailable())?
}

impl Event {
    /// What an entry says of this account, if it says anything.
    fn read(entry: &Value, account: &str) -> Option<Self> {
        let owned = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let text = |key: &str| owned(key).unwrap_or_default();
        let names = |key: &str| -> Vec<String> {
            let all = entry.get(key).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let is_about = entry.get("account").and_then(Value::as_str) == Some(account);
        let kind = text("type");
        let what = match kind.as_str() {
            "group.members_changed" => {
                let group = text("display_name");
                let is_in = |key: &str| names(key).iter().any(|id| id == account);
                match (is_in("added"), is_in("removed")) {
                    (true, _) => What::Joined { group },
                    (_, true) => What::Left { group },
                    _ => return None,
                }
            }
            _ if !is_about => return None,
            "account.created" => What::Created { role: owned("to") },
            "account.role_changed" => What::Role { from: owned("from"), to: owned("to") },
            "account.updated" => What::Changed { names: names("changed") },
            "account.disabled" => What::Disabled { to: owned("to") },
            "account.enabled" => What::Enabled,
            "account.deleted" => What::Deleted,
            "account.locked" => {
                What::Locked { role: text("role"), by: text("by"), reason: owned("reason") }
            }
            "account.unlocked" => What::Unlocked { by: text("by") },
            "equipment.unreturned" => {
                let assets = entry.get("assets_count").and_then(Value::as_u64);
                What::Holds { assets: assets.unwrap_or_default() }
            }
            _ => What::Other { kind },
        };
        let why = entry.get("why").and_then(|why| serde_json::from_value(why.clone()).ok());
        Some(Self { at: text("at").parse().ok()?, what, why })
    }

    /// Why, where it does not go without saying.
    pub(super) fn told_why(&self) -> Option<&Why> {
        let changes_role = matches!(self.what, What::Created { .. } | What::Role { .. });
        self.why.as_ref().filter(|why| changes_role && why.rule != Rule::Deleted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut entry: Value) -> Option<Event> {
        entry["at"] = json!("2026-03-01T12:00:00.000Z");
        Event::read(&entry, "ada")
    }

    #[test]
    fn an_account_joins_and_leaves_and_is_not_everybody() {
        let moved = |added: &str, removed: &str| {
            read(json!({"type": "group.members_changed", "display_name": "Staff",
                        "added": [added], "removed": [removed]}))
        };
        assert!(matches!(moved("ada", "bob").unwrap().what, What::Joined { .. }));
        assert!(matches!(moved("bob", "ada").unwrap().what, What::Left { .. }));
        assert!(moved("bob", "cy").is_none());
        assert!(
            read(json!({"type": "account.locked", "account": "bob", "reason": "ada"})).is_none()
        );
        assert!(read(json!({"type": "account.new_kind", "account": "ada"})).is_some());
    }
}
