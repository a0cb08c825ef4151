//! What a simulation found, as `--json` writes it and as the other reports show it.
//!
//! Here are the shapes alone: how they are told to people is beside it.

#[cfg(test)]
mod example;
pub mod html;
pub mod text;

use serde::Serialize;

/// Everything that a simulation has to say. Times are milliseconds; offsets count from the start.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was simulated.
    pub plan: Plan,
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// How long all of it took.
    pub duration_ms: f64,
    /// Requests that were sent, tries again included.
    pub requests: u64,
    /// Requests that were tried again, after a 429, a 5xx or no answer.
    pub retries: u64,
    /// What failed for good: requests that ended in an error which was not got over by trying again,
    /// and answers that made no sense.
    pub failures: u64,
    /// Writes that failed and were not made up for until the end.
    pub owed: u64,
    /// Why tenants were not simulated to their end, for each that was not.
    pub broke_off: Vec<String>,
    /// Requests a second while waves were sent: rests between waves do not count.
    pub requests_per_second: f64,
    /// Latencies by operation, each try for itself.
    pub operations: Vec<OperationReport>,
    /// Answers that were no success or made no sense, by kind, those that were tried again included.
    pub errors: Vec<ErrorReport>,
    /// The waves of all tenants, in the order in which they began.
    pub waves: Vec<WaveReport>,
    /// What went on, second by second.
    pub timeline: Vec<Second>,
    /// What was read back and compared; none unless it was asked for.
    pub verification: Option<Verification>,
}

/// What was simulated.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The seed that everything was drawn from.
    pub seed: u64,
    /// Tenants.
    pub tenants: usize,
    /// Users of each, at the beginning.
    pub users: usize,
    /// Groups of each.
    pub groups: usize,
    /// Waves of each; the first is the initial cycle.
    pub waves: usize,
    /// From the start of one wave to the start of the next, at least.
    pub interval_ms: f64,
    /// The rest between the halves of a move, at most.
    pub apart_ms: f64,
    /// Requests a second that each tenant is sent at most; none for as many as go.
    pub rate: Option<f64>,
    /// Of a hundred users, how many an incremental cycle changes.
    pub churn_percent: f64,
    /// Requests of one tenant that are under way at the same time, at most.
    pub concurrency: usize,
    /// How PATCH bodies were written: `entra` or `scim`; none where the tenants' addresses differ
    /// in that.
    pub dialect: Option<&'static str>,
}

/// Latencies of one operation. Milliseconds, from an HDR histogram of three significant digits.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    /// Such as `create user` or `add member`.
    pub operation: String,
    /// How often it was tried.
    pub requests: u64,
    /// How many of these were no success.
    pub errors: u64,
    /// The mean.
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99.9th percentile.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// How many took at most so long: pairs of milliseconds and count, for a chart.
    pub distribution: Vec<(f64, u64)>,
}

/// Answers of one kind that were no success.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorReport {
    /// Such as `429`, `409 uniqueness`, `timeout`, `connection` or `not understood`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first of them: operation, and what the answer said.
    pub example: String,
}

/// One wave of one tenant.
#[derive(Debug, Clone, Serialize)]
pub struct WaveReport {
    /// Which tenant, from 0.
    pub tenant: usize,
    /// Which of its waves, from 1.
    pub number: usize,
    /// `initial` or `incremental`.
    pub cycle: &'static str,
    /// When it began.
    pub started_ms: f64,
    /// How long its requests took.
    pub duration_ms: f64,
    /// Requests, tries again included.
    pub requests: u64,
    /// Requests that failed for good.
    pub failures: u64,
    /// What happened in the directory: pairs such as (`joiners`, 12).
    pub events: Vec<(&'static str, u64)>,
    /// Roles that the service changed after it; none where that cannot be seen.
    pub role_changes: Option<u64>,
    /// From its last answer to the last role; none where that cannot be seen.
    pub lag_ms: Option<f64>,
}

/// One second of the simulation.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    /// Which, from 0.
    pub second: u64,
    /// Answers in it.
    pub requests: u64,
    /// Those that were no success.
    pub errors: u64,
    /// The slowest one.
    pub max_ms: f64,
}

/// What was read back, and what was not as it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Users that were compared.
    pub users: u64,
    /// Groups that were compared.
    pub groups: u64,
    /// Memberships that were compared.
    pub memberships: u64,
    /// Roles that were compared; none where there is no admin API to ask.
    pub roles: Option<u64>,
    /// How many differences there are.
    pub differences: u64,
    /// The first ten, in words.
    pub first_differences: Vec<String>,
    /// How long it took.
    pub duration_ms: f64,
}
