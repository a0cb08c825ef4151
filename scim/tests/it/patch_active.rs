//! Disabling and enabling: every shape that Entra has been seen to send ends as it should, and what
//! cannot be read is refused rather than answered with success.

use scim::error::ScimType;
use serde_json::json;

use crate::support::{patch, refused, replace, user};

#[test]
fn every_readable_shape_disables() {
    for value in [json!(false), json!("False"), json!("false"), json!("FALSE"), json!(["False"])] {
        for operation in [
            json!({"op": "Replace", "path": "active", "value": value}),
            json!({"op": "add", "path": "Active", "value": value}),
            json!({"op": "replace", "value": {"active": value}}),
            json!({"op": "Add", "value": {"ACTIVE": value}}),
            json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": value}),
        ] {
            let after = patch(&user(json!({"active": true})), &json!([operation]));
            assert_eq!(after.active(), Some(false), "{operation}");
            let after = patch(&user(json!({})), &json!([operation]));
            assert_eq!(after.attributes()["active"], false, "{operation}");
        }
    }
    let after = patch(
        &user(json!({"active": false})),
        &json!([{"op": "Add", "path": "active", "value": "True"}]),
    );
    assert_eq!(after.active(), Some(true));
}

#[test]
fn an_unreadable_value_is_never_a_success() {
    for value in [
        json!(null),
        json!(""),
        json!("no"),
        json!("banana"),
        json!(0),
        json!(1),
        json!([]),
        json!({}),
        json!([false, true]),
        json!({"value": false}),
    ] {
        let before = user(json!({"active": true}));
        for operation in [
            json!({"op": "replace", "path": "active", "value": value}),
            json!({"op": "replace", "value": {"active": value}}),
        ] {
            assert_eq!(
                refused(&before, &json!([operation])),
                ScimType::InvalidValue,
                "{operation}"
            );
        }
        let put = json!({"userName": "ada@example.com", "active": value});
        let error = replace(&before, put).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "PUT {value}");
    }
}

#[test]
fn active_can_be_taken_away_which_says_nothing_about_the_user() {
    let remove = json!([{"op": "remove", "path": "active"}]);
    assert_eq!(patch(&user(json!({"active": false})), &remove).active(), None);
}

#[test]
fn a_put_never_enables_by_omission() {
    let disabled = user(json!({"active": false}));
    let (after, _) = replace(&disabled, json!({"userName": "ada@example.com"})).unwrap();
    assert_eq!(after.active(), Some(false));
}
