//! Many captured exchanges, one behind the other in two buffers: nothing is allocated for a single
//! one, and what it was made of can be let go of at once.
//!
//! Holds secrets, as [`Captured`] does.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::{Captured, CapturedBody};
use crate::id::{RequestId, TokenId, WaveId};
use crate::redact::Omitted;

/// Captured exchanges, in the order in which they were added.
#[derive(Default)]
pub struct Batch {
    entries: Vec<Entry>,
    texts: String,
    bodies: Vec<u8>,
    bytes: usize,
}

/// An exchange, and where its texts and bodies stand.
struct Entry {
    id: RequestId,
    at: Timestamp,
    method: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    user_agent: Option<Range<usize>>,
    presented: Range<usize>,
    token: Option<(TokenId, Range<usize>)>,
    wave: Option<WaveId>,
    request: Option<EntryBody>,
    status: Option<u16>,
    duration: Duration,
    answer: Option<EntryBody>,
}

struct EntryBody {
    held: Result<Range<usize>, Omitted>,
    size: u64,
}

impl Batch {
    /// Adds a copy of one.
    pub fn add(&mut self, captured: &Captured<'_>) {
        self.bytes = self.bytes.saturating_add(captured.bytes());
        let entry = Entry {
            id: captured.id,
            at: captured.at,
            method: self.text(captured.method),
            path: self.text(captured.path),
            query: captured.query.map(|query| self.text(query)),
            user_agent: captured.user_agent.map(|agent| self.text(agent)),
            presented: self.text(captured.presented),
            token: captured.token.map(|(id, label)| (id, self.text(label))),
            wave: captured.wave,
            request: captured.request.map(|body| self.body(body)),
            status: captured.status,
            duration: captured.duration,
            answer: captured.answer.map(|body| self.body(body)),
        };
        self.entries.push(entry);
    }

    fn text(&mut self, text: &str) -> Range<usize> {
        let start = self.texts.len();
        self.texts.push_str(text);
        start..self.texts.len()
    }

    fn body(&mut self, body: CapturedBody<'_>) -> EntryBody {
        let held = body.held.map(|held| {
            let start = self.bodies.len();
            self.bodies.extend_from_slice(held);
            start..self.bodies.len()
        });
        EntryBody { held, size: body.size }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of them: see [`Captured::bytes`].
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Captured<'_>> {
        self.entries.iter().map(|entry| self.captured(entry))
    }

    fn captured<'a>(&'a self, entry: &Entry) -> Captured<'a> {
        // Each stands where it was put.
        let text = |range: &Range<usize>| self.texts.get(range.clone()).unwrap_or_default();
        let body = |body: &EntryBody| CapturedBody {
            held: body.held.clone().map(|range| self.bodies.get(range).unwrap_or_default()),
            size: body.size,
        };
        Captured {
            id: entry.id,
            at: entry.at,
            method: text(&entry.method),
            path: text(&entry.path),
            query: entry.query.as_ref().map(text),
            user_agent: entry.user_agent.as_ref().map(text),
            presented: text(&entry.presented),
            token: entry.token.as_ref().map(|(id, label)| (*id, text(label))),
            wave: entry.wave,
            request: entry.request.as_ref().map(body),
            status: entry.status,
            duration: entry.duration,
            answer: entry.answer.as_ref().map(body),
        }
    }

    /// Takes all of them out, and keeps the buffers.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.texts.clear();
        self.bodies.clear();
        self.bytes = 0;
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} exchanges, {} bytes)", self.len(), self.bytes)
    }
}
