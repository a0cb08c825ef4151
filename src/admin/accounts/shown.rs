//! Accounts as the API shows them, and what it takes.

use std::collections::BTreeMap;

use access::account::{Lock, Why};
use access::{Account, GroupId, Status, UserId};
use actors::shared::Shared;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Snapshot;
use utoipa::{IntoParams, ToSchema};

use crate::admin::problem::Problem;
use crate::openapi::schemas;

/// A lock to put on an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"role": "admin", "reason": "on leave"})))]
pub(super) struct NewLock {
    /// The role to pin; the current one where it is missing.
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) role: Option<String>,
    /// Why, in the operator's words.
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) reason: Option<String>,
    /// When it ends, in the future; never where it is missing.
    pub(super) expires_at: Option<Timestamp>,
}

/// A role to set by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"role": "admin"})))]
pub(super) struct NewRole {
    /// The role.
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) role: String,
}

/// Which accounts are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(super) struct AccountsQuery {
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
    "lock": null, "pending": false, "fields": {"department": "IT"},
    "groups": [{"id": "01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90", "display_name": "Employees"}],
    "why": {"rule": "mapping", "mapping": 0, "group": "Employees", "since": "2026-03-01T12:01:00Z",
            "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "request": null},
    "created_at": "2026-03-01T12:00:00Z"
})))]
pub(super) struct ShownAccount {
    /// The SCIM user's id.
    #[schema(value_type = Uuid)]
    pub(super) id: UserId,
    /// `userName`.
    user_name: String,
    /// `externalId`.
    #[schema(required)]
    external_id: Option<String>,
    /// A name to show.
    display_name: String,
    /// The one e-mail address to use.
    #[schema(required)]
    email: Option<String>,
    /// Whether the directory lets the user in.
    #[schema(value_type = schemas::Status)]
    status: Status,
    /// Since when.
    status_since: Timestamp,
    /// The access role; null for a deleted account.
    #[schema(required)]
    role: Option<String>,
    /// Whether a lock counts now.
    locked: bool,
    /// The lock.
    #[schema(value_type = Option<schemas::Lock>, required)]
    lock: Option<Lock>,
    /// Whether the role waits for a wave to settle.
    pub(super) pending: bool,
    /// The attributes that `field_mappings` names.
    fields: BTreeMap<String, Value>,
    /// The groups that hold the user.
    groups: Vec<GroupName>,
    /// Why it has that role.
    #[schema(value_type = schemas::Why)]
    why: Why,
    /// When the user was created.
    created_at: Timestamp,
}

/// A group that holds a user.
#[derive(Serialize, ToSchema)]
struct GroupName {
    /// Its SCIM id.
    #[schema(value_type = Uuid)]
    id: GroupId,
    /// Its displayName.
    display_name: String,
}

/// An account as the API shows it.
pub(super) fn shown(
    shared: &Shared,
    snapshot: &Snapshot,
    account: &Account,
) -> Result<ShownAccount, Problem> {
    let groups = shared.groups_with_names(snapshot, account.id)?;
    let ids: Vec<_> = groups.iter().map(|(id, _)| *id).collect();
    let pending =
        account.status != Status::Deleted && shared.is_pending(snapshot, account.id, &ids)?;
    let named = |(id, display_name)| GroupName { id, display_name };
    let Account { id, status, status_since, created_at, .. } = *account;
    Ok(ShownAccount {
        id,
        user_name: account.user_name.clone(),
        external_id: account.external_id.clone(),
        display_name: account.display_name.clone(),
        email: account.email.clone(),
        status,
        status_since,
        role: account.role.clone(),
        locked: account.is_locked_at(shared.clock.now()),
        lock: account.lock.clone(),
        pending,
        fields: account.fields.clone(),
        groups: groups.into_iter().map(named).collect(),
        why: account.why.clone(),
        created_at,
    })
}
