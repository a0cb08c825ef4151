//! Cadence: how often a directory sends, when its next wave is expected, and when silence means
//! that something is wrong.
//!
//! Entra runs a cycle about every 40 minutes, and a cycle in which nothing changed sends nothing at
//! all. So a wave that does not come is no alarm: nights, weekends and quiet customers are silent.
//! Silence is *quiet* when the expected window has passed, and *overdue* only when it is far longer
//! than this directory was ever silent. Only time in which we served counts: a directory cannot
//! send to a service that is down, and what we did not hear then taught us nothing.

mod learn;
mod served;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

pub use self::learn::{Cycle, Learned, cycles, learn};
pub use self::served::Served;

/// Silence is overdue after so many usual gaps, …
const USUAL_GAPS: u32 = 6;
/// … and after so many halves of the longest silence that was seen, …
const LONGEST_HALVES: u32 = 3;
/// … and never before this, …
const SILENCE_MIN: Duration = Duration::from_hours(4);
/// … nor before this while the directory is known for less than [`KNOWN_FOR_MIN`]: its first
/// weekend is no alarm.
const SILENCE_MIN_AT_FIRST: Duration = Duration::from_hours(80);
/// A week, and a little more, so that a weekend was seen.
const KNOWN_FOR_MIN: Duration = Duration::from_hours(8 * 24);

/// How the directory keeps its rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Too few waves came to know.
    Unknown,
    /// A wave goes on.
    Wave,
    /// The next wave is expected.
    Expected,
    /// The time at which the next wave was expected has passed. Perhaps nothing changed.
    Quiet,
    /// It has been silent for far longer than it ever was.
    Overdue,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// What is known of a directory's rhythm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cadence {
    /// How it keeps its rhythm.
    pub state: Rhythm,
    /// Whether it is silent for too long.
    pub overdue: bool,
    /// The time from one cycle to the next, usually; none while that is not known.
    #[serde(serialize_with = "as_text")]
    pub usual_gap: Option<Duration>,
    /// Gaps that this was learned from.
    pub gaps: usize,
    /// When the last wave began.
    pub last_wave_at: Option<Timestamp>,
    /// When the directory was last heard at all, look-ups included.
    pub last_heard_at: Option<Timestamp>,
    /// When the next wave is expected.
    pub next_expected: Option<Window>,
    /// When silence will count as overdue, if we go on serving and nothing comes.
    pub overdue_at: Option<Timestamp>,
    /// What it means, for an administrator.
    pub words: String,
}

/// What the rhythm is told from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What earlier waves taught.
    pub learned: &'a Learned,
    /// When we served.
    pub served: &'a Served,
    /// Whether a wave goes on.
    pub is_open: bool,
    /// When the directory was last heard.
    pub last_heard_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// Tells the rhythm.
pub fn tell(facts: Facts<'_>) -> Cadence {
    let Facts { learned, served, is_open, last_heard_at, now } = facts;
    let last_wave_at = learned.last.map(|cycle| cycle.started_at);
    // Nothing was heard before it was heard; a wave is heard too.
    let last_heard_at = last_heard_at.max(learned.last.map(|cycle| cycle.ended_at));
    let mut told = Cadence {
        state: if is_open { Rhythm::Wave } else { Rhythm::Unknown },
        overdue: false,
        usual_gap: learned.usual,
        gaps: learned.gaps,
        last_wave_at,
        last_heard_at,
        next_expected: None,
        overdue_at: None,
        words: String::new(),
    };
    let known = learned.usual.zip(learned.last).zip(last_heard_at);
    if let Some(((usual, last), heard_at)) = known {
        let silence_max = silence_max(learned, usual);
        let silence = served.time_within(heard_at, now);
        let left = silence_max.saturating_sub(silence);
        told.overdue = !is_open && left.is_zero();
        told.overdue_at = Some(if told.overdue { now } else { later(now, left) });
        let first = first_expected(learned, served, last, now);
        let passed = first.is_some_and(|window| window.until < now);
        told.next_expected = first.map(|window| ahead(window, usual, now));
        told.state = match (is_open, told.overdue, passed) {
            (true, ..) => Rhythm::Wave,
            (false, true, _) => Rhythm::Overdue,
            (false, false, true) => Rhythm::Quiet,
            (false, false, false) => Rhythm::Expected,
        };
        told.words = words(told.state, usual, silence, learned);
    } else {
        told.words = words_of_unknown(is_open, last_wave_at.is_some(), last_heard_at.is_some());
    }
    told
}

/// How long a silence may be.
fn silence_max(learned: &Learned, usual: Duration) -> Duration {
    let longest = learned.longest.unwrap_or(usual);
    let at_least =
        if learned.known_for < KNOWN_FOR_MIN { SILENCE_MIN_AT_FIRST } else { SILENCE_MIN };
    at_least.max(usual * USUAL_GAPS).max(longest * LONGEST_HALVES / 2)
}

/// When the next wave was expected at first. A directory that found us down comes back with its
/// next cycle: at once at the earliest, a whole gap later at the latest.
fn first_expected(
    learned: &Learned,
    served: &Served,
    last: Cycle,
    now: Timestamp,
) -> Option<Window> {
    let (shortest, longest) = learned.spread?;
    let up_since = served.up_since(now).unwrap_or(now);
    let (from, until) = (later(last.started_at, shortest), later(last.started_at, longest));
    Some(if up_since > last.ended_at {
        Window { from: from.max(up_since), until: until.max(later(up_since, longest)) }
    } else {
        Window { from, until }
    })
}

/// The same window so many whole gaps later that it has not passed: what did not come with one
/// cycle comes with another.
fn ahead(window: Window, usual: Duration, now: Timestamp) -> Window {
    let passed = between(window.until, now).as_secs();
    let cycles = passed.div_ceil(usual.as_secs().max(1));
    let by = Duration::from_secs(cycles.saturating_mul(usual.as_secs().max(1)));
    Window { from: later(window.from, by), until: later(window.until, by) }
}

fn words(state: Rhythm, usual: Duration, silence: Duration, learned: &Learned) -> String {
    let (usual, silence) = (in_words(usual), in_words(silence));
    match state {
        Rhythm::Wave => format!("A wave goes on. Waves usually come {usual} apart."),
        Rhythm::Unknown | Rhythm::Expected => {
            format!("On time. Waves usually come {usual} apart.")
        }
        Rhythm::Quiet => format!(
            "Quiet for {silence}. Waves usually come {usual} apart, but Entra sends nothing when \
             nothing changed. This is no fault by itself.",
        ),
        Rhythm::Overdue => {
            let longest = in_words(learned.longest.unwrap_or_default());
            format!(
                "Nothing came for {silence} of the time in which we served; the longest silence \
                 so far was {longest}. Look in Entra whether provisioning is on, and what its \
                 provisioning logs say.",
            )
        }
    }
}

fn words_of_unknown(is_open: bool, had_wave: bool, was_heard: bool) -> String {
    let words = match (is_open, had_wave, was_heard) {
        (true, ..) => "A wave goes on. A few more tell how often they come.",
        (_, true, _) => "Not enough waves yet to learn the rhythm.",
        (_, _, true) => "The directory was heard, and has not sent anything yet.",
        _ => {
            "The directory was never heard. Put endpoint and token into Entra, and start \
              provisioning there."
        }
    };
    words.to_owned()
}

/// A length of time in words, to its largest unit, rounded.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..90 => (seconds, "second"),
        90..5_400 => ((seconds + 30) / 60, "minute"),
        5_400..172_800 => ((seconds + 1_800) / 3_600, "hour"),
        _ => ((seconds + 43_200) / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

/// As durations are written everywhere: `40m`. Nobody plans by the second what takes minutes.
#[expect(clippy::ref_option, reason = "what serde calls")]
fn as_text<S: Serializer>(gap: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match gap.map(|gap| gap.as_secs()) {
        None => serializer.serialize_none(),
        Some(seconds @ 0..600) => serializer.collect_str(&format_args!("{seconds}s")),
        Some(seconds) => serializer.collect_str(&format_args!("{}m", (seconds + 30) / 60)),
    }
}

/// The time from one moment to another; none where they are the wrong way round.
fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    crate::wave::later(at, by)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
