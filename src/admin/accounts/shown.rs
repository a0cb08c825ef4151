//! Accounts as the API shows them, and what it takes.

use std::collections::BTreeMap;

use access::account::Lock;
use access::explain::{self, IfLeft, LostRule};
use access::{
    Account, GroupId, HoldId, RequestId, Rule, Status, UserId, WaveId, Why, Withheld,
    WithheldReason,
};
use actors::shared::Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ReadError, Snapshot};
use utoipa::{IntoParams, ToSchema};

use crate::openapi::schemas;

/// A lock to put on an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"role": "admin", "reason": "on leave"})))]
pub(crate) struct NewLock {
    /// The role to pin; the current one where it is missing.
    #[schema(min_length = 1, max_length = 1000)]
    pub(crate) role: Option<String>,
    /// Why, in the operator's words.
    #[schema(min_length = 1, max_length = 1000)]
    pub(crate) reason: Option<String>,
    /// When it ends, in the future; never where it is missing.
    pub(crate) expires_at: Option<Timestamp>,
}

/// A role to set by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"role": "admin"})))]
pub(crate) struct NewRole {
    /// The role.
    #[schema(min_length = 1, max_length = 1000)]
    pub(crate) role: String,
}

/// Which accounts are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct AccountsQuery {
    /// With this role.
    #[param(nullable = false)]
    role: Option<String>,
    /// With this status.
    #[param(inline, nullable = false)]
    status: Option<schemas::Status>,
    /// With a lock that counts, or without.
    #[param(nullable = false)]
    locked: Option<bool>,
    /// Waiting for a wave to settle, or not.
    #[param(nullable = false)]
    pending: Option<bool>,
    /// Held by this group.
    #[param(nullable = false)]
    group: Option<uuid::Uuid>,
    /// With this text in a name, the e-mail address or the external id.
    #[param(nullable = false)]
    q: Option<String>,
}

/// An account: what the app sees of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Account, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "user_name": "ada@example.com",
    "external_id": "ada", "display_name": "Ada Lovelace", "email": "ada@example.com",
    "status": "active", "status_since": "2026-03-01T12:00:00Z", "role": "loanee", "locked": false,
    "lock": null, "shadow_role": null, "shadow_since": null, "pending": false, "fields": {"department": "IT"},
    "groups": [{"id": "01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90", "display_name": "Employees"}],
    "why": {"rule": "mapping", "mapping": 0, "group": "Employees", "since": "2026-03-01T12:01:00Z",
            "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c",
            "request": "01990a5d-b3f1-7d60-a1b2-0c3d4e5f6a7b",
            "lost": [{"rule": "default", "mapping": null, "group": null, "role": "viewer"}],
            "if_left": [{"group": "01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90",
                         "display_name": "Employees", "role": "viewer", "rule": "default",
                         "changes": true}],
            "withheld": null},
    "created_at": "2026-03-01T12:00:00Z"
})))]
pub(crate) struct ShownAccount {
    /// The SCIM user's id.
    #[schema(value_type = Uuid)]
    pub(crate) id: UserId,
    /// `userName`.
    pub(crate) user_name: String,
    /// `externalId`.
    #[schema(required)]
    pub(crate) external_id: Option<String>,
    /// A name to show.
    pub(crate) display_name: String,
    /// The one e-mail address to use.
    #[schema(required)]
    pub(crate) email: Option<String>,
    /// Whether the directory lets the user in.
    #[schema(value_type = schemas::Status)]
    pub(crate) status: Status,
    /// Since when.
    pub(crate) status_since: Timestamp,
    /// The access role; null for a deleted account.
    #[schema(required)]
    pub(crate) role: Option<String>,
    /// Whether a lock counts now.
    pub(crate) locked: bool,
    /// The lock.
    #[schema(value_type = Option<schemas::Lock>, required)]
    pub(crate) lock: Option<Lock>,
    /// While it is locked: the role that the rules would give.
    #[schema(required)]
    pub(crate) shadow_role: Option<String>,
    /// Since when that is another one than it has.
    #[schema(required)]
    pub(crate) shadow_since: Option<Timestamp>,
    /// Whether the role waits for a wave to settle.
    pub(crate) pending: bool,
    /// The attributes that `field_mappings` names.
    pub(crate) fields: BTreeMap<String, Value>,
    /// The groups that hold the user.
    pub(crate) groups: Vec<GroupName>,
    /// Why it has that role.
    pub(crate) why: ShownWhy,
    /// When the user was created.
    pub(crate) created_at: Timestamp,
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountsPage {
    /// At most `limit` of them.
    pub(crate) items: Vec<ShownAccount>,
    /// The `cursor` of the next page; null on the last. A page can be short, or empty, and have
    /// one all the same: a look for few among many ends before it is noticed by others.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
    /// On the first page: the feed's last number before it was read. Who reads all pages and then
    /// follows the feed from this number on misses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) feed: Option<u64>,
    /// How many accounts were looked at.
    #[serde(skip)]
    pub(crate) looked_at: usize,
}

/// A group that holds a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupName {
    /// Its SCIM id.
    #[schema(value_type = Uuid)]
    pub(crate) id: GroupId,
    /// Its displayName.
    pub(crate) display_name: String,
}

/// Why an account has its role, what else could have given one, and what would change it.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountWhy)]
pub(crate) struct ShownWhy {
    /// The rule that won.
    #[schema(value_type = schemas::Rule)]
    pub(crate) rule: Rule,
    /// Where the rule is a mapping: its position in `role_mappings`, from 0.
    #[schema(required)]
    pub(crate) mapping: Option<usize>,
    /// Where the rule is a mapping: its group.
    #[schema(required)]
    pub(crate) group: Option<String>,
    /// Since when this rule gives this role.
    pub(crate) since: Timestamp,
    /// The wave that set it.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) wave: Option<WaveId>,
    /// The request that brought it about: `x-request-id`.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) request: Option<RequestId>,
    /// The rules that matched and did not win, the strongest first.
    pub(crate) lost: Vec<ShownLostRule>,
    /// For each group, what leaving it would change.
    pub(crate) if_left: Vec<ShownIfLeft>,
    /// A change that the rules call for and that is not made.
    #[schema(required)]
    pub(crate) withheld: Option<ShownWithheld>,
}

/// A rule that would have given a role, had no other come before it.
#[derive(Serialize, ToSchema)]
#[schema(as = LostRule)]
pub(crate) struct ShownLostRule {
    /// Which kind.
    #[schema(value_type = schemas::Rule)]
    pub(crate) rule: Rule,
    /// Where the rule is a mapping: its position in `role_mappings`, from 0.
    #[schema(required)]
    pub(crate) mapping: Option<usize>,
    /// Where the rule is a mapping: its group.
    #[schema(required)]
    pub(crate) group: Option<String>,
    /// The role that it gives.
    pub(crate) role: String,
}

/// What an account would have without one of its groups, once the wave has settled.
#[derive(Serialize, ToSchema)]
#[schema(as = IfLeft)]
pub(crate) struct ShownIfLeft {
    /// The group's SCIM id.
    #[schema(value_type = Uuid)]
    pub(crate) group: GroupId,
    /// Its displayName.
    pub(crate) display_name: String,
    /// The role it would have.
    #[schema(required)]
    pub(crate) role: Option<String>,
    /// The rule that would give it.
    #[schema(value_type = schemas::Rule)]
    pub(crate) rule: Rule,
    /// Whether that is another role than it has.
    pub(crate) changes: bool,
}

/// A change of role that the rules call for and that is not made.
#[derive(Serialize, ToSchema)]
#[schema(as = Withheld)]
pub(crate) struct ShownWithheld {
    /// Why not: `held`, `rejected` or `last_protected`.
    #[schema(value_type = String)]
    pub(crate) reason: WithheldReason,
    /// The reason in words.
    pub(crate) detail: &'static str,
    /// The mass change that it is part of.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) hold: Option<HoldId>,
    /// The role that the rules give.
    pub(crate) role: String,
    /// Since when it is not made.
    pub(crate) since: Timestamp,
}

impl ShownAccount {
    /// An account as the API shows it.
    pub(crate) fn read(
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
        let if_left = left.map(|(group, if_left)| ShownIfLeft::new(group, if_left)).collect();
        let groups =
            named.into_iter().map(|(id, display_name)| GroupName { id, display_name }).collect();
        let account = account.clone();
        let (locked, shadow) = (account.is_locked_at(now), account.shadow);
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
            why: ShownWhy::new(account.why, explained.lost, if_left, account.withheld),
            created_at: account.created_at,
        })
    }
}

impl ShownWhy {
    fn new(
        why: Why,
        lost: Vec<LostRule>,
        if_left: Vec<ShownIfLeft>,
        withheld: Option<Withheld>,
    ) -> Self {
        let Why { rule, mapping, group, since, wave, request } = why;
        let lost = lost.into_iter().map(ShownLostRule::new).collect();
        let withheld = withheld.map(ShownWithheld::new);
        Self { rule, mapping, group, since, wave, request, lost, if_left, withheld }
    }
}

impl ShownLostRule {
    fn new(lost: LostRule) -> Self {
        let LostRule { rule, mapping, group, role } = lost;
        Self { rule, mapping, group, role }
    }
}

impl ShownIfLeft {
    fn new((group, display_name): (GroupId, String), if_left: IfLeft) -> Self {
        let IfLeft { role, rule, changes } = if_left;
        Self { group, display_name, role, rule, changes }
    }
}

impl ShownWithheld {
    fn new(withheld: Withheld) -> Self {
        let detail = match withheld.reason {
            WithheldReason::Held => {
                "the change is part of a mass change that waits for an operator"
            }
            WithheldReason::Rejected => {
                "an operator rejected the change; it comes back when groups or rules change again"
            }
            WithheldReason::LastProtected => "no other active account has this protected role",
        };
        let Withheld { reason, hold, role, since, .. } = withheld;
        Self { reason, detail, hold, role, since }
    }
}
