//! How long a tenant's history is kept.
//!
//! Nothing is kept for ever: the change feed, the audit log, waves, the accounts of users who were
//! deleted, and the requests of the directory. What a tenant is now is no history and stays.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use crate::duration::HumanDuration;

/// How long a tenant's history is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Entries of the change feed.
    pub feed: HumanDuration,
    /// Entries of the change feed at most, however young they are.
    pub feed_entries: NonZeroU64,
    /// Entries of the audit log.
    pub audit: HumanDuration,
    /// Waves that have settled.
    pub waves: HumanDuration,
    /// Accounts of deleted users.
    pub deleted_accounts: HumanDuration,
    /// What the directory sent and got.
    pub requests: HumanDuration,
    /// Bytes of that at most, as they are on disk, however young it is.
    pub requests_bytes: NonZeroU64,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |number: u64, text| {
            HumanDuration::default_of(Duration::from_hours(number.saturating_mul(24)), text)
        };
        Self {
            feed: days(30, "30d"),
            feed_entries: NonZeroU64::new(1_000_000).unwrap_or(NonZeroU64::MAX),
            audit: days(400, "400d"),
            waves: days(90, "90d"),
            deleted_accounts: days(90, "90d"),
            requests: days(7, "7d"),
            requests_bytes: NonZeroU64::new(64 << 20).unwrap_or(NonZeroU64::MAX),
        }
    }
}

impl Retention {
    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let all = [
            ("feed", &self.feed),
            ("audit", &self.audit),
            ("waves", &self.waves),
            ("deleted_accounts", &self.deleted_accounts),
            ("requests", &self.requests),
        ];
        for (name, duration) in all {
            if duration.get().is_zero() {
                let key = format!("retention.{name}");
                return Err(SettingsError::new(key, "expected a duration over zero"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::settings::Settings;

    #[test]
    fn settings_that_were_kept_before_there_was_a_retention_have_the_default_one() {
        let mut kept = serde_json::to_value(Settings::default()).unwrap();
        kept.as_object_mut().unwrap().remove("retention");

        let settings = Settings::from_value(kept).unwrap();

        let shown = serde_json::to_value(&settings.retention).unwrap();
        let expected = json!({"feed": "30d", "feed_entries": 1_000_000, "audit": "400d",
            "waves": "90d", "deleted_accounts": "90d", "requests": "7d",
            "requests_bytes": 67_108_864});
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_key_of_the_retention_is_changed_by_itself_and_null_gives_its_default_back() {
        let patch = json!({"retention": {"feed": "7d", "feed_entries": 10}});
        let settings = Settings::default().merge_patch(&patch).unwrap();
        assert_eq!(settings.retention.feed.to_string(), "7d");
        assert_eq!(settings.retention.waves.to_string(), "90d");

        let back = settings.merge_patch(&json!({"retention": {"feed": null}})).unwrap();
        assert_eq!(back.retention.feed.to_string(), "30d");
        assert_eq!(back.retention.feed_entries.get(), 10);
        let all = back.merge_patch(&json!({"retention": null})).unwrap();
        assert_eq!(all, Settings::default());
    }

    #[test]
    fn a_bad_retention_is_refused_with_the_key_at_fault() {
        for (patch, key) in [
            (json!({"feed": "0s"}), "retention.feed"),
            (json!({"audit": "0d"}), "retention.audit"),
            (json!({"waves": "a while"}), "retention.waves"),
            (json!({"deleted_accounts": 90}), "retention.deleted_accounts"),
            (json!({"feed_entries": 0}), "retention.feed_entries"),
            (json!({"feed_entries": -1}), "retention.feed_entries"),
            (json!({"requests": "0s"}), "retention.requests"),
            (json!({"requests_bytes": 0}), "retention.requests_bytes"),
            (json!({"logs": "1d"}), "retention.logs"),
        ] {
            let patch = json!({"retention": patch});
            let refused = Settings::default().merge_patch(&patch).unwrap_err();
            assert_eq!(refused.key, key, "{patch}");
        }
    }
}
