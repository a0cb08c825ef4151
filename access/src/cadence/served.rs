//! When we served: what silence is measured against.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{between, earlier};

/// A break that is shorter than this is none: a restart, which no cycle of Entra's notices.
const BREAK_MIN: Duration = Duration::from_mins(2);
/// How long stretches are remembered.
const REMEMBERED_FOR: Duration = Duration::from_hours(15 * 24);
/// Stretches that are remembered at most; a service that breaks off more often forgets the oldest.
const STRETCHES_MAX: usize = 64;

/// The stretches of time in which we served, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    stretches: Vec<(Timestamp, Timestamp)>,
}

impl Served {
    /// We have served since `since`, and still do at `now`.
    pub fn note(&mut self, since: Timestamp, now: Timestamp) {
        match self.stretches.last_mut() {
            // The clock of a later life may be behind that of an earlier one.
            Some((_, until)) if between(*until, since) < BREAK_MIN => *until = now.max(*until),
            _ => self.stretches.push((since, now.max(since))),
        }
        let end = earlier(now, REMEMBERED_FOR);
        self.stretches.retain(|(_, until)| *until >= end);
        let too_many = self.stretches.len().saturating_sub(STRETCHES_MAX);
        self.stretches.drain(..too_many);
    }

    /// The stretches, oldest first.
    pub fn stretches(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        self.stretches.iter().copied()
    }

    /// For how long we served between two moments.
    pub fn time_within(&self, from: Timestamp, until: Timestamp) -> Duration {
        let within =
            |(since, to): &(Timestamp, Timestamp)| between((*since).max(from), (*to).min(until));
        self.stretches.iter().map(within).sum()
    }

    /// Whether we served all the time between two moments.
    pub fn covers(&self, from: Timestamp, until: Timestamp) -> bool {
        self.stretches.iter().any(|(since, to)| *since <= from && until <= *to)
    }

    /// Since when we serve without a break, up to `now`.
    pub fn up_since(&self, now: Timestamp) -> Option<Timestamp> {
        let (since, _) = self.stretches.iter().rev().find(|(since, _)| *since <= now)?;
        Some(*since)
    }
}
