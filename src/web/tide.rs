//! The tide chart: what a directory sent over time, drawn by the server as SVG.
//!
//! Requests are a filled curve, waves are shaded, and each slack moment, when roles were applied
//! again after a wave, has a mark with the number of roles that changed. Ahead of now stands the
//! window in which the next wave is expected. Times in which we did not serve are hatched. There
//! are two drawings of the same, a wide one and one for phones, since letters in an image shrink
//! with it; the stylesheet shows one of them.
//!
//! Here are lengths and places alone; colours are the stylesheet's.

mod ticks;

use access::cadence::Window;
use access::traffic::{MINUTE_S, Minutes, series, start_of};
use access::wave::Wave;
use jiff::Timestamp;

pub use self::ticks::Tick;
use crate::chart::{as_f64, heights, place, smooth};
use crate::wording::grouped;

/// How much of the past is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// An hour.
    Hour,
    /// Six hours.
    Hours,
    /// A day.
    Day,
    /// A week.
    Week,
}

impl Range {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Hours, Self::Day, Self::Week];

    /// As it stands in an address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Hours => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// As people say it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Hours => "6 hours",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }

    /// The range with this name; a day for any other.
    pub fn from_name(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|range| Some(range.name()) == name).unwrap_or(Self::Day)
    }

    /// Its length in minutes.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Hours => 6 * 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
        }
    }

    /// Minutes that a point of the curve stands for.
    const fn step(self, size: Size) -> i64 {
        match (self, size.is_narrow) {
            (Self::Hour, false) => 1,
            (Self::Hour, true) | (Self::Hours, false) => 2,
            (Self::Hours, true) => 5,
            (Self::Day, false) => 10,
            (Self::Day, true) => 20,
            (Self::Week, false) => 60,
            (Self::Week, true) => 120,
        }
    }
}

/// How large a drawing is, in the units of its letters.
#[derive(Debug, Clone, Copy)]
struct Size {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    is_narrow: bool,
}

const WIDE: Size = Size {
    width: 960.0,
    height: 300.0,
    left: 46.0,
    right: 10.0,
    top: 34.0,
    bottom: 30.0,
    is_narrow: false,
};
const NARROW: Size = Size {
    width: 360.0,
    height: 260.0,
    left: 34.0,
    right: 6.0,
    top: 34.0,
    bottom: 28.0,
    is_narrow: true,
};
/// The room that a mark takes.
const MARK_ROOM: f64 = 20.0;
/// How wide a digit is.
const DIGIT: f64 = 7.5;
/// What a shaded band is wide at least.
const BAND_MIN: f64 = 2.0;
/// Where the highest point is so many times the usual one, the scale is that of square roots: a
/// large first cycle must not flatten the rest.
const STEEP: f64 = 6.0;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// How much of the past is shown.
    pub range: Range,
    /// Now.
    pub now: Timestamp,
    /// What came.
    pub minutes: &'a Minutes,
    /// Waves, the open one included.
    pub waves: &'a [Wave],
    /// When the next wave is expected.
    pub expected: Option<Window>,
    /// When we served.
    pub served: &'a [(Timestamp, Timestamp)],
}

/// A drawing, ready to be written as SVG.
#[derive(Debug)]
pub struct Tide {
    /// `wide` or `narrow`.
    pub name: &'static str,
    /// The attribute `viewBox`.
    pub view_box: String,
    /// The water: a closed path.
    pub area: String,
    /// Its surface.
    pub line: String,
    /// Where the ground is.
    pub ground: String,
    /// The left end of the ground.
    pub left: String,
    /// The right end of it.
    pub right: String,
    /// The upper end of what stands on the ground.
    pub top: String,
    /// The height between both.
    pub depth: String,
    /// Waves.
    pub waves: Vec<Band>,
    /// When we did not serve.
    pub down: Vec<Band>,
    /// When the next wave is expected.
    pub expected: Option<Band>,
    /// Slack moments.
    pub slacks: Vec<Slack>,
    /// Points in which something failed.
    pub failures: Vec<Band>,
    /// Where now is.
    pub now: String,
    /// Where letters about now begin.
    pub now_label: String,
    /// Marks of time.
    pub times: Vec<Tick>,
    /// Marks of height.
    pub heights: Vec<Tick>,
    /// Whether heights are square roots.
    pub is_rooted: bool,
}

/// Something that lasts.
#[derive(Debug, PartialEq, Eq)]
pub struct Band {
    /// Its left end.
    pub x: String,
    /// How wide it is.
    pub width: String,
    /// What it is.
    pub title: String,
}

/// A slack moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Slack {
    /// Where it is.
    pub x: String,
    /// The path of its mark.
    pub mark: String,
    /// How many roles changed; empty where there is no room to say so.
    pub label: String,
    /// Where the number stands.
    pub label_y: String,
    /// Whether any role changed.
    pub changed: bool,
    /// Whether it is one moment, and not several too close to be told apart.
    pub is_single: bool,
    /// What happened.
    pub title: String,
}

/// The wide drawing and the one for phones.
pub fn draw(facts: Facts<'_>) -> [Tide; 2] {
    [WIDE, NARROW].map(|size| Drawing::new(facts, size).done())
}

/// Slack moments that share a mark.
struct Moments {
    x: f64,
    since: Timestamp,
    until: Timestamp,
    changes: u64,
    count: usize,
}

struct Drawing<'a> {
    facts: Facts<'a>,
    size: Size,
    /// The first and the last second.
    from: i64,
    to: i64,
}

impl<'a> Drawing<'a> {
    fn new(facts: Facts<'a>, size: Size) -> Self {
        let now = facts.now.as_second();
        let length = facts.range.minutes().saturating_mul(MINUTE_S);
        // Room for what is expected: a twelfth of the past, or as far as it reaches, but no more
        // than a quarter.
        let reaches = facts.expected.map_or(0, |window| window.until.as_second() - now);
        let ahead = reaches.saturating_add(length / 60).clamp(length / 12, length / 4);
        Self { facts, size, from: now - length, to: now + ahead }
    }

    fn x(&self, second: i64) -> f64 {
        let Size { width, left, right, .. } = self.size;
        let share = as_f64(second.clamp(self.from, self.to) - self.from)
            / as_f64((self.to - self.from).max(1));
        left + share * (width - left - right)
    }

    fn ground(&self) -> f64 {
        self.size.height - self.size.bottom
    }

    fn done(self) -> Tide {
        let step = self.facts.range.step(self.size);
        let rates = self.rates(step);
        let highest = rates.iter().map(|(_, rate)| *rate).fold(0.0_f64, f64::max);
        let is_rooted = is_steep(&rates, highest);
        let heights = heights(highest, is_rooted);
        let top_rate = heights.last().map_or(1.0, |(rate, _)| *rate).max(f64::MIN_POSITIVE);
        let depth = self.ground() - self.size.top;
        let root = |rate: f64| if is_rooted { rate.sqrt() } else { rate };
        let y = |rate: f64| self.ground() - depth * (root(rate) / root(top_rate)).clamp(0.0, 1.0);
        let points: Vec<(f64, f64)> =
            rates.iter().map(|(second, rate)| (self.x(*second), y(*rate))).collect();
        let line = smooth(&points);
        let area = match (points.first(), points.last()) {
            (Some((first, _)), Some((last, _))) => {
                let ground = place(self.ground());
                format!("{line}L{} {ground}L{} {ground}Z", place(*last), place(*first))
            }
            _ => String::new(),
        };
        let now = self.x(self.facts.now.as_second());
        Tide {
            name: if self.size.is_narrow { "narrow" } else { "wide" },
            view_box: format!("0 0 {} {}", place(self.size.width), place(self.size.height)),
            ground: place(self.ground()),
            left: place(self.size.left),
            right: place(self.size.width - self.size.right),
            top: place(self.size.top),
            depth: place(depth),
            waves: self.waves(),
            down: self.down(),
            expected: self.expected(),
            slacks: self.slacks(),
            failures: self.failures(step),
            now: place(now),
            now_label: place(now - 4.0),
            times: ticks::times(self.facts.range, self.size.is_narrow, self.from, self.to)
                .into_iter()
                .map(|(second, kind)| Tick {
                    x: place(self.x(second)),
                    y: place(self.ground() + 18.0),
                    at: Timestamp::from_second(second).unwrap_or(self.facts.now),
                    label: ticks::label(second, kind),
                    kind: kind.name(),
                })
                .collect(),
            heights: heights
                .iter()
                .map(|(rate, label)| Tick {
                    x: place(self.size.left - 6.0),
                    y: place(y(*rate)),
                    at: self.facts.now,
                    label: label.clone(),
                    kind: "",
                })
                .collect(),
            area,
            line,
            is_rooted,
        }
    }

    /// Requests a minute, point by point, softened a little: a tide has no corners.
    fn rates(&self, step: i64) -> Vec<(i64, f64)> {
        let (from, now) = (self.from.div_euclid(MINUTE_S), self.facts.now.as_second());
        let last = now.div_euclid(MINUTE_S);
        let points = series(self.facts.minutes, from, last.saturating_add(1), step);
        let mut rates = Vec::new();
        let mut minute = from.div_euclid(step).saturating_mul(step);
        while minute <= last {
            let requests = points.get(&minute).map_or(0, |counts| counts.requests);
            // The point that is still going on is shown for the time that it has lasted.
            let lasted = (last.saturating_add(1) - minute).min(step).max(1);
            let middle = minute.saturating_mul(MINUTE_S) + step.saturating_mul(MINUTE_S) / 2;
            let rate = as_f64(i64::try_from(requests).unwrap_or(i64::MAX)) / as_f64(lasted);
            rates.push((middle.min(now), rate));
            minute = minute.saturating_add(step);
        }
        let softened: Vec<(i64, f64)> = (0..rates.len())
            .filter_map(|at| {
                let (second, rate) = *rates.get(at)?;
                let rate_at = |at: Option<usize>| {
                    at.and_then(|at| rates.get(at)).map_or(rate, |(_, rate)| *rate)
                };
                let (before, after) = (rate_at(at.checked_sub(1)), rate_at(at.checked_add(1)));
                Some((second, before.mul_add(0.25, rate.mul_add(0.5, after * 0.25))))
            })
            .collect();
        softened
    }

    fn band(&self, from: Timestamp, until: Timestamp, title: String) -> Option<Band> {
        let (from, until) = (from.as_second(), until.as_second());
        if until < self.from || from > self.to {
            return None;
        }
        let (left, right) = (self.x(from), self.x(until));
        let width = (right - left).max(BAND_MIN);
        Some(Band { x: place(left), width: place(width), title })
    }

    fn waves(&self) -> Vec<Band> {
        let bands = self.facts.waves.iter().filter_map(|wave| {
            let until = wave.ended_at.unwrap_or(self.facts.now);
            let state = if wave.ended_at.is_none() { "A wave that goes on" } else { "A wave" };
            let title = format!(
                "{state}: {}, {} requests, {} errors",
                clock(wave.started_at),
                wave.requests,
                wave.errors
            );
            self.band(wave.started_at, until, title)
        });
        bands.collect()
    }

    fn slacks(&self) -> Vec<Slack> {
        let mut moments: Vec<(Timestamp, u64)> = self
            .facts
            .waves
            .iter()
            .filter_map(|wave| Some((wave.reconciled_at?, wave.role_changes)))
            .filter(|(at, _)| (self.from..=self.to).contains(&at.as_second()))
            .collect();
        moments.sort_unstable();
        // Those that stand too close to be told apart share a mark.
        let mut marks: Vec<Moments> = Vec::new();
        for (at, changes) in moments {
            let x = self.x(at.as_second());
            match marks.last_mut() {
                Some(last) if x - last.x < MARK_ROOM => {
                    last.until = at;
                    last.changes = last.changes.saturating_add(changes);
                    last.count += 1;
                }
                _ => marks.push(Moments { x, since: at, until: at, changes, count: 1 }),
            }
        }
        let mut labelled_to = f64::MIN;
        let marks = marks.into_iter().map(|moments| {
            let label = grouped(&moments.changes.to_string());
            let half = DIGIT * 0.5 * f64::from(u16::try_from(label.len()).unwrap_or(u16::MAX));
            let has_room = moments.changes > 0 && moments.x - half >= labelled_to + DIGIT;
            if has_room {
                labelled_to = moments.x + half;
            }
            self.slack(&moments, if has_room { label } else { String::new() })
        });
        marks.collect()
    }

    fn slack(&self, moments: &Moments, label: String) -> Slack {
        let (x, y) = (moments.x, self.size.top - 8.0);
        let changed = moments.changes > 0;
        let size = if changed { 5.0 } else { 2.5 };
        let (left, right) = (place(x - size), place(x + size));
        let (upper, lower) = (place(y - size), place(y + size));
        let (x, y) = (place(x), place(y));
        let roles = match moments.changes {
            0 => "no role changed".to_owned(),
            1 => "1 role changed".to_owned(),
            changes => format!("{changes} roles changed"),
        };
        let title = if moments.count == 1 {
            format!("Slack at {}: {roles}", clock(moments.since))
        } else {
            let (since, until) = (clock(moments.since), clock(moments.until));
            format!("Slack {} times from {since} to {until}: {roles}", moments.count)
        };
        Slack {
            mark: format!("M{x} {upper}L{right} {y}L{x} {lower}L{left} {y}Z"),
            label,
            label_y: place(self.size.top - 18.0),
            changed,
            is_single: moments.count == 1,
            title,
            x,
        }
    }

    fn expected(&self) -> Option<Band> {
        let window = self.facts.expected?;
        let from = window.from.max(self.facts.now);
        let until = window.until;
        if until <= from {
            return None;
        }
        let title =
            format!("The next wave is expected between {} and {}", clock(from), clock(until));
        self.band(from, until, title)
    }

    /// The times between those in which we served; before the first of them nothing is known.
    fn down(&self) -> Vec<Band> {
        let pairs = self.facts.served.iter().zip(self.facts.served.iter().skip(1));
        let bands = pairs.filter_map(|((_, until), (since, _))| {
            let title = format!("Not serving from {} to {}", clock(*until), clock(*since));
            self.band(*until, *since, title)
        });
        bands.collect()
    }

    fn failures(&self, step: i64) -> Vec<Band> {
        let (from, to) = (self.from.div_euclid(MINUTE_S), self.to.div_euclid(MINUTE_S));
        let points = series(self.facts.minutes, from, to, step);
        let failed = points.iter().filter(|(_, counts)| counts.failures > 0);
        let bands = failed.filter_map(|(minute, counts)| {
            let (at, until) = (start_of(*minute), start_of(minute.saturating_add(step)));
            let title = format!("{} of {} requests failed", counts.failures, counts.requests);
            self.band(at, until.min(self.facts.now), title)
        });
        bands.collect()
    }
}

/// Whether a few points stand so far above the rest that they would flatten it.
fn is_steep(rates: &[(i64, f64)], highest: f64) -> bool {
    let mut some: Vec<f64> =
        rates.iter().map(|(_, rate)| *rate).filter(|rate| *rate > 0.0).collect();
    some.sort_by(f64::total_cmp);
    some.get(some.len() / 2).is_some_and(|usual| highest > usual * STEEP)
}

/// A time of day, for titles.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
