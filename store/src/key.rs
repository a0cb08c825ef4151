//! Keys: how a row is found, and in which order rows lie.
//!
//! Every key of a tenant's row starts with the tenant's number, big-endian, so that a tenant is
//! one range and nothing of another tenant can be in it. Identifiers of ours are time-ordered and
//! come next; text from outside comes behind its length, or as its SHA-256 when it is long, so
//! that one text is never the prefix of another and a key never grows past a limit.

use access::{GroupId, TokenId, UserId, WaveId};
use scim::schema::ResourceType;
use sha2::{Digest, Sha256};

use crate::requests::PART_BODIES;

/// A tenant's number: given when it is made, never given again. A tenant made anew under an old
/// id has another number, so it can see nothing of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey(pub(crate) u32);

impl TenantKey {
    /// The number, for logs.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Text that fits into a key as it is.
const TEXT_BYTES_MAX: usize = 250;
const TEXT_HASHED: u8 = 255;

/// A key under construction.
#[derive(Clone)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn tenant(tenant: TenantKey) -> Self {
        let mut bytes = Vec::with_capacity(40);
        bytes.extend_from_slice(&tenant.0.to_be_bytes());
        Self(bytes)
    }

    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn id(mut self, id: &[u8; 16]) -> Self {
        self.0.extend_from_slice(id);
        self
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(length) if text.len() <= TEXT_BYTES_MAX => {
                self.0.push(length);
                self.0.extend_from_slice(text.as_bytes());
            }
            _ => {
                self.0.push(TEXT_HASHED);
                self.0.extend_from_slice(&Sha256::digest(text.as_bytes()));
            }
        }
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// What the keys of resource types begin with in tables that hold both.
pub(crate) const fn resource_tag(resource_type: ResourceType) -> u8 {
    match resource_type {
        ResourceType::User => b'u',
        ResourceType::Group => b'g',
    }
}

/// Members that exist.
pub(crate) const MEMBER_KNOWN: u8 = 0;
/// Members that nobody has pushed yet.
pub(crate) const MEMBER_PARKED: u8 = 1;

pub(crate) fn user(tenant: TenantKey, user: UserId) -> Vec<u8> {
    Key::tenant(tenant).id(user.as_bytes()).done()
}

pub(crate) fn group(tenant: TenantKey, group: GroupId) -> Vec<u8> {
    Key::tenant(tenant).id(group.as_bytes()).done()
}

pub(crate) fn wave(tenant: TenantKey, wave: WaveId) -> Vec<u8> {
    Key::tenant(tenant).id(wave.as_bytes()).done()
}

pub(crate) fn token(tenant: TenantKey, token: TokenId) -> Vec<u8> {
    Key::tenant(tenant).id(token.as_bytes()).done()
}

/// A unique name; the caller folds it.
pub(crate) fn name(tenant: TenantKey, folded: &str) -> Vec<u8> {
    Key::tenant(tenant).text(folded).done()
}

pub(crate) fn external_id_prefix(
    tenant: TenantKey,
    resource_type: ResourceType,
    external_id: &str,
) -> Vec<u8> {
    Key::tenant(tenant).byte(resource_tag(resource_type)).text(external_id).done()
}

pub(crate) fn external_id(
    tenant: TenantKey,
    resource_type: ResourceType,
    external_id: &str,
    id: &[u8; 16],
) -> Vec<u8> {
    let mut key = external_id_prefix(tenant, resource_type, external_id);
    key.extend_from_slice(id);
    key
}

pub(crate) fn members_prefix(tenant: TenantKey, group: GroupId, kind: u8) -> Vec<u8> {
    Key::tenant(tenant).id(group.as_bytes()).byte(kind).done()
}

pub(crate) fn member(tenant: TenantKey, group: GroupId, member: &[u8; 16]) -> Vec<u8> {
    Key::tenant(tenant).id(group.as_bytes()).byte(MEMBER_KNOWN).id(member).done()
}

pub(crate) fn membership(tenant: TenantKey, member: &[u8; 16], group: GroupId) -> Vec<u8> {
    Key::tenant(tenant).id(member).id(group.as_bytes()).done()
}

pub(crate) fn parked_member(tenant: TenantKey, group: GroupId, value: &str) -> Vec<u8> {
    Key::tenant(tenant).id(group.as_bytes()).byte(MEMBER_PARKED).text(value).done()
}

pub(crate) fn parked_prefix(tenant: TenantKey, value: &str) -> Vec<u8> {
    Key::tenant(tenant).text(value).done()
}

pub(crate) fn parked(tenant: TenantKey, value: &str, group: GroupId) -> Vec<u8> {
    Key::tenant(tenant).text(value).id(group.as_bytes()).done()
}

pub(crate) fn feed(tenant: TenantKey, sequence: u64) -> Vec<u8> {
    Key::tenant(tenant).number(sequence).done()
}

pub(crate) fn audit(tenant: TenantKey, number: u64) -> Vec<u8> {
    Key::tenant(tenant).number(number).done()
}

/// A part of a block of the request record.
pub(crate) fn requests(tenant: TenantKey, part: u8, block: &[u8; 16]) -> Vec<u8> {
    Key::tenant(tenant).byte(part).id(block).done()
}

/// A further piece of the bodies of such a block; the first lies under the key of the part itself,
/// where the only one lay before there were pieces.
pub(crate) fn request_bodies(tenant: TenantKey, block: &[u8; 16], piece: u16) -> Vec<u8> {
    let mut key = requests(tenant, PART_BODIES, block);
    if piece > 0 {
        key.extend_from_slice(&piece.to_be_bytes());
    }
    key
}

/// The first key after all that start with `prefix`; none if there is no such key.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end)
}

/// The 16 bytes at the end of a key.
pub(crate) fn last_id(key: &[u8]) -> Option<[u8; 16]> {
    key.len().checked_sub(16).and_then(|start| key.get(start..)).and_then(|id| id.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: TenantKey = TenantKey(7);

    #[test]
    fn one_text_is_never_the_prefix_of_another() {
        let short = parked_prefix(ACME, "ab");
        let long = parked_prefix(ACME, "abc");
        assert!(!long.starts_with(&short));
    }

    #[test]
    fn a_long_text_becomes_a_key_of_bounded_length() {
        let (one, other) = ("x".repeat(100_000), "x".repeat(100_001));
        assert_eq!(name(ACME, &one).len(), 4 + 1 + 32);
        assert_ne!(name(ACME, &one), name(ACME, &other));
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_that_start_with_it() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255, 255]), None);
    }
}
