//! How often the directory sends: what earlier waves taught, remembered until there is another.

use std::sync::{Arc, Mutex, PoisonError};

use access::WaveId;
use access::cadence::{Cadence, Facts, Learned, cycles, learn, tell};
use access::wave::Wave;
use jiff::{SignedDuration, Timestamp};
use store::{ReadError, Snapshot};

use crate::shared::Shared;
use crate::traffic::KEPT_FOR;

/// Waves that are learned from: two weeks of cycles, and some on demand.
const WAVES_MAX: usize = 800;

/// What was last learned, and the newest wave then.
#[derive(Debug, Default)]
pub struct Lessons(Mutex<Option<Lesson>>);

#[derive(Debug)]
struct Lesson {
    newest: Newest,
    learned: Arc<Learned>,
}

type Newest = Option<(WaveId, Option<Timestamp>)>;

impl Shared {
    /// How the directory keeps its rhythm, as of now. Cheap unless a wave has come since the last
    /// time.
    pub fn cadence(&self, snapshot: &Snapshot) -> Result<Cadence, ReadError> {
        let known = self.known(snapshot)?;
        let learned = self.learned(snapshot, &known.served)?;
        Ok(tell(Facts {
            learned: &learned,
            served: &known.served,
            is_open: self.open_wave().is_some(),
            last_heard_at: known.last_heard_at,
            now: self.clock.now(),
        }))
    }

    fn learned(
        &self,
        snapshot: &Snapshot,
        served: &access::cadence::Served,
    ) -> Result<Arc<Learned>, ReadError> {
        let live = self.live_waves();
        let kept = snapshot.waves(self.key, None, 1)?;
        let newest = live.iter().chain(&kept).map(|wave| (wave.id, wave.ended_at)).max();
        if let Some(lesson) = &*self.lessons.0.lock().unwrap_or_else(PoisonError::into_inner)
            && lesson.newest == newest
        {
            return Ok(Arc::clone(&lesson.learned));
        }
        let waves = self.recent_waves(snapshot, live)?;
        let settle = self.config().settings.reconcile.settle.get();
        let learned = Arc::new(learn(&cycles(&waves, settle), served));
        let lesson = Lesson { newest, learned: Arc::clone(&learned) };
        *self.lessons.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(lesson);
        Ok(learned)
    }

    /// The waves of the last two weeks, oldest first.
    fn recent_waves(&self, snapshot: &Snapshot, live: Vec<Wave>) -> Result<Vec<Wave>, ReadError> {
        let kept_for = SignedDuration::try_from(KEPT_FOR).unwrap_or(SignedDuration::MAX);
        let end = self.clock.now().checked_sub(kept_for).unwrap_or(Timestamp::MIN);
        let mut waves = snapshot.waves(self.key, None, WAVES_MAX)?;
        for wave in live {
            if !waves.iter().any(|kept| kept.id == wave.id) {
                waves.push(wave);
            }
        }
        waves.retain(|wave| wave.started_at >= end);
        waves.sort_by_key(|wave| wave.id);
        Ok(waves)
    }
}
