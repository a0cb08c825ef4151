//! `attributes` and `excludedAttributes`.

use scim::{projection::Projection, schema::ResourceType};
use serde_json::{Map, Value, json};

use crate::support::ENTERPRISE;

const URN: &str = "urn:example:Custom:1.0:User";

fn full() -> Map<String, Value> {
    let Value::Object(full) = json!({
        "schemas": ["s"],
        "id": "u1",
        "userName": "ada",
        "name": {"givenName": "A", "familyName": "L"},
        "emails": [{"type": "work", "value": "w"}, {"type": "home"}],
        ENTERPRISE: {"department": "IT", "manager": {"value": "m", "$ref": "r"}},
        URN: {"tag": "t", "level": 3},
        "meta": {"location": "l", "version": "v"},
    }) else {
        unreachable!()
    };
    full
}

fn project(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    let projection = Projection::parse(ResourceType::User, attributes, excluded).unwrap();
    let mut object = projection.apply(full());
    assert!(object.remove("id").is_some() && object.remove("schemas").is_some());
    Value::Object(object)
}

#[test]
fn only_what_is_asked_for_is_returned() {
    for (attributes, left) in [
        ("userName", json!({"userName": "ada"})),
        ("USERNAME, name.givenName", json!({"userName": "ada", "name": {"givenName": "A"}})),
        ("id", json!({})),
        ("nope,password", json!({})),
        ("emails.value", json!({"emails": [{"value": "w"}]})),
        (
            "emails.value,emails",
            json!({"emails": [{"type": "work", "value": "w"}, {"type": "home"}]}),
        ),
        ("meta.version", json!({"meta": {"version": "v"}})),
        ("manager.value", json!({ENTERPRISE: {"manager": {"value": "m"}}})),
        (
            ENTERPRISE,
            json!({ENTERPRISE: {"department": "IT", "manager": {"value": "m", "$ref": "r"}}}),
        ),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", json!({"userName": "ada"})),
        ("urn:example:Custom:1.0:User:tag", json!({URN: {"tag": "t"}})),
        (URN, json!({URN: {"tag": "t", "level": 3}})),
    ] {
        assert_eq!(project(Some(attributes), None), left, "{attributes}");
    }
}

#[test]
fn what_is_excluded_is_not_returned() {
    let excluded = "emails,name.familyName,department,meta,id,schemas,userName.x,\
                    urn:example:Custom:1.0:User:level";
    assert_eq!(
        project(None, Some(excluded)),
        json!({
            "userName": "ada",
            "name": {"givenName": "A"},
            ENTERPRISE: {"manager": {"value": "m", "$ref": "r"}},
            URN: {"tag": "t"},
        })
    );
    assert_eq!(project(None, Some("department,manager"))[ENTERPRISE], Value::Null);
}

#[test]
fn members_are_read_only_where_they_are_wanted() {
    let wants = |attributes: Option<&str>, excluded: Option<&str>| {
        Projection::parse(ResourceType::Group, attributes, excluded).unwrap().wants("members")
    };
    assert!(wants(None, None));
    assert!(wants(Some("members.value"), None));
    assert!(wants(None, Some("members.value")));
    assert!(wants(None, Some("displayName")));
    assert!(!wants(Some("id"), None));
    assert!(!wants(None, Some("Members")));
}

#[test]
fn the_two_lists_exclude_each_other() {
    assert!(Projection::parse(ResourceType::User, Some("title"), Some("name")).is_err());
    let none = Projection::parse(ResourceType::User, Some(" "), Some(",")).unwrap();
    assert!(none.is_default());
}

#[test]
fn all_but_one_attribute_is_told_from_all_other_projections() {
    let of_groups = |attributes: Option<&str>, excluded: Option<&str>| {
        Projection::parse(ResourceType::Group, attributes, excluded).unwrap().is_all_but("members")
    };

    for excluded in ["members", "MEMBERS", " members , members "] {
        assert!(of_groups(None, Some(excluded)), "{excluded}");
    }
    for excluded in ["", "members.value", "members,meta", "displayName", "id", "urn:x:y:z"] {
        assert!(!of_groups(None, Some(excluded)), "{excluded}");
    }
    assert!(!of_groups(Some("members"), None) && !of_groups(None, None));
}
