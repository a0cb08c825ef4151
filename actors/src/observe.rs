//! What actors are doing, as operators see it.
//!
//! Each actor keeps a small block of counters that anybody can read without waiting for its turn.
//! The depth of a mailbox is counted here too, since ractor does not tell it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One actor's counters.
#[derive(Debug, Default)]
pub struct Observed {
    depth: AtomicU64,
    handled: AtomicU64,
    restarts: AtomicU64,
    last_error: Mutex<Option<String>>,
    last_message_ms: AtomicU64,
    busy: AtomicU64,
}

/// A copy of an actor's counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorState {
    /// `idle` or `working`.
    pub state: &'static str,
    /// Messages that wait, with the one being worked on.
    pub mailbox_depth: u64,
    /// Messages worked on since the actor's first start.
    pub messages_handled: u64,
    /// How often it failed and was started again.
    pub restarts: u64,
    /// The last failure, in words.
    pub last_error: Option<String>,
}

impl Observed {
    /// A message was put into the mailbox.
    pub(crate) fn sent(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    /// A message is being worked on.
    pub(crate) fn begin(&self, now: Timestamp) {
        self.busy.store(1, Ordering::Relaxed);
        let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
        self.last_message_ms.store(now, Ordering::Relaxed);
    }

    /// The message is done.
    pub(crate) fn end(&self) {
        self.busy.store(0, Ordering::Relaxed);
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.taken();
    }

    /// A message left the mailbox without being worked on.
    pub(crate) fn taken(&self) {
        let less = |depth: u64| depth.checked_sub(1);
        // A timer's message was never counted in: nothing to take.
        let _ = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The actor failed.
    pub(crate) fn failed(&self, error: &str) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.depth.store(0, Ordering::Relaxed);
        self.busy.store(0, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.depth.load(Ordering::Relaxed) == 0
    }

    /// When the last message came, in milliseconds since 1970.
    pub(crate) fn last_message_ms(&self) -> u64 {
        self.last_message_ms.load(Ordering::Relaxed)
    }

    /// A copy of the counters.
    pub fn state(&self) -> ActorState {
        let depth = self.depth.load(Ordering::Relaxed);
        let working = self.busy.load(Ordering::Relaxed) == 1 || depth > 0;
        ActorState {
            state: if working { "working" } else { "idle" },
            mailbox_depth: depth,
            messages_handled: self.handled.load(Ordering::Relaxed),
            restarts: self.restarts(),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
