//! Requests a second over time, with waves shaded and errors marked below.
//!
//! However long a simulation was, the drawing has a limited number of points: then each stands for
//! several seconds.

use crate::chart::{as_f64, heights, place, smooth};
use crate::simulate::report::{Report, Second};

/// How large a drawing is, in the units of its letters.
#[derive(Debug, Clone, Copy)]
struct Size {
    name: &'static str,
    width: f64,
    height: f64,
    /// Points of the curve, at most.
    points_max: u64,
    /// Marks on the axis of time, at most.
    marks_max: u64,
}

const WIDE: Size =
    Size { name: "wide", width: 960.0, height: 260.0, points_max: 240, marks_max: 9 };
const NARROW: Size =
    Size { name: "narrow", width: 360.0, height: 220.0, points_max: 90, marks_max: 4 };
const LEFT: f64 = 44.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 32.0;
/// What a shaded band is wide at least.
const BAND_MIN: f64 = 2.0;
/// Waves that end and begin closer together than this share a band.
const BAND_GAP: f64 = 1.0;
/// Rows of the table beside the drawing, at most.
const ROWS_MAX: u64 = 60;
/// Seconds between two marks of time: the first that leaves room is taken.
const STEPS: [u64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/// A drawing, ready to be written as SVG.
pub(super) struct Timeline {
    pub(super) name: &'static str,
    pub(super) view_box: String,
    /// What was sent: a closed path.
    pub(super) area: String,
    /// Its upper edge.
    pub(super) line: String,
    pub(super) left: String,
    pub(super) right: String,
    pub(super) top: String,
    pub(super) ground: String,
    /// From the top to the ground.
    pub(super) depth: String,
    pub(super) waves: Vec<Band>,
    pub(super) errors: Vec<Band>,
    pub(super) times: Vec<Tick>,
    pub(super) heights: Vec<Tick>,
}

/// Something that lasts.
pub(super) struct Band {
    pub(super) x: String,
    pub(super) width: String,
    pub(super) title: String,
}

/// A mark on an axis.
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) label: String,
}

/// Some seconds, as the table has them.
pub(super) struct Row {
    pub(super) from: String,
    pub(super) rate: f64,
    pub(super) errors: u64,
    pub(super) max_ms: f64,
}

/// The wide drawing and the one for phones.
pub(super) fn draw(report: &Report) -> [Timeline; 2] {
    [WIDE, NARROW].map(|size| Drawing { report, size, seconds: seconds(report) }.done())
}

/// The same as a table.
pub(super) fn rows(report: &Report) -> Vec<Row> {
    let rows = pieces(report, ROWS_MAX).into_iter().map(|piece| Row {
        from: clock(piece.from),
        rate: piece.rate(),
        errors: piece.errors,
        max_ms: piece.max_ms,
    });
    rows.collect()
}

/// Some seconds in a row.
struct Piece {
    from: u64,
    seconds: u64,
    requests: u64,
    errors: u64,
    max_ms: f64,
}

impl Piece {
    fn rate(&self) -> f64 {
        float(self.requests) / float(self.seconds.max(1))
    }
}

/// How many seconds there are to show.
fn seconds(report: &Report) -> u64 {
    let last = report.timeline.iter().map(|second| second.second.saturating_add(1)).max();
    let ends = report.waves.iter().map(|wave| wave.started_ms + wave.duration_ms);
    let end = ends.fold(0.0_f64, f64::max) / 1_000.0;
    last.unwrap_or_default().max(whole(end)).max(1)
}

/// The seconds in at most so many pieces of one length; seconds that nothing is known of are still.
fn pieces(report: &Report, pieces_max: u64) -> Vec<Piece> {
    let total = seconds(report);
    let step = total.div_ceil(pieces_max).max(1);
    let mut pieces: Vec<Piece> = (0..total.div_ceil(step))
        .map(|at| {
            let from = at.saturating_mul(step);
            let seconds = step.min(total.saturating_sub(from));
            Piece { from, seconds, requests: 0, errors: 0, max_ms: 0.0 }
        })
        .collect();
    for Second { second, requests, errors, max_ms } in &report.timeline {
        let at = usize::try_from(second / step).unwrap_or(usize::MAX);
        if let Some(piece) = pieces.get_mut(at) {
            piece.requests = piece.requests.saturating_add(*requests);
            piece.errors = piece.errors.saturating_add(*errors);
            piece.max_ms = piece.max_ms.max(*max_ms);
        }
    }
    pieces
}

struct Drawing<'a> {
    report: &'a Report,
    size: Size,
    seconds: u64,
}

impl Drawing<'_> {
    fn x(&self, second: f64) -> f64 {
        let share = (second / float(self.seconds)).clamp(0.0, 1.0);
        LEFT + share * (self.size.width - LEFT - RIGHT)
    }

    fn ground(&self) -> f64 {
        self.size.height - BOTTOM
    }

    fn done(self) -> Timeline {
        let pieces = pieces(self.report, self.size.points_max);
        let highest = pieces.iter().map(Piece::rate).fold(0.0_f64, f64::max);
        let heights = heights(highest, false);
        let top = heights.last().map_or(1.0, |(rate, _)| *rate).max(f64::MIN_POSITIVE);
        let depth = self.ground() - TOP;
        let y = |rate: f64| self.ground() - depth * (rate / top).clamp(0.0, 1.0);
        let (line, area) = self.curve(&pieces, y);
        let ground = place(self.ground());
        Timeline {
            name: self.size.name,
            view_box: format!("0 0 {} {}", place(self.size.width), place(self.size.height)),
            left: place(LEFT),
            right: place(self.size.width - RIGHT),
            top: place(TOP),
            depth: place(depth),
            waves: self.waves(),
            errors: self.errors(&pieces),
            times: self.times(),
            heights: heights
                .iter()
                .map(|(rate, label)| Tick {
                    x: place(LEFT - 6.0),
                    y: place(y(*rate)),
                    label: label.clone(),
                })
                .collect(),
            line,
            area,
            ground,
        }
    }

    /// The edge and the filled area below it, from the first second to the last.
    fn curve(&self, pieces: &[Piece], y: impl Fn(f64) -> f64) -> (String, String) {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return (String::new(), String::new());
        };
        let (left, right) = (self.x(0.0), self.x(float(self.seconds)));
        let mut points = vec![(left, y(first.rate()))];
        for piece in pieces {
            let middle = float(piece.from) + float(piece.seconds) / 2.0;
            points.push((self.x(middle), y(piece.rate())));
        }
        points.push((right, y(last.rate())));
        let line = smooth(&points);
        let ground = place(self.ground());
        let area = format!("{line}L{} {ground}L{} {ground}Z", place(right), place(left));
        (line, area)
    }

    /// Waves; those that cannot be told apart share a band.
    fn waves(&self) -> Vec<Band> {
        struct Joined {
            left: f64,
            right: f64,
            waves: usize,
            requests: u64,
            failures: u64,
            only: String,
        }
        let mut joined: Vec<Joined> = Vec::new();
        for wave in &self.report.waves {
            let left = self.x(wave.started_ms / 1_000.0);
            let right = self.x((wave.started_ms + wave.duration_ms) / 1_000.0);
            let right = right.max(left + BAND_MIN);
            match joined.last_mut().filter(|last| left <= last.right + BAND_GAP) {
                Some(last) => {
                    last.right = last.right.max(right);
                    last.waves = last.waves.saturating_add(1);
                    last.requests = last.requests.saturating_add(wave.requests);
                    last.failures = last.failures.saturating_add(wave.failures);
                }
                None => joined.push(Joined {
                    left,
                    right,
                    waves: 1,
                    requests: wave.requests,
                    failures: wave.failures,
                    only: format!("Wave {} ({})", wave.number, wave.cycle),
                }),
            }
        }
        let bands = joined.into_iter().map(|joined| {
            let Joined { left, right, waves, requests, failures, only } = joined;
            let what = if waves == 1 { only } else { format!("{waves} waves") };
            let title = format!("{what}: {requests} requests, {failures} failed for good");
            Band { x: place(left), width: place(right - left), title }
        });
        bands.collect()
    }

    fn errors(&self, pieces: &[Piece]) -> Vec<Band> {
        let bands = pieces.iter().filter(|piece| piece.errors > 0).map(|piece| {
            let left = self.x(float(piece.from));
            let right = self.x(float(piece.from.saturating_add(piece.seconds)));
            Band {
                x: place(left),
                width: place((right - left).max(BAND_MIN)),
                title: format!(
                    "{}: {} of {} answers were errors",
                    clock(piece.from),
                    piece.errors,
                    piece.requests
                ),
            }
        });
        bands.collect()
    }

    fn times(&self) -> Vec<Tick> {
        let step = STEPS.into_iter().find(|step| self.seconds / step < self.size.marks_max);
        // What lasts for weeks has its marks further apart, but never more of them.
        let step = step.unwrap_or_else(|| (self.seconds / self.size.marks_max).max(1));
        let marks = (0..=self.seconds / step).map(|at| at.saturating_mul(step));
        marks
            .map(|second| Tick {
                x: place(self.x(float(second))),
                y: place(self.ground() + 22.0),
                label: clock(second),
            })
            .collect()
    }
}

/// Seconds since the start as people write them: `0:07`, `12:30`, `1:05:00`.
fn clock(second: u64) -> String {
    let (hours, minutes, seconds) = (second / 3_600, second / 60 % 60, second % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn float(number: u64) -> f64 {
    as_f64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The number of seconds that holds so many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stops at the ends of its type"
)]
fn whole(seconds: f64) -> u64 {
    seconds.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        let shown = [7, 750, 3_900].map(clock);
        assert_eq!(shown, ["0:07", "12:30", "1:05:00"]);
    }
}
