//! The bodies that Entra sends, in its two dialects of PATCH.
//!
//! Without a flag Entra capitalises operations, writes one for each attribute, sends booleans as
//! strings and takes members out by a value list. With `aadOptscim062020` in the tenant URL it comes
//! close to RFC 7644. What the bodies do is the same.

use serde_json::{Map, Value, json};

use super::address::quoted;
use super::attribute::{Attribute, ENTERPRISE, Place};
use super::cycle::Direction;
use super::directory::{Group, Person};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTRA_GROUP: &str =
    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// How PATCH bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// What Entra sends unless it is told otherwise.
    #[default]
    Entra,
    /// What it sends with `aadOptscim062020`.
    Scim,
}

/// One attribute's new value.
#[derive(Debug, Clone, Copy)]
pub struct NewValue<'a> {
    /// Which attribute.
    pub attribute: Attribute,
    /// Whether it had a value before.
    pub had_value: bool,
    /// What it is now.
    pub value: &'a str,
}

/// The body that creates a user. The same in both dialects.
pub fn user(person: &Person) -> Value {
    let mut body = json!({
        "schemas": [USER, ENTERPRISE],
        "active": person.standing.is_active(),
        "meta": {"resourceType": "User"},
        "roles": [],
    });
    for (attribute, value) in person.attributes() {
        write(&mut body, attribute.place(), value);
    }
    body
}

fn write(body: &mut Value, place: Place, value: &str) {
    let Some(body) = body.as_object_mut() else { return };
    let below = |body: &mut Map<String, Value>, key: &str, name: &str| {
        let object = body.entry(key).or_insert_with(|| Value::Object(Map::new()));
        if let Some(object) = object.as_object_mut() {
            object.insert(name.to_owned(), value.into());
        }
    };
    match place {
        Place::Top(name) => {
            body.insert(name.to_owned(), value.into());
        }
        Place::Name(name) => below(body, "name", name),
        Place::Enterprise(name) => below(body, ENTERPRISE, name),
        Place::Typed(attribute, kind, sub) => {
            let elements = body.entry(attribute).or_insert_with(|| Value::Array(Vec::new()));
            let Some(elements) = elements.as_array_mut() else { return };
            let of_kind = |element: &Value| element.get("type").is_some_and(|one| one == kind);
            match elements.iter_mut().find(|element| of_kind(element)) {
                Some(element) => {
                    if let Some(element) = element.as_object_mut() {
                        element.insert(sub.to_owned(), value.into());
                    }
                }
                None if attribute == "emails" => {
                    elements.push(json!({"primary": true, "type": kind, sub: value}));
                }
                None => elements.push(json!({"type": kind, sub: value})),
            }
        }
    }
}

/// The body that creates a group: without members, which come later.
pub fn group(group: &Group) -> Value {
    json!({
        "schemas": [GROUP, ENTRA_GROUP],
        "externalId": group.external_id,
        "displayName": group.display_name(),
        "meta": {"resourceType": "Group"},
    })
}

fn patch(operations: Vec<Value>) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": Value::Array(operations)})
}

impl Dialect {
    /// Its name in reports and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Scim => "scim",
        }
    }

    /// The PATCH that gives attributes their new values, and says whether the user is active.
    pub fn update(self, values: &[NewValue<'_>], active: Option<bool>) -> Value {
        let mut operations = Vec::with_capacity(values.len() + 1);
        match self {
            Self::Entra => {
                for one in values {
                    let op = if one.had_value { "Replace" } else { "Add" };
                    let path = one.attribute.path();
                    operations.push(json!({"op": op, "path": path, "value": one.value}));
                }
                if let Some(active) = active {
                    let value = if active { "True" } else { "False" };
                    operations.push(json!({"op": "Replace", "path": "active", "value": value}));
                }
            }
            Self::Scim => {
                let mut merged = Map::new();
                for one in values {
                    let path = one.attribute.path();
                    if matches!(one.attribute.place(), Place::Typed(..)) {
                        let op = if one.had_value { "replace" } else { "add" };
                        operations.push(json!({"op": op, "path": path, "value": one.value}));
                    } else {
                        merged.insert(path.into_owned(), one.value.into());
                    }
                }
                if let Some(active) = active {
                    operations.push(json!({"op": "replace", "path": "active", "value": active}));
                }
                if !merged.is_empty() {
                    operations.push(json!({"op": "replace", "value": merged}));
                }
            }
        }
        patch(operations)
    }

    /// The PATCH that writes a manager.
    pub fn manager(self, id: &str, had_value: bool) -> Value {
        let path = format!("{ENTERPRISE}:manager");
        patch(vec![match self {
            Self::Entra => {
                let op = if had_value { "Replace" } else { "Add" };
                json!({"op": op, "path": path, "value": id})
            }
            Self::Scim => {
                let op = if had_value { "replace" } else { "add" };
                json!({"op": op, "path": path, "value": {"value": id}})
            }
        }])
    }

    /// The PATCH that renames a group.
    pub fn rename_group(self, name: &str) -> Value {
        patch(vec![match self {
            Self::Entra => json!({"op": "Replace", "path": "displayName", "value": name}),
            Self::Scim => json!({"op": "replace", "value": {"displayName": name}}),
        }])
    }

    /// The PATCH that gives a group which was found by its name the directory's id of it.
    pub fn adopt_group(self, group: &Group) -> Value {
        patch(vec![match self {
            Self::Entra => json!({"op": "Add", "path": "externalId", "value": group.external_id}),
            Self::Scim => json!({"op": "add", "path": "externalId", "value": group.external_id}),
        }])
    }

    /// The PATCH that puts members into a group, or takes them out: an operation for each of them
    /// if they come `apart`.
    pub fn members(self, direction: Direction, ids: &[&str], apart: bool) -> Value {
        let element = |id: &&str| match self {
            Self::Entra => json!({"$ref": null, "value": id}),
            Self::Scim => json!({"value": id}),
        };
        let op = match (self, direction) {
            (Self::Entra, Direction::Join) => "Add",
            (Self::Entra, Direction::Leave) => "Remove",
            (Self::Scim, Direction::Join) => "add",
            (Self::Scim, Direction::Leave) => {
                let path = |id: &str| format!("members[value eq {}]", quoted(id));
                let remove = |id: &&str| json!({"op": "remove", "path": path(id)});
                return patch(ids.iter().map(remove).collect());
            }
        };
        let operation = |ids: &[&str]| {
            let value: Vec<Value> = ids.iter().map(element).collect();
            json!({"op": op, "path": "members", "value": value})
        };
        let size = if apart { 1 } else { ids.len().max(1) };
        patch(ids.chunks(size).map(operation).collect())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::super::directory::Directory;
    use super::*;

    const TITLE: NewValue<'_> =
        NewValue { attribute: Attribute::Title, had_value: true, value: "Engineer" };
    const PHONE: NewValue<'_> =
        NewValue { attribute: Attribute::WorkPhone, had_value: false, value: "+41" };

    fn operations(body: &Value) -> &Value {
        assert_eq!(body["schemas"], json!([PATCH_OP]));
        &body["Operations"]
    }

    #[test]
    fn entra_writes_an_operation_for_each_attribute_and_booleans_as_strings() {
        let body = Dialect::Entra.update(&[TITLE, PHONE], Some(false));

        let phone = "phoneNumbers[type eq \"work\"].value";
        let expected = json!([
            {"op": "Replace", "path": "title", "value": "Engineer"},
            {"op": "Add", "path": phone, "value": "+41"},
            {"op": "Replace", "path": "active", "value": "False"},
        ]);
        assert_eq!(operations(&body), &expected);
    }

    #[test]
    fn with_the_flag_entra_merges_what_has_no_filter_and_writes_booleans() {
        let name = NewValue { attribute: Attribute::GivenName, had_value: true, value: "Ada" };

        let body = Dialect::Scim.update(&[TITLE, PHONE, name], Some(true));

        let phone = "phoneNumbers[type eq \"work\"].value";
        let expected = json!([
            {"op": "add", "path": phone, "value": "+41"},
            {"op": "replace", "path": "active", "value": true},
            {"op": "replace", "value": {"title": "Engineer", "name.givenName": "Ada"}},
        ]);
        assert_eq!(operations(&body), &expected);
    }

    #[test]
    fn members_are_taken_out_by_a_value_list_or_with_the_flag_by_a_filter() {
        let entra = Dialect::Entra.members(Direction::Leave, &["a", "b"], false);
        let scim = Dialect::Scim.members(Direction::Leave, &["a"], false);

        let list = json!([{"$ref": null, "value": "a"}, {"$ref": null, "value": "b"}]);
        assert_eq!(
            operations(&entra),
            &json!([{"op": "Remove", "path": "members", "value": list}])
        );
        let filtered = json!([{"op": "remove", "path": "members[value eq \"a\"]"}]);
        assert_eq!(operations(&scim), &filtered);
    }

    #[test]
    fn members_that_come_apart_have_an_operation_each() {
        let body = Dialect::Scim.members(Direction::Join, &["a", "b"], true);

        let expected = json!([
            {"op": "add", "path": "members", "value": [{"value": "a"}]},
            {"op": "add", "path": "members", "value": [{"value": "b"}]},
        ]);
        assert_eq!(operations(&body), &expected);
    }

    #[test]
    fn a_created_user_holds_every_value_where_it_is_read() {
        let directory = Directory::draw(&mut Pcg64Mcg::seed_from_u64(1), 30, 8);

        for person in &directory.people {
            let body = user(person);

            for (attribute, value) in person.attributes() {
                assert_eq!(attribute.read(&body), Some(value), "{attribute:?}");
            }
        }
    }
}
