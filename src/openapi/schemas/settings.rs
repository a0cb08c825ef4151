//! The settings of a tenant, and what changes them.
//!
//! Nothing is read into these: `Deserialize` is there to say which keys are refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant's settings.
#[derive(ToSchema)]
#[schema(examples(json!({
    "default_role": "default", "disabled_role": "disabled",
    "role_mappings": [{"group": "Employees", "role": "loanee"}],
    "field_mappings": {
        "department": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
    },
    "disable_overrides_lock": true, "protected_roles": [],
    "hold": {"share": 0.5, "min_accounts": 100},
    "reconcile": {"settle": "60s", "max_delay": "10m", "sweep_min": "20m", "sweep_max": "40m"},
    "rate_limit": {"requests_per_second": 100, "burst": 200},
    "retention": {"feed": "30d", "feed_entries": 1_000_000, "audit": "400d", "waves": "90d",
                  "deleted_accounts": "90d", "requests": "7d", "requests_bytes": 67_108_864},
    "equipment": {"schedule": "0 8 * * 1", "time_zone": "Europe/Berlin",
                  "email": ["it@example.com"]}
})))]
pub struct Settings {
    /// The role of an active user whom no mapping matches.
    #[schema(min_length = 1, max_length = 256)]
    pub default_role: String,
    /// The role of a disabled user.
    #[schema(min_length = 1, max_length = 256)]
    pub disabled_role: String,
    /// Ordered: the first mapping whose group holds the user wins.
    #[schema(max_items = 1000)]
    pub role_mappings: Vec<RoleMapping>,
    /// Account field → SCIM attribute path.
    pub field_mappings: BTreeMap<String, String>,
    /// Whether a disabled account is disabled even when locked.
    pub disable_overrides_lock: bool,
    /// Roles that are never taken from their last active account.
    pub protected_roles: Vec<String>,
    /// When a mass change waits for an operator.
    pub hold: Hold,
    /// When roles are reconciled.
    pub reconcile: Reconcile,
    /// How many SCIM requests are taken.
    pub rate_limit: RateLimit,
    /// How long history is kept.
    pub retention: Retention,
    /// Who is reminded of equipment that was not returned, and when.
    pub equipment: Equipment,
}

/// Membership of a group gives a role. The group is named by `group` or by `group_id`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"group": "Employees", "role": "loanee"})))]
pub struct RoleMapping {
    /// By displayName, without regard to case, also before it was ever pushed.
    pub group: Option<String>,
    /// By SCIM id.
    pub group_id: Option<Uuid>,
    /// The role it gives.
    #[schema(min_length = 1, max_length = 256)]
    pub role: String,
}

/// When a mass change waits for an operator.
#[derive(ToSchema)]
pub struct Hold {
    /// The share of a tenant's accounts.
    #[schema(minimum = 0, maximum = 1)]
    pub share: f64,
    /// Tenants with fewer accounts are never held.
    pub min_accounts: u32,
}

/// When roles are reconciled: durations such as `250ms`, `60s`, `20m`.
#[derive(ToSchema)]
pub struct Reconcile {
    /// How long no SCIM write comes before a wave has settled.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub settle: String,
    /// The longest that an account waits in a wave that goes on.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub max_delay: String,
    /// The earliest next sweep.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub sweep_min: String,
    /// The latest next sweep.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub sweep_max: String,
}

/// How many SCIM requests a tenant may make.
#[derive(ToSchema)]
pub struct RateLimit {
    /// In the long run.
    #[schema(minimum = 1)]
    pub requests_per_second: u32,
    /// At once.
    #[schema(minimum = 1)]
    pub burst: u32,
}

/// How long history is kept: durations such as `90d`.
#[derive(ToSchema)]
pub struct Retention {
    /// Entries of the change feed.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub feed: String,
    /// Entries of the change feed at most, however young they are.
    #[schema(minimum = 1)]
    pub feed_entries: u64,
    /// Entries of the audit log.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub audit: String,
    /// Waves that have settled.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub waves: String,
    /// Accounts of deleted users.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub deleted_accounts: String,
    /// What the directory sent and got.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub requests: String,
    /// Bytes of that at most, as they are on disk, however young it is.
    #[schema(minimum = 1)]
    pub requests_bytes: u64,
}

/// Who is reminded of equipment that was not returned, and when.
#[derive(ToSchema)]
#[schema(as = EquipmentSettings)]
pub struct Equipment {
    /// A cron expression of five fields; null: there are no reminders.
    #[schema(required)]
    pub schedule: Option<String>,
    /// The time zone of the schedule, as the IANA names it.
    pub time_zone: String,
    /// E-mail addresses that the report is sent to.
    #[schema(max_items = 20)]
    pub email: Vec<String>,
}

/// A JSON merge patch (RFC 7396) of the settings: null gives a key its default back, a list is
/// replaced whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "default_role": "viewer", "role_mappings": [{"group": "Employees", "role": "loanee"}],
    "reconcile": {"settle": "30s"}, "retention": {"feed": "60d"}
})))]
pub struct SettingsPatch {
    /// See `Settings`.
    #[schema(min_length = 1, max_length = 256)]
    pub default_role: Option<String>,
    /// See `Settings`.
    #[schema(min_length = 1, max_length = 256)]
    pub disabled_role: Option<String>,
    /// See `Settings`.
    #[schema(max_items = 1000)]
    pub role_mappings: Option<Vec<RoleMapping>>,
    /// A field that is null is no longer mapped.
    pub field_mappings: Option<BTreeMap<String, Option<String>>>,
    /// See `Settings`.
    pub disable_overrides_lock: Option<bool>,
    /// See `Settings`.
    pub protected_roles: Option<Vec<String>>,
    /// See `Settings`.
    pub hold: Option<HoldPatch>,
    /// See `Settings`.
    pub reconcile: Option<ReconcilePatch>,
    /// See `Settings`.
    pub rate_limit: Option<RateLimitPatch>,
    /// See `Settings`.
    pub retention: Option<RetentionPatch>,
    /// See `Settings`.
    pub equipment: Option<EquipmentPatch>,
}

/// A part of the settings' merge patch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldPatch {
    /// See `Hold`.
    #[schema(minimum = 0, maximum = 1)]
    pub share: Option<f64>,
    /// See `Hold`.
    pub min_accounts: Option<u32>,
}

/// A part of the settings' merge patch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcilePatch {
    /// See `Reconcile`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub settle: Option<String>,
    /// See `Reconcile`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub max_delay: Option<String>,
    /// See `Reconcile`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub sweep_min: Option<String>,
    /// See `Reconcile`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub sweep_max: Option<String>,
}

/// A part of the settings' merge patch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitPatch {
    /// See `RateLimit`.
    #[schema(minimum = 1)]
    pub requests_per_second: Option<u32>,
    /// See `RateLimit`.
    #[schema(minimum = 1)]
    pub burst: Option<u32>,
}

/// A part of the settings' merge patch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPatch {
    /// See `Retention`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub feed: Option<String>,
    /// See `Retention`.
    #[schema(minimum = 1)]
    pub feed_entries: Option<u64>,
    /// See `Retention`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub audit: Option<String>,
    /// See `Retention`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub waves: Option<String>,
    /// See `Retention`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub deleted_accounts: Option<String>,
    /// See `Retention`.
    #[schema(pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub requests: Option<String>,
    /// See `Retention`.
    #[schema(minimum = 1)]
    pub requests_bytes: Option<u64>,
}

/// A part of the settings' merge patch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EquipmentPatch {
    /// See `EquipmentSettings`.
    pub schedule: Option<String>,
    /// See `EquipmentSettings`.
    pub time_zone: Option<String>,
    /// See `EquipmentSettings`.
    #[schema(max_items = 20)]
    pub email: Option<Vec<String>>,
}
