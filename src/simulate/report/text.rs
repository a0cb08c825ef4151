//! A report as text, for a terminal.
//!
//! It holds what the others hold, in fewer words: no distributions and no timeline.

use std::fmt::{self, Write as _};

use super::{Report, Verification, WaveReport};

/// Waves that are shown one by one.
const WAVES_SHOWN_MAX: usize = 40;

/// Writes a report as text.
pub fn write(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_to(&mut out, report);
    out
}

fn write_to(out: &mut String, report: &Report) -> fmt::Result {
    let plan = &report.plan;
    writeln!(
        out,
        "{} tenants of {} users and {} groups, {} waves, {} % churn, seed {}",
        plan.tenants, plan.users, plan.groups, plan.waves, plan.churn_percent, plan.seed
    )?;
    writeln!(
        out,
        "{} requests in {}: {:.1} a second while waves were sent; {} tried again, {} failed",
        report.requests,
        span(report.duration_ms),
        report.requests_per_second,
        report.retries,
        report.failures
    )?;
    operations(out, report)?;
    waves(out, &report.waves)?;
    if !report.errors.is_empty() {
        writeln!(out, "\nerrors")?;
        for error in &report.errors {
            writeln!(out, "  {:>8}  {:<20}  {}", error.count, error.kind, error.example)?;
        }
    }
    if let Some(verification) = &report.verification {
        verified(out, verification)?;
    }
    not_done(out, report)
}

/// What is missing at the end.
fn not_done(out: &mut String, report: &Report) -> fmt::Result {
    if report.owed > 0 {
        writeln!(out, "\n{} writes failed and are owed still", report.owed)?;
    }
    for why in &report.broke_off {
        writeln!(out, "\nbroke off: {why}")?;
    }
    Ok(())
}

fn operations(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "\n{:<18} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "operation", "requests", "errors", "mean ms", "p50", "p90", "p99", "max"
    )?;
    for one in &report.operations {
        writeln!(
            out,
            "{:<18} {:>9} {:>7} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            one.operation,
            one.requests,
            one.errors,
            one.mean_ms,
            one.p50_ms,
            one.p90_ms,
            one.p99_ms,
            one.max_ms
        )?;
    }
    Ok(())
}

fn waves(out: &mut String, waves: &[WaveReport]) -> fmt::Result {
    writeln!(
        out,
        "\n{:<6} {:>4} {:<11} {:>9} {:>9} {:>7} {:>7} {:>8}  in the directory",
        "tenant", "wave", "cycle", "took", "requests", "failed", "roles", "lag"
    )?;
    for wave in waves.iter().take(WAVES_SHOWN_MAX) {
        let roles = wave.role_changes.map_or_else(|| "-".to_owned(), |roles| roles.to_string());
        let lag = wave.lag_ms.map_or_else(|| "-".to_owned(), span);
        let events: Vec<String> =
            wave.events.iter().map(|(event, times)| format!("{times} {event}")).collect();
        writeln!(
            out,
            "{:<6} {:>4} {:<11} {:>9} {:>9} {:>7} {:>7} {:>8}  {}",
            wave.tenant,
            wave.number,
            wave.cycle,
            span(wave.duration_ms),
            wave.requests,
            wave.failures,
            roles,
            lag,
            events.join(", ")
        )?;
    }
    match waves.len().saturating_sub(WAVES_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

fn verified(out: &mut String, found: &Verification) -> fmt::Result {
    let roles = found.roles.map(|roles| format!(", {roles} roles")).unwrap_or_default();
    write!(
        out,
        "\nverified {} users, {} groups, {} memberships{roles} in {}: ",
        found.users,
        found.groups,
        found.memberships,
        span(found.duration_ms)
    )?;
    if found.differences == 0 {
        return writeln!(out, "no difference");
    }
    writeln!(out, "{} differences", found.differences)?;
    for difference in &found.first_differences {
        writeln!(out, "  {difference}")?;
    }
    let told = found.first_differences.len() as u64;
    match found.differences.saturating_sub(told) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn span(milliseconds: f64) -> String {
    if milliseconds < 1_000.0 {
        format!("{milliseconds:.0} ms")
    } else if milliseconds < 120_000.0 {
        format!("{:.1} s", milliseconds / 1_000.0)
    } else {
        format!("{:.1} min", milliseconds / 60_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_is_owed_and_who_broke_off_is_said_at_the_end_also_where_nothing_was_verified() {
        let mut report = example::report();
        report.verification = None;
        report.owed = 3;
        report.broke_off = vec!["tenant 1 is in quarantine".to_owned()];

        let text = write(&report);

        let end = "\n3 writes failed and are owed still\n\nbroke off: tenant 1 is in quarantine\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn differences_are_named_and_those_that_are_not_are_counted() {
        let found = Verification {
            users: 3,
            groups: 2,
            memberships: 5,
            roles: Some(3),
            differences: 12,
            first_differences: vec!["group \"Sales\" lacks \"ada\"".to_owned()],
            duration_ms: 1_500.0,
        };
        let mut out = String::new();

        verified(&mut out, &found).unwrap();

        let lines: Vec<&str> = out.trim().lines().collect();
        let first = "verified 3 users, 2 groups, 5 memberships, 3 roles in 1.5 s: 12 differences";
        assert_eq!(lines, [first, "  group \"Sales\" lacks \"ada\"", "  and 11 more"]);
    }
}
