//! `/tenants/{t}/health`: what an operator should look at.
//!
//! Each check looks at one thing, writes down what it found, and says whether somebody should look
//! at it. To add one, add its part to [`Health`] and the check to [`CHECKS`].

mod checks;
mod gaps;
pub(crate) mod glance;
mod sync;

use access::cadence::Cadence;
use access::mapping_check::{MappingCheck, Sent};
use access::quarantine::{Quarantine, Refused};
use access::traffic::Counts;
use access::{HoldId, Settings, TokenId, UserId, WebhookId};
use actors::Tenant;
use actors::housekeeper::ExpiredParked;
use actors::shared::Shared;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use store::{ReadError, Snapshot};
use utoipa::ToSchema;

pub(crate) use self::gaps::KnownGap;
pub(crate) use self::sync::ShownQuarantine;
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas::health as schemas;

/// Whether somebody should look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthStatus)]
pub(crate) enum Status {
    /// Nothing to see.
    #[default]
    Ok,
    /// Somebody should look.
    Attention,
}

/// What the checks found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(examples(json!({
    "status": "attention",
    "tokens_expiring": [{"id": "01990a5d-ac96-774b-bcce-b302099a8057", "kind": "token",
                         "label": "first", "expires_at": "2026-04-01T12:00:00Z", "days": 30}],
    "parked": {"count": 1, "more": false, "oldest": "2026-03-01T12:00:00Z", "expired": null},
    "holds": [], "last_protected": [],
    "webhooks_failing": ["01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90"],
    "cadence": {
        "state": "expected", "overdue": false, "usual_gap": "40m", "gaps": 24,
        "last_wave_at": "2026-03-01T12:00:00Z", "last_heard_at": "2026-03-01T12:00:41Z",
        "next_expected": {"from": "2026-03-01T12:36:00Z", "until": "2026-03-01T12:44:00Z"},
        "overdue_at": "2026-03-02T09:00:41Z",
        "words": "On time. Waves usually come 40 minutes apart."
    },
    "quarantine": {
        "state": "fine", "operations": 420, "failures": 2, "reference_failures": 1,
        "share": 0.002, "unauthorized": 0, "window": "24h",
        "words": "1 of 420 operations failed within 24 hours; that is far from what Entra puts a \
                  job into quarantine for.",
        "limits": {"failures_min": 5000, "share_max": 0.4, "failures_max": 40000,
                   "all_failures_max": 60000}
    },
    "mapping_check": {
        "worst": "must",
        "rows": [{
            "resource_type": "User", "entra": "mail", "scim": "emails[type eq \"work\"].value",
            "severity": "should", "state": "seen", "first_seen": "2026-03-01",
            "last_seen": "2026-03-02", "used_by": [], "breaks": null
        }],
        "users_matched_by": ["userName"], "groups_matched_by": ["displayName"], "others": [],
        "words": "Never sent, and needed: active. Add it to the attribute mapping."
    },
    "known_gaps": [{
        "gap": "cleared_attributes", "seen": null, "more": false, "accounts": [],
        "words": "An attribute that is emptied in Entra is not sent: the account keeps its value.",
        "remedy": "Give it another value in Entra instead of none."
    }]
})))]
pub(crate) struct Health {
    /// The worst that a check said.
    pub(crate) status: Status,
    /// Tokens and OAuth clients whose end is near.
    pub(crate) tokens_expiring: Vec<ExpiringToken>,
    /// Memberships that wait for their users.
    pub(crate) parked: ParkedHealth,
    /// Mass changes that wait.
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) holds: Vec<HoldId>,
    /// Accounts that keep a protected role because nobody else has it, as the latest passes found.
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) last_protected: Vec<UserId>,
    /// Webhooks that are disabled, or whose receivers take nothing.
    #[schema(value_type = Vec<Uuid>)]
    pub(crate) webhooks_failing: Vec<WebhookId>,
    /// How often the directory sends, and whether it is silent for too long.
    #[schema(value_type = schemas::Cadence)]
    pub(crate) cadence: Cadence,
    /// How near the directory's job is to quarantine.
    pub(crate) quarantine: ShownQuarantine,
    /// Which rows of Entra's attribute mapping were seen.
    #[schema(value_type = schemas::MappingCheck)]
    pub(crate) mapping_check: MappingCheck,
    /// What Entra is known never to send again.
    pub(crate) known_gaps: Vec<KnownGap>,
}

/// A token or an OAuth client whose end is near.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExpiringToken {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// `token` or `oauth_client`.
    pub(crate) kind: &'static str,
    /// What operators call it.
    pub(crate) label: String,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
    /// The warning that is due: 30, 7 or 1 days before.
    pub(crate) days: u16,
}

/// Memberships that wait for their users.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ParkedHealth {
    /// How many, of those that were counted.
    pub(crate) count: usize,
    /// Whether there are more than were counted.
    pub(crate) more: bool,
    /// Since when the oldest of them waits.
    #[schema(required)]
    pub(crate) oldest: Option<Timestamp>,
    /// Those that were taken back since the service started because nobody appeared.
    #[schema(value_type = Option<crate::openapi::schemas::ExpiredParked>, required)]
    pub(crate) expired: Option<ExpiredParked>,
}

/// What checks look at.
struct Looking<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    now: Timestamp,
}

type Check = fn(&Looking<'_>, &mut Health) -> Result<Status, ReadError>;

/// Every check.
const CHECKS: [Check; 9] = [
    checks::expiring_tokens,
    checks::parked_memberships,
    checks::open_holds,
    checks::last_protected,
    checks::failing_webhooks,
    sync::cadence,
    sync::quarantine,
    sync::mapping,
    gaps::known_gaps,
];

/// What an operator should look at.
#[utoipa::path(
    get, path = "/tenants/{tenant}/health", tag = "service",
    responses((status = 200, description = "What the checks found", body = Health))
)]
pub async fn show(State(app): State<App>, Path(tenant): Path<String>) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &look(&tenant)?))
}

/// Makes every check.
pub(crate) fn look(tenant: &Tenant) -> Result<Health, Problem> {
    let shared = tenant.shared();
    let snapshot = shared.snapshot()?;
    let looking = Looking { shared, snapshot: &snapshot, now: shared.clock.now() };
    let mut health = Health::unknown(shared, &snapshot)?;
    for check in CHECKS {
        health.status = check(&looking, &mut health)?.max(health.status);
    }
    Ok(health)
}

/// The mapping check alone.
pub(crate) fn mapping_check(tenant: &Tenant) -> Result<MappingCheck, Problem> {
    let shared = tenant.shared();
    let sent = shared.sent_names(&shared.snapshot()?)?;
    Ok(access::mapping_check::check(&sent, &shared.config().settings))
}

impl Health {
    /// Before anything was looked at.
    fn unknown(shared: &Shared, snapshot: &Snapshot) -> Result<Self, ReadError> {
        let nothing = access::quarantine::judge(&Counts::default(), Refused::default());
        Ok(Self {
            status: Status::Ok,
            tokens_expiring: Vec::new(),
            parked: ParkedHealth::default(),
            holds: Vec::new(),
            last_protected: Vec::new(),
            webhooks_failing: Vec::new(),
            cadence: shared.cadence(snapshot)?,
            quarantine: nothing.into(),
            mapping_check: access::mapping_check::check(&Sent::default(), &Settings::default()),
            known_gaps: Vec::new(),
        })
    }
}

impl From<Quarantine> for ShownQuarantine {
    fn from(quarantine: Quarantine) -> Self {
        Self { quarantine, window: "24h", limits: sync::Limits::default() }
    }
}
