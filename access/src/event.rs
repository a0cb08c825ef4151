//! Events: what the change feed says of a change.
//!
//! An event is made together with the change it tells of and is committed with it; the store
//! gives it its place in the feed. The law that readers rely on: the entries that have `to`,
//! replayed in order, give every account's role.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::account::Why;
use crate::id::{GroupId, TokenId, UserId};

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)*) => {
        /// The kinds of events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl EventType {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the feed.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

event_types! {
    /// A user was created; `to` is the first role.
    AccountCreated => "account.created",
    /// A name, an address or a mapped field changed.
    AccountUpdated => "account.updated",
    /// The role changed: `from`, `to`, `why`.
    AccountRoleChanged => "account.role_changed",
    /// The user was disabled; carries `from` and `to`, and says that sessions are to end.
    AccountDisabled => "account.disabled",
    /// The user is enabled again; the role follows when the wave has settled.
    AccountEnabled => "account.enabled",
    /// The user was deleted; `to` is null, and sessions are to end.
    AccountDeleted => "account.deleted",
    /// An operator pinned the role.
    AccountLocked => "account.locked",
    /// An operator gave the account back to the rules.
    AccountUnlocked => "account.unlocked",
    /// A group was pushed.
    GroupCreated => "group.created",
    /// A group's attributes changed.
    GroupUpdated => "group.updated",
    /// A group was deleted.
    GroupDeleted => "group.deleted",
    /// Users joined or left a group: `added`, `removed`.
    GroupMembersChanged => "group.members_changed",
    /// A wave has settled and its accounts are reconciled.
    WaveSettled => "wave.settled",
    /// A mass change waits for an operator.
    HoldOpened => "hold.opened",
    /// A token or an OAuth client is about to expire: `days` says how soon.
    TokenExpiring => "token.expiring",
    /// A disabled or deleted account still holds something.
    EquipmentUnreturned => "equipment.unreturned",
}

impl EventType {
    /// The kind with this name in the feed.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// A change to tell of; its place in the feed and its time are given at commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventType,
    /// What it happened to, and how: the entry's other keys.
    pub data: Map<String, Value>,
}

impl Event {
    /// An event about an account.
    pub fn account(kind: EventType, account: UserId) -> Self {
        Self { kind, data: Map::new() }.with("account", account.to_string())
    }

    /// An event about a group.
    pub fn group(kind: EventType, group: GroupId) -> Self {
        Self { kind, data: Map::new() }.with("group", group.to_string())
    }

    /// An event about a token of the directory's.
    pub fn token(kind: EventType, token: TokenId) -> Self {
        Self { kind, data: Map::new() }.with("token", token.to_string())
    }

    /// With one more key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// With `from` and `to`: the event changes the role.
    #[must_use]
    pub fn with_roles(self, from: Option<&str>, to: Option<&str>) -> Self {
        self.with("from", from).with("to", to)
    }

    /// With the reason.
    #[must_use]
    pub fn with_why(self, why: &Why) -> Self {
        let why = serde_json::to_value(why).unwrap_or_default();
        self.with("why", why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.as_str()), Some(*kind));
        }
        assert_eq!(EventType::from_name("account.role-changed"), None);
    }
}
