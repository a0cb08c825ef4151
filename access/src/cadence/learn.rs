//! What earlier waves teach of how often they come.

use std::time::Duration;

use jiff::Timestamp;

use super::{Served, between};
use crate::wave::Wave;

/// Silences that are so many times `settle`, or shorter, part no cycles: between two batches of
/// one cycle Entra looks things up, or waits.
const SETTLES_WITHIN_CYCLE: u32 = 5;
/// They are never longer than this: cycles are 20 minutes apart at least.
const WITHIN_CYCLE_MAX: Duration = Duration::from_mins(15);
/// Gaps that are learned from: the most recent ones.
const GAPS_MAX: usize = 24;
/// Fewer gaps teach nothing.
const GAPS_MIN: usize = 3;
/// What the window is wider than the gaps that were seen, as a part of the usual gap.
const SLACK_DIVISOR: u32 = 10;

/// One cycle of the directory: a wave, or several close together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// When its first wave began.
    pub started_at: Timestamp,
    /// When its last wave ended.
    pub ended_at: Timestamp,
}

/// What earlier waves teach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// The usual gap, from the beginning of one cycle to that of the next: the median.
    pub usual: Option<Duration>,
    /// The shortest and the longest gap that the next one is expected between.
    pub spread: Option<(Duration, Duration)>,
    /// The longest gap that was seen.
    pub longest: Option<Duration>,
    /// Gaps that this was learned from.
    pub gaps: usize,
    /// For how long the directory has been sending.
    pub known_for: Duration,
    /// The last cycle.
    pub last: Option<Cycle>,
}

/// Cycles, oldest first, out of waves in the same order.
pub fn cycles<'a>(waves: impl IntoIterator<Item = &'a Wave>, settle: Duration) -> Vec<Cycle> {
    let within = settle.saturating_mul(SETTLES_WITHIN_CYCLE).min(WITHIN_CYCLE_MAX);
    let mut cycles: Vec<Cycle> = Vec::new();
    for wave in waves {
        let (started_at, ended_at) = (wave.started_at, wave.ended_at.unwrap_or(wave.started_at));
        match cycles.last_mut() {
            Some(last) if between(last.ended_at, started_at) <= within => {
                last.ended_at = last.ended_at.max(ended_at);
            }
            _ => cycles.push(Cycle { started_at, ended_at }),
        }
    }
    cycles
}

/// Learns from cycles, oldest first. A gap in which we did not serve all the time teaches nothing:
/// a cycle may have come and found nobody.
pub fn learn(cycles: &[Cycle], served: &Served) -> Learned {
    let pairs = cycles.iter().zip(cycles.iter().skip(1));
    let heard = pairs.filter(|(before, after)| served.covers(before.ended_at, after.started_at));
    let gaps: Vec<Duration> =
        heard.map(|(before, after)| between(before.started_at, after.started_at)).collect();
    let first = cycles.first().map(|cycle| cycle.started_at);
    let last = cycles.last().copied();
    let known_for = first.zip(last).map(|(first, last)| between(first, last.started_at));
    let mut learned = Learned {
        longest: gaps.iter().max().copied(),
        known_for: known_for.unwrap_or_default(),
        last,
        ..Learned::default()
    };
    let mut recent: Vec<Duration> = gaps.iter().rev().take(GAPS_MAX).copied().collect();
    recent.sort_unstable();
    learned.gaps = recent.len();
    if recent.len() >= GAPS_MIN
        && let (Some(low), Some(usual), Some(high)) =
            (quantile(&recent, 1), quantile(&recent, 2), quantile(&recent, 3))
    {
        let slack = usual / SLACK_DIVISOR;
        learned.usual = Some(usual);
        learned.spread = Some((low.saturating_sub(slack), high.saturating_add(slack)));
    }
    learned
}

/// The first, second (the median) or third quartile of what is sorted. Half of the gaps lie
/// between the first and the third, and a few odd ones move neither.
fn quantile(sorted: &[Duration], quarter: usize) -> Option<Duration> {
    sorted.get((sorted.len().saturating_sub(1) * quarter + 2) / 4).copied()
}
