//! What the directory sent, counted and kept.
//!
//! Requests are counted in memory, by the minute, behind a lock held for nanoseconds. Ten seconds
//! after something came, and when the service stops, the counts are added to documents, one an
//! hour. A kill loses what was counted since. Besides, and at least every hour, it is
//! written down until when we served, when the directory was last heard, and what was refused
//! since: silence is measured against that.

mod kept;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use access::cadence::Served;
use access::quarantine::Refused;
use access::traffic::{Counts, Minutes, minute_of};
use jiff::{SignedDuration, Timestamp};
use store::{Changeset, Operation, ReadError, Snapshot};

pub use self::kept::{Heard, KEPT_FOR, TrafficHour};
use self::kept::{heard_key, hour_key, hours_prefix};
use crate::error::ChangeError;
use crate::sent::Fresh;
use crate::shared::Shared;

/// Minutes that wait to be written: a day of a disk that refuses them.
const UNWRITTEN_MAX: usize = 1_440;
/// It is written this often that we serve, even if nothing comes: in each of the housekeeper's
/// rounds.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(50);
/// How often a reading begins anew because something was written meanwhile.
const READS_MAX: usize = 4;

/// A request, answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Whether it asked for a change.
    pub is_write: bool,
    /// Whether it asked for a deletion.
    pub is_delete: bool,
    /// Whether it was about nothing but references.
    pub is_reference: bool,
}

/// What was counted in this life of the service.
#[derive(Debug)]
pub struct TrafficLog {
    /// When this life began.
    opened_at: Timestamp,
    /// What tells this life from others.
    life: u64,
    counted: Mutex<Counted>,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Counted {
    /// What is not handed in yet.
    minutes: Minutes,
    /// What was handed in, with the number that it is written under.
    written: Option<(u64, Minutes)>,
    /// The last number.
    writes: u64,
    /// When something was last written.
    written_at: Option<Timestamp>,
    last_heard_at: Option<Timestamp>,
    /// Since the directory was heard in this life, or since its beginning.
    refused: Refused,
    /// Whether there is something to write.
    is_dirty: bool,
}

/// What is known of when the directory was heard.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// When we served, up to now.
    pub served: Served,
    /// When the directory was last heard.
    pub last_heard_at: Option<Timestamp>,
    /// What was refused since then.
    pub refused: Refused,
}

impl TrafficLog {
    pub(crate) fn new(opened_at: Timestamp) -> Self {
        let (counted, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { opened_at, life: RandomState::new().hash_one(opened_at), counted, writing }
    }

    /// A request was answered. Answers whether nothing waited to be written before.
    pub(crate) fn answered(&self, at: Timestamp, request: Answered) -> bool {
        let Answered { status, is_write, is_delete, is_reference } = request;
        let failed = access::traffic::is_failure(status, is_write, is_delete);
        let mut counted = self.counted();
        let is_first = !counted.is_dirty;
        let counts = counted.at(at);
        counts.requests += 1;
        counts.writes += u64::from(is_write);
        counts.failures += u64::from(failed);
        counts.reference_failures += u64::from(failed && is_reference);
        counts.failed_look_ups += u64::from(failed && !is_write);
        counted.last_heard_at = counted.last_heard_at.max(Some(at));
        counted.refused = Refused::default();
        is_first
    }

    /// A request came with a token that does not count, or does not any more. Answers whether
    /// nothing waited to be written before.
    pub(crate) fn refused(&self, at: Timestamp, expired: bool) -> bool {
        let mut counted = self.counted();
        let is_first = !counted.is_dirty;
        let counts = counted.at(at);
        counts.unauthorized += 1;
        counts.expired += u64::from(expired);
        counted.refused.unauthorized += 1;
        counted.refused.expired += u64::from(expired);
        is_first
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn at(&mut self, at: Timestamp) -> &mut Counts {
        self.is_dirty = true;
        if self.minutes.len() >= UNWRITTEN_MAX {
            self.minutes.pop_first();
        }
        self.minutes.entry(minute_of(at)).or_default()
    }

    /// Takes back what was handed in and is not on disk: it is written with what comes next.
    fn take_back(&mut self) {
        if let Some((_, minutes)) = self.written.take() {
            for (minute, counts) in minutes {
                *self.minutes.entry(minute).or_default() += counts;
            }
            self.is_dirty = true;
        }
    }
}

/// Writes what was counted, if anything was; at the end also that we served until now.
pub(crate) async fn write(shared: &Shared, at_the_end: bool) -> Result<(), ChangeError> {
    let log = &shared.traffic;
    let _writing = log.writing.lock().await;
    let now = shared.clock.now();
    let is_due = {
        let counted = log.counted();
        let noted = counted.written_at.unwrap_or(log.opened_at);
        let rested = now.duration_since(noted) >= NOTED_EVERY;
        at_the_end || counted.is_dirty || counted.written.is_some() || rested
    };
    let names = shared.sent.to_write();
    if !is_due && names.is_none() {
        return Ok(());
    }
    let written = match handed_in(shared, now, names.as_ref()) {
        Ok(change) => shared.commit(change).await.map(drop),
        Err(error) => Err(error),
    };
    if written.is_ok() {
        let mut counted = log.counted();
        counted.written = None;
        counted.written_at = Some(now);
    } else if let Some(names) = names {
        shared.sent.not_written(names);
    }
    written
}

/// The change that writes all of it.
fn handed_in(
    shared: &Shared,
    now: Timestamp,
    names: Option<&Fresh>,
) -> Result<Changeset, ChangeError> {
    let change = hand_in(shared, now)?;
    Ok(match names {
        Some(names) => change.with(names.operation(shared)?),
        None => change,
    })
}

/// Forgets what is older than [`KEPT_FOR`], a piece of it. Answers whether there is more.
pub(crate) async fn forget_old(shared: &Shared, piece: usize) -> Result<bool, ChangeError> {
    let kept_for = i64::try_from(KEPT_FOR.as_secs() / 3_600).unwrap_or(i64::MAX);
    let first_kept = kept::hour_of(minute_of(shared.clock.now())).saturating_sub(kept_for);
    let hours: Vec<TrafficHour> =
        shared.snapshot()?.documents_within(shared.key, &hours_prefix(), None, piece)?;
    let old = hours.iter().filter(|kept| kept.hour < first_kept);
    let mut change = Changeset::new(shared.key, shared.clock.now(), None);
    change.operations =
        old.map(|kept| Operation::delete::<TrafficHour>(hour_key(kept.hour))).collect();
    if change.operations.is_empty() {
        return Ok(false);
    }
    let more = change.operations.len() >= piece;
    shared.commit(change).await?;
    Ok(more)
}

/// The change that adds what was counted to what is kept.
fn hand_in(shared: &Shared, now: Timestamp) -> Result<Changeset, ChangeError> {
    let log = &shared.traffic;
    let snapshot = shared.snapshot()?;
    let mut heard = heard(shared, &snapshot)?.unwrap_or_default();
    let (number, minutes, in_memory) = {
        let mut counted = log.counted();
        if counted.written.as_ref().is_some_and(|(number, _)| heard.has(log.life, *number)) {
            // Its outcome was unknown, and is known now.
            counted.written = None;
        }
        counted.take_back();
        counted.writes += 1;
        counted.is_dirty = false;
        let minutes = std::mem::take(&mut counted.minutes);
        counted.written = Some((counted.writes, minutes.clone()));
        (counted.writes, minutes, (counted.last_heard_at, counted.refused))
    };
    let mut change = Changeset::new(shared.key, now, None);
    let mut left = minutes;
    while let Some((first, _)) = left.first_key_value() {
        let hour = kept::hour_of(*first);
        let rest = left.split_off(&kept::first_minute_after(hour));
        let kept = snapshot.document::<TrafficHour>(shared.key, &hour_key(hour))?;
        let mut kept = kept.map_or_else(|| TrafficHour::empty(hour), |kept| kept.value);
        kept.add(&left);
        change.operations.push(Operation::put(&kept)?);
        left = rest;
    }
    heard.merge((log.life, log.opened_at), number, now, in_memory);
    change.operations.push(Operation::put(&heard)?);
    Ok(change)
}

fn heard(shared: &Shared, snapshot: &Snapshot) -> Result<Option<Heard>, ReadError> {
    let kept = snapshot.document::<Heard>(shared.key, &heard_key())?;
    Ok(kept.map(|kept| kept.value))
}

impl Shared {
    /// When we served and when the directory was heard, as of now.
    pub fn known(&self, snapshot: &Snapshot) -> Result<Known, ReadError> {
        let mut kept = heard(self, snapshot)?.unwrap_or_default();
        let (number, in_memory) = {
            let counted = self.traffic.counted();
            (counted.writes, (counted.last_heard_at, counted.refused))
        };
        kept.merge(
            (self.traffic.life, self.traffic.opened_at),
            number,
            self.clock.now(),
            in_memory,
        );
        let Heard { served, last_heard_at, refused, expired, .. } = kept;
        let refused = Refused { unauthorized: refused, expired };
        Ok(Known { served, last_heard_at, refused })
    }

    /// What came between two minutes, the second left out; at most [`KEPT_FOR`] ago.
    pub fn minutes(&self, from: i64, to: i64) -> Result<Minutes, ReadError> {
        let mut minutes = self.minutes_once(from, to)?;
        for _ in 1..READS_MAX {
            if minutes.is_some() {
                break;
            }
            minutes = self.minutes_once(from, to)?;
        }
        Ok(minutes.unwrap_or_default())
    }

    /// None if something was written between the reading of one part and of the other.
    fn minutes_once(&self, from: i64, to: i64) -> Result<Option<Minutes>, ReadError> {
        let now = minute_of(self.clock.now());
        let from = from.max(now - i64::try_from(KEPT_FOR.as_secs() / 60).unwrap_or(i64::MAX));
        let before = self.traffic.counted().writes;
        let snapshot = self.snapshot()?;
        let heard = heard(self, &snapshot)?.unwrap_or_default();
        let (first, last) = (kept::hour_of(from), kept::hour_of(to.min(now.saturating_add(1))));
        let hours = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(0);
        let after = hour_key(first.saturating_sub(1));
        let kept: Vec<TrafficHour> =
            snapshot.documents_within(self.key, &hours_prefix(), Some(&after), hours)?;
        let mut minutes = Minutes::new();
        for (minute, counts) in kept.iter().flat_map(TrafficHour::minutes) {
            *minutes.entry(minute).or_default() += counts;
        }
        {
            let counted = self.traffic.counted();
            if counted.writes != before {
                return Ok(None);
            }
            let is_read = |number: u64| heard.has(self.traffic.life, number);
            if counted.written.is_none() && before > 0 && !is_read(before) {
                // It was written after the snapshot was taken.
                return Ok(None);
            }
            let unread = counted.written.as_ref().filter(|(number, _)| !is_read(*number));
            for (minute, counts) in unread.iter().flat_map(|(_, minutes)| minutes) {
                *minutes.entry(*minute).or_default() += *counts;
            }
            for (minute, counts) in &counted.minutes {
                *minutes.entry(*minute).or_default() += *counts;
            }
        }
        minutes.retain(|minute, _| (from..to).contains(minute));
        Ok(Some(minutes))
    }
}
