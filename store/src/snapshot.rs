//! Snapshots: reading what is kept.
//!
//! A [`Snapshot`] is a consistent view: it holds every change answered before it was opened and
//! none after. Every record it gives was checked against its checksum. Lists are read in pieces
//! with a limit; hold a snapshot for one request or one piece of a scan, not longer.

mod documents;
mod history;
mod members;
mod requests;
mod search;

use std::ops::ControlFlow;
use std::sync::Arc;

use access::{GroupId, TenantId, TokenId, UserId};
use scim::casefold::fold;
use scim::schema::ResourceType;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::search::{Looked, Texts};
use crate::decoded::Decoded;
use crate::key::{self, Key, TenantKey};
use crate::kv::{Order, Range, RawView, ReadError};
use crate::plan::tenants as meta;
use crate::record::{self, Counters, Marked, Record};
use crate::table::Table;
use crate::tenant::{Config, StoredConfig, Tenant, Token};

/// A consistent view of everything kept.
pub struct Snapshot {
    view: Arc<dyn RawView>,
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
    /// The number of the last feed entry that retention has taken away; 0 for none.
    pub feed_trimmed: u64,
    /// The number of the last audit entry.
    pub audit: u64,
    /// The number of the last audit entry that retention has taken away; 0 for none.
    pub audit_trimmed: u64,
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

/// What is called for each pair of a table, and told if the record is damaged.
pub(crate) type VisitPair<'a> = &'a mut dyn FnMut(&[u8], Read<&[u8]>) -> Flow;

impl Snapshot {
    pub(crate) fn new(view: Arc<dyn RawView>) -> Self {
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

    /// The same, remembering what its row means.
    pub fn known_tenant(
        &self,
        id: &TenantId,
        known: &Decoded<Tenant>,
    ) -> Read<Option<Arc<Tenant>>> {
        self.known(Table::Tenants, id.as_str().as_bytes(), known)
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
            settings_revision: counters.settings,
            group_names: counters.names,
            settings,
            bindings,
        }))
    }

    /// How many of what a tenant has.
    pub fn counts(&self, tenant: TenantKey) -> Read<Counts> {
        let Counters { users, groups, feed, feed_trimmed, audit, audit_trimmed, .. } =
            self.counters(tenant)?.unwrap_or_default();
        Ok(Counts { users, groups, feed, feed_trimmed, audit, audit_trimmed })
    }

    pub(crate) fn counters(&self, tenant: TenantKey) -> Read<Option<Counters>> {
        let payload = self.get(Table::Counters, &Key::tenant(tenant).done())?;
        payload.as_deref().map(Counters::decode).transpose()
    }

    /// One token.
    pub fn token(&self, tenant: TenantKey, id: TokenId) -> Read<Option<Token>> {
        self.json(Table::Tokens, &key::token(tenant, id))
    }

    /// The same, remembering what its row means.
    pub fn known_token(
        &self,
        tenant: TenantKey,
        id: TokenId,
        known: &Decoded<Token>,
    ) -> Read<Option<Arc<Token>>> {
        self.known(Table::Tokens, &key::token(tenant, id), known)
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

    /// Visits the ids of a tenant's users or groups, oldest first, after `after`. What is kept of
    /// them is neither read nor checked, so that paging past many is cheap.
    pub fn resource_ids(
        &self,
        tenant: TenantKey,
        resource_type: ResourceType,
        after: Option<&[u8; 16]>,
        mut visit: impl FnMut([u8; 16]) -> Flow,
    ) -> Read<()> {
        let table = resource_table(resource_type);
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(Key::tenant(tenant).id(after).done());
        }
        self.view.scan(table, &range, Order::Ascending, &mut |key, _| match key::last_id(key) {
            Some(id) => visit(id),
            None => ControlFlow::Continue(()),
        })
    }

    // --- underneath ------------------------------------------------------------------------------

    /// Every pair of a table, for backups and checks: a damaged record comes as an error, and the
    /// next one after it.
    pub(crate) fn pairs(&self, table: Table, visit: VisitPair<'_>) -> Read<()> {
        self.view.scan(table, &Range::all(), Order::Ascending, &mut |key, sealed| {
            visit(key, record::open(table, key, sealed))
        })
    }

    /// How many pairs have a key that starts with `prefix`; their values are not looked at.
    pub(crate) fn count_prefix(&self, table: Table, prefix: &[u8]) -> Read<u64> {
        let mut count = 0;
        self.view.scan(table, &Range::prefix(prefix), Order::Ascending, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
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

    fn known<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
        known: &Decoded<T>,
    ) -> Read<Option<Arc<T>>> {
        if let Some(value) = known.read_in(&self.view, key) {
            return Ok(Some(value));
        }
        let payload = self.get(table, key)?;
        payload.map(|payload| known.of(table, key, payload, &self.view)).transpose()
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

pub(crate) fn marked_of(key: &[u8]) -> Option<Marked> {
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
