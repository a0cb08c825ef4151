//! A report for tests.

use super::{ErrorReport, OperationReport, Plan, Report, Second, Verification, WaveReport};

/// Of two tenants whose simulation went well.
pub(super) fn report() -> Report {
    let operation = |name: &str, p50: f64| OperationReport {
        operation: name.to_owned(),
        requests: 1_234,
        errors: 3,
        mean_ms: p50 * 1.2,
        p50_ms: p50,
        p90_ms: p50 * 2.0,
        p99_ms: p50 * 8.0,
        p999_ms: p50 * 20.0,
        max_ms: p50 * 31.0,
        distribution: vec![(p50 / 2.0, 100), (p50, 617), (p50 * 8.0, 1_221), (p50 * 31.0, 1_234)],
    };
    let wave = |tenant, number, started_ms| WaveReport {
        tenant,
        number,
        cycle: if number == 1 { "initial" } else { "incremental" },
        started_ms,
        duration_ms: 9_000.0,
        requests: 1_500,
        failures: 0,
        events: vec![("joiners", 12), ("movers", 0), ("leavers", 3)],
        role_changes: (number > 1).then_some(17),
        lag_ms: (number > 1).then_some(5_120.0),
    };
    Report {
        plan: Plan {
            seed: 42,
            tenants: 2,
            users: 1_000,
            groups: 40,
            waves: 2,
            interval_ms: 20_000.0,
            apart_ms: 5_000.0,
            rate: Some(25.0),
            churn_percent: 4.0,
            concurrency: 5,
            dialect: Some("entra"),
        },
        started_at: "2026-11-30T08:00:00Z".to_owned(),
        duration_ms: 61_000.0,
        requests: 6_020,
        retries: 20,
        failures: 0,
        owed: 0,
        broke_off: Vec::new(),
        requests_per_second: 167.2,
        operations: vec![operation("create user", 1.8), operation("add member", 0.9)],
        errors: vec![ErrorReport {
            kind: "429".to_owned(),
            count: 20,
            example: "create user: too many requests".to_owned(),
        }],
        waves: vec![wave(0, 1, 0.0), wave(1, 1, 400.0), wave(0, 2, 20_000.0), wave(1, 2, 40_000.0)],
        timeline: (0..50)
            .map(|second| Second {
                second,
                requests: if second % 20 < 9 { 160 } else { 0 },
                errors: u64::from(second == 3) * 20,
                max_ms: 31.5,
            })
            .collect(),
        verification: Some(Verification {
            users: 1_012,
            groups: 40,
            memberships: 3_100,
            roles: Some(1_012),
            differences: 0,
            first_differences: Vec::new(),
            duration_ms: 240.0,
        }),
    }
}
