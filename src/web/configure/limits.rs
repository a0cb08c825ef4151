//! The settings that operators alone change: timing, limits, what guards roles, retention.
//!
//! Each line of [`LINES`] is one field of the form, named as its key in the settings.

use access::settings::Settings;
use serde_json::{Map, Value, json};

use super::form::FieldError;
use crate::admin::problem::Problem;
use crate::web::forms::Fields;

/// How a setting is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Duration,
    Whole,
    /// A share, typed in percent.
    Percent,
    /// A list, one per line.
    Lines,
    Tick,
}

/// What stands above a group of fields.
type Line = (&'static str, Kind, &'static str, &'static str);

/// Legend, and fields: key, kind, label, hint.
const LINES: [(&str, &[Line]); 5] = [
    (
        "When roles are applied",
        &[
            (
                "reconcile.settle",
                Kind::Duration,
                "Settle",
                "A wave is over when nothing was sent for this long.",
            ),
            (
                "reconcile.max_delay",
                Kind::Duration,
                "Longest delay",
                "Nobody waits longer than this in a wave that goes on.",
            ),
            (
                "reconcile.sweep_min",
                Kind::Duration,
                "Sweep after at least",
                "All accounts are looked at again at a random moment between the two.",
            ),
            (
                "reconcile.sweep_max",
                Kind::Duration,
                "Sweep after at most",
                "At the latest; a duration such as 40m or 2h.",
            ),
        ],
    ),
    (
        "How much the directory may send",
        &[
            (
                "rate_limit.requests_per_second",
                Kind::Whole,
                "Requests per second",
                "Beyond it the directory is asked to come again.",
            ),
            (
                "rate_limit.burst",
                Kind::Whole,
                "Burst",
                "So many are taken before that limit counts.",
            ),
        ],
    ),
    (
        "What guards roles",
        &[
            (
                "hold.share",
                Kind::Percent,
                "Hold above (%)",
                "When the directory would take mapped roles from more accounts than this, an operator is asked first.",
            ),
            (
                "hold.min_accounts",
                Kind::Whole,
                "Minimum accounts",
                "Tenants with fewer accounts are never held.",
            ),
            (
                "protected_roles",
                Kind::Lines,
                "Protected roles",
                "One per line. The last active account in such a role keeps it.",
            ),
            (
                "disable_overrides_lock",
                Kind::Tick,
                "A disabled account is disabled even when it is locked",
                "",
            ),
        ],
    ),
    (
        "How long history is kept",
        &[
            ("retention.feed", Kind::Duration, "Change feed", "A duration such as 30d."),
            (
                "retention.feed_entries",
                Kind::Whole,
                "Feed entries",
                "At most, however young they are.",
            ),
            ("retention.audit", Kind::Duration, "Audit log", ""),
            ("retention.waves", Kind::Duration, "Waves", ""),
            ("retention.deleted_accounts", Kind::Duration, "Deleted accounts", ""),
        ],
    ),
    (
        "Reminders of equipment",
        &[
            (
                "equipment.schedule",
                Kind::Duration,
                "Schedule",
                "Five fields as of cron: 0 8 * * 1 is Mondays at eight. Empty: no reminders.",
            ),
            ("equipment.time_zone", Kind::Duration, "Time zone", "A name such as Europe/Berlin."),
            (
                "equipment.email",
                Kind::Lines,
                "E-mail addresses",
                "One per line. They get the report.",
            ),
        ],
    ),
];

/// The form.
pub(super) struct LimitsForm {
    pub(super) revision: Option<u64>,
    pub(super) groups: Vec<FieldGroup>,
    /// What is wrong, where it is about no field.
    pub(super) error: Option<String>,
}

/// Fields under one legend.
pub(super) struct FieldGroup {
    pub(super) legend: &'static str,
    pub(super) fields: Vec<Field>,
}

/// One field.
pub(super) struct Field {
    pub(super) key: &'static str,
    kind: Kind,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) error: Option<String>,
}

impl Field {
    pub(super) fn is_tick(&self) -> bool {
        self.kind == Kind::Tick
    }

    pub(super) fn is_lines(&self) -> bool {
        self.kind == Kind::Lines
    }

    pub(super) fn is_ticked(&self) -> bool {
        self.value == "true"
    }

    /// For the page: ids have no dots.
    pub(super) fn id(&self) -> String {
        self.key.replace('.', "-")
    }
}

impl LimitsForm {
    /// The settings as they are.
    pub(super) fn of(settings: &Settings, revision: u64) -> Self {
        let all = serde_json::to_value(settings).unwrap_or_default();
        Self::with(Some(revision), |key, kind| written(&at(&all, key), kind))
    }

    /// What was typed; what was not sent is as it is.
    pub(super) fn read(sent: &Fields, current: &Settings) -> Self {
        let all = serde_json::to_value(current).unwrap_or_default();
        Self::with(sent.parse("revision", "a number").ok().flatten(), |key, kind| match kind {
            Kind::Tick if sent.ticked("ticks") => sent.ticked(key).to_string(),
            _ => sent.get(key).map_or_else(|| written(&at(&all, key), kind), str::to_owned),
        })
    }

    fn with(revision: Option<u64>, value: impl Fn(&str, Kind) -> String) -> Self {
        let field = |(key, kind, label, hint): &Line| Field {
            key,
            kind: *kind,
            label,
            hint,
            value: value(key, *kind),
            error: None,
        };
        let group = |(legend, lines): &(&'static str, &[Line])| FieldGroup {
            legend,
            fields: lines.iter().map(field).collect(),
        };
        Self { revision, groups: LINES.iter().map(group).collect(), error: None }
    }

    /// The merge patch that makes these the settings.
    pub(super) fn patch(&self) -> Result<Value, Problem> {
        let mut patch = Map::new();
        for field in self.groups.iter().flat_map(|group| &group.fields) {
            let text = field.value.trim();
            let refused = |expected: &str| {
                let detail = format!("{}: expected {expected}", field.key);
                Problem::unprocessable(detail).with("key", field.key)
            };
            let value = match field.kind {
                Kind::Duration if text.is_empty() && field.key == "equipment.schedule" => {
                    Value::Null
                }
                Kind::Duration => json!(text),
                Kind::Whole => json!(text.parse::<u64>().map_err(|_| refused("a whole number"))?),
                Kind::Percent => {
                    let percent: f64 = text
                        .trim_end_matches('%')
                        .trim_end()
                        .parse()
                        .map_err(|_| refused("a number from 0 to 100"))?;
                    if !(0.0..=100.0).contains(&percent) {
                        return Err(refused("a number from 0 to 100"));
                    }
                    // The digits that were typed, and not what dividing by 100 adds to them.
                    json!((percent * 1e6).round() / 1e8)
                }
                Kind::Lines => {
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                    lines.map(Value::from).collect()
                }
                Kind::Tick => json!(field.is_ticked()),
            };
            match field.key.split_once('.') {
                None => {
                    patch.insert(field.key.to_owned(), value);
                }
                Some((outer, inner)) => {
                    let entry = patch.entry(outer).or_insert_with(|| json!({}));
                    if let Value::Object(entry) = entry {
                        entry.insert(inner.to_owned(), value);
                    }
                }
            }
        }
        Ok(Value::Object(patch))
    }

    /// Puts what is wrong beside its field.
    pub(super) fn blame(&mut self, error: FieldError) {
        let FieldError { key, reason } = error;
        let fields = self.groups.iter_mut().flat_map(|group| &mut group.fields);
        let is_it = |field: &&mut Field| {
            let rest = key.strip_prefix(field.key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        };
        let mut found = fields.filter(is_it);
        match found.next() {
            Some(field) => field.error = Some(format!("{}: {reason}", field.label)),
            None => self.error = Some(reason),
        }
    }
}

/// The value at a key such as `hold.share`.
fn at(all: &Value, key: &str) -> Value {
    key.split('.').try_fold(all, |value, part| value.get(part)).cloned().unwrap_or_default()
}

/// A value as it is typed.
fn written(value: &Value, kind: Kind) -> String {
    match (value, kind) {
        (Value::Number(share), Kind::Percent) => {
            let percent = share.as_f64().unwrap_or_default() * 100.0;
            let text = format!("{percent:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        (Value::Array(items), _) => {
            let lines: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        (Value::String(text), _) => text.clone(),
        (Value::Null, _) => String::new(),
        (value, _) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_is_not_changed() {
        let patch = json!({
            "hold": {"share": 0.333}, "protected_roles": ["admin", "owner"],
            "equipment": {"schedule": "0 8 * * 1"}, "disable_overrides_lock": false,
        });
        let settings = Settings::default().merge_patch(&patch).unwrap();
        let form = LimitsForm::of(&settings, 1);

        assert_eq!(settings.merge_patch(&form.patch().unwrap()).unwrap(), settings);
        let untouched = LimitsForm::read(&Fields::read(b"").unwrap(), &settings).patch().unwrap();
        assert_eq!(settings.merge_patch(&untouched).unwrap(), settings);
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field() {
        let mut form = LimitsForm::of(&Settings::default(), 1);

        form.blame(FieldError { key: "equipment.email[1]".into(), reason: "expected one".into() });

        let wrong: Vec<&str> = form
            .groups
            .iter()
            .flat_map(|group| &group.fields)
            .filter(|field| field.error.is_some())
            .map(|field| field.key)
            .collect();
        assert_eq!(wrong, ["equipment.email"]);
    }
}
