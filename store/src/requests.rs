//! The request record: what directories sent, and what they got, in compressed blocks.
//!
//! Some hundred exchanges make a block, which is written as its facts, with a sorted set of hashes of
//! what they can be found by, and their bodies, in pieces. So a list or a search reads facts alone,
//! and passes over blocks that cannot hold what is looked for without unpacking them. A block's id
//! grows with the time at which it was made. Exchanges stand in it in the order in which they were
//! answered, and so do blocks.
//!
//! Each block knows how many bytes were written with it and before it, so that the size of all is
//! the difference of two of them.

use std::borrow::Cow;
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

/// Packs exchanges into blocks, one after the other, in the same buffers: fresh ones would be most
/// of what it takes.
#[derive(Default)]
pub struct Packer {
    /// The facts of the block that is being made, as JSON.
    facts: Vec<u8>,
    /// Its bodies, one behind the other.
    bodies: Vec<u8>,
    /// What its exchanges can be found by.
    names: Vec<u64>,
    /// Where parts are compressed.
    packed: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packer({} bytes)", self.facts.len() + self.bodies.len())
    }
}

impl Packer {
    /// Adds an exchange. They are added in the order in which they were answered.
    pub fn add(&mut self, record: &Recorded<'_>) -> Result<(), ReadError> {
        self.facts.push(if self.facts.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut self.facts, &record.facts)
            .map_err(|error| ReadError::Unavailable(error.to_string()))?;
        self.bodies.extend_from_slice(record.request.as_bytes());
        self.bodies.extend_from_slice(record.answer.as_bytes());
        self.names.extend(record.facts.names());
        Ok(())
    }

    /// Makes a block of what was added. `written` is how many bytes were written before:
    /// [`SealedBlock::written`] of the block before, or 0.
    pub fn seal(&mut self, id: BlockId, written: u64) -> Result<SealedBlock, ReadError> {
        if self.facts.is_empty() {
            self.facts.push(b'[');
        }
        self.facts.push(b']');
        self.names.sort_unstable();
        self.names.dedup();
        let packed = compress(&self.bodies, &mut self.packed)?;
        let mut bodies = Vec::with_capacity(1 + SIZE_BYTES + packed.len());
        bodies.push(LAYOUT);
        put_packed(&mut bodies, self.bodies.len(), packed);
        let packed = compress(&self.facts, &mut self.packed)?;
        let facts_bytes = HEADER_BYTES + self.names.len() * 8 + SIZE_BYTES + packed.len();
        let own = u32::try_from(facts_bytes + bodies.len()).unwrap_or(u32::MAX);
        let written = written.saturating_add(u64::from(own));
        let mut facts = Vec::with_capacity(facts_bytes);
        facts.push(LAYOUT);
        facts.extend_from_slice(&written.to_le_bytes());
        facts.extend_from_slice(&own.to_le_bytes());
        facts.extend_from_slice(&size(self.bodies.len()));
        facts.extend_from_slice(&size(self.names.len()));
        for name in &self.names {
            facts.extend_from_slice(&name.to_le_bytes());
        }
        put_packed(&mut facts, self.facts.len(), packed);
        self.facts.clear();
        self.bodies.clear();
        self.names.clear();
        Ok(SealedBlock { id, facts, bodies, written })
    }
}

fn size(bytes: usize) -> [u8; SIZE_BYTES] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// Compresses into a buffer that is there already.
fn compress<'a>(plain: &[u8], into: &'a mut Vec<u8>) -> Result<&'a [u8], ReadError> {
    let room = lz4_flex::block::get_maximum_output_size(plain.len());
    if into.len() < room {
        into.resize(room, 0);
    }
    let bytes = lz4_flex::block::compress_into(plain, into)
        .map_err(|error| ReadError::Unavailable(error.to_string()))?;
    Ok(into.get(..bytes).unwrap_or_default())
}

/// Adds what was compressed, with its size before in front.
fn put_packed(out: &mut Vec<u8>, unpacked: usize, packed: &[u8]) {
    out.extend_from_slice(&size(unpacked));
    out.extend_from_slice(packed);
}

impl SealedBlock {
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

/// Bytes of a size.
const SIZE_BYTES: usize = 4;
/// Layout, bytes written, own bytes, unpacked bytes of the bodies, number of names.
const HEADER_BYTES: usize = 1 + 8 + 4 + SIZE_BYTES + SIZE_BYTES;

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
    pub exchanges: Vec<Exchange<'static>>,
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
    pub fn with_bodies(self, bodies: &BlockBodies) -> Result<Vec<Recorded<'static>>, ReadError> {
        let mut at = 0_usize;
        let mut take = |bytes: usize| {
            let end = at.checked_add(bytes).ok_or_else(damaged)?;
            let text = bodies.0.get(at..end).ok_or_else(damaged)?;
            at = end;
            String::from_utf8(text.to_vec()).map(Cow::Owned).map_err(|_| damaged())
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
fn kept_bytes(facts: &Exchange<'_>) -> (usize, usize) {
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
