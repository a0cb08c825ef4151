//! Which attributes a body names, as Entra writes them in both of its dialects.
//!
//! Names come out in one form, so that they can be compared: in lower case, without the URN of the
//! core schema, with the type of a multi-valued attribute's element in brackets:
//! `username`, `name.givenname`, `emails[work].value`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager`.
//!
//! This only looks; whether a body is valid is for `scim` to say. It looks at every write, so it
//! allocates one buffer and no more, and passes over what is long or many.

use scim::schema::ResourceType;
use serde_json::{Map, Value};

/// Longer names are passed over.
const NAME_BYTES_MAX: usize = 200;
/// Elements of one multi-valued attribute that are looked at.
const ELEMENTS_MAX: usize = 16;
/// Operations, and keys of an object, that are looked at.
const ITEMS_MAX: usize = 256;

const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const CORE_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Attributes whose elements are told apart by `type`.
const TYPED: [&str; 4] = ["emails", "phonenumbers", "addresses", "ims"];
/// What every body has, and no mapping row sends.
const PASSED_OVER: [&str; 3] = ["schemas", "meta", "id"];

/// Tells `note` of each attribute that a body gives a value, or takes one from. Answers whether the
/// body is a whole resource, as a create is, and not a list of changes.
pub fn names(resource_type: ResourceType, body: &Value, note: &mut dyn FnMut(&str)) -> bool {
    let Some(object) = body.as_object() else { return false };
    let mut found = Names { buffer: String::with_capacity(NAME_BYTES_MAX), note };
    let operations = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("Operations"));
    let Some((_, operations)) = operations else {
        found.keys(resource_type, object);
        return true;
    };
    for operation in operations.as_array().into_iter().flatten().take(ITEMS_MAX) {
        let value_of = |name: &str| {
            let keys = operation.as_object()?;
            keys.get(name).or_else(|| {
                keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            })
        };
        let is_removal = value_of("op")
            .and_then(Value::as_str)
            .is_some_and(|op| op.eq_ignore_ascii_case("remove"));
        match (value_of("path").and_then(Value::as_str), value_of("value")) {
            (Some(path), value) => {
                // To take a value away is to send the attribute, too.
                let value = value.filter(|_| !is_removal).unwrap_or(&Value::Bool(true));
                found.attribute(resource_type, path, value);
            }
            (None, Some(Value::Object(keys))) => found.keys(resource_type, keys),
            (None, _) => {}
        }
    }
    false
}

/// The one form of an attribute path, as a filter or a field mapping names it.
pub fn canonical(resource_type: ResourceType, path: &str) -> Option<String> {
    let mut is_said = false;
    let mut note = |_: &str| is_said = true;
    let mut found = Names { buffer: String::with_capacity(path.len() + 8), note: &mut note };
    // A path without a structure behind it is one attribute: what was said last is all of it.
    found.attribute(resource_type, path, &Value::Bool(true));
    let name = found.buffer;
    is_said.then_some(name)
}

/// The attribute that a filter compares first.
pub fn of_filter(resource_type: ResourceType, filter: &str) -> Option<String> {
    let first = comparison_in(filter)?;
    // The first may stand within brackets; what is compared then comes after them. Any other
    // bracket is one in a value.
    let end = if filter.get(..first)?.contains('[') {
        let closes = filter.find(']')?;
        closes + comparison_in(filter.get(closes..)?)?
    } else {
        first
    };
    canonical(resource_type, filter.get(..end)?.trim())
}

/// Where the first comparison for equality stands.
fn comparison_in(filter: &str) -> Option<usize> {
    filter.as_bytes().windows(4).position(|operator| operator.eq_ignore_ascii_case(b" eq "))
}

/// Whether a change is about nothing but references: a user's manager, or a group's members.
pub fn is_about_references(resource_type: ResourceType, body: &Value) -> bool {
    let (mut any, mut other) = (false, false);
    let is_whole = names(resource_type, body, &mut |name| {
        let is_reference = match resource_type {
            ResourceType::User => name == "manager" || name.ends_with(":user:manager"),
            ResourceType::Group => name == "members",
        };
        any |= is_reference;
        other |= !is_reference;
    });
    !is_whole && any && !other
}

struct Names<'a> {
    buffer: String,
    note: &'a mut dyn FnMut(&str),
}

impl Names<'_> {
    fn keys(&mut self, resource_type: ResourceType, keys: &Map<String, Value>) {
        for (key, value) in keys.iter().take(ITEMS_MAX) {
            if !PASSED_OVER.iter().any(|name| key.eq_ignore_ascii_case(name)) {
                self.attribute(resource_type, key, value);
            }
        }
    }

    /// An attribute by its path, with what is sent for it.
    fn attribute(&mut self, resource_type: ResourceType, path: &str, value: &Value) {
        if is_nothing(value) || path.len() > NAME_BYTES_MAX {
            return;
        }
        if !starts_with(path, "urn:") {
            return self.core(path, value);
        }
        let core = match resource_type {
            ResourceType::User => CORE_USER,
            ResourceType::Group => CORE_GROUP,
        };
        if starts_with(path, core) {
            return match path.get(core.len()..).map(|rest| rest.trim_start_matches([':', '.'])) {
                Some(rest) if !rest.is_empty() => self.core(rest, value),
                _ => self.keys_of(resource_type, value),
            };
        }
        let last = path.rsplit(':').next().unwrap_or_default();
        let is_schema = last.eq_ignore_ascii_case("User") || last.eq_ignore_ascii_case("Group");
        if let (true, Value::Object(keys)) = (is_schema, value) {
            for (key, _) in keys.iter().take(ITEMS_MAX).filter(|(_, value)| !is_nothing(value)) {
                self.say(&[path, ":", key]);
            }
            return;
        }
        // A sub-attribute of an extension's attribute is sent by the same row: `manager.value`.
        let attribute = last.split(['.', '[']).next().unwrap_or_default();
        let schema = path.get(..path.len() - last.len()).unwrap_or_default();
        self.say(&[schema, attribute]);
    }

    fn keys_of(&mut self, resource_type: ResourceType, value: &Value) {
        if let Value::Object(keys) = value {
            for (key, value) in keys.iter().take(ITEMS_MAX) {
                // A schema's URN stands around names, never around another URN.
                if !starts_with(key, "urn:") {
                    self.attribute(resource_type, key, value);
                }
            }
        }
    }

    /// An attribute of the core schema.
    fn core(&mut self, path: &str, value: &Value) {
        let (attribute, kind, sub) = taken_apart(path);
        let is_typed = TYPED.iter().any(|name| attribute.eq_ignore_ascii_case(name));
        match (value, is_typed) {
            (_, true) if !sub.is_empty() => self.say(&[attribute, "[", kind, "].", sub]),
            (Value::Array(elements), true) => {
                for element in elements.iter().take(ELEMENTS_MAX) {
                    self.element(attribute, kind, element);
                }
            }
            (Value::Object(_), true) => self.element(attribute, kind, value),
            (_, true) => self.say(&[attribute, "[", kind, "].value"]),
            (_, false) if !sub.is_empty() && attribute.eq_ignore_ascii_case("name") => {
                self.say(&[attribute, ".", sub]);
            }
            (Value::Object(keys), false) if attribute.eq_ignore_ascii_case("name") => {
                for (sub, _) in keys.iter().take(ITEMS_MAX).filter(|(_, sub)| !is_nothing(sub)) {
                    self.say(&[attribute, ".", sub]);
                }
            }
            (_, false) => self.say(&[attribute]),
        }
    }

    fn element(&mut self, attribute: &str, kind: &str, element: &Value) {
        let Value::Object(keys) = element else {
            return self.say(&[attribute, "[", kind, "].value"]);
        };
        let kind = keys.get("type").and_then(Value::as_str).unwrap_or(kind);
        for (sub, value) in keys.iter().take(ITEMS_MAX) {
            let tells_apart = ["type", "primary"].iter().any(|name| sub.eq_ignore_ascii_case(name));
            if !tells_apart && !is_nothing(value) {
                self.say(&[attribute, "[", kind, "].", sub]);
            }
        }
    }

    fn say(&mut self, parts: &[&str]) {
        if parts.iter().map(|part| part.len()).sum::<usize>() > NAME_BYTES_MAX {
            return;
        }
        self.buffer.clear();
        for part in parts {
            self.buffer.push_str(part);
        }
        self.buffer.make_ascii_lowercase();
        (self.note)(&self.buffer);
    }
}

/// What clears a value says nothing of the row: `null` also stands for what a user does not have.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// `emails[type eq "work"].value` as `emails`, `work` and `value`.
fn taken_apart(path: &str) -> (&str, &str, &str) {
    let Some((attribute, rest)) = path.split_once('[') else {
        let (attribute, sub) = path.split_once('.').unwrap_or((path, ""));
        return (attribute, "", sub);
    };
    let (filter, rest) = rest.split_once(']').unwrap_or((rest, ""));
    let mut words = filter.split_whitespace();
    let names_type = words.next().is_some_and(|word| word.eq_ignore_ascii_case("type"));
    let kind = words.nth(1).filter(|_| names_type).unwrap_or_default();
    (attribute, kind.trim_matches('"'), rest.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user";

    fn named(resource_type: ResourceType, body: &Value) -> Vec<String> {
        let mut found = Vec::new();
        names(resource_type, body, &mut |name| found.push(name.to_owned()));
        found.sort();
        found.dedup();
        found
    }

    fn patched(operation: &Value) -> Vec<String> {
        named(ResourceType::User, &json!({"Operations": [operation]}))
    }

    #[test]
    fn a_create_names_what_it_gives_a_value() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "externalId": "ada", "userName": "ada@example.com", "active": true,
            "displayName": null, "roles": [], "meta": {"resourceType": "User"},
            "name": {"givenName": "Ada", "familyName": "Lovelace", "formatted": null},
            "emails": [{"primary": true, "type": "work", "value": "ada@example.com"}],
            "addresses": [{"type": "work", "streetAddress": "1 Dock", "locality": "Hull"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "department": "IT", "manager": {"value": "1"}, "division": null
            }
        });

        let expected = [
            "active",
            "addresses[work].locality",
            "addresses[work].streetaddress",
            "emails[work].value",
            "externalid",
            "name.familyname",
            "name.givenname",
            &format!("{ENTERPRISE}:department"),
            &format!("{ENTERPRISE}:manager"),
            "username",
        ];
        assert_eq!(named(ResourceType::User, &body), expected);
    }

    #[test]
    fn a_patch_names_the_same_in_every_dialect() {
        let manager = format!("{ENTERPRISE}:manager");
        for (operation, expected) in [
            (json!({"op": "Replace", "path": "active", "value": "False"}), "active"),
            (json!({"op": "replace", "value": {"active": false}}), "active"),
            (json!({"Op": "Replace", "Value": {"Active": "False"}}), "active"),
            (json!({"op": "Add", "path": "name.givenName", "value": "A"}), "name.givenname"),
            (json!({"op": "replace", "value": {"name.givenName": "A"}}), "name.givenname"),
            (json!({"op": "replace", "value": {"name": {"givenName": "A"}}}), "name.givenname"),
            (
                json!({"op": "replace", "path": "name", "value": {"givenName": "A"}}),
                "name.givenname",
            ),
            (
                json!({"op": "Replace", "path": "emails[type eq \"other\"].Value", "value": "a"}),
                "emails[other].value",
            ),
            (
                json!({"op": "replace", "value": {"emails[type eq \"other\"].value": "a"}}),
                "emails[other].value",
            ),
            (
                json!({"op": "add", "path": "addresses[type eq \"other\"].Formatted", "value": "a"}),
                "addresses[other].formatted",
            ),
            (
                json!({"op": "add", "path": "emails", "value": [{"type": "work", "value": "a"}]}),
                "emails[work].value",
            ),
            (
                json!({"op": "Add", "path": "URN:ietf:params:scim:schemas:core:2.0:User:title",
                       "value": "T"}),
                "title",
            ),
            (json!({"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "1"}), &manager),
            (json!({"op": "replace", "value": {format!("{ENTERPRISE}:Manager"): "1"}}), &manager),
            (
                json!({"op": "replace", "value": {ENTERPRISE: {"manager": {"value": "1"}}}}),
                &manager,
            ),
            (json!({"op": "Remove", "path": format!("{ENTERPRISE}:manager.value")}), &manager),
            (json!({"op": "Add", "path": "manager", "value": [{"value": "1"}]}), "manager"),
        ] {
            assert_eq!(patched(&operation), [expected], "{operation}");
        }
    }

    #[test]
    fn members_are_named_once_however_many_there_are() {
        let members: Vec<Value> = (0..5_000).map(|id| json!({"value": id.to_string()})).collect();
        let body = json!({"displayName": "IT", "externalId": "g", "members": members});

        assert_eq!(named(ResourceType::Group, &body), ["displayname", "externalid", "members"]);
        let removal = json!({"op": "remove", "path": "members[value eq \"1\"]"});
        let body = json!({"Operations": [removal]});
        assert_eq!(named(ResourceType::Group, &body), ["members"]);
    }

    #[test]
    fn a_group_that_is_made_empty_tells_nothing_of_members() {
        let body = json!({"displayName": "IT", "members": []});
        assert_eq!(named(ResourceType::Group, &body), ["displayname"]);
    }

    #[test]
    fn a_filter_names_its_attribute() {
        for (filter, expected) in [
            ("userName eq \"ada\"", Some("username")),
            ("externalId eq ada", Some("externalid")),
            ("emails[type eq \"work\"].value eq \"a\"", Some("emails[work].value")),
            ("emails[type eq \"work\"] eq \"a\"", Some("emails[work].value")),
            ("emails[value eq \"a\"]", None),
            ("displayName eq \"Staff [Hull] eq a\"", Some("displayname")),
            ("displayName eq \"a]\"", Some("displayname")),
            ("emails[type eq \"work\"].value eq \"a]b eq c\"", Some("emails[work].value")),
            ("displayName sw \"a\"", None),
            ("", None),
        ] {
            let found = of_filter(ResourceType::User, filter);
            assert_eq!(found.as_deref(), expected, "{filter}");
        }
    }

    #[test]
    fn only_a_change_of_nothing_but_references_is_about_references() {
        let manager = json!({"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "1"});
        let title = json!({"op": "Add", "path": "title", "value": "T"});
        let is_about = |operations: Value| {
            is_about_references(ResourceType::User, &json!({"Operations": operations}))
        };
        assert!(is_about(json!([manager])));
        assert!(!is_about(json!([manager, title])));
        assert!(!is_about(json!([])));
        let members =
            json!({"Operations": [{"op": "Add", "path": "members", "value": [{"value": "1"}]}]});
        assert!(is_about_references(ResourceType::Group, &members));
        assert!(!is_about_references(ResourceType::User, &json!({"manager": "1"})));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "\\PC{0,20}",
            Just("Operations".to_owned()),
            Just("emails".to_owned()),
            Just("path".to_owned()),
            Just(CORE_USER.to_owned()),
            "urn:[a-z:.]{0,12}[\\[\\].é:]{0,4}",
            "emails\\[[a-z \"é]{0,12}\\]?[.a-z]{0,4}",
        ];
        leaf.prop_recursive(4, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|keys| Value::Object(keys.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_looked_at_without_harm(body in any_json(), text in "\\PC{0,300}") {
            for resource_type in ResourceType::ALL {
                names(resource_type, &body, &mut |name| {
                    assert!(name.len() <= NAME_BYTES_MAX);
                });
                of_filter(resource_type, &text);
                canonical(resource_type, &text);
            }
        }
    }
}
