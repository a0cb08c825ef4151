//! Checks of the sync itself: its rhythm, its failures, its attribute mapping.

use std::time::Duration;

use access::mapping_check::Severity;
use access::quarantine::{
    ALL_FAILURES_MAX, FAILURES_MAX, FAILURES_MIN, Nearness, Quarantine, SHARE_PERCENT_MAX, WINDOW,
    judge,
};
use access::traffic::{minute_of, total};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use store::ReadError;
use utoipa::ToSchema;

use super::{Health, Looking, Status};
use crate::openapi::schemas::health as schemas;

/// How near the directory's job is to quarantine, and what Entra's limits are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineHealth)]
pub(crate) struct ShownQuarantine {
    #[serde(flatten)]
    #[schema(inline, value_type = schemas::Quarantine)]
    pub(crate) quarantine: Quarantine,
    /// The time whose failures are counted.
    pub(crate) window: &'static str,
    /// What Entra puts a job into quarantine for.
    pub(crate) limits: Limits,
}

/// What Entra puts a job into quarantine for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = QuarantineLimits)]
pub(crate) struct Limits {
    /// Failures from which on their share counts; those of references are left out.
    pub(crate) failures_min: u64,
    /// The share that is too much, from 0 to 1.
    pub(crate) share_max: f64,
    /// Failures that are too many whatever their share; those of references are left out.
    pub(crate) failures_max: u64,
    /// Failures of any kind that are too many.
    pub(crate) all_failures_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let percent = u8::try_from(SHARE_PERCENT_MAX).unwrap_or(u8::MAX);
        Self {
            failures_min: FAILURES_MIN,
            share_max: f64::from(percent) / 100.0,
            failures_max: FAILURES_MAX,
            all_failures_max: ALL_FAILURES_MAX,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a check as the others are")]
pub(super) fn cadence(_: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    Ok(if health.cadence.overdue { Status::Attention } else { Status::Ok })
}

pub(super) fn quarantine(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, now } = looking;
    let (from, to) = (minute_of(earlier(*now, WINDOW)), minute_of(*now).saturating_add(1));
    let came = total(&shared.minutes(from, to)?, from, to);
    let judged = judge(&came, shared.known(snapshot)?.refused);
    let is_fine = judged.state == Nearness::Fine;
    health.quarantine = judged.into();
    Ok(if is_fine { Status::Ok } else { Status::Attention })
}

pub(super) fn mapping(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let Looking { shared, snapshot, .. } = looking;
    let sent = shared.sent_names(snapshot)?;
    let checked = access::mapping_check::check(&sent, &shared.config().settings);
    let is_broken = checked.worst == Some(Severity::Must);
    health.mapping_check = checked;
    Ok(if is_broken { Status::Attention } else { Status::Ok })
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
