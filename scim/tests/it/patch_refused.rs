//! What a PATCH may not do.

use scim::{
    error::ScimType,
    patch::{OPERATIONS_MAX, Patch},
    schema::ResourceType,
};
use serde_json::json;

use crate::support::{group, refused, try_patch, user};

#[test]
fn an_unknown_attribute_is_refused_by_name() {
    for path in [
        "favouriteColour",
        "__proto__",
        "__proto__.x",
        "constructor.prototype",
        "tenantId",
        "name.nope",
        "emails.nope",
        "emails[type eq \"work\"].nope",
        "emails[type eq \"work\"]value",
        "emails[type eq \"work\"",
        "emails[type zz \"work\"].value",
        "emails[nope eq \"work\"].value",
        "userName[value eq \"x\"]",
        "members",
        "name.givenName.x",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:nope",
        "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
    ] {
        let add = json!([{"op": "add", "path": path, "value": "x"}]);
        assert_eq!(refused(&user(json!({})), &add), ScimType::InvalidPath, "{path}");
        let bare = json!([{"op": "add", "value": {path: "x"}}]);
        assert_eq!(refused(&user(json!({})), &bare), ScimType::InvalidPath, "{path}");
        let error = try_patch(&user(json!({})), &add).unwrap_err();
        assert!(error.detail.starts_with("operation 0: "), "{error}");
    }
}

#[test]
fn what_is_read_only_is_refused() {
    for path in
        ["id", "meta", "meta.created", "groups", "groups[value eq \"g\"]", "manager.displayName"]
    {
        for operation in [
            json!({"op": "replace", "path": path, "value": "x"}),
            json!({"op": "remove", "path": path}),
            json!({"op": "add", "value": {path: "x"}}),
        ] {
            if operation["op"] == "remove" || operation.get("path").is_some() || path != "id" {
                let kind = refused(&user(json!({})), &json!([operation]));
                assert_eq!(kind, ScimType::Mutability, "{operation}");
            }
        }
    }
    let other_id = json!([{"op": "replace", "value": {"id": "u2", "displayName": "x"}}]);
    assert_eq!(refused(&user(json!({})), &other_id), ScimType::Mutability);
}

#[test]
fn what_is_required_stays() {
    for (path, resource) in [("userName", user(json!({}))), ("displayName", group())] {
        let remove = json!([{"op": "remove", "path": path}]);
        assert_eq!(refused(&resource, &remove), ScimType::Mutability, "{path}");
        for value in
            [json!(""), json!(null), json!([]), json!(7), json!({"a": 1}), json!(["a", "b"])]
        {
            let replace = json!([{"op": "replace", "path": path, "value": value}]);
            assert_eq!(refused(&resource, &replace), ScimType::InvalidValue, "{path} {value}");
        }
    }
}

#[test]
fn a_filter_that_names_no_new_element_is_no_target() {
    for filter in [
        "value sw \"zzz-\"",
        "not (type eq \"work\")",
        "type eq \"work\" or type eq \"home\"",
        "type pr",
        "type ne \"home\" and value eq \"x\"",
    ] {
        let path = format!("emails[{filter}].display");
        let operations = json!([{"op": "replace", "path": path, "value": "X"}]);
        assert_eq!(refused(&user(json!({})), &operations), ScimType::NoTarget, "{path}");
    }
    let remove = json!([{"op": "remove", "value": {"title": "x"}}]);
    assert_eq!(refused(&user(json!({})), &remove), ScimType::NoTarget);
}

#[test]
fn wrong_types_are_refused() {
    for (path, value) in [
        ("title", json!(7)),
        ("title", json!(true)),
        ("title", json!({"value": "x"})),
        ("name", json!("Ada")),
        ("name.givenName", json!({"a": 1})),
        ("emails", json!("ada@example.com")),
        ("emails", json!(["ada@example.com"])),
        ("emails", json!([[{"value": "x"}]])),
        ("emails[type eq \"work\"].primary", json!("maybe")),
        ("manager", json!(7)),
        ("manager", json!(["a", "b"])),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", json!("x")),
    ] {
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        assert_eq!(
            refused(&user(json!({})), &operations),
            ScimType::InvalidValue,
            "{path} {value}"
        );
    }
}

#[test]
fn a_malformed_body_is_refused() {
    for operations in [
        json!([{"op": "move", "path": "title", "value": "x"}]),
        json!([{"path": "title", "value": "x"}]),
        json!([{"op": 1}]),
        json!(["x"]),
    ] {
        assert_eq!(refused(&user(json!({})), &operations), ScimType::InvalidSyntax, "{operations}");
    }
    for body in [json!({}), json!([]), json!({"Operations": {}}), json!({"Operations": null})] {
        let error = Patch::compile(ResourceType::User, body.clone()).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax), "{body}");
    }
    for operations in
        [json!([{"op": "replace", "value": "x"}]), json!([{"op": "add", "path": "title"}])]
    {
        assert_eq!(refused(&user(json!({})), &operations), ScimType::InvalidValue, "{operations}");
    }
}

#[test]
fn the_number_of_operations_is_limited() {
    let operation = json!({"op": "replace", "path": "title", "value": "x"});
    let body = |count| json!({"operations": vec![operation.clone(); count]});

    assert!(Patch::compile(ResourceType::User, body(OPERATIONS_MAX)).is_ok());
    let error = Patch::compile(ResourceType::User, body(OPERATIONS_MAX + 1)).unwrap_err();
    assert_eq!((error.status, error.scim_type), (413, Some(ScimType::TooMany)));
}

#[test]
fn a_failing_operation_undoes_those_before_it() {
    let before = user(json!({"title": "Dr"}));
    let operations = json!([
        {"op": "replace", "path": "title", "value": "Countess"},
        {"op": "replace", "path": "emails[value sw \"zzz\"].display", "value": "x"},
    ]);
    let error = try_patch(&before, &operations).unwrap_err();
    assert!(error.detail.starts_with("operation 1: "), "{error}");
    assert_eq!(before, user(json!({"title": "Dr"})));
}
