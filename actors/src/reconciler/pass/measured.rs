//! Metrics of passes and of the waves that they settle. Names are those of `docs/metrics.md`.

use access::wave::Wave;
use jiff::Timestamp;
use metrics::{counter, histogram};

use super::Report;

/// A pass is done.
pub(super) fn done(report: &Report) {
    let trigger = trigger(report.trigger, report.dry_run);
    histogram!("slackwater_reconcile_duration_seconds", "trigger" => trigger)
        .record(seconds(report.duration_ms));
    counter!("slackwater_reconcile_accounts_examined_total", "trigger" => trigger)
        .increment(report.examined);
    if !report.dry_run {
        counter!("slackwater_role_changes_total", "trigger" => trigger).increment(report.changed);
        let held = report.held.map_or(0, |held| held.accounts);
        counter!("slackwater_role_changes_held_total").increment(held);
    }
}

/// A piece of a pass failed.
pub(super) fn failed(report: &Report) {
    let trigger = trigger(report.trigger, report.dry_run);
    counter!("slackwater_reconcile_failures_total", "trigger" => trigger).increment(1);
}

/// A wave has settled, and its roles are those that the rules give.
pub(super) fn settled(wave: &Wave, role_changes: u64, now: Timestamp) {
    counter!("slackwater_waves_settled_total").increment(1);
    histogram!("slackwater_wave_requests").record(count(wave.requests));
    histogram!("slackwater_wave_role_changes").record(count(role_changes));
    let last_write = wave.ended_at.unwrap_or(wave.started_at);
    let lag_ms = now.as_millisecond().saturating_sub(last_write.as_millisecond());
    histogram!("slackwater_wave_lag_seconds").record(seconds(lag_ms));
}

/// What only tells is counted apart, whoever asked for it.
const fn trigger(trigger: &'static str, dry_run: bool) -> &'static str {
    if dry_run { "dry_run" } else { trigger }
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default()).as_secs_f64()
}

fn count(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
