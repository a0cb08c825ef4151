//! What the tenants' simulations found, put together into the report.

use std::time::Duration;

use jiff::Timestamp;

use super::simulated::Ended;
use super::{Options, dialect_of};
use crate::simulate::client::in_full;
use crate::simulate::dialect::Dialect;
use crate::simulate::measure::{Measure, milliseconds};
use crate::simulate::report::{Plan, Report, Verification, WaveReport};
use crate::simulate::verify::Comparison;

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    waves: Vec<WaveReport>,
    /// With the longest that it took.
    verification: Option<(Comparison, Duration)>,
    owed: u64,
    broke_off: Vec<String>,
}

impl Found {
    /// Takes in what came of a tenant.
    pub(super) fn add(&mut self, ended: Ended) {
        self.waves.extend(ended.waves);
        self.owed += ended.owed as u64;
        self.broke_off.extend(ended.broke_off.map(|error| in_full(&error)));
        if let Some((found, took)) = ended.verification {
            let (total, longest) = self.verification.get_or_insert_with(Default::default);
            total.absorb(found);
            *longest = took.max(*longest);
        }
    }

    /// All of it.
    pub(super) fn report(
        mut self,
        options: &Options,
        started_at: &Timestamp,
        measure: &Measure,
    ) -> Report {
        self.waves.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
        self.broke_off.sort_unstable();
        let (requests, retries, failures) = measure.totals();
        let in_waves = self.waves.iter().map(|wave| wave.requests).sum();
        Report {
            plan: plan(options),
            started_at: started_at.to_string(),
            duration_ms: milliseconds(measure.started().elapsed()),
            requests,
            retries,
            failures,
            owed: self.owed,
            broke_off: self.broke_off,
            requests_per_second: rate(in_waves, busy_ms(&self.waves)),
            operations: measure.operations(),
            errors: measure.errors(),
            waves: self.waves,
            timeline: measure.timeline(),
            verification: self.verification.map(|(found, took)| verification(found, took)),
        }
    }
}

fn verification(found: Comparison, took: Duration) -> Verification {
    Verification {
        users: found.users,
        groups: found.groups,
        memberships: found.memberships,
        roles: found.roles,
        differences: found.differences,
        first_differences: found.told,
        duration_ms: milliseconds(took),
    }
}

fn plan(options: &Options) -> Plan {
    Plan {
        seed: options.seed,
        tenants: options.targets.len(),
        users: options.users,
        groups: options.groups,
        waves: options.waves,
        interval_ms: milliseconds(options.interval),
        apart_ms: milliseconds(options.apart),
        rate: options.rate.map(|rate| f64::from(rate.get())),
        churn_percent: options.churn_percent,
        concurrency: options.concurrency,
        dialect: dialect(options).map(Dialect::name),
    }
}

/// The dialect of all tenants; none where they differ.
fn dialect(options: &Options) -> Option<Dialect> {
    let of = |endpoint| options.dialect.unwrap_or_else(|| dialect_of(endpoint));
    let mut dialects = options.targets.iter().map(|target| of(&target.endpoint));
    let first = dialects.next()?;
    dialects.all(|other| other == first).then_some(first)
}

/// How long at least one wave was being sent. The waves are in the order of their starts.
fn busy_ms(waves: &[WaveReport]) -> f64 {
    let (mut busy, mut until) = (0.0, 0.0_f64);
    for wave in waves {
        let end = wave.started_ms + wave.duration_ms;
        busy += (end - wave.started_ms.max(until)).max(0.0);
        until = until.max(end);
    }
    busy
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 requests")]
fn rate(requests: u64, busy_ms: f64) -> f64 {
    if busy_ms > 0.0 { requests as f64 * 1_000.0 / busy_ms } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::SimulateError;
    use super::*;

    fn wave(started_ms: f64, duration_ms: f64) -> WaveReport {
        WaveReport {
            tenant: 0,
            number: 1,
            cycle: "initial",
            started_ms,
            duration_ms,
            requests: 1,
            failures: 0,
            events: Vec::new(),
            role_changes: None,
            lag_ms: None,
        }
    }

    #[test]
    fn rests_between_waves_do_not_count_and_waves_at_once_count_once() {
        let waves = [wave(0.0, 100.0), wave(50.0, 20.0), wave(90.0, 30.0), wave(1_000.0, 10.0)];

        assert!((busy_ms(&waves) - 130.0).abs() < 1e-9);
    }

    #[test]
    fn a_tenant_that_breaks_off_takes_nothing_from_what_was_found() {
        let mut found = Found::default();
        let quarantined = SimulateError::Quarantined { tenant: 1 };
        let whole = Ended { waves: vec![wave(0.0, 1.0)], owed: 2, ..Ended::default() };

        found.add(whole);
        found.add(Ended { waves: vec![wave(5.0, 1.0)], ..Ended::broken_off(quarantined) });

        assert_eq!((found.waves.len(), found.owed), (2, 2));
        assert!(found.broke_off[0].starts_with("tenant 1 is in quarantine"));
    }
}
