//! The page is whole, loads nothing, and lets no stranger write into it.

use super::*;
use crate::simulate::report::example::report;
use crate::simulate::report::{Second, WaveReport};

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
        "--dialect entra",
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
fn what_is_owed_and_who_broke_off_is_seen_at_once() {
    let mut report = report();
    report.owed = 1_234;

    let owing = render(&report).unwrap();
    report.broke_off = vec!["tenant 1 is in <quarantine>".to_owned()];
    let broken_off = render(&report).unwrap();

    assert!(owing.contains("notice bad") && owing.contains("1,234 writes are owed still"));
    assert!(broken_off.contains("broke off before its end"));
    assert!(!broken_off.contains("<quarantine>") && broken_off.contains("is in &#60;quarantine"));
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
