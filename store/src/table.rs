//! The tables: one name for each kind of row, the same in every backend.

/// A kind of row. The number seeds the row's checksum and is part of backups: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Table {
    /// The service's own facts: format version, the next tenant's number, the operator token.
    Meta = 0,
    /// Tenant id → tenant.
    Tenants = 1,
    /// Tenant → settings and bindings.
    Configs = 2,
    /// Tenant, token id → token.
    Tokens = 3,
    /// Tenant → counters: feed number, mark number, resources.
    Counters = 4,
    /// Tenant, user → SCIM user.
    Users = 5,
    /// Tenant, folded userName → user.
    UserNames = 6,
    /// Tenant, group → SCIM group.
    Groups = 7,
    /// Tenant, folded displayName → group.
    GroupNames = 8,
    /// Tenant, resource type, externalId, resource.
    ExternalIds = 9,
    /// Tenant, group, member.
    Members = 10,
    /// Tenant, member, group: the other direction.
    Memberships = 11,
    /// Tenant, unknown member, group.
    Parked = 12,
    /// Tenant, user → account.
    Accounts = 13,
    /// Tenant, user or group → dirty mark.
    Marks = 14,
    /// Tenant, number → feed entry.
    Feed = 15,
    /// Tenant, wave → wave.
    Waves = 16,
    /// Tenant, number → audit entry; tenant 0 is the service itself.
    Audit = 17,
    /// Tenant, collection, key → a document of that collection.
    Documents = 18,
    /// Tenant, part, block → a block of the request record.
    Requests = 19,
}

impl Table {
    /// The tables of the first format; files of it get the others when they are opened.
    pub(crate) const FIRST_FORMAT: [Self; 17] = {
        let [first @ .., _, _, _] = Self::ALL;
        first
    };

    pub(crate) const ALL: [Self; 20] = [
        Self::Meta,
        Self::Tenants,
        Self::Configs,
        Self::Tokens,
        Self::Counters,
        Self::Users,
        Self::UserNames,
        Self::Groups,
        Self::GroupNames,
        Self::ExternalIds,
        Self::Members,
        Self::Memberships,
        Self::Parked,
        Self::Accounts,
        Self::Marks,
        Self::Feed,
        Self::Waves,
        Self::Audit,
        Self::Documents,
        Self::Requests,
    ];

    /// Tables whose every key starts with the tenant.
    pub(crate) fn is_of_a_tenant(self) -> bool {
        !matches!(self, Self::Meta | Self::Tenants)
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Tenants => "tenants",
            Self::Configs => "configs",
            Self::Tokens => "tokens",
            Self::Counters => "counters",
            Self::Users => "users",
            Self::UserNames => "user_names",
            Self::Groups => "groups",
            Self::GroupNames => "group_names",
            Self::ExternalIds => "external_ids",
            Self::Members => "members",
            Self::Memberships => "memberships",
            Self::Parked => "parked",
            Self::Accounts => "accounts",
            Self::Marks => "marks",
            Self::Feed => "feed",
            Self::Waves => "waves",
            Self::Audit => "audit",
            Self::Documents => "documents",
            Self::Requests => "requests",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_number_is_its_place() {
        for (place, table) in Table::ALL.iter().enumerate() {
            assert_eq!(usize::from(table.number()), place);
            assert_eq!(Table::from_number(table.number()), Some(*table));
        }
    }
}
