//! What health tells of the sync.

use jiff::Timestamp;
use jiff::civil::Date;
use utoipa::ToSchema;

/// How the directory keeps its rhythm.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rhythm {
    /// Too few waves came to know.
    Unknown,
    /// A wave goes on.
    Wave,
    /// The next wave is expected.
    Expected,
    /// The time at which the next wave was expected has passed. Perhaps nothing changed.
    Quiet,
    /// It is silent for far longer than it ever was.
    Overdue,
}

/// A stretch of time.
#[derive(ToSchema)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// How often the directory sends, and whether it is silent for too long.
#[derive(ToSchema)]
pub struct Cadence {
    /// How it keeps its rhythm.
    pub state: Rhythm,
    /// Whether it is silent for too long. Time in which we did not serve does not count.
    pub overdue: bool,
    /// The time from one cycle to the next, usually; null while too few waves came.
    #[schema(required, value_type = Option<String>)]
    pub usual_gap: Option<String>,
    /// Gaps that this was learned from.
    pub gaps: u64,
    /// When the last wave began.
    #[schema(required)]
    pub last_wave_at: Option<Timestamp>,
    /// When the directory was last heard at all, look-ups included.
    #[schema(required)]
    pub last_heard_at: Option<Timestamp>,
    /// When the next wave is expected.
    #[schema(required)]
    pub next_expected: Option<Window>,
    /// When silence will count as overdue, if we go on serving and nothing comes.
    #[schema(required)]
    pub overdue_at: Option<Timestamp>,
    /// What it means, for an administrator.
    pub words: String,
}

/// How near a job is to quarantine.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Nearness {
    /// Far from it.
    Fine,
    /// Half way to a limit, or a token was refused that may be the directory's.
    Approaching,
    /// A limit is reached, or the directory's own token has expired.
    Likely,
}

/// How near the directory's job is to quarantine, and why.
#[derive(ToSchema)]
pub struct Quarantine {
    /// How near.
    pub state: Nearness,
    /// Writes, and look-ups that failed.
    pub operations: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Those of the failures that were about nothing but a manager or members.
    pub reference_failures: u64,
    /// The share of failures, those of references left out, from 0 to 1.
    pub share: f64,
    /// Requests with a token that does not count.
    pub unauthorized: u64,
    /// What it means, for an administrator.
    pub words: String,
}

/// How much a row of the attribute mapping matters.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing that matters here is missed without it.
    Optional,
    /// Something is missed without it.
    Should,
    /// Access is wrong without it.
    Must,
}

/// Whether a row of the attribute mapping was seen.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RowState {
    /// It was.
    Seen,
    /// Enough came to know that it is not sent.
    Missing,
    /// Too little came to know.
    Waiting,
}

/// A row of Entra's attribute mapping.
#[derive(ToSchema)]
pub struct MappingRow {
    /// `User` or `Group`.
    pub resource_type: String,
    /// The attribute in Entra; null for one that only a field mapping names.
    #[schema(required)]
    pub entra: Option<String>,
    /// The attribute in SCIM.
    pub scim: String,
    /// How much it matters.
    pub severity: Severity,
    /// Whether it was seen.
    pub state: RowState,
    /// The first day on which it was seen.
    #[schema(required, value_type = Option<String>, format = Date)]
    pub first_seen: Option<Date>,
    /// The last day on which it was seen.
    #[schema(required, value_type = Option<String>, format = Date)]
    pub last_seen: Option<Date>,
    /// The account fields that field mappings take from it.
    pub used_by: Vec<String>,
    /// What is missed without it; null for one that was seen.
    #[schema(required)]
    pub breaks: Option<String>,
}

/// Which rows of Entra's attribute mapping were seen in what it sent.
#[derive(ToSchema)]
pub struct MappingCheck {
    /// The worst that is missing; null if nothing is.
    #[schema(required)]
    pub worst: Option<Severity>,
    /// The rows, users before groups.
    pub rows: Vec<MappingRow>,
    /// The attributes by which the directory looks for users.
    pub users_matched_by: Vec<String>,
    /// The attributes by which the directory looks for groups.
    pub groups_matched_by: Vec<String>,
    /// What came besides, of users: neither in Entra's default mapping nor in a field mapping.
    pub others: Vec<String>,
    /// What it means, for an administrator.
    pub words: String,
}
