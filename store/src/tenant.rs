//! Tenants, their configuration and their tokens, as kept.

use access::settings::Settings;
use access::{Bindings, TenantId, TokenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::key::TenantKey;

/// One customer directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number in keys.
    #[serde(with = "number")]
    pub key: TenantKey,
    /// Its id in addresses.
    pub id: TenantId,
    /// Its name, for people.
    pub name: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// A tenant's settings, and the bindings of its mappings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Counts the changes of this.
    pub revision: u64,
    /// Counts the changes of the settings alone.
    pub settings_revision: u64,
    /// Counts the changes of groups' names; a new mapping is bound by name.
    pub group_names: u64,
    /// What its administrator decided.
    pub settings: Settings,
    /// Which groups its mappings mean.
    pub bindings: Bindings,
}

/// [`Config`] on disk; the revision is a counter.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredConfig {
    pub(crate) settings: Settings,
    pub(crate) bindings: Bindings,
}

/// A SCIM token, as kept: its secret only as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public half.
    pub id: TokenId,
    /// What people call it.
    pub label: String,
    /// SHA-256 of its secret half, 32 bytes.
    pub secret_sha256: [u8; 32],
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it no longer counts; never, if absent.
    pub expires_at: Option<Timestamp>,
}

mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::TenantKey;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(key: &TenantKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(key.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TenantKey, D::Error> {
        u32::deserialize(from).map(TenantKey)
    }
}
