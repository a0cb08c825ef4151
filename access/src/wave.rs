//! Waves: recognising a burst of requests, and the silence that ends it.
//!
//! Entra sends a burst, then nothing for 20 to 40 minutes. A wave opens with a SCIM write and has
//! settled when no write came for the tenant's `settle` time and none is still being worked on: a
//! slow write must not find its wave gone. Look-ups count in an open wave and make none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::WaveId;

/// Whether a wave still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveState {
    /// Writes may still come.
    Open,
    /// No write came for `settle`.
    Settled,
}

/// One burst of requests from the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its id; newer waves sort later.
    pub id: WaveId,
    /// Whether it still goes on.
    pub state: WaveState,
    /// When its first write came.
    pub started_at: Timestamp,
    /// When its last write was done; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// All SCIM requests in it, look-ups included.
    pub requests: u64,
    /// Resources made.
    pub creates: u64,
    /// Resources changed.
    pub updates: u64,
    /// Resources deleted.
    pub deletes: u64,
    /// Writes that were refused or failed.
    pub errors: u64,
    /// Roles that its reconciliation changed.
    pub role_changes: u64,
    /// When its reconciliation was done; none before.
    pub reconciled_at: Option<Timestamp>,
}

impl Wave {
    /// A wave that has just begun, or of which nothing but its id and its beginning is known.
    pub const fn begun(id: WaveId, started_at: Timestamp) -> Self {
        Self {
            id,
            state: WaveState::Open,
            started_at,
            ended_at: None,
            requests: 0,
            creates: 0,
            updates: 0,
            deletes: 0,
            errors: 0,
            role_changes: 0,
            reconciled_at: None,
        }
    }
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// A resource was made.
    Created,
    /// A resource was changed, or was asked to become what it is.
    Updated,
    /// A resource was deleted.
    Deleted,
    /// The write was refused or failed.
    Failed,
}

/// Recognises one tenant's waves.
#[derive(Debug, Default)]
pub struct WaveTracker {
    open: Option<OpenWave>,
    in_flight: u64,
}

#[derive(Debug)]
struct OpenWave {
    wave: Wave,
    last_write_at: Timestamp,
}

impl WaveTracker {
    /// A write arrives: opens a wave if none is open. Answers the wave's id.
    pub fn begin_write(&mut self, now: Timestamp) -> WaveId {
        self.in_flight += 1;
        let open = self.open.get_or_insert_with(|| OpenWave::new(now));
        open.wave.requests += 1;
        open.last_write_at = open.last_write_at.max(now);
        open.wave.id
    }

    /// A write is done. Must follow each [`WaveTracker::begin_write`] once.
    pub fn end_write(&mut self, now: Timestamp, outcome: WriteOutcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // Writes in flight keep a wave open, so there is one.
        let Some(open) = &mut self.open else { return };
        open.last_write_at = open.last_write_at.max(now);
        let counter = match outcome {
            WriteOutcome::Created => &mut open.wave.creates,
            WriteOutcome::Updated => &mut open.wave.updates,
            WriteOutcome::Deleted => &mut open.wave.deletes,
            WriteOutcome::Failed => &mut open.wave.errors,
        };
        *counter += 1;
    }

    /// A look-up arrives.
    pub fn look_up(&mut self) {
        if let Some(open) = &mut self.open {
            open.wave.requests += 1;
        }
    }

    /// The open wave, if there is one.
    pub fn open(&self) -> Option<&Wave> {
        self.open.as_ref().map(|open| &open.wave)
    }

    /// When the open wave will have settled if no more writes come; none without an open wave, or
    /// while writes are in flight.
    pub fn settles_at(&self, settle: Duration) -> Option<Timestamp> {
        let open = self.open.as_ref().filter(|_| self.in_flight == 0)?;
        Some(later(open.last_write_at, settle))
    }

    /// Ends the open wave if it has settled by `now`.
    pub fn take_settled(&mut self, now: Timestamp, settle: Duration) -> Option<Wave> {
        self.settles_at(settle).filter(|at| *at <= now)?;
        let OpenWave { mut wave, last_write_at } = self.open.take()?;
        wave.state = WaveState::Settled;
        wave.ended_at = Some(last_write_at);
        Some(wave)
    }

    /// Takes up a wave that was open when the service stopped: it settles from `now`.
    pub fn resume(&mut self, wave: Wave, now: Timestamp) {
        self.open.get_or_insert(OpenWave { wave, last_write_at: now });
    }
}

impl OpenWave {
    fn new(now: Timestamp) -> Self {
        Self { wave: Wave::begun(WaveId::new(now), now), last_write_at: now }
    }
}

/// `at` plus `by`, or the end of time.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTLE: Duration = Duration::from_mins(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn write(tracker: &mut WaveTracker, second: i64) -> WaveId {
        let wave = tracker.begin_write(at(second));
        tracker.end_write(at(second), WriteOutcome::Updated);
        wave
    }

    #[test]
    fn a_wave_settles_when_no_write_came_for_the_settle_time() {
        let mut tracker = WaveTracker::default();
        write(&mut tracker, 0);
        write(&mut tracker, 50);

        assert_eq!(tracker.take_settled(at(109), SETTLE), None);
        let wave = tracker.take_settled(at(110), SETTLE).unwrap();

        assert_eq!((wave.requests, wave.updates, wave.ended_at), (2, 2, Some(at(50))));
        assert!(tracker.open().is_none());
    }

    #[test]
    fn a_look_up_counts_in_a_wave_but_neither_opens_nor_prolongs_it() {
        let mut tracker = WaveTracker::default();
        tracker.look_up();
        assert!(tracker.open().is_none());

        write(&mut tracker, 0);
        tracker.look_up();
        let wave = tracker.take_settled(at(60), SETTLE).unwrap();
        assert_eq!(wave.requests, 2);
    }

    #[test]
    fn a_write_in_flight_keeps_its_wave_open() {
        let mut tracker = WaveTracker::default();
        let wave = tracker.begin_write(at(0));
        assert_eq!(tracker.take_settled(at(1_000), SETTLE), None);

        tracker.end_write(at(1_000), WriteOutcome::Failed);
        assert_eq!(tracker.take_settled(at(1_059), SETTLE), None);
        let settled = tracker.take_settled(at(1_060), SETTLE).unwrap();
        assert_eq!((settled.id, settled.errors), (wave, 1));
    }

    proptest! {
        #[test]
        fn each_burst_is_one_wave(bursts in prop::collection::vec(
            (prop::collection::vec(0_i64..59, 1..20), 60_i64..2_400), 1..10))
        {
            let mut tracker = WaveTracker::default();
            let (mut now, mut settled) = (0, Vec::new());
            for (gaps, silence) in &bursts {
                for gap in gaps {
                    now += gap;
                    settled.extend(tracker.take_settled(at(now), SETTLE));
                    write(&mut tracker, now);
                }
                now += silence;
                settled.extend(tracker.take_settled(at(now), SETTLE));
            }
            let sizes: Vec<u64> = settled.iter().map(|wave| wave.updates).collect();
            let expected: Vec<u64> = bursts.iter().map(|(gaps, _)| gaps.len() as u64).collect();
            prop_assert_eq!(sizes, expected);
        }
    }
}
