//! What the writer tells of its work: how much waits, metrics of each transaction, and a span for
//! each change, a child of the span in which it was handed in.
//!
//! Names of metrics are those of `docs/metrics.md`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram, counter, histogram};
use tracing::Span;
use tracing::field::Empty;

use super::Answer;
use crate::changeset::CommitError;

/// What waits for the writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// Changes that wait for their turn in a transaction.
    pub changes: usize,
    /// For how long the oldest change waits that is not on disk yet.
    pub oldest: Duration,
}

/// What waits for the writer, counted by those who hand in and by the writer.
#[derive(Debug)]
pub(super) struct QueueGauge {
    started: Instant,
    changes: AtomicUsize,
    /// When the oldest change that is being written was handed in, in microseconds since `started`;
    /// 0 where there is none. All that wait behind it are younger.
    oldest_us: AtomicU64,
}

impl QueueGauge {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), changes: AtomicUsize::new(0), oldest_us: AtomicU64::new(0) }
    }

    pub(super) fn handed_in(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn taken(&self, changes: usize) {
        self.changes.fetch_sub(changes, Ordering::Relaxed);
    }

    pub(super) fn writes(&self, oldest: Option<Instant>) {
        let since_start = oldest.map(|oldest| oldest.saturating_duration_since(self.started));
        let oldest_us = since_start.map_or(0, |since| micros(since).max(1));
        self.oldest_us.store(oldest_us, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Queue {
        let oldest = match self.oldest_us.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            oldest_us => self.started.elapsed().saturating_sub(Duration::from_micros(oldest_us)),
        };
        Queue { changes: self.changes.load(Ordering::Relaxed), oldest }
    }
}

/// The span of a change, from the moment it is handed in to its answer.
pub(super) fn span() -> Span {
    tracing::debug_span!(
        "commit",
        queue_us = Empty,
        batch = Empty,
        write_us = Empty,
        outcome = Empty
    )
}

/// Metrics of the writer. Made when it starts: looking them up by name costs more than counting.
pub(super) struct Meters {
    batch: Histogram,
    queue_wait: Histogram,
    write: Histogram,
    committed: Counter,
    refused: Counter,
    unavailable: Counter,
    unknown: Counter,
    failures: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        let changes = |outcome| counter!("slackwater_commit_changes_total", "outcome" => outcome);
        Self {
            batch: histogram!("slackwater_commit_batch_size"),
            queue_wait: histogram!("slackwater_commit_queue_wait_seconds"),
            write: histogram!("slackwater_commit_duration_seconds"),
            committed: changes("committed"),
            refused: changes("refused"),
            unavailable: changes("unavailable"),
            unknown: changes("unknown"),
            failures: counter!("slackwater_storage_failures_total"),
        }
    }

    /// A change's turn has come.
    pub(super) fn begun(&self, span: &Span, handed_in: Instant) {
        let waited = handed_in.elapsed();
        self.queue_wait.record(waited.as_secs_f64());
        span.record("queue_us", micros(waited));
    }

    /// A transaction with so many changes was written, or failed to be.
    pub(super) fn wrote(&self, changes: usize, took: Duration) {
        self.batch.record(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
        self.write.record(took.as_secs_f64());
    }

    /// The backend failed.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }

    /// A change is answered.
    pub(super) fn answered(&self, span: &Span, answer: &Answer) {
        let (counter, outcome) = match answer {
            Ok(_) => (&self.committed, "committed"),
            Err(CommitError::Refused(_)) => (&self.refused, "refused"),
            Err(CommitError::Unavailable(_)) => (&self.unavailable, "unavailable"),
            Err(CommitError::Unknown(_)) => (&self.unknown, "unknown"),
        };
        counter.increment(1);
        span.record("outcome", outcome);
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
