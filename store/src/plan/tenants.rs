//! Tenants, their configuration and tokens: put and delete.

use access::settings::Settings;
use access::{Bindings, GroupId, TenantId, TokenId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::audit::Changed;
use super::{Change, Planned};
use crate::changeset::Refusal;
use crate::key::{self, Key, TenantKey};
use crate::record::{Counters, Marked};
use crate::snapshot::encode_json;
use crate::table::Table;
use crate::tenant::{StoredConfig, Tenant, Token};

/// Where the hash of the operator token is.
pub(crate) const OPERATOR_TOKEN: &[u8] = b"operator_token";
/// Where the next tenant's number is.
pub(crate) const NEXT_TENANT: &[u8] = b"next_tenant";
/// What the numbers of deleted tenants whose rows are still there begin with.
pub(crate) const PURGE: &[u8] = b"purge/";

pub(crate) fn purge_key(tenant: TenantKey) -> Vec<u8> {
    [PURGE, &tenant.0.to_be_bytes()].concat()
}

/// A token without its secret.
fn shown(token: &Token) -> Value {
    json!({
        "label": token.label,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    })
}

impl Change<'_, '_> {
    pub(super) fn create_tenant(
        &mut self,
        id: TenantId,
        name: String,
        token: &Token,
    ) -> Planned<()> {
        let tenant_key = id.as_str().as_bytes().to_vec();
        if self.overlay.get(Table::Tenants, &tenant_key)?.is_some() {
            return Err(Refusal::NotUnique { attribute: "id" }.into());
        }
        let next = self.overlay.get(Table::Meta, NEXT_TENANT)?;
        let next = next.and_then(|bytes| bytes.try_into().ok()).map_or(1, u32::from_le_bytes);
        let key = TenantKey(next);
        let following = next.saturating_add(1).to_le_bytes().to_vec();
        self.overlay.put(Table::Meta, NEXT_TENANT.to_vec(), following);

        let tenant = Tenant { key, id, name, created_at: self.now };
        self.overlay.put(Table::Tenants, tenant_key, encode_json(Table::Tenants, &tenant)?);
        let config = StoredConfig { settings: Settings::default(), bindings: Bindings::default() };
        let payload = encode_json(Table::Configs, &config)?;
        self.overlay.put(Table::Configs, Key::tenant(key).done(), payload);
        let counters = Counters { config: 1, settings: 1, ..Counters::default() };
        self.overlay.put(Table::Counters, Key::tenant(key).done(), counters.encode());
        self.committed.tenant = Some(key);
        let after = json!({"id": tenant.id, "name": tenant.name});
        self.audit.push(Changed::new("tenant", tenant.id.to_string()).after(&after));
        self.put_token(key, token)
    }

    /// Takes a tenant away: without its tenant and counters rows nothing finds the others, and no
    /// change of it is taken any more.
    pub(super) fn delete_tenant(&mut self, id: &TenantId) -> Planned<()> {
        let tenant_key = id.as_str().as_bytes().to_vec();
        let tenant: Tenant =
            self.load_json(Table::Tenants, &tenant_key)?.ok_or(Refusal::NoTenant)?;
        self.overlay.delete(Table::Tenants, tenant_key);
        self.overlay.delete(Table::Counters, Key::tenant(tenant.key).done());
        self.overlay.put(Table::Meta, purge_key(tenant.key), Vec::new());
        let before = json!({"id": tenant.id, "name": tenant.name});
        self.audit.push(Changed::new("tenant", id.to_string()).before(&before));
        self.committed.tenant = Some(tenant.key);
        // The counters are gone for good, also if this very change has counted something.
        self.is_deleted |= tenant.key == self.tenant;
        Ok(())
    }

    pub(super) fn purge(&mut self, tenant: TenantKey, rows_max: usize) -> Planned<()> {
        if self.overlay.get(Table::Meta, &purge_key(tenant))?.is_none() {
            return Ok(());
        }
        let prefix = Key::tenant(tenant).done();
        let mut left = rows_max;
        for table in Table::ALL.into_iter().filter(|table| table.is_of_a_tenant()) {
            left -= self.overlay.delete_prefix(table, &prefix, left)?;
            if left == 0 {
                self.committed.more_to_purge = true;
                return Ok(());
            }
        }
        self.overlay.delete(Table::Meta, purge_key(tenant));
        Ok(())
    }

    pub(super) fn put_config(&mut self, settings: Settings, bindings: Bindings) -> Planned<()> {
        let before = self.overlay.get(Table::Configs, &Key::tenant(self.tenant).done())?;
        let payload = encode_json(Table::Configs, &StoredConfig { settings, bindings })?;
        self.audit_settings(before.as_deref(), &payload)?;
        self.overlay.put(Table::Configs, Key::tenant(self.tenant).done(), payload);
        self.counters.config += 1;
        self.counters.settings += 1;
        Ok(())
    }

    /// Binds the mapping that waits for a group of this name, if there is one; the group's members
    /// are owed a decision.
    pub(super) fn bind_mapping(&mut self, group: GroupId, name: &str) -> Planned<()> {
        let Some(config) = self.stored_config()? else { return Ok(()) };
        match config.bindings.group_named(&config.settings, group, name) {
            Some(bindings) => self.put_bindings(&config, bindings),
            None => Ok(()),
        }
    }

    /// Binds the mappings that meant a group which is deleted to the next group of their name.
    pub(super) fn unbind_mappings(&mut self, group: GroupId) -> Planned<()> {
        let Some(config) = self.stored_config()? else { return Ok(()) };
        let mut unread = None;
        let rebound = config.bindings.group_deleted(group, |name| {
            let found = self.overlay.get(Table::GroupNames, &key::name(self.tenant, name));
            let found = found.unwrap_or_else(|error| {
                unread = Some(error);
                None
            });
            found.and_then(|id| id.try_into().ok()).map(GroupId::from_bytes)
        });
        match (unread, rebound) {
            (Some(error), _) => Err(error.into()),
            (None, Some(bindings)) => self.put_bindings(&config, bindings),
            (None, None) => Ok(()),
        }
    }

    fn stored_config(&self) -> Planned<Option<StoredConfig>> {
        self.load_json(Table::Configs, &Key::tenant(self.tenant).done())
    }

    fn put_bindings(&mut self, before: &StoredConfig, bindings: Bindings) -> Planned<()> {
        let gained: Vec<GroupId> = bindings.gained_since(&before.bindings).collect();
        let config = StoredConfig { settings: before.settings.clone(), bindings };
        let payload = encode_json(Table::Configs, &config)?;
        let bound = Changed::new("bindings", "");
        self.audit.push(bound.before(&json!(before.bindings)).after(&json!(config.bindings)));
        self.overlay.put(Table::Configs, Key::tenant(self.tenant).done(), payload);
        self.counters.config += 1;
        self.committed.rebound = true;
        for group in gained {
            self.mark(Marked::Group(group), true)?;
        }
        Ok(())
    }

    pub(super) fn put_token(&mut self, tenant: TenantKey, token: &Token) -> Planned<()> {
        let payload = encode_json(Table::Tokens, token)?;
        self.audit.push(Changed::new("token", token.id.to_string()).after(&shown(token)));
        self.overlay.put(Table::Tokens, key::token(tenant, token.id), payload);
        Ok(())
    }

    pub(super) fn delete_token(&mut self, id: TokenId) -> Planned<()> {
        let key = key::token(self.tenant, id);
        let before: Token = self.load_json(Table::Tokens, &key)?.ok_or(Refusal::Gone)?;
        self.audit.push(Changed::new("token", id.to_string()).before(&shown(&before)));
        self.overlay.delete(Table::Tokens, key);
        Ok(())
    }

    pub(super) fn expire_token(&mut self, id: TokenId, at: Timestamp) -> Planned<()> {
        let key = key::token(self.tenant, id);
        let before: Token = self.load_json(Table::Tokens, &key)?.ok_or(Refusal::Gone)?;
        if before.expires_at.is_some_and(|end| end <= at) {
            return Ok(());
        }
        let after = Token { expires_at: Some(at), ..before.clone() };
        let changed = Changed::new("token", id.to_string());
        self.audit.push(changed.before(&shown(&before)).after(&shown(&after)));
        let payload = encode_json(Table::Tokens, &after)?;
        self.overlay.put(Table::Tokens, key, payload);
        Ok(())
    }
}
