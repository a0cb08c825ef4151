//! A smooth curve through points that never rises above or falls below them (Fritsch and Carlson's
//! monotone cubic): water has no waves where there were none.

use std::fmt::Write;

use super::place;

/// The curve as an SVG path; points are in order of their first coordinate.
pub(crate) fn smooth(points: &[(f64, f64)]) -> String {
    let Some((first, rest)) = points.split_first() else { return String::new() };
    let mut path = format!("M{} {}", place(first.0), place(first.1));
    let slopes = slopes(points);
    let pairs = points.iter().zip(rest).zip(slopes.iter().zip(slopes.iter().skip(1)));
    for (((x, y), (next_x, next_y)), (slope, next_slope)) in pairs {
        let is_flat = |slope: f64| slope.abs() < f64::EPSILON;
        if is_flat(y - next_y) && is_flat(*slope) && is_flat(*next_slope) {
            // Still water needs no curve, and there is much of it.
            // A string takes whatever is written to it.
            let _ = write!(path, "H{}", place(*next_x));
            continue;
        }
        let third = (next_x - x) / 3.0;
        let _ = write!(
            path,
            "C{} {} {} {} {} {}",
            place(x + third),
            place(slope.mul_add(third, *y)),
            place(next_x - third),
            place(next_slope.mul_add(-third, *next_y)),
            place(*next_x),
            place(*next_y),
        );
    }
    path
}

/// The slope of the curve at each point.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let secants: Vec<f64> = points
        .iter()
        .zip(points.iter().skip(1))
        .map(|((x, y), (next_x, next_y))| {
            let run = next_x - x;
            if run > 0.0 { (next_y - y) / run } else { 0.0 }
        })
        .collect();
    let secant = |at: Option<usize>| at.and_then(|at| secants.get(at)).copied();
    (0..points.len())
        .map(|at| match (secant(at.checked_sub(1)), secant(Some(at))) {
            // Flat where it turns, and else no steeper than allows it to stay between its points.
            (Some(before), Some(after)) if before * after <= 0.0 => 0.0,
            (Some(before), Some(after)) => {
                let mean = f64::midpoint(before, after);
                let steepest = 3.0 * before.abs().min(after.abs());
                mean.clamp(-steepest, steepest)
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => 0.0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of a path, as the points of its commands.
    fn heights(path: &str) -> Vec<f64> {
        let commands = path.split_inclusive(['M', 'C', 'H', 'L']);
        let numbers = commands.flat_map(|part| {
            part.trim_end_matches(['M', 'C', 'H', 'L'])
                .split(' ')
                .filter_map(|number| number.parse().ok())
                .collect::<Vec<f64>>()
        });
        numbers.collect()
    }

    #[test]
    fn the_curve_stays_between_its_points() {
        let points: Vec<(f64, f64)> = [0.0, 0.0, 9.0, 2.0, 2.0, 7.0, 0.0, 0.0]
            .iter()
            .enumerate()
            .map(|(at, y)| (100.0 + f64::from(u8::try_from(at).unwrap()), *y))
            .collect();

        let path = smooth(&points);

        assert!(path.starts_with("M100 0H101C"), "{path}");
        let stray = heights(&path).into_iter().find(|y| (*y < 0.0 || *y > 9.0) && *y < 100.0);
        assert_eq!(stray, None, "{path}");
    }

    #[test]
    fn of_nothing_there_is_no_curve() {
        assert_eq!(smooth(&[]), "");
        assert_eq!(smooth(&[(1.0, 2.0)]), "M1 2");
    }
}
