//! A tenant's settings: their shape, their defaults, and what makes them valid.
//!
//! The promise: settings that were accepted can be acted upon. An unknown key, an empty role, a
//! mapping that stands twice, a duration that is none, all are refused with the key that is at
//! fault, and nothing is changed. A role needs no declaration: the vendor's app knows its roles.

mod retention;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use scim::path::AttributePath;
use scim::schema::ResourceType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::retention::Retention;
use crate::duration::HumanDuration;
use crate::equipment::schedule::{self, Schedule};
use crate::id::GroupId;

/// Mappings that a tenant may have.
pub const ROLE_MAPPINGS_MAX: usize = 1_000;
/// Mapped fields that a tenant may have.
pub const FIELD_MAPPINGS_MAX: usize = 100;
/// Characters in a role, a group's name or a field's name.
pub const NAME_CHARS_MAX: usize = 256;
/// Addresses that the report of unreturned equipment is sent to.
pub const EMAILS_MAX: usize = 20;
/// Characters in an e-mail address (RFC 5321 section 4.5.3.1).
pub const EMAIL_CHARS_MAX: usize = 254;

/// What a tenant's administrator decides. `Settings::default()` is what a new tenant has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The role of an active user whom no mapping matches.
    pub default_role: String,
    /// The role of a disabled user.
    pub disabled_role: String,
    /// Ordered: the first mapping whose group holds the user wins.
    pub role_mappings: Vec<RoleMapping>,
    /// Account field → SCIM attribute path.
    pub field_mappings: BTreeMap<String, String>,
    /// Whether a disabled account is disabled even when locked.
    pub disable_overrides_lock: bool,
    /// Roles that a pass never takes from their last active account.
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

/// One role mapping: membership of a group gives a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleMapping {
    /// The group by displayName, without regard to case, also before it was ever pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The group by SCIM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// The role it gives.
    pub role: String,
}

/// When a mass change waits for an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hold {
    /// The share of a tenant's accounts, from 0 to 1.
    pub share: f64,
    /// Tenants with fewer accounts are never held.
    pub min_accounts: u32,
}

/// When roles are reconciled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconcile {
    /// How long no SCIM write comes before a wave counts as settled.
    pub settle: HumanDuration,
    /// The longest that a touched account waits in a wave that goes on.
    pub max_delay: HumanDuration,
    /// The earliest next sweep.
    pub sweep_min: HumanDuration,
    /// The latest next sweep.
    pub sweep_max: HumanDuration,
}

/// How many SCIM requests a tenant may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// In the long run.
    pub requests_per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// Who is reminded of equipment that was not returned, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Equipment {
    /// A cron expression of five fields; none: there are no reminders.
    pub schedule: Option<String>,
    /// The time zone of the schedule, as the IANA names it.
    pub time_zone: String,
    /// E-mail addresses that the report is sent to.
    pub email: Vec<String>,
}

impl Default for Equipment {
    fn default() -> Self {
        Self { schedule: None, time_zone: "UTC".into(), email: Vec::new() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        Self {
            default_role: "default".into(),
            disabled_role: "disabled".into(),
            role_mappings: Vec::new(),
            field_mappings: BTreeMap::from([("department".into(), department.into())]),
            disable_overrides_lock: true,
            protected_roles: Vec::new(),
            hold: Hold::default(),
            reconcile: Reconcile::default(),
            rate_limit: RateLimit::default(),
            retention: Retention::default(),
            equipment: Equipment::default(),
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self { share: 0.5, min_accounts: 100 }
    }
}

impl Default for Reconcile {
    fn default() -> Self {
        let minutes = |number, text| HumanDuration::default_of(Duration::from_mins(number), text);
        Self {
            settle: minutes(1, "60s"),
            max_delay: minutes(10, "10m"),
            sweep_min: minutes(20, "20m"),
            sweep_max: minutes(40, "40m"),
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        let number = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        Self { requests_per_second: number(100), burst: number(200) }
    }
}

/// Why settings were refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct SettingsError {
    /// The key at fault, as a path: `role_mappings[2].role`.
    pub key: String,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

impl SettingsError {
    fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

impl Settings {
    /// These settings with a JSON merge patch (RFC 7396) applied: a null gives a key its default
    /// back, a list is replaced whole.
    pub fn merge_patch(&self, patch: &Value) -> Result<Self, SettingsError> {
        if !patch.is_object() {
            return Err(SettingsError::new("(body)", "expected a JSON object, a merge patch"));
        }
        let mut merged = serde_json::to_value(self)
            .map_err(|error| SettingsError::new("(stored settings)", error.to_string()))?;
        merge(&mut merged, patch);
        Self::from_value(merged)
    }

    /// Reads whole settings; keys that are missing have their defaults.
    pub fn from_value(value: Value) -> Result<Self, SettingsError> {
        let settings: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            SettingsError::new(error.path().to_string(), error.into_inner().to_string())
        })?;
        settings.validate()?;
        Ok(settings)
    }

    fn validate(&self) -> Result<(), SettingsError> {
        check_name("default_role", &self.default_role)?;
        check_name("disabled_role", &self.disabled_role)?;
        for (index, role) in self.protected_roles.iter().enumerate() {
            check_name(&format!("protected_roles[{index}]"), role)?;
        }
        self.validate_role_mappings()?;
        self.validate_field_mappings()?;
        if !(0.0..=1.0).contains(&self.hold.share) {
            return Err(SettingsError::new("hold.share", "expected a number from 0 to 1"));
        }
        self.retention.validate()?;
        self.reconcile.validate()?;
        self.equipment.validate()
    }

    fn validate_role_mappings(&self) -> Result<(), SettingsError> {
        if self.role_mappings.len() > ROLE_MAPPINGS_MAX {
            let reason = format!("expected at most {ROLE_MAPPINGS_MAX} mappings");
            return Err(SettingsError::new("role_mappings", reason));
        }
        let mut seen = BTreeMap::new();
        for (index, mapping) in self.role_mappings.iter().enumerate() {
            let key = format!("role_mappings[{index}]");
            check_name(&format!("{key}.role"), &mapping.role)?;
            let named = match (&mapping.group, mapping.group_id) {
                (Some(name), None) => {
                    check_name(&format!("{key}.group"), name)?;
                    format!("group {}", scim::casefold::fold(name))
                }
                (None, Some(id)) => format!("id {id}"),
                _ => return Err(SettingsError::new(key, "expected either group or group_id")),
            };
            if let Some(first) = seen.insert(named, index) {
                let reason = format!("maps the same group as role_mappings[{first}]");
                return Err(SettingsError::new(key, reason));
            }
        }
        Ok(())
    }

    fn validate_field_mappings(&self) -> Result<(), SettingsError> {
        if self.field_mappings.len() > FIELD_MAPPINGS_MAX {
            let reason = format!("expected at most {FIELD_MAPPINGS_MAX} fields");
            return Err(SettingsError::new("field_mappings", reason));
        }
        for (field, path) in &self.field_mappings {
            let key = format!("field_mappings.{field}");
            check_name(&key, field)?;
            AttributePath::parse(ResourceType::User, path)
                .map_err(|error| SettingsError::new(key, error.detail))?;
        }
        Ok(())
    }
}

impl Reconcile {
    fn validate(&self) -> Result<(), SettingsError> {
        let all = [
            ("settle", &self.settle),
            ("max_delay", &self.max_delay),
            ("sweep_min", &self.sweep_min),
            ("sweep_max", &self.sweep_max),
        ];
        for (name, duration) in all {
            if duration.get().is_zero() {
                let key = format!("reconcile.{name}");
                return Err(SettingsError::new(key, "expected a duration over zero"));
            }
        }
        if self.sweep_min.get() > self.sweep_max.get() {
            let reason = format!("is over reconcile.sweep_max, {}", self.sweep_max);
            return Err(SettingsError::new("reconcile.sweep_min", reason));
        }
        Ok(())
    }
}

impl Equipment {
    fn validate(&self) -> Result<(), SettingsError> {
        schedule::time_zone_of(&self.time_zone)
            .map_err(|error| SettingsError::new("equipment.time_zone", error.to_string()))?;
        if let Some(expression) = &self.schedule {
            Schedule::new(expression, &self.time_zone)
                .map_err(|error| SettingsError::new("equipment.schedule", error.to_string()))?;
        }
        if self.email.len() > EMAILS_MAX {
            let reason = format!("expected at most {EMAILS_MAX} addresses");
            return Err(SettingsError::new("equipment.email", reason));
        }
        for (index, address) in self.email.iter().enumerate() {
            if !is_email(address) {
                let reason = "expected an e-mail address such as it@example.com";
                return Err(SettingsError::new(format!("equipment.email[{index}]"), reason));
            }
        }
        Ok(())
    }
}

/// Whether a text can be an e-mail address: a part before an `@` and a domain after it, in
/// characters that need no quotes.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let dotted = |text: &str, allowed: &dyn Fn(char) -> bool| {
        text.split('.').all(|part| !part.is_empty() && part.chars().all(allowed))
    };
    text.len() <= EMAIL_CHARS_MAX
        && local.len() <= 64
        && dotted(local, &is_atom)
        && dotted(domain, &|c| c.is_ascii_alphanumeric() || c == '-')
        && domain.split('.').all(|part| !part.starts_with('-') && !part.ends_with('-'))
}

fn check_name(key: &str, name: &str) -> Result<(), SettingsError> {
    if name.trim().is_empty() {
        return Err(SettingsError::new(key, "expected a name, found an empty one"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(SettingsError::new(
            key,
            format!("expected at most {NAME_CHARS_MAX} characters"),
        ));
    }
    Ok(())
}

/// RFC 7396 section 2. Depth is bounded by the reader of the request body.
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(target), Value::Object(patch)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(patch: &Value) -> SettingsError {
        Settings::default().merge_patch(patch).expect_err("the patch should be refused")
    }

    #[test]
    fn the_defaults_read_as_documented() {
        let settings = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(settings["reconcile"]["settle"], "60s");
        assert_eq!(settings["rate_limit"], json!({"requests_per_second": 100, "burst": 200}));
        assert_eq!(Settings::from_value(settings).unwrap(), Settings::default());
    }

    #[test]
    fn a_merge_patch_changes_what_it_names_and_null_gives_the_default_back() {
        let patch = json!({"default_role": "viewer", "reconcile": {"settle": "5s"}});
        let settings = Settings::default().merge_patch(&patch).unwrap();
        assert_eq!(settings.default_role, "viewer");
        assert_eq!(settings.reconcile.max_delay, Reconcile::default().max_delay);

        let back = settings.merge_patch(&json!({"default_role": null})).unwrap();
        assert_eq!(back.default_role, "default");
        assert_eq!(back.reconcile.settle.to_string(), "5s");
    }

    #[test]
    fn equipment_settings_are_patched_key_by_key() {
        let patch = json!({"equipment": {"schedule": "0 8 * * 1", "email": ["it@example.com"]}});
        let settings = Settings::default().merge_patch(&patch).unwrap();
        let expected = Equipment {
            schedule: Some("0 8 * * 1".into()),
            email: vec!["it@example.com".into()],
            ..Equipment::default()
        };
        assert_eq!(settings.equipment, expected);

        let patch = json!({"equipment": {"time_zone": "Europe/Berlin", "schedule": null}});
        let settings = settings.merge_patch(&patch).unwrap();
        assert_eq!(settings.equipment.schedule, None);
        assert_eq!(settings.equipment.email, expected.email);
        assert_eq!(settings.merge_patch(&json!({"equipment": null})).unwrap(), Settings::default());
    }

    #[test]
    fn a_refusal_names_the_key() {
        let mapping = |group: &str| json!({"group": group, "role": "admin"});
        for (patch, key) in [
            (json!({"colour": 1}), "colour"),
            (json!({"default_role": " "}), "default_role"),
            (json!({"reconcile": {"settle": "soon"}}), "reconcile.settle"),
            (json!({"reconcile": {"settle": "0s"}}), "reconcile.settle"),
            (json!({"reconcile": {"sweep_min": "2h"}}), "reconcile.sweep_min"),
            (json!({"role_mappings": [{"group": "A", "role": ""}]}), "role_mappings[0].role"),
            (json!({"role_mappings": [mapping("Staff"), mapping("STAFF")]}), "role_mappings[1]"),
            (json!({"role_mappings": [{"role": "admin"}]}), "role_mappings[0]"),
            (json!({"field_mappings": {"x": "no such["}}), "field_mappings.x"),
            (json!({"hold": {"share": 1.5}}), "hold.share"),
            (json!({"rate_limit": {"burst": 0}}), "rate_limit.burst"),
            (json!({"equipment": {"schedule": "weekly"}}), "equipment.schedule"),
            (json!({"equipment": {"schedule": 7}}), "equipment.schedule"),
            (json!({"equipment": {"time_zone": "Mars"}}), "equipment.time_zone"),
            (json!({"equipment": {"email": ["it@x.org", "it"]}}), "equipment.email[1]"),
            (json!({"equipment": {"email": ["a@x.org\r\nBcc: b@x.org"]}}), "equipment.email[0]"),
            (json!({"equipment": {"email": vec!["a@x.org"; 21]}}), "equipment.email"),
            (json!({"equipment": {"colour": 1}}), "equipment.colour"),
        ] {
            assert_eq!(refused(&patch).key, key, "{patch}");
        }
        assert_eq!(refused(&json!([])).key, "(body)");
    }
}
