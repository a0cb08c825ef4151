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
        ("Rate", rate),
        ("Churn", format!("{} of a hundred users in a wave", plan.churn_percent)),
        ("Requests under way", format!("at most {} of each tenant", plan.concurrency)),
    ]
    .map(|(name, value)| PlanRow { name, value })
    .into()
}

/// The command that sends the same again. Tokens are not in it: a report is passed on.
pub(super) fn command(plan: &Plan) -> String {
    let mut command = vec!["slackwater simulate".to_owned()];
    for tenant in 0..plan.tenants.min(ENDPOINTS_SHOWN_MAX) {
        command.push(format!("--endpoint \"$ENDPOINT_{tenant}\" --token \"$TOKEN_{tenant}\""));
    }
    if plan.tenants > ENDPOINTS_SHOWN_MAX {
        command.push("…".to_owned());
    }
    command.push(format!(
        "--users {} --groups {} --waves {} --interval {}ms",
        plan.users,
        plan.groups,
        plan.waves,
        plan.interval_ms.round()
    ));
    command.push(format!(
        "--rate {} --churn {} --concurrency {} --seed {} --verify",
        // 0 is as many as go.
        plan.rate.unwrap_or_default(),
        plan.churn_percent,
        plan.concurrency,
        plan.seed
    ));
    command.join(" \\\n  ")
}

/// Endpoints that the command spells out.
const ENDPOINTS_SHOWN_MAX: usize = 10;
