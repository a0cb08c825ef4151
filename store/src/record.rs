//! Records: how a value looks on disk.
//!
//! Every value is sealed with an XXH3 checksum over its table, its key and itself, because redb
//! does not verify its checksums on reads: a flipped bit would come back as a good value, and one
//! flipped bit in a role is a privilege escalation. A value that was moved to another key fails
//! too. Resources carry a small binary header in front of their JSON, so that an index, a version
//! or a member count can be read and changed without parsing it.

use access::{Account, GroupId, RequestId, UserId, WaveId};
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::kv::ReadError;
use crate::table::Table;

/// Bytes that a checksum adds to a payload.
pub(crate) const SEAL_BYTES: usize = 8;

fn checksum(table: Table, key: &[u8], payload: &[u8]) -> [u8; SEAL_BYTES] {
    let key = xxh3_64_with_seed(key, u64::from(table.number()));
    xxh3_64_with_seed(payload, key).to_le_bytes()
}

/// The payload with its checksum behind it.
pub(crate) fn seal(table: Table, key: &[u8], mut payload: Vec<u8>) -> Vec<u8> {
    let sum = checksum(table, key, &payload);
    payload.extend_from_slice(&sum);
    payload
}

/// The payload of a sealed value, if it is what was written for this key of this table.
pub(crate) fn open<'a>(table: Table, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], ReadError> {
    let damaged = ReadError::Damaged { table: table.name() };
    let Some((payload, sum)) = sealed.split_last_chunk::<SEAL_BYTES>() else { return Err(damaged) };
    if checksum(table, key, payload) == *sum { Ok(payload) } else { Err(damaged) }
}

/// A SCIM resource as kept: header and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Counts the changes of the resource, from 1. Its version is made of it.
    pub revision: u64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// For a group: how many known members it has.
    pub members: u32,
    /// The unique name, as sent: userName or displayName.
    pub name: String,
    /// `externalId`, as sent.
    pub external_id: Option<String>,
    /// The resource's JSON, less `meta`, `groups` and `members`.
    pub body: Vec<u8>,
}

/// The layout of [`Record`]'s header.
const RECORD_LAYOUT: u8 = 1;

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let external = self.external_id.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(64 + self.name.len() + external.len() + self.body.len());
        out.push(RECORD_LAYOUT);
        out.extend_from_slice(&self.revision.to_le_bytes());
        out.extend_from_slice(&self.created.as_millisecond().to_le_bytes());
        out.extend_from_slice(&self.modified.as_millisecond().to_le_bytes());
        out.extend_from_slice(&self.members.to_le_bytes());
        put_text(&mut out, &self.name);
        out.push(u8::from(self.external_id.is_some()));
        put_text(&mut out, external);
        out.extend_from_slice(&self.body);
        out
    }

    pub(crate) fn decode(table: Table, payload: &[u8]) -> Result<Self, ReadError> {
        Self::read(&mut Reader(payload)).ok_or_else(|| ReadError::Damaged { table: table.name() })
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.byte()? != RECORD_LAYOUT {
            return None;
        }
        let revision = reader.u64()?;
        let created = reader.time()?;
        let modified = reader.time()?;
        let members = reader.u32()?;
        let name = reader.text()?;
        let has_external = reader.byte()? == 1;
        let external = reader.text()?;
        let external_id = has_external.then_some(external);
        Some(Self {
            revision,
            created,
            modified,
            members,
            name,
            external_id,
            body: reader.0.to_vec(),
        })
    }
}

/// The revision in front of an account's JSON.
pub(crate) fn account_revision(payload: &[u8]) -> Result<u64, ReadError> {
    Reader(payload).u64().ok_or(ReadError::Damaged { table: Table::Accounts.name() })
}

/// The JSON of an account's row.
pub(crate) fn account_json(payload: &[u8]) -> Result<&[u8], ReadError> {
    let damaged = ReadError::Damaged { table: Table::Accounts.name() };
    payload.split_first_chunk::<8>().map(|(_, json)| json).ok_or(damaged)
}

/// An account from its row: revision and JSON.
pub(crate) fn decode_account(payload: &[u8]) -> Result<Account, ReadError> {
    let damaged = || ReadError::Damaged { table: Table::Accounts.name() };
    let (revision, json) = payload.split_first_chunk::<8>().ok_or_else(damaged)?;
    let mut account: Account = serde_json::from_slice(json).map_err(|_| damaged())?;
    account.revision = u64::from_le_bytes(*revision);
    Ok(account)
}

/// Whom a dirty mark is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marked {
    /// One account.
    User(UserId),
    /// Every member of a group: its name, or the mapping to it, changed.
    Group(GroupId),
    /// Every account of the tenant: its settings changed.
    Tenant,
}

/// A dirty mark: the reconciler owes somebody a decision. It is cleared only if its generation is
/// still the one that was read, so a touch in between is never forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Changes whenever the mark is renewed, and never comes back.
    pub generation: u64,
    /// When the mark was first made; renewing does not change it.
    pub first_touched: Timestamp,
    /// The wave of the last touch; none for an operator's act.
    pub wave: Option<WaveId>,
    /// The request behind the mark: the last that changed memberships, or else the first.
    pub request: Option<RequestId>,
}

impl Mark {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.first_touched.as_millisecond().to_le_bytes());
        out.extend_from_slice(self.wave.as_ref().map_or(&[0_u8; 16], |wave| wave.as_bytes()));
        out.extend_from_slice(self.request.as_ref().map_or(&[0_u8; 16], |id| id.as_bytes()));
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        Self::read(&mut Reader(payload)).ok_or(ReadError::Damaged { table: Table::Marks.name() })
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let generation = reader.u64()?;
        let first_touched = reader.time()?;
        let wave: [u8; 16] = reader.array()?;
        let wave = (wave != [0; 16]).then(|| WaveId::from_bytes(wave));
        // Marks of the first version end here.
        let request = reader.array().filter(|id| *id != [0; 16]).map(RequestId::from_bytes);
        reader.0.is_empty().then_some(Self { generation, first_touched, wave, request })
    }
}

/// What a tenant counts. One row, so that a commit of many changes writes it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// The number of the last feed entry; the first is 1.
    pub(crate) feed: u64,
    /// The last generation given to a mark.
    pub(crate) mark: u64,
    /// Counts the changes of settings and bindings.
    pub(crate) config: u64,
    /// SCIM users.
    pub(crate) users: u64,
    /// SCIM groups.
    pub(crate) groups: u64,
    /// Counts the changes of groups' names.
    pub(crate) names: u64,
    /// Counts the changes of settings.
    pub(crate) settings: u64,
    /// The number of the last feed entry that retention has taken away; 0 for none.
    pub(crate) feed_trimmed: u64,
    /// The number of the last audit entry; the first is 1.
    pub(crate) audit: u64,
    /// The number of the last audit entry that retention has taken away; 0 for none.
    pub(crate) audit_trimmed: u64,
    /// The hash of the last audit entry, which the next one continues.
    pub(crate) audit_hash: [u8; 32],
    /// The hash of the last audit entry that retention has taken away.
    pub(crate) audit_trimmed_hash: [u8; 32],
}

impl Counters {
    pub(crate) fn encode(self) -> Vec<u8> {
        let numbers = [
            self.feed,
            self.mark,
            self.config,
            self.users,
            self.groups,
            self.names,
            self.settings,
            self.feed_trimmed,
            self.audit,
            self.audit_trimmed,
        ];
        let numbers = numbers.iter().flat_map(|counter| counter.to_le_bytes());
        numbers.chain(self.audit_hash).chain(self.audit_trimmed_hash).collect()
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        Self::read(&mut Reader(payload)).ok_or(ReadError::Damaged { table: Table::Counters.name() })
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (feed, mark, config) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (users, groups, names) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let settings = reader.u64()?;
        let first_version =
            Self { feed, mark, config, users, groups, names, settings, ..Self::default() };
        if reader.0.is_empty() {
            return Some(first_version);
        }
        let (feed_trimmed, audit, audit_trimmed) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (audit_hash, audit_trimmed_hash) = (reader.array()?, reader.array()?);
        Some(Self {
            feed_trimmed,
            audit,
            audit_trimmed,
            audit_hash,
            audit_trimmed_hash,
            ..first_version
        })
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Request bodies are far below 4 GiB.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Takes fields off the front of a payload.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.array().map(i64::from_le_bytes)?).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_flipped_bit_is_served(payload in prop::collection::vec(any::<u8>(), 0..200), bit in 0_usize..1_600) {
            let mut sealed = seal(Table::Accounts, b"key", payload.clone());
            prop_assert_eq!(open(Table::Accounts, b"key", &sealed).unwrap(), payload.as_slice());
            let bit = bit % (sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open(Table::Accounts, b"key", &sealed).is_err());
        }

        #[test]
        fn a_record_reads_back_as_it_was_written(
            revision in any::<u64>(), members in any::<u32>(), name in ".*",
            external_id in prop::option::of(".*"), body in prop::collection::vec(any::<u8>(), 0..100))
        {
            let at = Timestamp::from_millisecond(1_795_000_000_123).unwrap();
            let record = Record { revision, created: at, modified: at, members, name, external_id, body };
            prop_assert_eq!(Record::decode(Table::Users, &record.encode()).unwrap(), record);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(Table::Users, &bytes);
            let _ = Mark::decode(&bytes);
            let _ = Counters::decode(&bytes);
            let _ = open(Table::Users, b"k", &bytes);
        }
    }

    #[test]
    fn a_value_moved_to_another_key_or_table_is_refused() {
        let sealed = seal(Table::Accounts, b"alice", b"admin".to_vec());
        assert!(open(Table::Accounts, b"bob", &sealed).is_err());
        assert!(open(Table::Users, b"alice", &sealed).is_err());
    }
}
