//! PATCH of a user's core attributes, in the RFC's form and Entra's.

use serde_json::json;

use crate::support::{patch, patched, user};

#[test]
fn op_and_keys_are_read_in_any_case() {
    for op in ["Replace", "replace", "REPLACE", "Add", "add"] {
        let after = patched(json!({}), &json!([{"Op": op, "Path": "DisplayName", "Value": "Ada"}]));
        assert_eq!(after, json!({"displayName": "Ada"}), "{op}");
    }
    let after = patched(json!({"title": "Dr"}), &json!([{"op": "Remove", "path": "TITLE"}]));
    assert_eq!(after, json!({}));
}

#[test]
fn a_value_without_a_path_is_read_as_paths() {
    let after = patched(
        json!({"name": {"familyName": "L", "middleName": "K"}}),
        &json!([{"op": "replace", "value": {
            "displayName": "Ada",
            "name.givenName": "Ada",
            "name.FamilyName": "Lovelace",
            "urn:ietf:params:scim:schemas:core:2.0:User:title": "Countess",
            "emails[type eq \"work\"].value": "ada@example.com",
            "addresses[type eq \"work\"].country": "GB",
            "schemas": ["whatever"],
            "id": "u1",
            "password": "secret",
        }}]),
    );

    assert_eq!(
        after,
        json!({
            "name": {"familyName": "Lovelace", "middleName": "K", "givenName": "Ada"},
            "displayName": "Ada",
            "title": "Countess",
            "emails": [{"type": "work", "value": "ada@example.com"}],
            "addresses": [{"type": "work", "country": "GB"}],
        })
    );
}

#[test]
fn the_core_urn_may_be_a_key_around_core_attributes() {
    let after = patched(
        json!({}),
        &json!([{"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {
            "title": "Dr", "name": {"givenName": "Ada"},
        }}}]),
    );
    assert_eq!(after, json!({"title": "Dr", "name": {"givenName": "Ada"}}));
}

#[test]
fn replacing_a_complex_attribute_merges_its_sub_attributes() {
    let before = json!({"name": {"givenName": "A", "familyName": "L"}});
    for operation in [
        json!({"op": "replace", "path": "name", "value": {"givenName": "Ada"}}),
        json!({"op": "replace", "value": {"name": {"GivenName": "Ada"}}}),
        json!({"op": "add", "path": "name", "value": {"givenName": "Ada"}}),
        json!({"op": "add", "path": "name.givenName", "value": "Ada"}),
    ] {
        let after = patched(before.clone(), &json!([operation]));
        assert_eq!(after, json!({"name": {"givenName": "Ada", "familyName": "L"}}), "{operation}");
    }
}

#[test]
fn a_path_that_matches_nothing_makes_the_element_that_it_describes() {
    let before = json!({"emails": [{"type": "home", "value": "h@x"}]});
    for op in ["Add", "Replace"] {
        let after = patched(
            before.clone(),
            &json!([{"op": op, "path": "emails[type eq \"work\"].Value", "value": "w@x"}]),
        );
        assert_eq!(
            after,
            json!({"emails": [{"type": "home", "value": "h@x"}, {"type": "work", "value": "w@x"}]})
        );
    }
    let after = patched(
        json!({}),
        &json!([{"op": "add", "path": "emails[type eq \"work\" and primary eq \"True\"]",
            "value": {"value": "w@x"}}]),
    );
    assert_eq!(after, json!({"emails": [{"type": "work", "primary": true, "value": "w@x"}]}));
}

#[test]
fn operations_with_one_filter_build_one_element() {
    let add = |sub: &str, value: &str| json!({"op": "Add", "path": format!("addresses[type eq \"work\"].{sub}"), "value": value});
    let after = patched(
        json!({}),
        &json!([
            add("formatted", "f"),
            add("streetAddress", "s"),
            add("locality", "l"),
            add("region", "r"),
            add("postalCode", "p"),
            add("country", "US"),
        ]),
    );
    assert_eq!(
        after,
        json!({"addresses": [{
            "type": "work", "formatted": "f", "streetAddress": "s", "locality": "l", "region": "r",
            "postalCode": "p", "country": "US",
        }]})
    );
}

#[test]
fn a_filter_on_primary_takes_a_string_or_a_boolean() {
    for literal in ["true", "\"True\"", "\"true\"", "True"] {
        let path = |sub: &str| format!("roles[primary eq {literal}].{sub}");
        let operations = json!([
            {"op": "Add", "path": path("value"), "value": "Admin"},
            {"op": "Add", "path": path("display"), "value": "Administrators"},
        ]);
        let made = json!({"roles": [
            {"primary": true, "value": "Admin", "display": "Administrators"},
        ]});
        assert_eq!(patched(json!({}), &operations), made, "{literal}");
        assert_eq!(
            patched(json!({"roles": [{"primary": "True", "value": "User"}]}), &operations),
            made
        );
    }
}

#[test]
fn values_that_wrap_a_single_one_are_unwrapped() {
    for value in [
        json!("Ada"),
        json!(["Ada"]),
        json!([{"$ref": null, "value": "Ada"}]),
        json!([{"value": "Ada"}]),
    ] {
        let after =
            patched(json!({}), &json!([{"op": "Replace", "path": "displayName", "value": value}]));
        assert_eq!(after, json!({"displayName": "Ada"}), "{value}");
    }
}

#[test]
fn a_string_attribute_that_says_true_stays_a_string() {
    let after = patched(json!({}), &json!([{"op": "add", "path": "title", "value": "True"}]));
    assert_eq!(after, json!({"title": "True"}));
}

#[test]
fn null_and_the_empty_string_clear_a_single_value() {
    let before = json!({"title": "Dr", "name": {"givenName": "A", "familyName": "L"}});
    for value in [json!(null), json!("")] {
        for op in ["replace", "add"] {
            let operations = json!([
                {"op": op, "path": "title", "value": value},
                {"op": op, "path": "name.givenName", "value": value},
            ]);
            let after = patched(before.clone(), &operations);
            assert_eq!(after, json!({"name": {"familyName": "L"}}), "{op} {value}");
            assert_eq!(patched(json!({}), &operations), json!({}), "again {op} {value}");
        }
        let after = patched(
            before.clone(),
            &json!([{"op": "replace", "value": {"title": value, "name": {"givenName": value}}}]),
        );
        assert_eq!(after, json!({"name": {"familyName": "L"}}));
    }
}

#[test]
fn clearing_through_a_filter_leaves_no_empty_element() {
    let before = json!({"emails": [
        {"type": "work", "value": "w@x", "primary": true},
        {"type": "home", "value": "h@x", "display": "Home"},
    ]});
    for value in [json!(null), json!("")] {
        let clear = |kind: &str| json!({"op": "replace", "path": format!("emails[type eq \"{kind}\"].value"), "value": value});
        let after = patched(before.clone(), &json!([clear("work"), clear("home"), clear("other")]));
        assert_eq!(after, json!({"emails": [{"type": "home", "display": "Home"}]}), "{value}");
    }
}

#[test]
fn clearing_what_a_filter_does_not_find_succeeds() {
    for operation in [
        json!({"op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": null}),
        json!({"op": "replace", "path": "phoneNumbers[type eq \"fax\"]", "value": null}),
        json!({"op": "remove", "path": "phoneNumbers[type eq \"fax\"].value"}),
        json!({"op": "remove", "path": "phoneNumbers[value sw \"5\"]"}),
        json!({"op": "remove", "path": "nickName"}),
        json!({"op": "remove", "path": "name.givenName"}),
        json!({"op": "replace", "path": "password", "value": "secret"}),
        json!({"op": "remove", "path": "password"}),
        json!({"op": "add", "path": "schemas", "value": ["urn:x"]}),
    ] {
        assert_eq!(patched(json!({}), &json!([operation])), json!({}), "{operation}");
    }
}

#[test]
fn a_removed_sub_attribute_leaves_the_element() {
    let after = patched(
        json!({"emails": [{"type": "work", "value": "w@x", "display": "W"}]}),
        &json!([{"op": "Remove", "path": "emails[type eq \"work\"].display"}]),
    );
    assert_eq!(after, json!({"emails": [{"type": "work", "value": "w@x"}]}));
}

#[test]
fn a_multi_valued_attribute_is_added_to_or_replaced() {
    let before = json!({"emails": [{"type": "work", "value": "w@x"}]});
    let other = json!({"type": "other", "value": "o@x"});
    for value in [other.clone(), json!([other])] {
        let add = json!([{"op": "add", "path": "emails", "value": value}]);
        let both = json!({"emails": [{"type": "work", "value": "w@x"}, other]});
        assert_eq!(patched(before.clone(), &add), both);
        assert_eq!(patched(both.clone(), &add), both, "adding again changes nothing");

        let replace = json!([{"op": "replace", "path": "emails", "value": value}]);
        assert_eq!(patched(before.clone(), &replace), json!({"emails": [other]}));
    }
    for operation in [
        json!({"op": "remove", "path": "emails"}),
        json!({"op": "replace", "path": "emails", "value": []}),
        json!({"op": "replace", "path": "emails", "value": null}),
        json!({"op": "remove", "path": "emails[type eq \"work\"]"}),
    ] {
        assert_eq!(patched(before.clone(), &json!([operation])), json!({}), "{operation}");
    }
}

#[test]
fn remove_with_a_value_removes_only_the_listed_values() {
    let before = json!({"roles": [
        {"value": "A", "type": "x"}, {"value": "B", "type": "x"}, {"value": "C", "type": "y"},
    ]});
    for (value, left) in [
        (json!([{"value": "A"}]), vec!["B", "C"]),
        (json!({"value": "A", "type": "x"}), vec!["B", "C"]),
        (json!({"value": "A", "type": "y"}), vec!["A", "B", "C"]),
        (json!("C"), vec!["A", "B"]),
        (json!(["A", "B"]), vec!["C"]),
        (json!({"type": "x"}), vec!["C"]),
        (json!([]), vec!["A", "B", "C"]),
        (json!({"value": "nobody"}), vec!["A", "B", "C"]),
    ] {
        let operations = json!([{"op": "Remove", "path": "roles", "value": value}]);
        let after = patch(&user(before.clone()), &operations);
        let roles = after.attributes()["roles"].as_array().unwrap();
        let values: Vec<_> = roles.iter().map(|role| role["value"].as_str().unwrap()).collect();
        assert_eq!(values, left, "{value}");
    }
}

#[test]
fn a_new_primary_clears_the_old_one() {
    let before = json!({"emails": [
        {"type": "work", "value": "w@x", "primary": true}, {"type": "home", "value": "h@x"},
    ]});
    for operation in [
        json!({"op": "add", "path": "emails",
            "value": [{"type": "other", "value": "o@x", "primary": true}]}),
        json!({"op": "Replace", "path": "emails[type eq \"home\"].primary", "value": "True"}),
        json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}),
        json!({"op": "add", "path": "emails[type eq \"fax\" and primary eq true].value", "value": "f"}),
    ] {
        let after = patch(&user(before.clone()), &json!([operation]));
        let emails = after.attributes()["emails"].as_array().unwrap();
        let primary: Vec<bool> = emails.iter().map(|email| email["primary"] == true).collect();
        if operation["path"] == "emails[type eq \"fax\" and primary eq true].value" {
            // The described element is not there yet: it is made, and is the primary one.
            assert_eq!(primary, [false, false, true], "{operation}");
        } else {
            assert_eq!(primary.iter().filter(|primary| **primary).count(), 1, "{operation}");
            assert_ne!(emails[0]["primary"], true, "{operation}");
        }
    }
}

#[test]
fn a_filter_with_two_conditions_holds_within_one_element() {
    let before = json!({"emails": [
        {"type": "work", "value": "w@example.com"}, {"type": "home", "value": "h@example.com"},
    ]});
    let after = patched(
        before,
        &json!([{"op": "replace",
            "path": "emails[type eq \"work\" and value ew \"example.com\"].display", "value": "W"}]),
    );
    assert_eq!(
        after,
        json!({"emails": [
            {"type": "work", "value": "w@example.com", "display": "W"},
            {"type": "home", "value": "h@example.com"},
        ]})
    );
}

#[test]
fn a_sub_attribute_without_a_filter_is_set_in_every_element() {
    let before = json!({"emails": [{"value": "a"}, {"value": "b"}]});
    let set = json!([{"op": "replace", "path": "emails.type", "value": "work"}]);
    let after = json!({"emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "work"}]});
    assert_eq!(patched(before, &set), after);
}

#[test]
fn a_role_that_is_json_in_a_string_is_expanded() {
    let document = r#"{"id":"1","value":"Admin","displayName":"Administrators"}"#;
    let expanded = json!({"roles": [{"value": "Admin", "display": "Administrators"}]});
    for operation in [
        json!({"op": "Add", "path": "roles", "value": [{"value": document}]}),
        json!({"op": "replace", "path": "roles", "value": [{"value": document}]}),
        json!({"op": "add", "value": {"roles": {"value": "Admin", "displayName": "Administrators"}}}),
    ] {
        assert_eq!(patched(json!({}), &json!([operation])), expanded, "{operation}");
        assert_eq!(patched(expanded.clone(), &json!([operation])), expanded, "{operation}");
    }
}

#[test]
fn rename_and_disable_come_in_one_request() {
    let after = patch(
        &user(json!({})),
        &json!([
            {"op": "Replace", "path": "userName", "value": "00ffada@example.com"},
            {"op": "Replace", "path": "active", "value": "False"},
        ]),
    );
    assert_eq!(after.user_name(), Some("00ffada@example.com"));
    assert_eq!(after.active(), Some(false));
}

#[test]
fn no_operations_change_nothing() {
    let before = user(json!({"title": "Dr", "roles": [{"value": "A"}]}));
    assert_eq!(patch(&before, &json!([])), before);
    let again = patch(&before, &json!([{"op": "replace", "path": "title", "value": "Dr"}]));
    assert_eq!(again, before);
}

#[test]
fn values_are_stored_as_sent() {
    let phone = "+1 (555) 0199 ext. 7 ";
    let after = patched(
        json!({}),
        &json!([{"op": "add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": phone}]),
    );
    assert_eq!(after, json!({"phoneNumbers": [{"type": "mobile", "value": phone}]}));
}
