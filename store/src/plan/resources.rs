//! Users and groups: put and delete, with their indexes.

use access::{Event, EventType, GroupId, UserId};
use scim::casefold::fold;
use scim::schema::ResourceType;

use super::{Change, Planned};
use crate::changeset::{Expected, NewRecord, Refusal};
use crate::key;
use crate::record::{Marked, Record};
use crate::snapshot::mark_key;
use crate::table::Table;

/// Where the rows of a resource type are.
struct Tables {
    resource_type: ResourceType,
    records: Table,
    names: Table,
    unique_attribute: &'static str,
    /// What the audit log calls one.
    object: &'static str,
}

const USERS: Tables = Tables {
    resource_type: ResourceType::User,
    records: Table::Users,
    names: Table::UserNames,
    unique_attribute: "userName",
    object: "user",
};

const GROUPS: Tables = Tables {
    resource_type: ResourceType::Group,
    records: Table::Groups,
    names: Table::GroupNames,
    unique_attribute: "displayName",
    object: "group",
};

impl Change<'_, '_> {
    pub(super) fn put_user(
        &mut self,
        id: UserId,
        expected: Expected,
        record: NewRecord,
    ) -> Planned<()> {
        let external_id = record.external_id.clone();
        let before = self.put_resource(&USERS, id.as_bytes(), expected, record)?;
        if before.is_none() {
            self.counters.users += 1;
            self.bind_parked(id, &id.to_string())?;
        }
        let external_before = before.and_then(|before| before.external_id);
        match external_id {
            Some(external_id) if external_before.as_ref() != Some(&external_id) => {
                self.bind_parked(id, &external_id)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn put_group(
        &mut self,
        id: GroupId,
        expected: Expected,
        record: NewRecord,
    ) -> Planned<()> {
        let name = fold(&record.name);
        let before = self.put_resource(&GROUPS, id.as_bytes(), expected, record)?;
        self.counters.groups += u64::from(before.is_none());
        if before.is_some_and(|before| fold(&before.name) == name) {
            return Ok(());
        }
        self.counters.names += 1;
        self.bind_mapping(id, &name)
    }

    pub(super) fn delete_user(&mut self, id: UserId, expected: Expected) -> Planned<()> {
        self.delete_resource(&USERS, id.as_bytes(), expected)?;
        self.counters.users = self.counters.users.saturating_sub(1);
        self.leave_all_groups(id.as_bytes(), Some(id))?;
        self.overlay.delete(Table::Marks, mark_key(self.tenant, Marked::User(id)));
        Ok(())
    }

    pub(super) fn delete_group(&mut self, id: GroupId, expected: Expected) -> Planned<()> {
        self.delete_resource(&GROUPS, id.as_bytes(), expected)?;
        self.counters.groups = self.counters.groups.saturating_sub(1);
        self.counters.names += 1;
        self.dismiss_all_members(id)?;
        // A group can be a member of others; that gives nobody a role, but it is a row.
        self.leave_all_groups(id.as_bytes(), None)?;
        self.overlay.delete(Table::Marks, mark_key(self.tenant, Marked::Group(id)));
        self.unbind_mappings(id)
    }

    /// Keeps a resource and its index rows. Answers what it was before.
    fn put_resource(
        &mut self,
        tables: &Tables,
        id: &[u8; 16],
        expected: Expected,
        new: NewRecord,
    ) -> Planned<Option<Record>> {
        let record_key = key::Key::tenant(self.tenant).id(id).done();
        let before = self.record(tables.records, &record_key)?;
        match (&before, expected) {
            (Some(_), Expected::Absent) => return Err(Refusal::Exists.into()),
            (None, Expected::Present | Expected::Revision(_)) => return Err(Refusal::Gone.into()),
            _ => {}
        }
        if let Some(before) = &before {
            check_revision(before, expected)?;
        }

        let name = fold(&new.name);
        let name_before = before.as_ref().map(|before| fold(&before.name));
        if name_before.as_ref() != Some(&name) {
            let name_key = key::name(self.tenant, &name);
            if self.overlay.get(tables.names, &name_key)?.is_some() {
                return Err(Refusal::NotUnique { attribute: tables.unique_attribute }.into());
            }
            if let Some(name) = name_before {
                self.overlay.delete(tables.names, key::name(self.tenant, &name));
            }
            self.overlay.put(tables.names, name_key, id.to_vec());
        }

        let external_before = before.as_ref().and_then(|before| before.external_id.as_deref());
        if external_before != new.external_id.as_deref() {
            if let Some(external_id) = external_before {
                self.overlay.delete(Table::ExternalIds, self.external_key(tables, external_id, id));
            }
            if let Some(external_id) = &new.external_id {
                let key = self.external_key(tables, external_id, id);
                self.overlay.put(Table::ExternalIds, key, Vec::new());
            }
        }

        let record = Record {
            revision: before.as_ref().map_or(0, |before| before.revision) + 1,
            created: before.as_ref().map_or(self.now, |before| before.created),
            modified: self.now,
            members: before.as_ref().map_or(0, |before| before.members),
            name: new.name,
            external_id: new.external_id,
            body: new.body,
        };
        self.committed.revision = Some(record.revision);
        let body_before = before.as_ref().map(|before| before.body.as_slice());
        self.audit_json(tables.object, text(id), body_before, Some(&record.body), &[])?;
        self.overlay.put(tables.records, record_key, record.encode());
        Ok(before)
    }

    fn delete_resource(
        &mut self,
        tables: &Tables,
        id: &[u8; 16],
        expected: Expected,
    ) -> Planned<()> {
        let record_key = key::Key::tenant(self.tenant).id(id).done();
        let record = self.record(tables.records, &record_key)?.ok_or(Refusal::Gone)?;
        check_revision(&record, expected)?;
        self.audit_json(tables.object, text(id), Some(&record.body), None, &[])?;
        self.overlay.delete(tables.records, record_key);
        self.overlay.delete(tables.names, key::name(self.tenant, &fold(&record.name)));
        if let Some(external_id) = &record.external_id {
            self.overlay.delete(Table::ExternalIds, self.external_key(tables, external_id, id));
        }
        Ok(())
    }

    fn external_key(&self, tables: &Tables, external_id: &str, id: &[u8; 16]) -> Vec<u8> {
        key::external_id(self.tenant, tables.resource_type, external_id, id)
    }

    fn record(&self, table: Table, key: &[u8]) -> Planned<Option<Record>> {
        let payload = self.overlay.get(table, key)?;
        Ok(payload.as_deref().map(|payload| Record::decode(table, payload)).transpose()?)
    }

    pub(super) fn group_record(&self, group: GroupId) -> Planned<Option<Record>> {
        self.record(Table::Groups, &key::group(self.tenant, group))
    }

    /// Keeps a group whose members changed: its attributes stay, its revision does not.
    pub(super) fn members_changed(
        &mut self,
        group: GroupId,
        mut record: Record,
        added: &[UserId],
        removed: &[UserId],
    ) -> Planned<()> {
        record.revision += 1;
        record.modified = self.now;
        self.overlay.put(Table::Groups, key::group(self.tenant, group), record.encode());
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let texts = |users: &[UserId]| users.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.audit_members(group, &texts(added), &texts(removed), &[], &[]);
        for user in added.iter().chain(removed) {
            self.mark(Marked::User(*user), true)?;
        }
        self.tell(
            &Event::group(EventType::GroupMembersChanged, group)
                .with("display_name", record.name)
                .with("added", listed(added))
                .with("removed", listed(removed))
                .with("added_count", added.len())
                .with("removed_count", removed.len()),
        )
    }
}

fn text(id: &[u8; 16]) -> String {
    UserId::from_bytes(*id).to_string()
}

/// Users that one event names; the counts tell of the rest.
const LISTED_MAX: usize = 1_000;

fn listed(users: &[UserId]) -> Vec<String> {
    users.iter().take(LISTED_MAX).map(ToString::to_string).collect()
}

pub(super) fn check_revision(record: &Record, expected: Expected) -> Result<(), Refusal> {
    match expected {
        Expected::Revision(revision) if revision != record.revision => Err(Refusal::RevisionMoved),
        _ => Ok(()),
    }
}
