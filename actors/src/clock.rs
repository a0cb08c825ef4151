//! Time, as an argument.
//!
//! One clock gives the time for everything: timers, waves, resources. It never steps: it is the
//! system's time at the start plus what a monotonic clock says has passed since, so that a
//! corrected system clock neither settles a wave early nor keeps it open for an hour. The system
//! clock is read again at the next start.

use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};

/// Gives the time, to the millisecond.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now. Never earlier than the last answer.
    fn now(&self) -> Timestamp;
}

/// The time of the system.
#[derive(Debug)]
pub struct SystemClock {
    started_at: Timestamp,
    started: std::time::Instant,
}

/// The time of the tokio runtime, which tests pause and advance: a day passes in milliseconds.
#[derive(Debug)]
pub struct TokioClock {
    started_at: Timestamp,
    started: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts now. The one place where the system's time is read.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
    pub fn start() -> Self {
        Self { started_at: Timestamp::now(), started: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        passed(self.started_at, self.started.elapsed())
    }
}

impl TokioClock {
    /// A clock that shows `started_at` now.
    pub fn start(started_at: Timestamp) -> Self {
        Self { started_at, started: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        passed(self.started_at, self.started.elapsed())
    }
}

fn passed(since: Timestamp, elapsed: std::time::Duration) -> Timestamp {
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
    let now = since.checked_add(elapsed).unwrap_or(Timestamp::MAX);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
