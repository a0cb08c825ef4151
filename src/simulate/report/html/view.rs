//! Rows of the page's tables that are more than a field of the report.

use crate::simulate::report::{Plan, WaveReport};
use crate::wording::{grouped, milliseconds};

/// A wave, as the table shows it.
pub(super) struct WaveRow {
    /// Which tenant, from 0, as in every report.
    pub(super) tenant: usize,
    pub(super) number: usize,
    pub(super) cycle: &'static str,
    pub(super) started: String,
    pub(super) duration: String,
    pub(super) requests: u64,
    pub(super) failures: u64,
    /// What happened in the directory: `12 joiners, 3 leavers`.
    pub(super) happened: String,
    pub(super) role_changes: Option<u64>,
    pub(super) lag: Option<String>,
}

impl WaveRow {
    pub(super) fn of(wave: &WaveReport) -> Self {
        let some = wave.events.iter().filter(|(_, count)| *count > 0);
        let events: Vec<String> =
            some.map(|(event, count)| format!("{} {event}", grouped(&count.to_string()))).collect();
        Self {
            tenant: wave.tenant,
            number: wave.number,
            cycle: wave.cycle,
            started: milliseconds(wave.started_ms),
            duration: milliseconds(wave.duration_ms),
            requests: wave.requests,
            failures: wave.failures,
            happened: events.join(", "),
            role_changes: wave.role_changes,
            lag: wave.lag_ms.map(milliseconds),
        }
    }
}

/// A line of the plan.
pub(super) struct PlanRow {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The plan, line by line.
pub(super) fn plan(plan: &Plan) -> Vec<PlanRow> {
    let count = |number: usize| grouped(&number.to_string());
    let rate = plan.rate.map_or_else(
        || "as many requests as go".to_owned(),
        |rate| format!("{rate} requests a second for each tenant"),
    );
    [
        ("Seed", plan.seed.to_string()),
        ("Tenants", count(plan.tenants)),
        ("Users of each", count(plan.users)),
        ("Groups of each", count(plan.groups)),
        ("Waves of each", count(plan.waves)),
        ("From wave to wave", milliseconds(plan.interval_ms)),
        ("Between the halves of a move", format!("at most {}", milliseconds(plan.apart_ms))),
        ("Rate", rate),
        ("Churn", format!("{} of a hundred users in a wave", plan.churn_percent)),
        ("Dialect", plan.dialect.unwrap_or("as each address says").to_owned()),
        ("Requests under way", format!("at most {} of each tenant", plan.concurrency)),
    ]
    .map(|(name, value)| PlanRow { name, value })
    .into()
}

/// The command that sends the same again. Neither addresses nor tokens are in it, since a report is
/// passed on; tokens come by the environment, since others can see a command line.
pub(super) fn command(plan: &Plan) -> String {
    let endpoints = match plan.tenants {
        ..=1 => "--endpoint \"$ENDPOINT\"",
        // One option for each of them.
        _ => "$(printf -- '--endpoint %s ' $ENDPOINTS)",
    };
    let dialect = plan.dialect.map(|dialect| format!(" --dialect {dialect}")).unwrap_or_default();
    [
        "SLACKWATER_SIMULATE_TOKENS=\"$TOKENS\" slackwater simulate".to_owned(),
        endpoints.to_owned(),
        format!(
            "--users {} --groups {} --waves {} --interval {}ms --apart {}ms",
            plan.users,
            plan.groups,
            plan.waves,
            plan.interval_ms.round(),
            plan.apart_ms.round()
        ),
        format!(
            "--rate {} --churn {} --concurrency {} --seed {}{dialect} --verify",
            // 0 is as many as go.
            plan.rate.unwrap_or_default(),
            plan.churn_percent,
            plan.concurrency,
            plan.seed
        ),
    ]
    .join(" \\\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::report::example;

    #[test]
    fn the_command_says_everything_but_addresses_and_tokens() {
        let plan = || example::report().plan;

        let one = command(&Plan { tenants: 1, ..plan() });
        let many = command(&Plan { tenants: 40, dialect: None, ..plan() });

        let expected = "SLACKWATER_SIMULATE_TOKENS=\"$TOKENS\" slackwater simulate \\\n  \
                        --endpoint \"$ENDPOINT\" \\\n  \
                        --users 1000 --groups 40 --waves 2 --interval 20000ms --apart 5000ms \\\n  \
                        --rate 25 --churn 4 --concurrency 5 --seed 42 --dialect entra --verify";
        assert_eq!(one, expected);
        assert!(many.contains("$(printf -- '--endpoint %s ' $ENDPOINTS)"));
        assert!(!many.contains("--dialect") && !many.contains("--token"));
    }
}
