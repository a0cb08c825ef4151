//! A tenant's waves while they are not wholly on disk: the open one, and those whose reconciliation is
//! not done yet.
//!
//! Not here: how a wave is told from the next one (`access::wave`).

use std::sync::MutexGuard;
use std::time::Duration;

use access::WaveId;
use access::wave::{Wave, WaveTracker};
use jiff::Timestamp;
use store::Operation;

use super::{Shared, lock};

/// How often the counters of an open wave are written along with a change.
const WAVE_SAVED_EVERY_MS: i64 = 1_000;

#[derive(Default)]
pub(super) struct TrackedWave {
    pub(super) tracker: WaveTracker,
    /// The wave whose row was last written, and when.
    saved: Option<(WaveId, Timestamp)>,
    /// Waves that have settled and whose reconciliation is not done yet.
    reconciling: Vec<Wave>,
}

impl Shared {
    /// A look-up arrives. Answers the wave within which it does, if one is open.
    pub fn look_up(&self) -> Option<WaveId> {
        let mut tracked = self.tracked_wave();
        tracked.tracker.look_up();
        tracked.tracker.open().map(|wave| wave.id)
    }

    /// The open wave as it stands.
    pub fn open_wave(&self) -> Option<Wave> {
        self.tracked_wave().tracker.open().cloned()
    }

    /// A wave that is not wholly on disk yet: the open one, or one being reconciled.
    pub fn live_wave(&self, id: WaveId) -> Option<Wave> {
        let tracked = self.tracked_wave();
        let mut live = tracked.tracker.open().into_iter().chain(&tracked.reconciling);
        live.find(|wave| wave.id == id).cloned()
    }

    /// All waves that are not wholly on disk yet.
    pub fn live_waves(&self) -> Vec<Wave> {
        let tracked = self.tracked_wave();
        tracked.tracker.open().into_iter().chain(&tracked.reconciling).cloned().collect()
    }

    /// The wave's row, when it is time to write it along with a change: when the wave is new, and
    /// every second after that.
    pub(crate) fn wave_row(&self, now: Timestamp) -> Option<Operation> {
        let mut tracked = self.tracked_wave();
        let wave = tracked.tracker.open()?.clone();
        let due = tracked.saved.is_none_or(|(saved, at)| {
            saved != wave.id || now.as_millisecond() - at.as_millisecond() >= WAVE_SAVED_EVERY_MS
        });
        if !due {
            return None;
        }
        tracked.saved = Some((wave.id, now));
        Some(Operation::PutWave(Box::new(wave)))
    }

    /// Whether the row that was written last is on disk is not known.
    pub(super) fn save_wave_again(&self) {
        self.tracked_wave().saved = None;
    }

    /// Waves that have settled and whose reconciliation is not done yet.
    pub(crate) fn settled_waves(&self) -> Vec<Wave> {
        self.tracked_wave().reconciling.clone()
    }

    pub(crate) fn resume_wave(&self, wave: Wave, now: Timestamp) {
        self.tracked_wave().tracker.resume(wave, now);
    }

    pub(crate) fn wave_settles_at(&self, settle: Duration) -> Option<Timestamp> {
        self.tracked_wave().tracker.settles_at(settle)
    }

    pub(crate) fn take_settled_wave(&self, now: Timestamp, settle: Duration) -> Option<Wave> {
        let mut tracked = self.tracked_wave();
        let wave = tracked.tracker.take_settled(now, settle)?;
        tracked.reconciling.push(wave.clone());
        Some(wave)
    }

    pub(crate) fn wave_reconciled(&self, wave: WaveId) {
        self.tracked_wave().reconciling.retain(|open| open.id != wave);
    }

    pub(super) fn tracked_wave(&self) -> MutexGuard<'_, TrackedWave> {
        lock(&self.wave)
    }
}
