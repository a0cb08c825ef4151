//! The documents of traffic: an hour's counts, and when the directory was heard.

use std::time::Duration;

use access::cadence::Served;
use access::quarantine::Refused;
use access::traffic::{Counts, Minutes};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Collection, Document, DocumentKey};

/// How long counts are kept: a week to look at, and the week before it to compare.
pub const KEPT_FOR: Duration = Duration::from_hours(14 * 24);

/// What came within an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficHour {
    /// The hour, counted from 1970.
    pub hour: i64,
    /// The minute within the hour, and its counts in the order of [`Counts`]' keys. Minutes in
    /// which nothing came are left out.
    minutes: Vec<(i64, [u64; 7])>,
}

impl TrafficHour {
    pub(super) const fn empty(hour: i64) -> Self {
        Self { hour, minutes: Vec::new() }
    }

    /// Adds what came in minutes of this hour.
    pub(super) fn add(&mut self, came: &Minutes) {
        let mut all: Minutes = self.minutes().collect();
        for (minute, counts) in came {
            *all.entry(*minute).or_default() += *counts;
        }
        let first = first_minute(self.hour);
        self.minutes = all.iter().map(|(minute, counts)| (minute - first, row(counts))).collect();
    }

    /// The minutes, counted from 1970.
    pub(super) fn minutes(&self) -> impl Iterator<Item = (i64, Counts)> + '_ {
        let first = first_minute(self.hour);
        self.minutes.iter().map(move |(minute, row)| (first + minute, counts(*row)))
    }
}

const fn row(counts: &Counts) -> [u64; 7] {
    [
        counts.requests,
        counts.writes,
        counts.failures,
        counts.reference_failures,
        counts.failed_look_ups,
        counts.unauthorized,
        counts.expired,
    ]
}

const fn counts(row: [u64; 7]) -> Counts {
    let [requests, writes, failures, reference_failures, failed_look_ups, unauthorized, expired] =
        row;
    Counts {
        requests,
        writes,
        failures,
        reference_failures,
        failed_look_ups,
        unauthorized,
        expired,
    }
}

impl Document for TrafficHour {
    const COLLECTION: Collection = Collection::Traffic;

    fn key(&self) -> DocumentKey {
        hour_key(self.hour)
    }
}

/// When we served, and when the directory was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When we served.
    pub served: Served,
    /// When the directory was last heard.
    pub last_heard_at: Option<Timestamp>,
    /// Requests refused for their token since then.
    pub refused: u64,
    /// Those of them whose token had expired.
    pub expired: u64,
    /// The life of the service that wrote this last, and the number of its write.
    life: Option<(u64, u64)>,
    /// What was refused before this life.
    #[serde(default)]
    before: (u64, u64),
}

impl Heard {
    /// Whether it holds what that life wrote under that number.
    pub(super) fn has(&self, life: u64, number: u64) -> bool {
        self.life.is_some_and(|(of, last)| of == life && last >= number)
    }

    /// Brings it up to `now`, with what the life that began at `opened_at` has in memory.
    pub(super) fn merge(
        &mut self,
        (life, opened_at): (u64, Timestamp),
        number: u64,
        now: Timestamp,
        (heard_at, refused): (Option<Timestamp>, Refused),
    ) {
        if self.life.is_none_or(|(of, _)| of != life) {
            self.before = (self.refused, self.expired);
        }
        // Once it was heard in this life, what was refused before is history.
        let (before, expired_before) = if heard_at.is_some() { (0, 0) } else { self.before };
        self.refused = before.saturating_add(refused.unauthorized);
        self.expired = expired_before.saturating_add(refused.expired);
        self.last_heard_at = self.last_heard_at.max(heard_at);
        self.served.note(opened_at, now);
        self.life = Some((life, number));
    }
}

impl Document for Heard {
    const COLLECTION: Collection = Collection::Traffic;

    fn key(&self) -> DocumentKey {
        heard_key()
    }
}

pub(super) fn heard_key() -> DocumentKey {
    DocumentKey::text("heard")
}

pub(super) fn hours_prefix() -> DocumentKey {
    DocumentKey::text("hour")
}

pub(super) fn hour_key(hour: i64) -> DocumentKey {
    hours_prefix().then_number(u64::try_from(hour).unwrap_or_default())
}

pub(super) const fn hour_of(minute: i64) -> i64 {
    minute.div_euclid(60)
}

const fn first_minute(hour: i64) -> i64 {
    hour.saturating_mul(60)
}

pub(super) const fn first_minute_after(hour: i64) -> i64 {
    first_minute(hour.saturating_add(1))
}
