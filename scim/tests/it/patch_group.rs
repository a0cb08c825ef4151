//! PATCH of a group. The members come out as operations and never touch the document.

use scim::{
    error::ScimType,
    patch::{MembershipOperation as M, Patch},
    schema::ResourceType,
};
use serde_json::{Map, Value, json};

use crate::support::{group, members, patch, refused};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn members_are_named_in_every_form() {
    for value in [
        json!([{"$ref": null, "value": "a"}]),
        json!([{"value": "a", "display": "A", "type": "User"}]),
        json!({"Value": "a"}),
        json!("a"),
        json!(["a"]),
        json!(["a", {"value": "a"}]),
    ] {
        let add = json!({"op": "Add", "path": "members", "value": value});
        assert_eq!(members(&add), [M::Add(ids(&["a"]))], "{value}");
        let add = json!({"op": "add", "value": {"members": value}});
        assert_eq!(members(&add), [M::Add(ids(&["a"]))], "{value}");
        let replace = json!({"op": "replace", "path": "Members", "value": value});
        assert_eq!(members(&replace), [M::Replace(ids(&["a"]))], "{value}");
    }
}

#[test]
fn remove_with_a_value_list_removes_only_the_listed_members() {
    for (value, removed) in [
        (json!([{"value": "a"}]), vec!["a"]),
        (json!([{"$ref": null, "value": "a"}]), vec!["a"]),
        (json!([{"value": "a"}, {"value": "b"}]), vec!["a", "b"]),
        (json!({"value": "a"}), vec!["a"]),
        (json!("a"), vec!["a"]),
        (json!(["a", "b", "a"]), vec!["a", "b"]),
    ] {
        let remove = json!({"op": "Remove", "path": "members", "value": value});
        assert_eq!(members(&remove), [M::Remove(ids(&removed))], "{value}");
    }
    assert_eq!(members(&json!({"op": "Remove", "path": "members", "value": []})), []);
}

#[test]
fn remove_through_a_filter_removes_the_members_it_names() {
    for (filter, removed) in [
        ("value eq \"a\"", vec!["a"]),
        ("VALUE EQ \"a\"", vec!["a"]),
        ("value eq \"a\" or value eq \"b\"", vec!["a", "b"]),
    ] {
        let remove = json!({"op": "remove", "path": format!("members[{filter}]")});
        assert_eq!(members(&remove), [M::Remove(ids(&removed))], "{filter}");
    }
}

#[test]
fn remove_through_another_filter_is_left_to_whoever_has_the_members() {
    let operations = members(&json!({"op": "remove", "path": "members[type eq \"Group\"]"}));
    let [M::RemoveWhere(filter)] = operations.as_slice() else { panic!("{operations:?}") };

    let member = |kind: &str| Map::from_iter([("type".to_owned(), Value::from(kind))]);
    assert!(filter.matches_element(&member("group")));
    assert!(!filter.matches_element(&member("User")));
}

#[test]
fn the_group_is_emptied_only_when_asked() {
    assert_eq!(members(&json!({"op": "remove", "path": "members"})), [M::RemoveAll]);
    for value in [json!([]), json!(null)] {
        let replace = json!({"op": "replace", "path": "members", "value": value});
        assert_eq!(members(&replace), [M::Replace(Vec::new())]);
    }
    assert_eq!(members(&json!({"op": "add", "path": "members", "value": []})), []);
}

#[test]
fn operations_keep_their_order_beside_other_changes() {
    let body = json!({"Operations": [
        {"op": "Replace", "path": "displayName", "value": "Renamed"},
        {"op": "Remove", "path": "members", "value": [{"value": "a"}]},
        {"op": "Add", "path": "members", "value": [{"value": "b"}]},
        {"op": "Add", "path": "members[value eq \"c\"]", "value": {"value": "c"}},
        {"op": "add", "path": "externalId", "value": "e2"},
    ]});
    let patched = Patch::compile(ResourceType::Group, body).unwrap().apply(&group()).unwrap();

    assert_eq!(patched.resource.display_name(), Some("Renamed"));
    assert_eq!(patched.resource.external_id(), Some("e2"));
    assert_eq!(patched.members, [M::Remove(ids(&["a"])), M::Add(ids(&["b"])), M::Add(ids(&["c"]))]);
}

#[test]
fn a_rename_comes_in_every_form() {
    for operation in [
        json!({"op": "Replace", "path": "displayName", "value": "New"}),
        json!({"op": "replace", "value": {"displayName": "New"}}),
        json!({"op": "replace", "value": {"id": "g1", "displayName": ["New"]}}),
    ] {
        let after = patch(&group(), &json!([operation]));
        assert_eq!(after.display_name(), Some("New"), "{operation}");
    }
}

#[test]
fn a_member_without_an_id_is_refused() {
    for value in [
        json!([{}]),
        json!([{"value": ""}]),
        json!([{"value": 7}]),
        json!(""),
        json!([null]),
        json!(7),
    ] {
        for op in ["add", "replace", "remove"] {
            let operations = json!([{"op": op, "path": "members", "value": value}]);
            assert_eq!(refused(&group(), &operations), ScimType::InvalidValue, "{op} {value}");
        }
    }
}

#[test]
fn a_member_is_immutable() {
    for operation in [
        json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
        json!({"op": "remove", "path": "members[value eq \"a\"].type"}),
        json!({"op": "replace", "path": "members[value eq \"a\"]", "value": {"value": "b"}}),
        json!({"op": "replace", "path": "members.value", "value": "b"}),
    ] {
        assert_eq!(refused(&group(), &json!([operation])), ScimType::Mutability, "{operation}");
    }
}
