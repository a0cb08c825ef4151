//! A SCIM write in progress: the wave that it belongs to, and that the wave does not settle before it
//! is over.
//!
//! Not here: when a wave settles (`access::wave`), what a write changes (the actors).

use std::sync::{Arc, Mutex};

use access::lifecycle::Moment;
use access::wave::WriteOutcome;
use access::{Author, WaveId};
use jiff::Timestamp;
use store::Changeset;
use tokio::sync::OwnedSemaphorePermit;

use super::{Shared, lock};
use crate::reconciler::ReconcilerMessage;

impl Shared {
    /// A SCIM write by `author` arrives: it opens a wave or belongs to the open one, until the guard is
    /// dropped.
    pub fn begin_write(self: &Arc<Self>, author: Author) -> WriteGuard {
        let now = self.clock.now();
        let (wave, opened) = {
            let mut tracked = self.tracked_wave();
            let was_open = tracked.tracker.open().is_some();
            (tracked.tracker.begin_write(now), !was_open)
        };
        if opened {
            self.tell_reconciler(ReconcilerMessage::WaveOpened);
        }
        let outcome = Mutex::new(WriteOutcome::Failed);
        let (shared, permits) = (Arc::clone(self), Mutex::default());
        let span = tracing::Span::current();
        WriteGuard(Arc::new(Write { shared, wave, author, outcome, permits, span }))
    }
}

/// A SCIM write in progress. It counts as failed unless told otherwise, and is over when the last
/// clone is dropped: messages carry one, so that a wave does not settle while a change whose
/// requester has gone away is still on its way to the disk.
#[derive(Clone)]
pub struct WriteGuard(Arc<Write>);

struct Write {
    shared: Arc<Shared>,
    wave: WaveId,
    author: Author,
    outcome: Mutex<WriteOutcome>,
    permits: Mutex<Vec<OwnedSemaphorePermit>>,
    /// The request's.
    span: tracing::Span,
}

impl WriteGuard {
    /// The wave that the write belongs to.
    pub fn wave(&self) -> WaveId {
        self.0.wave
    }

    /// Who writes.
    pub fn author(&self) -> &Author {
        &self.0.author
    }

    /// The span of the request that writes.
    pub(crate) fn span(&self) -> &tracing::Span {
        &self.0.span
    }

    /// The write, at `now`.
    pub(crate) fn moment(&self, now: Timestamp) -> Moment {
        Moment { now, wave: Some(self.0.wave), request: self.0.author.request }
    }

    /// A change that the write makes, and that does nothing yet.
    pub(crate) fn changeset(&self, now: Timestamp) -> Changeset {
        let change = Changeset::new(self.0.shared.key, now, Some(self.0.wave));
        change.by(self.0.author.clone())
    }

    /// Keeps these permits until the write is over: a message that waits in a mailbox counts, also
    /// when its requester has gone away.
    pub(crate) fn keep(&self, permits: impl IntoIterator<Item = OwnedSemaphorePermit>) {
        lock(&self.0.permits).extend(permits);
    }

    /// The write is done.
    pub fn done(self, outcome: WriteOutcome) {
        *lock(&self.0.outcome) = outcome;
    }
}

impl std::fmt::Debug for WriteGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WriteGuard({})", self.0.wave)
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        let outcome = *lock(&self.outcome);
        self.shared.tracked_wave().tracker.end_write(now, outcome);
    }
}
