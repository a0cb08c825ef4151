//! The request record: what directories sent, and what they got, in compressed blocks.
//!
//! Some hundred exchanges make a block, which is written as its facts, with a sorted set of hashes of
//! what they can be found by, and their bodies, in pieces. So a list or a search reads facts alone, and passes over blocks that cannot hold what is looked for without unpacking them. A
//! block's id grows with the time at which it was made. Exchanges stand in it in the order in which
//! they were answered, and so do blocks.
//!
//! Each block knows how many bytes were written with it and before it, so that the size of all is
//! the difference of two of them.

use std::fmt;
use std::str::FromStr;

use access::exchange::{Exchange, Recorded};
use access::id::InvalidId;
use jiff::Timestamp;
use uuid::Uuid;

use crate::kv::ReadError;
use crate::table::Table;

/// The part of a block with its facts.
pub(crate) const PART_FACTS: u8 = 0;
/// The part of a block with its bodies.
pub(crate) const PART_BODIES: u8 = 1;
/// The layout of both parts.
const LAYOUT: u8 = 1;
/// Bytes of one row of bodies. A page is a power of two: a value just beneath one wastes little of
/// it, and many small pages waste less than a large one.
pub(crate) const PIECE_BYTES: usize = (64 << 10) - 256;
/// Rows of one block's bodies, at most: what is packed is hardly larger than what it is packed from,
/// and some MB of that are a block.
pub(crate) const PIECES_MAX: usize = 64;
/// Bytes of one part, unpacked: nobody wrote more, and a damaged length must not fill the memory.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Which block: later ones sort later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(Uuid);

impl BlockId {
    /// A fresh one, made at `now`, that sorts after `last`.
    pub fn new(now: Timestamp, last: Option<Self>) -> Self {
        let fresh = Self::from_bytes(*access::RequestId::new(now).as_bytes());
        let next = last.map(|last| Self(Uuid::from_u128(last.0.as_u128().saturating_add(1))));
        next.map_or(fresh, |next| next.max(fresh))
    }

    /// The first that can have been made at `at`.
    pub fn first_at(at: Timestamp) -> Self {
        let millisecond = u64::try_from(at.as_millisecond()).unwrap_or_default();
        Self(Uuid::from_u128(u128::from(millisecond) << 80))
    }

    /// The one with these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes, in an order that sorts by age.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        let millisecond = i64::try_from(self.0.as_u128() >> 80).unwrap_or_default();
        Timestamp::from_millisecond(millisecond).unwrap_or_default()
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({})", self.0)
    }
}

impl FromStr for BlockId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
    }
}

/// A block, ready to be kept.
#[derive(Clone)]
pub struct SealedBlock {
    pub(crate) id: BlockId,
    pub(crate) facts: Vec<u8>,
    pub(crate) bodies: Vec<u8>,
    written: u64,
}

impl fmt::Debug for SealedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBlock({}, {} bytes)", self.id, self.facts.len() + self.bodies.len())
    }
}

impl SealedBlock {
    /// Packs exchanges, in the order in which they were answered. `written` is how many bytes were
    /// written before: [`SealedBlock::written`] of the block before, or 0.
    pub fn new(id: BlockId, records: &[Recorded], written: u64) -> Result<Self, ReadError> {
        let facts: Vec<&Exchange> = records.iter().map(|record| &record.facts).collect();
        let json = serde_json::to_vec(&facts)
            .map_err(|error| ReadError::Unavailable(error.to_string()))?;
        let mut names: Vec<u64> =
            facts.iter().flat_map(|facts| facts.names.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let texts = records.iter().flat_map(|record| [&record.request, &record.answer]);
        let mut plain = Vec::with_capacity(texts.clone().map(String::len).sum());
        for text in texts {
            plain.extend_from_slice(text.as_bytes());
        }
        let mut bodies = vec![LAYOUT];
        bodies.extend(lz4_flex::compress_prepend_size(&plain));
        let packed = lz4_flex::compress_prepend_size(&json);
        let own = packed.len() + names.len() * 8 + HEADER_BYTES + bodies.len();
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        let written = written.saturating_add(u64::from(own));
        let mut out = Vec::with_capacity(packed.len() + names.len() * 8 + HEADER_BYTES);
        out.push(LAYOUT);
        out.extend_from_slice(&written.to_le_bytes());
        out.extend_from_slice(&own.to_le_bytes());
        let unpacked = u32::try_from(plain.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&unpacked.to_le_bytes());
        out.extend_from_slice(&u32::try_from(names.len()).unwrap_or(u32::MAX).to_le_bytes());
        for name in &names {
            out.extend_from_slice(&name.to_le_bytes());
        }
        out.extend(packed);
        Ok(Self { id, facts: out, bodies, written })
    }

    /// Which one it is.
    pub const fn id(&self) -> BlockId {
        self.id
    }

    /// Bytes that were written with it and before it.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of it.
    pub const fn bytes(&self) -> u64 {
        (self.facts.len() + self.bodies.len()) as u64
    }
}

/// Layout, bytes written, own bytes, unpacked bytes of the bodies, number of names.
const HEADER_BYTES: usize = 1 + 8 + 4 + 4 + 4;

/// The facts of a block, not unpacked yet.
#[derive(Debug, Clone, Copy)]
pub struct PackedFacts<'a> {
    /// Bytes that were written with this block and before it.
    pub written: u64,
    /// Bytes of the block itself.
    pub own: u64,
    bodies_bytes: u32,
    names: &'a [u8],
    packed: &'a [u8],
}

/// The facts of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Its exchanges, in the order in which they were answered.
    pub exchanges: Vec<Exchange>,
    bodies_bytes: u32,
}

/// The bodies of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockBodies(Vec<u8>);

fn damaged() -> ReadError {
    ReadError::Damaged { table: Table::Requests.name() }
}

impl<'a> PackedFacts<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, ReadError> {
        Self::parse(payload).ok_or_else(damaged)
    }

    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (layout, rest) = payload.split_first()?;
        let (written, rest) = rest.split_first_chunk::<8>()?;
        let (own, rest) = rest.split_first_chunk::<4>()?;
        let (bodies, rest) = rest.split_first_chunk::<4>()?;
        let (names, rest) = rest.split_first_chunk::<4>()?;
        let names = usize::try_from(u32::from_le_bytes(*names)).ok()?.checked_mul(8)?;
        let (names, packed) = rest.split_at_checked(names)?;
        (*layout == LAYOUT).then_some(Self {
            written: u64::from_le_bytes(*written),
            own: u64::from(u32::from_le_bytes(*own)),
            bodies_bytes: u32::from_le_bytes(*bodies),
            names,
            packed,
        })
    }

    /// Whether one of its exchanges may be found by this hash.
    pub fn may_have(&self, name: u64) -> bool {
        let (names, _) = self.names.as_chunks::<8>();
        names.binary_search_by_key(&name, |name| u64::from_le_bytes(*name)).is_ok()
    }

    /// Its exchanges.
    pub fn unpack(&self) -> Result<BlockFacts, ReadError> {
        let json = unpack(self.packed)?;
        let exchanges = serde_json::from_slice(&json).map_err(|_| damaged())?;
        Ok(BlockFacts { exchanges, bodies_bytes: self.bodies_bytes })
    }
}

impl BlockFacts {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        PackedFacts::read(payload)?.unpack()
    }

    /// Whether these are the bodies of its exchanges.
    pub(crate) fn fits(&self, bodies: &BlockBodies) -> bool {
        let kept = self.exchanges.iter().map(|facts| kept_bytes(facts).0 + kept_bytes(facts).1);
        bodies.0.len() == usize::try_from(self.bodies_bytes).unwrap_or(usize::MAX)
            && kept.sum::<usize>() == bodies.0.len()
    }

    /// Its exchanges, each with what is kept of its bodies.
    pub fn with_bodies(self, bodies: &BlockBodies) -> Result<Vec<Recorded>, ReadError> {
        let mut at = 0_usize;
        let mut take = |bytes: usize| {
            let end = at.checked_add(bytes).ok_or_else(damaged)?;
            let text = bodies.0.get(at..end).ok_or_else(damaged)?;
            at = end;
            String::from_utf8(text.to_vec()).map_err(|_| damaged())
        };
        let whole = self.exchanges.into_iter().map(|facts| {
            let (request, answer) = kept_bytes(&facts);
            Ok(Recorded { request: take(request)?, answer: take(answer)?, facts })
        });
        whole.collect()
    }
}

impl BlockBodies {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        match payload.split_first() {
            Some((&LAYOUT, packed)) => unpack(packed).map(Self),
            _ => Err(damaged()),
        }
    }
}

/// Bytes that are kept of the request's and the answer's body.
fn kept_bytes(facts: &Exchange) -> (usize, usize) {
    let bytes = |kept: u32| usize::try_from(kept).unwrap_or(usize::MAX);
    (bytes(facts.request.kept), bytes(facts.answer.kept))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, ReadError> {
    let (size, rest) = lz4_flex::block::uncompressed_size(packed).map_err(|_| damaged())?;
    if size > UNPACKED_BYTES_MAX {
        return Err(damaged());
    }
    lz4_flex::decompress(rest, size).map_err(|_| damaged())
}
