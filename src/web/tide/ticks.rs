//! Marks on the axis of time.

use jiff::Timestamp;

use super::Range;

/// A mark on an axis.
#[derive(Debug)]
pub struct Tick {
    /// Where it is.
    pub x: String,
    /// Where it is.
    pub y: String,
    /// The moment, for a mark of time.
    pub at: Timestamp,
    /// What it says, in UTC.
    pub label: String,
    /// `clock` or `day`: how the script writes it in the reader's time zone.
    pub kind: &'static str,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 14:00.
    Clock,
    /// Mon 2.
    Day,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Day => "day",
        }
    }
}

/// The marks of time between two seconds.
pub(super) fn times(range: Range, is_narrow: bool, from: i64, to: i64) -> Vec<(i64, Kind)> {
    let (minutes, kind) = match (range, is_narrow) {
        (Range::Hour, false) => (10, Kind::Clock),
        (Range::Hour, true) => (20, Kind::Clock),
        (Range::Hours, false) => (60, Kind::Clock),
        (Range::Hours, true) => (120, Kind::Clock),
        (Range::Day, false) => (180, Kind::Clock),
        (Range::Day, true) => (360, Kind::Clock),
        (Range::Week, false) => (1_440, Kind::Day),
        (Range::Week, true) => (2_880, Kind::Day),
    };
    let step: i64 = minutes * 60;
    let first = from.div_euclid(step).saturating_add(1).saturating_mul(step);
    let mut ticks = Vec::new();
    let mut at = first;
    // The one at the very edge would be cut off.
    while at < to - step / 8 {
        ticks.push((at, kind));
        at = at.saturating_add(step);
    }
    ticks
}

pub(super) fn label(second: i64, kind: Kind) -> String {
    let at = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    match kind {
        Kind::Clock => at.strftime("%H:%M").to_string(),
        Kind::Day => at.strftime("%a %-d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_round() {
        let day = 1_795_046_400;
        let ticks = times(Range::Day, false, day - 80_000, day + 7_200);
        assert!(ticks.iter().all(|(at, _)| at % 10_800 == 0));
        assert_eq!(label(day, Kind::Clock), "00:00");
        assert_eq!(label(day, Kind::Day), "Thu 19");
    }
}
