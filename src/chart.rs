//! What all charts have in common: places on a drawing, round numbers on an axis, a smooth curve.
//!
//! Lengths and places alone: what is drawn is decided by whoever draws it, and colours are a
//! stylesheet's.

mod curve;

pub(crate) use self::curve::smooth;

/// A place, to a tenth: what is smaller nobody sees.
pub(crate) fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Seconds, minutes and counts are far below what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "places on a drawing")]
pub(crate) const fn as_f64(number: i64) -> f64 {
    number as f64
}

/// The marks of height for what is at most `highest`: rates and how they are written. The last one
/// is the top.
pub(crate) fn heights(highest: f64, is_rooted: bool) -> Vec<(f64, String)> {
    let top = round_up(highest.max(1.0));
    let shares: &[f64] = match is_rooted {
        true => &[0.0, 0.04, 0.25, 1.0],
        // There is no half of one request.
        false if top <= 1.0 => &[0.0, 1.0],
        false => &[0.0, 0.5, 1.0],
    };
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
            (0.0, false, vec!["0", "1"]),
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
}
