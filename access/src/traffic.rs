//! Traffic: what a directory sent, counted minute by minute.
//!
//! The counters are what the chart of a tenant's tides is drawn from, and what failures are judged
//! by. Here is their arithmetic alone: who counts and where it is kept is not known here.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds of a minute, the finest step that is kept.
pub const MINUTE_S: i64 = 60;
/// Points that a series is made of at most.
pub const POINTS_MAX: i64 = 480;
/// The steps that a series can have, in minutes: those whose points fall on round times.
const STEPS_MINUTES: [i64; 9] = [1, 2, 5, 10, 15, 30, 60, 120, 360];

/// What came within some time. A request counts when it is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests with a token that counts.
    pub requests: u64,
    /// Those of them that ask for a change.
    pub writes: u64,
    /// Requests that failed: see [`is_failure`].
    pub failures: u64,
    /// Those of them that were about nothing but a manager or members.
    pub reference_failures: u64,
    /// Look-ups that failed; they are operations too, as writes are.
    pub failed_look_ups: u64,
    /// Requests with a token that does not count.
    pub unauthorized: u64,
    /// Those of them whose token had counted until it expired.
    pub expired: u64,
}

impl Counts {
    /// What Entra counts as operations: writes, and look-ups that failed. Look-ups that went well
    /// would make failures look rare.
    pub const fn operations(&self) -> u64 {
        self.writes.saturating_add(self.failed_look_ups)
    }

    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the directory was heard with a token that counts.
    pub const fn is_heard(&self) -> bool {
        self.requests > 0
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        add(&mut self.requests, other.requests);
        add(&mut self.writes, other.writes);
        add(&mut self.failures, other.failures);
        add(&mut self.reference_failures, other.reference_failures);
        add(&mut self.failed_look_ups, other.failed_look_ups);
        add(&mut self.unauthorized, other.unauthorized);
        add(&mut self.expired, other.expired);
    }
}

/// Whether an answer with this status is a failure to the directory. That a look-up finds nothing,
/// and that what is to be deleted is gone already, is as it should be.
pub const fn is_failure(status: u16, is_write: bool, is_delete: bool) -> bool {
    let nothing_there = status == 404 && (!is_write || is_delete);
    status >= 400 && !nothing_there
}

/// The minute of a time, counted from 1970.
pub fn minute_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(MINUTE_S)
}

/// When a minute begins.
pub fn start_of(minute: i64) -> Timestamp {
    Timestamp::from_second(minute.saturating_mul(MINUTE_S)).unwrap_or(Timestamp::MAX)
}

/// What came in the minutes in which something came.
pub type Minutes = BTreeMap<i64, Counts>;

/// What came between two minutes, the second of them left out.
pub fn total(minutes: &Minutes, from: i64, to: i64) -> Counts {
    let mut sum = Counts::default();
    if from < to {
        for counts in minutes.range(from..to).map(|(_, counts)| *counts) {
            sum += counts;
        }
    }
    sum
}

/// The step for a series of so many minutes: the finest that makes [`POINTS_MAX`] points at most.
pub fn step_for(minutes: i64) -> i64 {
    let fits = |step: &&i64| minutes.div_euclid(**step) <= POINTS_MAX;
    STEPS_MINUTES.iter().find(fits).copied().unwrap_or_else(|| {
        // Longer than any that is asked for; still no more points than that.
        minutes.div_euclid(POINTS_MAX).saturating_add(1)
    })
}

/// Minutes as points of `step` minutes each; those in which nothing came are left out. A point
/// stands at the minute that it begins with.
pub fn series(minutes: &Minutes, from: i64, to: i64, step: i64) -> Minutes {
    let step = step.max(1);
    let mut points = Minutes::new();
    if from < to {
        for (minute, counts) in minutes.range(from..to) {
            *points.entry(minute.div_euclid(step).saturating_mul(step)).or_default() += *counts;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_look_up_that_finds_nothing_is_no_failure_and_a_refused_write_is_one() {
        for (status, is_write, is_delete, expected) in [
            (200, false, false, false),
            (204, true, false, false),
            (404, false, false, false),
            (404, true, true, false),
            (404, true, false, true),
            (400, false, false, true),
            (409, true, false, true),
            (429, true, false, true),
            (503, false, false, true),
        ] {
            assert_eq!(is_failure(status, is_write, is_delete), expected, "{status} {is_write}");
        }
    }

    #[test]
    fn a_week_fits_into_a_chart_and_six_hours_are_shown_by_the_minute() {
        assert_eq!(step_for(6 * 60), 1);
        assert_eq!(step_for(24 * 60), 5);
        assert_eq!(step_for(7 * 24 * 60), 30);
    }

    proptest! {
        #[test]
        fn a_series_holds_all_that_came_in_no_more_points_than_it_may(
            came in prop::collection::btree_map(0_i64..30_000, 1_u64..9, 0..60),
            from in 0_i64..20_000,
            length in 1_i64..20_000,
        ) {
            let minutes: Minutes = came
                .into_iter()
                .map(|(minute, requests)| (minute, Counts { requests, ..Counts::default() }))
                .collect();
            let to = from + length;

            let points = series(&minutes, from, to, step_for(length));

            let sum: u64 = points.values().map(|counts| counts.requests).sum();
            prop_assert_eq!(sum, total(&minutes, from, to).requests);
            prop_assert!(i64::try_from(points.len()).unwrap() <= POINTS_MAX + 1);
        }
    }
}
