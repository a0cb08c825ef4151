//! The page is whole, loads nothing, and lets no stranger write into it.

use super::*;
use crate::simulate::report::{ErrorReport, OperationReport, Plan, Second, WaveReport};

fn report() -> Report {
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
            rate: Some(25.0),
            churn_percent: 4.0,
            concurrency: 5,
        },
        started_at: "2026-11-30T08:00:00Z".to_owned(),
        duration_ms: 61_000.0,
        requests: 6_020,
        retries: 20,
        failures: 0,
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

/// The page without what its own styles have in braces.
fn body_of(page: &str) -> &str {
    page.split_once("</style>").map_or(page, |(_, body)| body)
}

#[test]
fn the_page_says_what_was_found() {
    let page = render(&report()).unwrap();

    for said in [
        "6,020",
        "167.2",
        "1,234",
        "12 joiners, 3 leavers",
        "5.12 s",
        "create user: half took at most 1.80 ms, 99 of 100 at most 14.4 ms",
        "No difference.",
        "too many requests",
        "--seed 42",
        "--rate 25",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("0 movers"), "what did not happen is not listed");
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = render(&report()).unwrap();

    for loads in ["http:", "https:", "//", "<script", "<link", "<img", "@import", " src=", " href="]
    {
        assert!(!page.contains(loads), "{loads}");
    }
    let mut urls = page.split("url(").skip(1);
    assert!(urls.all(|url| url.starts_with('#')), "only its own parts are referred to");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_strangers_wrote_is_text() {
    let hostile = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}";
    let mut report = report();
    report.errors[0].kind = hostile.to_owned();
    report.errors[0].example = format!("{hostile}{}", "x".repeat(10_000));
    report.operations[0].operation = hostile.to_owned();
    report.verification = Some(Verification {
        users: 1,
        groups: 1,
        memberships: 1,
        roles: None,
        differences: 11,
        first_differences: vec![hostile.to_owned(); 10],
        duration_ms: 1.0,
    });

    let page = render(&report).unwrap();
    let body = body_of(&page);

    assert!(!body.contains("<script") && !body.contains("<img"), "markup stays text");
    assert!(!body.contains('\u{202e}'), "nothing is turned around");
    assert!(!body.contains(&"x".repeat(1_000)), "endless text is cut");
    assert_eq!(body.matches("<li><bdi>").count(), 10);
    let labels = body.split("aria-label=\"").skip(1).filter_map(|rest| rest.split('"').next());
    assert!(labels.into_iter().all(|label| !label.contains('<')), "no attribute is left early");
}

#[test]
fn differences_are_seen_at_once() {
    let mut report = report();
    let found = report.verification.as_mut().unwrap();
    found.differences = 1;
    found.first_differences = vec!["ada@example.com: active is true, expected false".to_owned()];

    let page = render(&report).unwrap();

    assert!(page.contains("notice bad") && !page.contains("notice ok"));
    assert!(page.contains("1 difference.") && page.contains("expected false"));
}

#[test]
fn of_a_long_simulation_the_page_stays_small() {
    let mut report = report();
    report.timeline = (0..400_000)
        .map(|second| Second { second, requests: 1_000, errors: 1, max_ms: 9.0 })
        .collect();
    report.waves = (0..5_000_u32)
        .map(|at| WaveReport { started_ms: f64::from(at) * 80_000.0, ..report.waves[0].clone() })
        .collect();
    report.duration_ms = 400_000_000.0;

    let page = render(&report).unwrap();

    assert!(page.len() < 400_000, "{} bytes", page.len());
    assert!(page.contains("And 4,700 more"));
}

#[test]
fn of_nothing_there_is_a_page_too() {
    let mut report = report();
    report.operations.clear();
    report.errors.clear();
    report.waves.clear();
    report.timeline.clear();
    report.verification = None;

    let page = render(&report).unwrap();

    assert!(page.contains("Every answer was a success."));
    assert!(!page.contains("NaN") && !page.contains(">inf"), "{page}");
}
