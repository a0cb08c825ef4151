//! Snapshots: reading what is kept.
//!
//! A [`Snapshot`] is a consistent view: it holds every change answered before it was opened and
//! none after. Every record it gives was checked against its checksum. Lists are read in pieces
//! with a limit; hold a snapshot for one request or one piece of a scan, not longer.

use std::ops::ControlFlow;

use access::wave::Wave;
use access::{Account, GroupId, TenantId, TokenId, UserId, WaveId};
use scim::casefold::fold;
use scim::schema::ResourceType;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::key::{self, Key, MEMBER_KNOWN, MEMBER_PARKED, TenantKey};
use crate::kv::{Order, Range, RawView, ReadError};
use crate::plan::tenants as meta;
use crate::record::{self, Counters, Mark, Marked, Record};
use crate::table::Table;
use crate::tenant::{Config, StoredConfig, Tenant, Token};

/// A consistent view of everything kept.
pub struct Snapshot {
    view: Box<dyn RawView>,
}

/// How many of what a tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// SCIM users.
    pub users: u64,
    /// SCIM groups.
    pub groups: u64,
    /// The number of the last feed entry.
    pub feed: u64,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// A user.
    User(UserId),
    /// A group within the group; it gives nobody a role.
    Group(GroupId),
}

/// Tells a scan whether to go on.
pub type Flow = ControlFlow<()>;

type Read<T> = Result<T, ReadError>;

impl Snapshot {
    pub(crate) fn new(view: Box<dyn RawView>) -> Self {
        Self { view }
    }

    // --- the service -----------------------------------------------------------------------------

    /// The hash of the operator token, if one was made.
    pub fn operator_token(&self) -> Read<Option<[u8; 32]>> {
        let hash = self.get(Table::Meta, meta::OPERATOR_TOKEN)?;
        Ok(hash.and_then(|hash| hash.try_into().ok()))
    }

    /// Tenants by id, after `after`, at most `limit`.
    pub fn tenants(&self, after: Option<&TenantId>, limit: usize) -> Read<Vec<Tenant>> {
        let mut range = Range::all();
        if let Some(after) = after {
            range = range.after(after.as_str().as_bytes().to_vec());
        }
        self.json_rows(Table::Tenants, &range, Order::Ascending, limit)
    }

    /// The tenant with this id.
    pub fn tenant(&self, id: &TenantId) -> Read<Option<Tenant>> {
        self.json(Table::Tenants, id.as_str().as_bytes())
    }

    /// Deleted tenants whose rows are still there.
    pub fn tenants_to_purge(&self) -> Read<Vec<TenantKey>> {
        let mut found = Vec::new();
        let range = Range::prefix(meta::PURGE);
        self.scan(Table::Meta, &range, Order::Ascending, |key, _| {
            let number = key.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
            found.extend(number.map(TenantKey));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// A tenant's settings and bindings; none for a deleted tenant.
    pub fn config(&self, tenant: TenantKey) -> Read<Option<Config>> {
        let Some(counters) = self.counters(tenant)? else { return Ok(None) };
        let stored: Option<StoredConfig> =
            self.json(Table::Configs, &Key::tenant(tenant).done())?;
        Ok(stored.map(|StoredConfig { settings, bindings }| Config {
            revision: counters.config,
            group_names: counters.names,
            settings,
            bindings,
        }))
    }

    /// How many of what a tenant has.
    pub fn counts(&self, tenant: TenantKey) -> Read<Counts> {
        let Counters { users, groups, feed, .. } = self.counters(tenant)?.unwrap_or_default();
        Ok(Counts { users, groups, feed })
    }

    fn counters(&self, tenant: TenantKey) -> Read<Option<Counters>> {
        let payload = self.get(Table::Counters, &Key::tenant(tenant).done())?;
        payload.as_deref().map(Counters::decode).transpose()
    }

    /// One token.
    pub fn token(&self, tenant: TenantKey, id: TokenId) -> Read<Option<Token>> {
        self.json(Table::Tokens, &key::token(tenant, id))
    }

    /// A tenant's tokens, oldest first, after `after`, at most `limit`.
    pub fn tokens(
        &self,
        tenant: TenantKey,
        after: Option<TokenId>,
        limit: usize,
    ) -> Read<Vec<Token>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(key::token(tenant, after));
        }
        self.json_rows(Table::Tokens, &range, Order::Ascending, limit)
    }

    // --- resources -------------------------------------------------------------------------------

    /// One user.
    pub fn user(&self, tenant: TenantKey, user: UserId) -> Read<Option<Record>> {
        self.record(Table::Users, &key::user(tenant, user))
    }

    /// One group.
    pub fn group(&self, tenant: TenantKey, group: GroupId) -> Read<Option<Record>> {
        self.record(Table::Groups, &key::group(tenant, group))
    }

    /// The user with this userName, without regard to case.
    pub fn user_by_name(&self, tenant: TenantKey, name: &str) -> Read<Option<UserId>> {
        let id = self.get(Table::UserNames, &key::name(tenant, &fold(name)))?;
        Ok(id.and_then(|id| id.try_into().ok()).map(UserId::from_bytes))
    }

    /// The group with this displayName, without regard to case.
    pub fn group_by_name(&self, tenant: TenantKey, name: &str) -> Read<Option<GroupId>> {
        let id = self.get(Table::GroupNames, &key::name(tenant, &fold(name)))?;
        Ok(id.and_then(|id| id.try_into().ok()).map(GroupId::from_bytes))
    }

    /// The resources with this externalId, oldest first, at most `limit`. It need not be unique.
    pub fn by_external_id(
        &self,
        tenant: TenantKey,
        resource_type: ResourceType,
        external_id: &str,
        limit: usize,
    ) -> Read<Vec<[u8; 16]>> {
        let prefix = key::external_id_prefix(tenant, resource_type, external_id);
        self.last_ids(Table::ExternalIds, &prefix, limit)
    }

    /// Visits a tenant's users or groups, oldest first, after `after`.
    pub fn resources(
        &self,
        tenant: TenantKey,
        resource_type: ResourceType,
        after: Option<&[u8; 16]>,
        mut visit: impl FnMut([u8; 16], Record) -> Flow,
    ) -> Read<()> {
        let table = resource_table(resource_type);
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(Key::tenant(tenant).id(after).done());
        }
        self.scan(table, &range, Order::Ascending, |key, payload| {
            let Some(id) = key::last_id(key) else { return Err(damaged(table)) };
            Ok(visit(id, Record::decode(table, payload)?))
        })
    }

    // --- membership ------------------------------------------------------------------------------

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

    // --- accounts, marks, feed, waves ------------------------------------------------------------

    /// One account, also of a deleted user.
    pub fn account(&self, tenant: TenantKey, user: UserId) -> Read<Option<Account>> {
        let payload = self.get(Table::Accounts, &key::user(tenant, user))?;
        payload.as_deref().map(record::decode_account).transpose()
    }

    /// Accounts, oldest first, after `after`, at most `limit`.
    pub fn accounts(
        &self,
        tenant: TenantKey,
        after: Option<UserId>,
        limit: usize,
    ) -> Read<Vec<Account>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(key::user(tenant, after));
        }
        let mut found = Vec::new();
        self.scan(Table::Accounts, &range, Order::Ascending, |_, payload| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(record::decode_account(payload)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// One mark.
    pub fn mark(&self, tenant: TenantKey, marked: Marked) -> Read<Option<Mark>> {
        let payload = self.get(Table::Marks, &mark_key(tenant, marked))?;
        payload.as_deref().map(Mark::decode).transpose()
    }

    /// A tenant's marks, at most `limit`, after `after`.
    pub fn marks(
        &self,
        tenant: TenantKey,
        after: Option<Marked>,
        limit: usize,
    ) -> Read<Vec<(Marked, Mark)>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(mark_key(tenant, after));
        }
        let mut found = Vec::new();
        self.scan(Table::Marks, &range, Order::Ascending, |key, payload| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            let Some(marked) = marked_of(key) else { return Err(damaged(Table::Marks)) };
            found.push((marked, Mark::decode(payload)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Visits the feed's entries after the number `after`, in order.
    pub fn feed(
        &self,
        tenant: TenantKey,
        after: u64,
        mut visit: impl FnMut(Value) -> Flow,
    ) -> Read<()> {
        let range = Range::prefix(&Key::tenant(tenant).done()).after(key::feed(tenant, after));
        self.scan(Table::Feed, &range, Order::Ascending, |_, payload| {
            Ok(visit(decode_json(Table::Feed, payload)?))
        })
    }

    /// One wave.
    pub fn wave(&self, tenant: TenantKey, wave: WaveId) -> Read<Option<Wave>> {
        self.json(Table::Waves, &key::wave(tenant, wave))
    }

    /// Waves, newest first, before `before`, at most `limit`.
    pub fn waves(
        &self,
        tenant: TenantKey,
        before: Option<WaveId>,
        limit: usize,
    ) -> Read<Vec<Wave>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(before) = before {
            range = range.before(key::wave(tenant, before));
        }
        self.json_rows(Table::Waves, &range, Order::Descending, limit)
    }

    // --- underneath ------------------------------------------------------------------------------

    /// Every verified pair of every table, for backups and checks.
    pub(crate) fn pairs(
        &self,
        table: Table,
        mut visit: impl FnMut(&[u8], &[u8]) -> Read<Flow>,
    ) -> Read<()> {
        self.scan(table, &Range::all(), Order::Ascending, &mut visit)
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Read<Option<Vec<u8>>> {
        let Some(mut sealed) = self.view.get(table, key)? else { return Ok(None) };
        let length = record::open(table, key, &sealed)?.len();
        sealed.truncate(length);
        Ok(Some(sealed))
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> Read<Flow>,
    ) -> Read<()> {
        let mut failed = None;
        self.view.scan(table, range, order, &mut |key, sealed| match record::open(
            table, key, sealed,
        )
        .and_then(|payload| visit(key, payload))
        {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn record(&self, table: Table, key: &[u8]) -> Read<Option<Record>> {
        let payload = self.get(table, key)?;
        payload.as_deref().map(|payload| Record::decode(table, payload)).transpose()
    }

    fn json<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Read<Option<T>> {
        let payload = self.get(table, key)?;
        payload.as_deref().map(|payload| decode_json(table, payload)).transpose()
    }

    fn json_rows<T: DeserializeOwned>(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Read<Vec<T>> {
        let mut found = Vec::new();
        self.scan(table, range, order, |_, payload| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(decode_json(table, payload)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn last_ids(&self, table: Table, prefix: &[u8], limit: usize) -> Read<Vec<[u8; 16]>> {
        let mut found = Vec::new();
        self.scan(table, &Range::prefix(prefix), Order::Ascending, |key, _| {
            if found.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            found.push(key::last_id(key).ok_or_else(|| damaged(table))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }
}

fn resource_table(resource_type: ResourceType) -> Table {
    match resource_type {
        ResourceType::User => Table::Users,
        ResourceType::Group => Table::Groups,
    }
}

fn member_of(id: [u8; 16], tag: &[u8]) -> Member {
    if tag.first() == Some(&key::resource_tag(ResourceType::Group)) {
        Member::Group(GroupId::from_bytes(id))
    } else {
        Member::User(UserId::from_bytes(id))
    }
}

pub(crate) fn mark_key(tenant: TenantKey, marked: Marked) -> Vec<u8> {
    let key = Key::tenant(tenant);
    match marked {
        Marked::Tenant => key.byte(b'a').id(&[0; 16]).done(),
        Marked::Group(group) => key.byte(b'g').id(group.as_bytes()).done(),
        Marked::User(user) => key.byte(b'u').id(user.as_bytes()).done(),
    }
}

fn marked_of(key: &[u8]) -> Option<Marked> {
    let id = key::last_id(key)?;
    match key.get(4)? {
        b'a' => Some(Marked::Tenant),
        b'g' => Some(Marked::Group(GroupId::from_bytes(id))),
        b'u' => Some(Marked::User(UserId::from_bytes(id))),
        _ => None,
    }
}

pub(crate) fn decode_json<T: DeserializeOwned>(table: Table, payload: &[u8]) -> Read<T> {
    serde_json::from_slice(payload).map_err(|_| damaged(table))
}

pub(crate) fn encode_json<T: Serialize>(table: Table, value: &T) -> Read<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        ReadError::Unavailable(format!(
            "a row of table {} cannot be encoded: {error}",
            table.name()
        ))
    })
}

const fn damaged(table: Table) -> ReadError {
    ReadError::Damaged { table: table.name() }
}
