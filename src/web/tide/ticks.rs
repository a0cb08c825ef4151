//! Marks on the axes: round times, and round numbers.

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

/// The marks of height for what is at most `highest`: rates and how they are written. The last one
/// is the top.
pub(super) fn heights(highest: f64, is_rooted: bool) -> Vec<(f64, String)> {
    let top = round_up(highest.max(1.0));
    let shares: &[f64] = if is_rooted { &[0.0, 0.04, 0.25, 1.0] } else { &[0.0, 0.5, 1.0] };
    shares.iter().map(|share| (top * share, written(top * share))).collect()
}

/// The next number that is 1, 2, 4 or 10 times a power of ten.
fn round_up(number: f64) -> f64 {
    let power = 10.0_f64.powf(number.log10().floor());
    let factor = [1.0, 2.0, 4.0].into_iter().find(|factor| factor * power >= number);
    factor.unwrap_or(10.0) * power
}

fn written(rate: f64) -> String {
    if rate >= 1_000.0 {
        let thousands = format!("{:.1}", rate / 1_000.0);
        return format!("{}k", thousands.trim_end_matches(".0"));
    }
    let text = if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_round_and_hold_the_highest() {
        for (highest, rooted, expected) in [
            (0.0, false, vec!["0", "0.5", "1"]),
            (7.3, false, vec!["0", "5", "10"]),
            (390.0, false, vec!["0", "200", "400"]),
            (3_900.0, true, vec!["0", "160", "1k", "4k"]),
        ] {
            let ticks = heights(highest, rooted);
            let labels: Vec<&str> = ticks.iter().map(|(_, label)| label.as_str()).collect();
            assert_eq!(labels, expected, "{highest}");
            assert!(ticks.last().unwrap().0 >= highest);
        }
    }

    #[test]
    fn times_are_round() {
        let day = 1_795_046_400;
        let ticks = times(Range::Day, false, day - 80_000, day + 7_200);
        assert!(ticks.iter().all(|(at, _)| at % 10_800 == 0));
        assert_eq!(label(day, Kind::Clock), "00:00");
        assert_eq!(label(day, Kind::Day), "Thu 19");
    }
}
