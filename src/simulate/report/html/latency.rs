//! How latencies are spread: one small drawing for each operation, all on one logarithmic axis, so
//! that operations can be compared by eye.

use std::fmt::Write as _;

use crate::chart::{as_f64, place};
use crate::simulate::report::OperationReport;
use crate::wording::{milliseconds, readable};

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 34.0;
/// Room for half a label at each end of the axis.
const EDGE: f64 = 16.0;
/// Columns of a drawing.
const BINS: u16 = 48;
/// The shortest and the longest time that the axis can begin and end with, as powers of ten of a
/// millisecond.
const DECADES: (f64, f64) = (-3.0, 7.0);

/// The drawings, in the order of the operations.
pub(super) struct Latencies {
    pub(super) view_box: String,
    pub(super) ground: String,
    /// Powers of ten on the axis.
    pub(super) marks: Vec<Mark>,
    pub(super) rows: Vec<Row>,
}

/// A power of ten on the axis.
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) label: String,
}

/// An operation.
pub(super) struct Row {
    /// How its latencies are spread: a closed path.
    pub(super) area: String,
    /// Where the median and the 99th percentile are.
    pub(super) p50: String,
    pub(super) p99: String,
    /// The same in words.
    pub(super) words: String,
}

/// The axis: from one power of ten to another.
#[derive(Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// One that holds everything.
    fn of(operations: &[OperationReport]) -> Self {
        let tops = operations.iter().map(|operation| operation.max_ms);
        let bottoms = operations.iter().filter_map(|operation| {
            operation.distribution.first().map(|(ms, _)| *ms).or(Some(operation.p50_ms))
        });
        let top = tops.fold(1.0_f64, f64::max);
        let bottom = bottoms.filter(|ms| *ms > 0.0).fold(top, f64::min);
        let from = bottom.log10().floor().clamp(DECADES.0, DECADES.1 - 1.0);
        let to = top.log10().ceil().clamp(from + 1.0, DECADES.1);
        Self { from, to }
    }

    /// Where so many milliseconds are, from 0 to 1.
    fn share(self, ms: f64) -> f64 {
        if ms <= 0.0 {
            return 0.0;
        }
        ((ms.log10() - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn x(self, ms: f64) -> f64 {
        EDGE + self.share(ms) * (WIDTH - 2.0 * EDGE)
    }
}

/// Draws all operations.
pub(super) fn draw(operations: &[OperationReport]) -> Latencies {
    let axis = Axis::of(operations);
    let decades = std::iter::successors(Some(axis.from), |decade| Some(decade + 1.0));
    let marks = decades.take_while(|decade| *decade <= axis.to).map(|decade| {
        let ms = 10.0_f64.powf(decade);
        Mark { x: place(axis.x(ms)), label: mark(ms) }
    });
    Latencies {
        view_box: format!("0 0 {} {}", place(WIDTH), place(HEIGHT)),
        ground: place(HEIGHT - 1.0),
        marks: marks.collect(),
        rows: operations.iter().map(|operation| row(operation, axis)).collect(),
    }
}

fn row(operation: &OperationReport, axis: Axis) -> Row {
    Row {
        area: area(&operation.distribution, axis),
        p50: place(axis.x(operation.p50_ms)),
        p99: place(axis.x(operation.p99_ms)),
        words: format!(
            "{}: half took at most {}, 99 of 100 at most {}",
            readable(&operation.operation),
            milliseconds(operation.p50_ms),
            milliseconds(operation.p99_ms)
        ),
    }
}

/// How many fall into each column, as a closed path; the highest column fills the height.
///
/// The distribution says how many took at most so long. Between two of its points they are taken
/// to be spread evenly along the axis, so that the drawing does not show where the points are.
fn area(distribution: &[(f64, u64)], axis: Axis) -> String {
    let mut points: Vec<(f64, f64)> =
        distribution.iter().map(|(ms, count)| (axis.share(*ms), float(*count))).collect();
    if let Some((first, _)) = points.first().copied() {
        // The first step is as wide as the next one: nothing was shorter than that.
        let next = points.get(1).map_or_else(|| first + share_of(2), |(next, _)| *next);
        points.insert(0, ((first - (next - first)).max(0.0), 0.0));
    }
    let up_to: Vec<f64> = (0..=BINS).map(|bin| at(&points, share_of(bin))).collect();
    let columns: Vec<f64> =
        up_to.iter().zip(up_to.iter().skip(1)).map(|(before, after)| after - before).collect();
    let highest = columns.iter().copied().fold(0.0_f64, f64::max);
    if highest <= 0.0 {
        return String::new();
    }
    let ground = HEIGHT - 1.0;
    let mut path = format!("M{} {}", place(EDGE), place(ground));
    for (bin, column) in (0..BINS).zip(columns) {
        let x = |bin: u16| EDGE + share_of(bin) * (WIDTH - 2.0 * EDGE);
        let y = ground - (column / highest).max(0.0) * (ground - 2.0);
        // A string takes whatever is written to it.
        let _ = write!(path, "V{}H{}", place(y), place(x(bin.saturating_add(1))));
    }
    path.push('V');
    path + &place(ground) + "Z"
}

fn share_of(bin: u16) -> f64 {
    f64::from(bin) / f64::from(BINS)
}

/// How many took at most what stands at this place of the axis.
fn at(points: &[(f64, f64)], share: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    let mut before = (0.0, 0.0);
    for point in points {
        if point.0 >= share {
            let run = point.0 - before.0;
            let part = if run > 0.0 { (share - before.0) / run } else { 1.0 };
            return before.1 + (point.1 - before.1) * part;
        }
        before = *point;
    }
    before.1
}

/// A power of ten, shortly.
fn mark(ms: f64) -> String {
    if ms < 1.0 {
        format!("{} µs", (ms * 1_000.0).round())
    } else if ms < 1_000.0 {
        format!("{} ms", ms.round())
    } else {
        format!("{} s", (ms / 1_000.0).round())
    }
}

fn float(number: u64) -> f64 {
    as_f64(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_points_is_spread_evenly() {
        let points = [(0.5, 10.0), (1.0, 30.0)];

        assert!((at(&points, 0.25) - 5.0).abs() < 1e-9);
        assert!((at(&points, 0.75) - 20.0).abs() < 1e-9);
        assert!((at(&points, 1.0) - 30.0).abs() < 1e-9);
        assert!(at(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_axis_begins_and_ends_with_powers_of_ten() {
        let marks: Vec<String> = draw(&[]).marks.into_iter().map(|mark| mark.label).collect();

        assert_eq!(marks, ["1 ms", "10 ms"]);
        assert_eq!([0.01, 0.1, 100.0, 10_000.0].map(mark), ["10 µs", "100 µs", "100 ms", "10 s"]);
    }

    #[test]
    fn nothing_is_drawn_where_nothing_was_as_short() {
        let axis = Axis { from: 0.0, to: 3.0 };

        let path = area(&[(500.0, 1)], axis);

        let ground = place(HEIGHT - 1.0);
        let still = path.split('H').take_while(|part| part.ends_with(&format!("V{ground}")));
        assert!(still.count() > usize::from(BINS) * 3 / 4, "{path}");
    }
}
