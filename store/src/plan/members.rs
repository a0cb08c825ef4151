//! Membership: rows in both directions, and the memberships that wait for a user.
//!
//! A change costs what it changes, not what the group holds. A member that nobody has pushed is
//! parked: a row that binds by itself when a user with that id, or else that externalId, appears.

use std::collections::{BTreeMap, BTreeSet};

use access::{GroupId, UserId};
use scim::schema::ResourceType;

use super::{Change, Planned};
use crate::changeset::{Expected, MemberChange, Refusal};
use crate::key::{self, MEMBER_KNOWN, MEMBER_PARKED};
use crate::record::Marked;
use crate::table::Table;

/// What the value of a member names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    User(UserId),
    Group(GroupId),
}

impl Named {
    const fn id(&self) -> &[u8; 16] {
        match self {
            Self::User(user) => user.as_bytes(),
            Self::Group(group) => group.as_bytes(),
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::User(_) => key::resource_tag(ResourceType::User),
            Self::Group(_) => key::resource_tag(ResourceType::Group),
        }
    }
}

/// What a request changed in one group, net: who was added and removed again does not count.
#[derive(Default)]
struct Net {
    users: BTreeMap<UserId, bool>,
    groups: i64,
    groups_joined: Vec<String>,
    groups_left: Vec<String>,
    parked: Vec<String>,
    unparked: Vec<String>,
    touched: bool,
}

impl Net {
    fn joined(&mut self, member: Named) {
        self.count(member, true);
    }

    fn left(&mut self, member: Named) {
        self.count(member, false);
    }

    fn count(&mut self, member: Named, joined: bool) {
        self.touched = true;
        match member {
            Named::User(user) => {
                // Out and in again within one request is no change.
                if self.users.remove(&user).is_none() {
                    self.users.insert(user, joined);
                }
            }
            Named::Group(group) => {
                self.groups += if joined { 1 } else { -1 };
                let named = if joined { &mut self.groups_joined } else { &mut self.groups_left };
                named.push(group.to_string());
            }
        }
    }

    fn split(&self) -> (Vec<UserId>, Vec<UserId>) {
        let pick = |joined: bool| {
            let picked = self.users.iter().filter(|(_, is)| **is == joined);
            picked.map(|(user, _)| *user).collect::<Vec<_>>()
        };
        (pick(true), pick(false))
    }
}

impl Change<'_, '_> {
    pub(super) fn change_members(
        &mut self,
        group: GroupId,
        expected: Expected,
        changes: Vec<MemberChange>,
    ) -> Planned<()> {
        let mut record = self.group_record(group)?.ok_or(Refusal::Gone)?;
        super::resources::check_revision(&record, expected)?;
        let mut net = Net::default();
        for change in changes {
            match change {
                MemberChange::Add(values) => self.add(group, &values, &mut net)?,
                MemberChange::Remove(values) => self.remove(group, &values, &mut net)?,
                MemberChange::Replace(values) => self.replace(group, &values, &mut net)?,
                MemberChange::RemoveAll => self.replace(group, &[], &mut net)?,
            }
        }
        if !net.touched {
            self.committed.revision = Some(record.revision);
            return Ok(());
        }
        let (added, removed) = net.split();
        let delta = i64::try_from(added.len()).unwrap_or(i64::MAX)
            - i64::try_from(removed.len()).unwrap_or(i64::MAX)
            + net.groups;
        record.members = u32::try_from(i64::from(record.members) + delta).unwrap_or_default();
        self.committed.revision = Some(record.revision + 1);
        let Net { groups_joined, groups_left, parked, unparked, .. } = &net;
        self.audit_members(group, groups_joined, groups_left, parked, unparked);
        self.members_changed(group, record, &added, &removed)
    }

    fn add(&mut self, group: GroupId, values: &[String], net: &mut Net) -> Planned<()> {
        for value in values {
            if let Some(member) = self.named(value)? {
                let key = key::member(self.tenant, group, member.id());
                if self.overlay.get(Table::Members, &key)?.is_none() {
                    self.put_member(group, member);
                    net.joined(member);
                }
                continue;
            }
            let key = key::parked_member(self.tenant, group, value);
            if self.overlay.get(Table::Members, &key)?.is_none() {
                let since = self.now.as_millisecond().to_le_bytes().to_vec();
                let parked = key::parked(self.tenant, value, group);
                self.overlay.put(Table::Members, key, value.clone().into_bytes());
                self.overlay.put(Table::Parked, parked, since);
                net.parked.push(value.clone());
                net.touched = true;
            }
        }
        Ok(())
    }

    fn remove(&mut self, group: GroupId, values: &[String], net: &mut Net) -> Planned<()> {
        for value in values {
            let parked = key::parked_member(self.tenant, group, value);
            if self.overlay.get(Table::Members, &parked)?.is_some() {
                self.overlay.delete(Table::Members, parked);
                self.overlay.delete(Table::Parked, key::parked(self.tenant, value, group));
                net.unparked.push(value.clone());
                net.touched = true;
                continue;
            }
            let Some(member) = self.named(value)? else { continue };
            let key = key::member(self.tenant, group, member.id());
            if self.overlay.get(Table::Members, &key)?.is_some() {
                self.delete_member(group, member.id());
                net.left(member);
            }
        }
        Ok(())
    }

    fn replace(&mut self, group: GroupId, values: &[String], net: &mut Net) -> Planned<()> {
        let mut wanted = BTreeSet::new();
        let mut wanted_parked = BTreeSet::new();
        for value in values {
            match self.named(value)? {
                Some(member) => wanted.insert(*member.id()),
                None => wanted_parked.insert(value.as_str()),
            };
        }
        for (id, member) in self.known_members(group)? {
            if !wanted.contains(&id) {
                self.delete_member(group, &id);
                net.left(member);
            }
        }
        for value in self.parked_members(group)? {
            if !wanted_parked.contains(value.as_str()) {
                self.delete_parked(group, &value);
                net.touched = true;
                net.unparked.push(value);
            }
        }
        self.add(group, values, net)
    }

    /// What a member's value names: a user or group by id, or else a user by externalId.
    fn named(&self, value: &str) -> Planned<Option<Named>> {
        if let Ok(user) = value.parse::<UserId>() {
            if self.overlay.get(Table::Users, &key::user(self.tenant, user))?.is_some() {
                return Ok(Some(Named::User(user)));
            }
            let group = GroupId::from_bytes(*user.as_bytes());
            if self.overlay.get(Table::Groups, &key::group(self.tenant, group))?.is_some() {
                return Ok(Some(Named::Group(group)));
            }
        }
        let prefix = key::external_id_prefix(self.tenant, ResourceType::User, value);
        let found = self.overlay.with_prefix(Table::ExternalIds, &prefix, 1)?;
        let id = found.first().and_then(|(key, _)| key::last_id(key));
        Ok(id.map(|id| Named::User(UserId::from_bytes(id))))
    }

    fn put_member(&mut self, group: GroupId, member: Named) {
        let (forward, back) = (
            key::member(self.tenant, group, member.id()),
            key::membership(self.tenant, member.id(), group),
        );
        self.overlay.put(Table::Members, forward, vec![member.tag()]);
        self.overlay.put(Table::Memberships, back, Vec::new());
    }

    fn delete_member(&mut self, group: GroupId, member: &[u8; 16]) {
        self.overlay.delete(Table::Members, key::member(self.tenant, group, member));
        self.overlay.delete(Table::Memberships, key::membership(self.tenant, member, group));
    }

    pub(super) fn delete_parked(&mut self, group: GroupId, value: &str) {
        self.overlay.delete(Table::Members, key::parked_member(self.tenant, group, value));
        self.overlay.delete(Table::Parked, key::parked(self.tenant, value, group));
    }

    fn known_members(&self, group: GroupId) -> Planned<Vec<([u8; 16], Named)>> {
        let prefix = key::members_prefix(self.tenant, group, MEMBER_KNOWN);
        let rows = self.overlay.with_prefix(Table::Members, &prefix, usize::MAX)?;
        let user_tag = key::resource_tag(ResourceType::User);
        let members = rows.iter().filter_map(|(key, tag)| {
            let id = key::last_id(key)?;
            let is_user = tag.first() == Some(&user_tag);
            let member = if is_user {
                Named::User(UserId::from_bytes(id))
            } else {
                Named::Group(GroupId::from_bytes(id))
            };
            Some((id, member))
        });
        Ok(members.collect())
    }

    fn parked_members(&self, group: GroupId) -> Planned<Vec<String>> {
        let prefix = key::members_prefix(self.tenant, group, MEMBER_PARKED);
        let rows = self.overlay.with_prefix(Table::Members, &prefix, usize::MAX)?;
        Ok(rows.into_iter().filter_map(|(_, value)| String::from_utf8(value).ok()).collect())
    }

    /// Binds the memberships that wait for a user called `value`.
    pub(super) fn bind_parked(&mut self, user: UserId, value: &str) -> Planned<()> {
        let prefix = key::parked_prefix(self.tenant, value);
        for (key, _) in self.overlay.with_prefix(Table::Parked, &prefix, usize::MAX)? {
            let Some(group) = key::last_id(&key).map(GroupId::from_bytes) else { continue };
            self.delete_parked(group, value);
            let Some(mut record) = self.group_record(group)? else { continue };
            let member = key::member(self.tenant, group, user.as_bytes());
            let joins = self.overlay.get(Table::Members, &member)?.is_none();
            if joins {
                self.put_member(group, Named::User(user));
                record.members = record.members.saturating_add(1);
            }
            self.audit_members(group, &[], &[], &[], &[value.to_owned()]);
            let joined = if joins { std::slice::from_ref(&user) } else { &[] };
            self.members_changed(group, record, joined, &[])?;
        }
        Ok(())
    }

    /// Takes a resource that is deleted out of all groups that hold it.
    pub(super) fn leave_all_groups(
        &mut self,
        member: &[u8; 16],
        user: Option<UserId>,
    ) -> Planned<()> {
        let prefix = key::Key::tenant(self.tenant).id(member).done();
        for (key, _) in self.overlay.with_prefix(Table::Memberships, &prefix, usize::MAX)? {
            let Some(group) = key::last_id(&key).map(GroupId::from_bytes) else { continue };
            self.delete_member(group, member);
            let Some(mut record) = self.group_record(group)? else { continue };
            record.members = record.members.saturating_sub(1);
            self.members_changed(group, record, &[], user.as_slice())?;
        }
        Ok(())
    }

    /// Dismisses the members of a group that is deleted; each user is marked.
    pub(super) fn dismiss_all_members(&mut self, group: GroupId) -> Planned<()> {
        let mut left = Vec::new();
        for (id, member) in self.known_members(group)? {
            self.delete_member(group, &id);
            left.push(UserId::from_bytes(id).to_string());
            if let Named::User(user) = member {
                self.mark(Marked::User(user), true)?;
            }
        }
        let parked = self.parked_members(group)?;
        for value in &parked {
            self.delete_parked(group, value);
        }
        self.audit_members(group, &[], &left, &[], &parked);
        Ok(())
    }
}
