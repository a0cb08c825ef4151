//! The account: what the vendor's app sees of a user.
//!
//! An account outlives its SCIM user: a deleted one stays readable, with no role. The type is
//! what is kept on disk and what the admin API shows, less the groups, which are rows of their
//! own, and `pending`, which is a mark of its own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::brake::Withheld;
use crate::id::{RequestId, UserId, WaveId};

/// Whether the directory lets the user in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// `active` is true, or was never sent.
    Active,
    /// `active` is false.
    Disabled,
    /// The SCIM user was deleted.
    Deleted,
}

/// Which rule gave an account its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A role mapping whose group holds the user.
    Mapping,
    /// No mapping matched, or none has been looked at yet.
    Default,
    /// The user is disabled.
    Disabled,
    /// An operator pinned the role.
    Lock,
    /// An operator set the role by hand; the next reconciliation ends it.
    Manual,
    /// The user was deleted: there is no role.
    Deleted,
}

/// Why an account has its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The rule that won.
    pub rule: Rule,
    /// For [`Rule::Mapping`]: the position in `role_mappings`, from 0.
    #[serde(default)]
    pub mapping: Option<usize>,
    /// For [`Rule::Mapping`]: the group, as the mapping or the directory names it.
    #[serde(default)]
    pub group: Option<String>,
    /// Since when this rule gives this role.
    pub since: Timestamp,
    /// The wave whose reconciliation, or whose request, set it.
    #[serde(default)]
    pub wave: Option<WaveId>,
    /// The request that brought it about: that of the directory which changed the memberships or
    /// the user, or that of the operator.
    #[serde(default)]
    pub request: Option<RequestId>,
}

/// A role lock: pins a role whatever groups or mappings say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The pinned role.
    pub role: String,
    /// Why, in the operator's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who locked it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// From when on the lock no longer counts; never, if absent.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl Lock {
    /// Whether the lock still counts at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What the rules would give a locked account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The role.
    pub role: String,
    /// Since when it is another one than the account has; none while it is the same.
    #[serde(default)]
    pub differs_since: Option<Timestamp>,
}

/// What the vendor's app sees of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The SCIM user's id.
    pub id: UserId,
    /// `userName`, as sent.
    pub user_name: String,
    /// `externalId`, as sent.
    #[serde(default)]
    pub external_id: Option<String>,
    /// A name to show.
    #[serde(default)]
    pub display_name: String,
    /// The one e-mail address to use.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the directory lets the user in.
    pub status: Status,
    /// Since when `status` is what it is.
    pub status_since: Timestamp,
    /// The access role; none for a deleted account.
    pub role: Option<String>,
    /// The lock, if there is one.
    #[serde(default)]
    pub lock: Option<Lock>,
    /// While it is locked: what the rules would give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// Why it has that role.
    pub why: Why,
    /// A change of role that the rules call for and that is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
    /// The attributes that `field_mappings` names.
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
    /// When the user was created.
    pub created_at: Timestamp,
    /// Counts the changes of the account; the store gives and checks it.
    #[serde(skip)]
    pub revision: u64,
}

impl Account {
    /// Whether a lock counts at `now`.
    pub fn is_locked_at(&self, now: Timestamp) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.holds_at(now))
    }
}
