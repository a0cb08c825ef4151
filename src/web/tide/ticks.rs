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
    let (hours, kind) = match (range, is_narrow) {
        (Range::Hours, false) => (1, Kind::Clock),
        (Range::Hours, true) => (2, Kind::Clock),
        (Range::Day, false) => (3, Kind::Clock),
        (Range::Day, true) => (6, Kind::Clock),
        (Range::Week, false) => (24, Kind::Day),
        (Range::Week, true) => (48, Kind::Day),
    };
    let step: i64 = hours * 3_600;
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
