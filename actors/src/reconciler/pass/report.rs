//! What a pass did, or would do.

use std::collections::BTreeMap;

use access::{HoldId, UserId, WaveId};
use jiff::Timestamp;
use serde::Serialize;

use crate::user::RoleChange;

/// Changes that a report names unless asked otherwise; it counts all.
pub(super) const CHANGES_NAMED_MAX: usize = 1_000;

/// What a pass did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The pass's id.
    pub id: String,
    /// Why it ran: `operator`, `settings`, `wave`, `max_delay`, `leftover`, `lock_expiry`, `hold`
    /// or `sweep`.
    pub trigger: &'static str,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Accounts looked at.
    pub examined: u64,
    /// Accounts whose role changed.
    pub changed: u64,
    /// Some of them, by id: the first 1,000, or those of the asked page.
    pub changes: Vec<RoleChange>,
    /// Whether there are more after these.
    pub truncated: bool,
    /// Where the next page of changes starts.
    pub next_cursor: Option<UserId>,
    /// Changes that wait for an operator, if there were too many.
    pub held: Option<Held>,
    /// Accounts that keep a protected role because nobody else has it, at most 1,000.
    pub kept: Vec<RoleChange>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

impl Report {
    /// The report of a pass that has done nothing yet.
    pub(crate) fn new(trigger: &'static str, dry_run: bool, now: Timestamp) -> Self {
        Self {
            id: WaveId::new(now).to_string(),
            trigger,
            dry_run,
            examined: 0,
            changed: 0,
            changes: Vec::new(),
            truncated: false,
            next_cursor: None,
            held: None,
            kept: Vec::new(),
            duration_ms: 0,
        }
    }
}

/// Changes that wait for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The hold.
    pub hold: HoldId,
    /// How many accounts.
    pub accounts: u64,
}

/// Which changes a report names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Those of accounts after this one.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: CHANGES_NAMED_MAX }
    }
}

/// The changes that a report names, while they are collected in whatever order.
pub(super) struct NamedChanges {
    page: Page,
    changes: BTreeMap<UserId, RoleChange>,
    truncated: bool,
}

impl NamedChanges {
    pub(super) const fn new(page: Page) -> Self {
        Self { page, changes: BTreeMap::new(), truncated: false }
    }

    pub(super) fn add(&mut self, change: RoleChange) {
        if self.page.after.is_some_and(|after| change.account <= after) {
            return;
        }
        self.changes.insert(change.account, change);
        if self.changes.len() > self.page.limit {
            self.changes.pop_last();
            self.truncated = true;
        }
    }

    /// Puts them into the report.
    pub(super) fn put_into(self, report: &mut Report) {
        report.truncated = self.truncated;
        report.next_cursor =
            self.changes.last_key_value().map(|(last, _)| *last).filter(|_| self.truncated);
        report.changes = self.changes.into_values().collect();
    }
}
