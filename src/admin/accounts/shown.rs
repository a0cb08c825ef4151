//! An account as the API shows it: what is kept of it, and what the rules say of it now.

use std::collections::BTreeMap;

use access::explain::{self, IfLeft, LostRule};
use access::{Account, GroupId, Lock, Status, UserId, Why, Withheld};
use actors::shared::Shared;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::{ReadError, Snapshot};

/// An account.
#[derive(Debug, Serialize)]
pub(super) struct ShownAccount {
    pub(super) id: UserId,
    user_name: String,
    external_id: Option<String>,
    display_name: String,
    email: Option<String>,
    status: Status,
    status_since: Timestamp,
    role: Option<String>,
    locked: bool,
    lock: Option<Lock>,
    /// While it is locked: the role that the rules would give.
    shadow_role: Option<String>,
    /// Since when that is another one.
    shadow_since: Option<Timestamp>,
    pub(super) pending: bool,
    fields: BTreeMap<String, Value>,
    groups: Vec<ShownGroup>,
    why: ShownWhy,
    created_at: Timestamp,
}

/// A group of an account.
#[derive(Debug, Serialize)]
struct ShownGroup {
    id: GroupId,
    display_name: String,
}

/// What an account would have without one of its groups, once the wave has settled.
#[derive(Debug, Serialize)]
struct ShownIfLeft {
    group: GroupId,
    display_name: String,
    #[serde(flatten)]
    if_left: IfLeft,
}

/// Why an account has its role.
#[derive(Debug, Serialize)]
struct ShownWhy {
    #[serde(flatten)]
    why: Why,
    /// The rules that matched and did not win, the strongest first.
    lost: Vec<LostRule>,
    /// For each group, what leaving it would change.
    if_left: Vec<ShownIfLeft>,
    /// A change that the rules call for and that is not made.
    withheld: Option<ShownWithheld>,
}

#[derive(Debug, Serialize)]
struct ShownWithheld {
    #[serde(flatten)]
    withheld: Withheld,
    /// The reason in words.
    detail: &'static str,
}

impl ShownAccount {
    pub(super) fn read(
        shared: &Shared,
        snapshot: &Snapshot,
        account: &Account,
    ) -> Result<Self, ReadError> {
        let named = shared.groups_with_names(snapshot, account.id)?;
        let ids: Vec<GroupId> = named.iter().map(|(id, _)| *id).collect();
        let pending =
            account.status != Status::Deleted && shared.is_pending(snapshot, account.id, &ids)?;
        let now = shared.clock.now();
        let explained = explain::explain(account, &ids, &shared.config().rules, now);
        let left = named.iter().cloned().zip(explained.if_left);
        let if_left = left
            .map(|((group, display_name), if_left)| ShownIfLeft { group, display_name, if_left })
            .collect();
        let groups =
            named.into_iter().map(|(id, display_name)| ShownGroup { id, display_name }).collect();
        let account = account.clone();
        let (locked, shadow) = (account.is_locked_at(now), account.shadow);
        let withheld =
            account.withheld.map(|withheld| ShownWithheld { detail: detail(&withheld), withheld });
        Ok(Self {
            id: account.id,
            user_name: account.user_name,
            external_id: account.external_id,
            display_name: account.display_name,
            email: account.email,
            status: account.status,
            status_since: account.status_since,
            role: account.role,
            locked,
            lock: account.lock,
            shadow_role: shadow.as_ref().map(|shadow| shadow.role.clone()).filter(|_| locked),
            shadow_since: shadow.and_then(|shadow| shadow.differs_since).filter(|_| locked),
            pending,
            fields: account.fields,
            groups,
            why: ShownWhy { why: account.why, lost: explained.lost, if_left, withheld },
            created_at: account.created_at,
        })
    }
}

const fn detail(withheld: &Withheld) -> &'static str {
    use access::WithheldReason::{Held, LastProtected, Rejected};
    match withheld.reason {
        Held => "the change is part of a mass change that waits for an operator",
        Rejected => {
            "an operator rejected the change; it comes back when groups or rules change again"
        }
        LastProtected => "no other active account has this protected role",
    }
}
