//! Who is in which group.

use std::ops::ControlFlow;

use access::{GroupId, UserId};

use super::{Member, Read, Snapshot, damaged, member_of};
use crate::key::{self, Key, MEMBER_KNOWN, MEMBER_PARKED, TenantKey};
use crate::kv::{Order, Range};
use crate::table::Table;

impl Snapshot {
    /// A group's members, oldest first, after `after`, at most `limit`; parked ones left out.
    pub fn members(
        &self,
        tenant: TenantKey,
        group: GroupId,
        after: Option<&[u8; 16]>,
        limit: usize,
    ) -> Read<Vec<Member>> {
        let mut range = Range::prefix(&key::members_prefix(tenant, group, MEMBER_KNOWN));
        if let Some(after) = after {
            range = range.after(key::member(tenant, group, after));
        }
        let mut found = Vec::new();
        self.scan(Table::Members, &range, Order::Ascending, |key, tag| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            let Some(id) = key::last_id(key) else { return Err(damaged(Table::Members)) };
            found.push(member_of(id, tag));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The member with these 16 bytes as its id, if the group has it.
    pub fn member(&self, tenant: TenantKey, group: GroupId, id: &[u8; 16]) -> Read<Option<Member>> {
        let tag = self.get(Table::Members, &key::member(tenant, group, id))?;
        Ok(tag.map(|tag| member_of(*id, &tag)))
    }

    /// The values of a group's members that nobody has pushed yet, at most `limit`.
    pub fn parked(&self, tenant: TenantKey, group: GroupId, limit: usize) -> Read<Vec<String>> {
        let prefix = key::members_prefix(tenant, group, MEMBER_PARKED);
        let mut found = Vec::new();
        self.scan(Table::Members, &Range::prefix(&prefix), Order::Ascending, |_, value| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(String::from_utf8_lossy(value).into_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The groups that hold a user, oldest first.
    pub fn groups_of(&self, tenant: TenantKey, user: UserId) -> Read<Vec<GroupId>> {
        let prefix = Key::tenant(tenant).id(user.as_bytes()).done();
        let ids = self.last_ids(Table::Memberships, &prefix, usize::MAX)?;
        Ok(ids.into_iter().map(GroupId::from_bytes).collect())
    }

    /// Every membership of the users from `first` to `last`, by user. For sweeps, which read
    /// accounts in the same order.
    pub fn memberships(
        &self,
        tenant: TenantKey,
        first: UserId,
        last: UserId,
    ) -> Read<Vec<(UserId, GroupId)>> {
        let range = Range {
            from: std::ops::Bound::Included(key::user(tenant, first)),
            to: Range::prefix(&key::user(tenant, last)).to,
        };
        let mut found = Vec::new();
        self.scan(Table::Memberships, &range, Order::Ascending, |key, _| {
            let ids = key.get(4..20).and_then(|user| user.try_into().ok()).zip(key::last_id(key));
            let Some((user, group)) = ids else { return Err(damaged(Table::Memberships)) };
            found.push((UserId::from_bytes(user), GroupId::from_bytes(group)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}
