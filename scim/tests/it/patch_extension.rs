//! PATCH of extensions: the enterprise extension, the manager, and extensions without a schema.

use scim::error::ScimType;
use serde_json::{Value, json};

use crate::support::{ENTERPRISE, patch, patched, refused, user};

fn manager(value: &Value) -> Value {
    json!({ENTERPRISE: {"manager": value}})
}

#[test]
fn schemas_follow_the_data() {
    let add = json!([{"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "IT"}]);
    let with = patch(&user(json!({})), &add);
    assert_eq!(with.attributes()["schemas"], json!([scim::urn::USER, ENTERPRISE]));
    assert_eq!(with.attributes()[ENTERPRISE], json!({"department": "IT"}));

    for operation in [
        json!({"op": "Remove", "path": format!("{ENTERPRISE}:department")}),
        json!({"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": ""}),
        json!({"op": "replace", "value": {format!("{ENTERPRISE}:department"): null}}),
        json!({"op": "remove", "path": ENTERPRISE}),
        json!({"op": "remove", "path": "department"}),
    ] {
        let without = patch(&with, &json!([operation]));
        assert_eq!(without, user(json!({})), "{operation}");
    }
}

#[test]
fn an_enterprise_attribute_is_found_by_every_name() {
    for operation in [
        json!({"op": "replace", "path": "department", "value": "IT"}),
        json!({"op": "replace", "path": format!("{}:DEPARTMENT", ENTERPRISE.to_lowercase()), "value": "IT"}),
        json!({"op": "replace", "value": {"department": "IT"}}),
        json!({"op": "replace", "value": {ENTERPRISE: {"department": "IT"}}}),
        json!({"op": "add", "path": ENTERPRISE, "value": {"Department": "IT"}}),
    ] {
        let after = patched(json!({}), &json!([operation]));
        assert_eq!(after, json!({ENTERPRISE: {"department": "IT"}}), "{operation}");
    }
}

#[test]
fn the_manager_is_read_in_every_form_and_kept_in_one() {
    let path = format!("{ENTERPRISE}:manager");
    for (operation, kept) in [
        (json!({"op": "Add", "path": path, "value": "m1"}), json!({"value": "m1"})),
        (json!({"op": "replace", "path": path, "value": {"value": "m1"}}), json!({"value": "m1"})),
        (json!({"op": "Add", "path": path, "value": [{"value": "m1"}]}), json!({"value": "m1"})),
        (
            json!({"op": "Add", "path": "manager", "value": [{"$ref": null, "value": "m1"}]}),
            json!({"value": "m1"}),
        ),
        (
            json!({"op": "Add", "path": "manager", "value": [{"$ref": "../Users/m1", "value": "m1"}]}),
            json!({"$ref": "../Users/m1", "value": "m1"}),
        ),
        (
            json!({"op": "replace", "path": format!("{path}.value"), "value": "m1"}),
            json!({"value": "m1"}),
        ),
        (json!({"op": "replace", "value": {path.as_str(): "m1"}}), json!({"value": "m1"})),
        (
            json!({"op": "replace", "value": {ENTERPRISE: {"manager": "m1"}}}),
            json!({"value": "m1"}),
        ),
        (
            json!({"op": "add", "value": {ENTERPRISE: {"manager": {"value": "m1"}}}}),
            json!({"value": "m1"}),
        ),
    ] {
        assert_eq!(patched(json!({}), &json!([operation])), manager(&kept), "{operation}");
        let before = manager(&json!({"value": "m0", "displayName": "Old", "$ref": "../Users/m0"}));
        assert_eq!(patched(before, &json!([operation])), manager(&kept), "{operation}");
    }
}

#[test]
fn the_manager_is_removed_in_every_form() {
    let path = format!("{ENTERPRISE}:manager");
    for operation in [
        json!({"op": "replace", "path": path, "value": ""}),
        json!({"op": "replace", "path": path, "value": null}),
        json!({"op": "replace", "path": path, "value": {"value": ""}}),
        json!({"op": "replace", "path": path, "value": []}),
        json!({"op": "Remove", "path": path}),
        json!({"op": "Remove", "path": "manager"}),
        json!({"op": "remove", "path": "manager[value eq \"m1\"]"}),
        json!({"op": "remove", "path": format!("{path}.value")}),
        json!({"op": "replace", "value": {path.as_str(): ""}}),
    ] {
        assert_eq!(patched(manager(&json!("m1")), &json!([operation])), json!({}), "{operation}");
        assert_eq!(patched(json!({}), &json!([operation])), json!({}), "{operation}");
    }
    let other = json!([{"op": "remove", "path": "manager[value eq \"m2\"]"}]);
    assert_eq!(patched(manager(&json!("m1")), &other), manager(&json!({"value": "m1"})));
}

#[test]
fn an_extension_without_a_schema_is_kept_as_sent() {
    let urn = "urn:ietf:params:scim:schemas:extension:Custom:2.0:User";
    let with = patch(
        &user(json!({})),
        &json!([
            {"op": "Add", "path": format!("{urn}:tag"), "value": "True"},
            {"op": "Add", "path": format!("{}:Badge.Colour", urn.to_lowercase()), "value": "red"},
            {"op": "replace", "value": {urn: {"level": 3}}},
        ]),
    );
    assert_eq!(with.attributes()["schemas"], json!([scim::urn::USER, urn]));
    assert_eq!(
        with.attributes()[urn],
        json!({"tag": "True", "Badge": {"Colour": "red"}, "level": 3})
    );

    let without = patch(
        &with,
        &json!([
            {"op": "replace", "path": format!("{urn}:TAG"), "value": ""},
            {"op": "remove", "path": format!("{urn}:badge.colour")},
            {"op": "replace", "value": {format!("{urn}:level"): null}},
            {"op": "remove", "path": format!("{urn}:never")},
        ]),
    );
    assert_eq!(without, user(json!({})));
    assert_eq!(patch(&with, &json!([{"op": "remove", "path": urn}])), user(json!({})));
}

#[test]
fn a_foreign_path_that_is_no_attribute_is_refused() {
    for path in [
        "urn:x:y",
        "urn:x:Custom:2.0:User:a b",
        "urn:x:Custom:2.0:User:a.b.c",
        "urn:x:y:z:a[b eq 1]",
    ] {
        let operations = json!([{"op": "add", "path": path, "value": "x"}]);
        assert_eq!(refused(&user(json!({})), &operations), ScimType::InvalidPath, "{path}");
    }
}
