//! Users and groups against their indexes, members against memberships.

use access::{GroupId, Status, UserId};
use scim::casefold::fold;
use scim::schema::ResourceType;

use super::Check;
use crate::key::{self, Key, MEMBER_KNOWN, MEMBER_PARKED, TenantKey};
use crate::kv::ReadError;
use crate::record::Record;
use crate::table::Table;

type Checked = Result<(), ReadError>;

const fn names_of(table: Table) -> Table {
    if matches!(table, Table::Users) { Table::UserNames } else { Table::GroupNames }
}

const fn type_of(table: Table) -> ResourceType {
    if matches!(table, Table::Users) { ResourceType::User } else { ResourceType::Group }
}

impl Check<'_> {
    fn exists(&self, table: Table, key: &[u8]) -> Result<bool, ReadError> {
        match self.snapshot.get(table, key) {
            Ok(found) => Ok(found.is_some()),
            // It is there, if damaged; that is told at its own place.
            Err(ReadError::Damaged { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) fn resource(
        &mut self,
        tenant: TenantKey,
        table: Table,
        key: &[u8],
        payload: &[u8],
    ) -> Checked {
        let counted = self.resources.entry(tenant).or_default();
        let count = if table == Table::Users { &mut counted.0 } else { &mut counted.1 };
        *count += 1;
        let Some(id) = key::last_id(key).filter(|_| key.len() == 20) else {
            self.problem(table, key, "the key has a wrong length");
            return Ok(());
        };
        let record = Record::decode(table, payload)?;
        let holder = self.snapshot.get(names_of(table), &key::name(tenant, &fold(&record.name)));
        if matches!(&holder, Ok(holder) if holder.as_deref() != Some(&id[..])) {
            self.problem(table, key, "its name does not lead to it");
        }
        if let Some(external_id) = &record.external_id {
            let external = key::external_id(tenant, type_of(table), external_id, &id);
            if !self.exists(Table::ExternalIds, &external)? {
                self.problem(table, key, "its externalId does not lead to it");
            }
        }
        if table == Table::Groups {
            let members = key::members_prefix(tenant, GroupId::from_bytes(id), MEMBER_KNOWN);
            let counted = self.snapshot.count_prefix(Table::Members, &members)?;
            if counted != u64::from(record.members) {
                let what = format!("counts {} members, there are {counted}", record.members);
                self.problem(table, key, &what);
            }
            return Ok(());
        }
        match self.snapshot.account(tenant, UserId::from_bytes(id)) {
            Ok(None) => self.problem(table, key, "it has no account"),
            Ok(Some(account)) if account.status == Status::Deleted => {
                self.problem(table, key, "its account is that of a deleted user");
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn account(&mut self, key: &[u8], payload: &[u8]) -> Checked {
        let account = crate::record::decode_account(payload)?;
        if key::last_id(key).as_ref() != Some(account.id.as_bytes()) {
            self.problem(Table::Accounts, key, "it lies under another id");
        }
        if account.status != Status::Deleted && !self.exists(Table::Users, key)? {
            self.problem(Table::Accounts, key, "it has no user, and is not deleted");
        }
        Ok(())
    }

    pub(super) fn name(&mut self, table: Table, key: &[u8], payload: &[u8]) -> Checked {
        let records = if table == Table::UserNames { Table::Users } else { Table::Groups };
        let name_of = |record: &Record, tenant| key::name(tenant, &fold(&record.name));
        self.index(table, records, key, payload, name_of)
    }

    pub(super) fn external_id(&mut self, key: &[u8]) -> Checked {
        let records = match key.get(4) {
            Some(tag) if *tag == key::resource_tag(ResourceType::User) => Table::Users,
            _ => Table::Groups,
        };
        let id = key::last_id(key).unwrap_or_default();
        let key_of = |record: &Record, tenant| match &record.external_id {
            Some(external_id) => key::external_id(tenant, type_of(records), external_id, &id),
            None => Vec::new(),
        };
        self.index(Table::ExternalIds, records, key, &id, key_of)
    }

    /// Checks that an index row leads to a record that leads back to it.
    fn index(
        &mut self,
        table: Table,
        records: Table,
        key: &[u8],
        id: &[u8],
        key_of: impl Fn(&Record, TenantKey) -> Vec<u8>,
    ) -> Checked {
        let (Some(number), Ok(id)) = (key.first_chunk::<4>(), <&[u8; 16]>::try_from(id)) else {
            self.problem(table, key, "it leads nowhere");
            return Ok(());
        };
        let tenant = TenantKey(u32::from_be_bytes(*number));
        let record_key = Key::tenant(tenant).id(id).done();
        let fits = match self.snapshot.get(records, &record_key)? {
            Some(payload) => key_of(&Record::decode(records, &payload)?, tenant) == key,
            None => false,
        };
        if !fits {
            let what = format!("it leads to {}, which is not so", super::Hex(id));
            self.problem(table, key, &what);
        }
        Ok(())
    }

    pub(super) fn member(&mut self, tenant: TenantKey, key: &[u8], payload: &[u8]) -> Checked {
        let group = key.get(4..20).and_then(|group| <[u8; 16]>::try_from(group).ok());
        let (Some(group), Some(kind)) = (group.map(GroupId::from_bytes), key.get(20)) else {
            self.problem(Table::Members, key, "the key is too short");
            return Ok(());
        };
        if !self.exists(Table::Groups, &key::group(tenant, group))? {
            self.problem(Table::Members, key, "there is no such group");
        }
        if *kind == MEMBER_PARKED {
            let value = std::str::from_utf8(payload).unwrap_or_default();
            if key::parked_member(tenant, group, value) != key {
                self.problem(Table::Members, key, "a waiting member lies at another place");
            }
            if !self.exists(Table::Parked, &key::parked(tenant, value, group))? {
                self.problem(Table::Members, key, "nothing waits for a waiting member");
            }
            return Ok(());
        }
        let member = key::last_id(key).unwrap_or_default();
        let of = match payload.first() {
            Some(tag) if *tag == key::resource_tag(ResourceType::Group) => Table::Groups,
            _ => Table::Users,
        };
        if !self.exists(of, &Key::tenant(tenant).id(&member).done())? {
            let what = format!("there is no such member: {}", super::Hex(&member));
            self.problem(Table::Members, key, &what);
        }
        if !self.exists(Table::Memberships, &key::membership(tenant, &member, group))? {
            let what = format!("the member does not know of it: {}", super::Hex(&member));
            self.problem(Table::Members, key, &what);
        }
        Ok(())
    }

    pub(super) fn membership(&mut self, tenant: TenantKey, key: &[u8]) -> Checked {
        let member = key.get(4..20).and_then(|member| <[u8; 16]>::try_from(member).ok());
        let (Some(member), Some(group)) = (member, key::last_id(key)) else {
            self.problem(Table::Memberships, key, "the key is too short");
            return Ok(());
        };
        if !self
            .exists(Table::Members, &key::member(tenant, GroupId::from_bytes(group), &member))?
        {
            self.problem(Table::Memberships, key, "the group does not know of it");
        }
        Ok(())
    }

    pub(super) fn parked(&mut self, tenant: TenantKey, key: &[u8]) -> Checked {
        // The value stands in both keys in the same form.
        let value = key.get(4..key.len().saturating_sub(16));
        let (Some(value), Some(group)) = (value, key::last_id(key)) else {
            self.problem(Table::Parked, key, "the key is too short");
            return Ok(());
        };
        let mut row = key::members_prefix(tenant, GroupId::from_bytes(group), MEMBER_PARKED);
        row.extend_from_slice(value);
        if !self.exists(Table::Members, &row)? {
            let what = format!("no member of {} waits", super::Hex(&group));
            self.problem(Table::Parked, key, &what);
        }
        Ok(())
    }

    /// Whether what a mark is on is there; the account stays when its user is deleted.
    pub(super) fn has_account_or_user(
        &self,
        tenant: TenantKey,
        user: UserId,
    ) -> Result<bool, ReadError> {
        let key = key::user(tenant, user);
        Ok(self.exists(Table::Accounts, &key)? || self.exists(Table::Users, &key)?)
    }

    pub(super) fn has_group(&self, tenant: TenantKey, group: GroupId) -> Result<bool, ReadError> {
        self.exists(Table::Groups, &key::group(tenant, group))
    }
}
