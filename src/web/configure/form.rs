//! What the form of roles and mappings holds: as the settings have it, or as somebody typed it.
//!
//! The patch that it makes has four keys and no other, whatever was sent: that is all that whoever
//! opened a setup link may change.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use access::settings::{RoleMapping, Settings};
use serde_json::{Map, Value, json};

use crate::admin::problem::Problem;
use crate::web::forms::Fields;

/// A form of roles and mappings.
#[derive(Debug, Default)]
pub(super) struct RulesForm {
    /// The revision of the settings that were read.
    pub(super) revision: Option<u64>,
    pub(super) default_role: String,
    pub(super) disabled_role: String,
    pub(super) mappings: Vec<TypedMapping>,
    pub(super) fields: Vec<TypedField>,
    /// What was wrong with what was typed.
    pub(super) error: Option<FieldError>,
}

/// A row of the role mappings.
#[derive(Debug, Default)]
pub(super) struct TypedMapping {
    pub(super) is_by_id: bool,
    /// The group's name, or its id.
    pub(super) group: String,
    pub(super) role: String,
}

/// A row of the field mappings.
#[derive(Debug, Default)]
pub(super) struct TypedField {
    pub(super) name: String,
    pub(super) path: String,
    /// What is wrong with it.
    pub(super) error: Option<String>,
}

/// Which field is wrong, and why.
#[derive(Debug)]
pub(crate) struct FieldError {
    pub(super) key: String,
    pub(super) reason: String,
}

impl FieldError {
    /// What a problem says of a field; the key is empty where it is about none.
    pub(super) fn of(problem: &Problem) -> Self {
        match problem.field() {
            Some((key, reason)) => Self { key: key.to_owned(), reason: reason.to_owned() },
            None => Self { key: String::new(), reason: problem.sentence() },
        }
    }
}

impl RulesForm {
    /// The settings as they are.
    pub(super) fn of(settings: &Settings, revision: u64) -> Self {
        let mapping = |mapping: &RoleMapping| TypedMapping {
            is_by_id: mapping.group_id.is_some(),
            group: match (&mapping.group, mapping.group_id) {
                (Some(name), _) => name.clone(),
                (None, id) => id.map(|id| id.to_string()).unwrap_or_default(),
            },
            role: mapping.role.clone(),
        };
        let field = |(name, path): (&String, &String)| TypedField {
            name: name.clone(),
            path: path.clone(),
            error: None,
        };
        Self {
            revision: Some(revision),
            default_role: settings.default_role.clone(),
            disabled_role: settings.disabled_role.clone(),
            mappings: settings.role_mappings.iter().map(mapping).collect(),
            fields: settings.field_mappings.iter().map(field).collect(),
            error: None,
        }
    }

    /// What was typed; what was not sent is as it is. Rows stand in the order of their positions.
    pub(super) fn read(sent: &Fields, current: &Settings) -> Self {
        let is = Self::of(current, 0);
        let text = |name: &str, is: String| sent.get(name).map_or(is, str::to_owned);
        let mut form = Self {
            revision: sent.parse("revision", "a number").ok().flatten(),
            default_role: text("default_role", is.default_role),
            disabled_role: text("disabled_role", is.disabled_role),
            mappings: is.mappings,
            fields: is.fields,
            error: None,
        };
        if sent.ticked("mappings") {
            form.read_mappings(sent);
        }
        if sent.ticked("fields") {
            let typed = sent.all("field_name").zip(sent.all("field_path"));
            let typed = typed.map(|(name, path)| TypedField {
                name: name.trim().to_owned(),
                path: path.trim().to_owned(),
                error: None,
            });
            form.fields =
                typed.filter(|row| !(row.name.is_empty() && row.path.is_empty())).collect();
        }
        form
    }

    fn read_mappings(&mut self, sent: &Fields) {
        let kinds = sent.all("mapping_kind").chain(std::iter::repeat("name"));
        let positions = sent.all("mapping_position").chain(std::iter::repeat(""));
        let typed = sent.all("mapping_group").zip(sent.all("mapping_role"));
        let typed = typed.zip(kinds.zip(positions)).enumerate();
        let mut rows: Vec<((u64, Ordering), TypedMapping)> = Vec::new();
        let mut bad_position = None;
        for (at, ((group, role), (kind, position))) in typed {
            if group.trim().is_empty() && role.trim().is_empty() {
                continue;
            }
            let mapping = TypedMapping {
                is_by_id: kind == "id",
                group: group.to_owned(),
                role: role.to_owned(),
            };
            let own = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
            let place = match position.trim() {
                "" => own,
                text => text.parse().unwrap_or_else(|_| {
                    bad_position = Some(format!("{text:.20}"));
                    own
                }),
            };
            // A row that moves up comes before the one whose place it takes, one that moves down
            // after it.
            rows.push(((place, place.cmp(&own)), mapping));
        }
        rows.sort_by_key(|(place, _)| *place);
        self.mappings = rows.into_iter().map(|(_, mapping)| mapping).collect();
        self.error = bad_position.map(|text| FieldError {
            key: "role_mappings".to_owned(),
            reason: format!("expected a whole number as order, found {text:?}"),
        });
    }

    /// The merge patch that makes these the settings.
    pub(super) fn patch(&self, current: &Settings) -> Result<Value, Problem> {
        if let Some(FieldError { key, reason }) = &self.error {
            return Err(Problem::unprocessable(format!("{key}: {reason}")).with("key", &**key));
        }
        let mut fields: BTreeMap<&str, Value> =
            current.field_mappings.keys().map(|name| (name.as_str(), Value::Null)).collect();
        let mut seen = HashSet::new();
        for field in &self.fields {
            if !seen.insert(&field.name) {
                let key = format!("field_mappings.{}", field.name);
                return Err(Problem::unprocessable(format!("{key}: stands twice")).with("key", key));
            }
            fields.insert(&field.name, json!(field.path));
        }
        let mappings = current.role_mappings.iter();
        let mut roles: Vec<&str> = mappings.clone().map(|mapping| mapping.role.as_str()).collect();
        roles.extend([current.default_role.as_str(), current.disabled_role.as_str()]);
        let groups: Vec<&str> = mappings.filter_map(|mapping| mapping.group.as_deref()).collect();
        let row = |row: &TypedMapping| {
            let (key, group) = if row.is_by_id {
                ("group_id", row.group.trim())
            } else {
                ("group", trimmed(&row.group, &groups))
            };
            json!({key: group, "role": trimmed(&row.role, &roles)})
        };
        let mut patch = Map::new();
        patch.insert("default_role".into(), json!(trimmed(&self.default_role, &roles)));
        patch.insert("disabled_role".into(), json!(trimmed(&self.disabled_role, &roles)));
        patch.insert("role_mappings".into(), self.mappings.iter().map(row).collect());
        patch.insert("field_mappings".into(), json!(fields));
        Ok(Value::Object(patch))
    }

    /// Puts what is wrong with a field mapping beside it.
    pub(super) fn blame_fields(&mut self) {
        let Some(FieldError { key, reason }) = &self.error else { return };
        let Some(name) = key.strip_prefix("field_mappings.") else { return };
        for field in self.fields.iter_mut().filter(|field| field.name == name) {
            field.error = Some(reason.clone());
        }
    }

    /// What is wrong with this key.
    pub(super) fn error_of(&self, key: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.key == key).map(|error| error.reason.as_str())
    }
}

/// Without blanks around it, unless it is known with them.
fn trimmed<'a>(text: &'a str, known: &[&str]) -> &'a str {
    if known.contains(&text) { text } else { text.trim() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(patch: &Value) -> Settings {
        Settings::default().merge_patch(patch).unwrap()
    }

    #[test]
    fn what_is_not_touched_is_not_changed() {
        let settings = settings(&json!({
            "role_mappings": [{"group": " Staff ", "role": "loanee"}],
            "field_mappings": {"department": null, "title": "title"},
        }));
        let form = RulesForm::of(&settings, 7);

        let patch = form.patch(&settings).unwrap();

        assert_eq!(settings.merge_patch(&patch).unwrap(), settings);
    }

    #[test]
    fn rows_stand_in_the_order_of_their_positions_and_blank_ones_are_none() {
        let sent = b"mappings=1&mapping_group=A&mapping_role=a&mapping_position=2\
            &mapping_group=B&mapping_role=b&mapping_position=1\
            &mapping_group=+&mapping_role=&mapping_position=3";
        let form = RulesForm::read(&Fields::read(sent).unwrap(), &Settings::default());

        let groups: Vec<&str> = form.mappings.iter().map(|row| row.group.as_str()).collect();
        assert_eq!(groups, ["B", "A"]);
    }

    #[test]
    fn a_row_takes_the_place_that_was_typed_into_it() {
        let order = |positions: [&str; 3]| {
            let row = |(group, position)| {
                format!("&mapping_group={group}&mapping_role=r&mapping_position={position}")
            };
            let rows: String = ["A", "B", "C"].into_iter().zip(positions).map(row).collect();
            let sent = format!("mappings=1{rows}");
            let form =
                RulesForm::read(&Fields::read(sent.as_bytes()).unwrap(), &Settings::default());
            form.mappings.into_iter().map(|row| row.group).collect::<String>()
        };

        assert_eq!(order(["1", "2", "3"]), "ABC");
        assert_eq!(order(["1", "2", "1"]), "CAB");
        assert_eq!(order(["3", "2", "3"]), "BCA");
        assert_eq!(order(["2", "2", "3"]), "BAC");
    }

    #[test]
    fn a_patch_has_no_other_keys_and_takes_away_what_was_removed() {
        let sent = b"rate_limit.burst=1&hold.share=0&protected_roles=x&fields=1&default_role=guest";
        let current = Settings::default();
        let patch =
            RulesForm::read(&Fields::read(sent).unwrap(), &current).patch(&current).unwrap();

        let keys: Vec<&String> = patch.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["default_role", "disabled_role", "role_mappings", "field_mappings"]);
        assert_eq!(patch["field_mappings"], json!({"department": null}));
        let changed = current.merge_patch(&patch).unwrap();
        assert_eq!(changed.default_role, "guest");
        assert!(changed.field_mappings.is_empty());
    }
}
