//! POST and PUT bodies.

use scim::{
    error::ScimType,
    path::AttributePath,
    render::{Meta, representation, splice},
    resource::{self, Member, Resource},
    schema::ResourceType,
};
use serde_json::{Value, json};

use crate::support::{ENTERPRISE, group, replace, rest, user};

fn create_error(resource_type: ResourceType, body: &Value) -> ScimType {
    let error = resource::create(resource_type, "x", body.clone()).unwrap_err();
    assert_eq!(error.status, 400, "{error}");
    error.scim_type.unwrap()
}

#[test]
fn the_documented_create_body_is_read() {
    let created = user(json!({
        "schemas": [scim::urn::USER, ENTERPRISE],
        "externalId": "e1",
        "userName": "Test_User",
        "active": true,
        "emails": [{"primary": true, "type": "work", "value": "t@example.com"}],
        "meta": {"resourceType": "User", "created": "2001-01-01T00:00:00Z"},
        "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
        "roles": [],
        "id": "mine",
        "groups": [{"value": "g"}],
        "password": "secret",
        "department": null,
        "manager": null,
        "favouriteColour": "red",
    }));

    assert_eq!(created.id(), "u1");
    assert_eq!(created.user_name(), Some("Test_User"));
    assert_eq!(created.external_id(), Some("e1"));
    assert_eq!(created.attributes()["schemas"], json!([scim::urn::USER]));
    assert_eq!(
        rest(&created),
        json!({
            "externalId": "e1",
            "active": true,
            "emails": [{"primary": true, "type": "work", "value": "t@example.com"}],
            "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
        })
    );
}

#[test]
fn names_are_canonical_and_values_are_coerced() {
    let created = user(json!({
        "ACTIVE": "True",
        "Title": "True",
        "displayName": ["Ada"],
        "profileUrl": "BAPNQLJSRQGD",
        "EMAILS": {"Value": "a@x", "PRIMARY": "True", "nope": 1},
        "roles": [
            {"primary": "False", "value": "A", "displayName": "The A"},
            {"value": "{\"id\":\"1\",\"value\":\"B\",\"displayName\":\"The B\"}"},
        ],
        "phoneNumbers": [{"value": "1"}, {"value": "1"}, {}, null],
        "nickName": "",
        "addresses": [{"type": "work", "primary": true}, {"type": "home", "primary": true}],
    }));
    assert_eq!(
        rest(&created),
        json!({
            "active": true,
            "title": "True",
            "displayName": "Ada",
            "profileUrl": "BAPNQLJSRQGD",
            "emails": [{"value": "a@x", "primary": true}],
            "roles": [
                {"primary": false, "value": "A", "display": "The A"},
                {"value": "B", "display": "The B"},
            ],
            "phoneNumbers": [{"value": "1"}],
            "addresses": [{"type": "work", "primary": true}, {"type": "home", "primary": false}],
        })
    );
}

#[test]
fn the_manager_is_read_in_every_form() {
    for manager in [json!("m"), json!({"value": "m"}), json!([{"value": "m", "$ref": null}])] {
        for body in [
            json!({ENTERPRISE: {"manager": manager}}),
            json!({format!("{ENTERPRISE}:manager"): manager}),
            json!({"manager": manager}),
        ] {
            assert_eq!(rest(&user(body)), json!({ENTERPRISE: {"manager": {"value": "m"}}}));
        }
    }
    for manager in [json!(""), json!(null), json!([]), json!({}), json!({"value": ""})] {
        assert_eq!(rest(&user(json!({ENTERPRISE: {"manager": manager}}))), json!({}));
    }
}

#[test]
fn extensions_without_a_schema_are_kept_as_sent() {
    let urn = "urn:ietf:params:scim:schemas:extension:Custom:2.0:User";
    let created = user(json!({
        urn: {"tag": "True", "list": [1, {"a": null}], "gone": null, "empty": ""},
        "urn:example:Other:1.0:User:level": 3,
        "urn:example:Empty:1.0:User": {},
        "http://schemas.microsoft.com/2006/11/X": {"a": 1},
    }));
    assert_eq!(
        rest(&created),
        json!({
            urn: {"tag": "True", "list": [1, {"a": null}]},
            "urn:example:Other:1.0:User": {"level": 3},
        })
    );
    assert_eq!(
        created.attributes()["schemas"],
        json!([scim::urn::USER, urn, "urn:example:Other:1.0:User"])
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    for body in [
        json!({}),
        json!({"userName": ""}),
        json!({"userName": null}),
        json!({"userName": {"a": 1}}),
        json!({"userName": 7}),
        json!({"userName": ["a", "b"]}),
        json!({"userName": "a", "active": "banana"}),
        json!({"userName": "a", "active": ""}),
        json!({"userName": "a", "active": 1}),
        json!({"userName": "a", "title": false}),
        json!({"userName": "a", "name": "Ada"}),
        json!({"userName": "a", "emails": "a@x"}),
        json!({"userName": "a", "emails": [7]}),
        json!({"userName": "a", "emails": [{"value": 7}]}),
        json!({"userName": "a", "emails": vec![json!({"value": "x"}); 501]}),
        json!({"userName": "a", ENTERPRISE: "x"}),
        json!({"userName": "a", ENTERPRISE: {"manager": 7}}),
    ] {
        assert_eq!(create_error(ResourceType::User, &body), ScimType::InvalidValue, "{body}");
    }
    for body in [json!([1, 2]), json!("x"), json!(null)] {
        assert_eq!(create_error(ResourceType::User, &body), ScimType::InvalidSyntax, "{body}");
    }
    for body in
        [json!({}), json!({"displayName": ""}), json!({"displayName": "g", "members": [{}]})]
    {
        assert_eq!(create_error(ResourceType::Group, &body), ScimType::InvalidValue, "{body}");
    }
}

#[test]
fn the_members_of_a_new_group_stand_beside_it() {
    let body = json!({
        "schemas": [scim::urn::GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName": "g",
        "members": [{"value": "a", "display": "A"}, {"$ref": null, "value": "b"}, {"value": "a"}],
    });
    let created = resource::create(ResourceType::Group, "g1", body).unwrap();

    let member = |value: &str| Member { value: value.to_owned() };
    assert_eq!(created.members, [member("a"), member("b")]);
    assert!(!created.resource.attributes().contains_key("members"));
}

#[test]
fn a_put_clears_what_it_does_not_send() {
    let before = user(json!({"title": "Dr", "active": true, ENTERPRISE: {"department": "IT"}}));
    let body = json!({"id": "other", "userName": "bob", "meta": {}, "displayName": "Bob"});

    let (after, members) = replace(&before, body).unwrap();

    assert_eq!(after.id(), "u1");
    assert_eq!(rest(&after), json!({"displayName": "Bob", "active": true}));
    assert_eq!(members, None);
    assert!(replace(&before, json!({"displayName": "x"})).is_err());
}

#[test]
fn a_put_changes_the_members_only_if_it_speaks_of_them() {
    for (members, read) in [
        (None, None),
        (Some(json!(null)), None),
        (Some(json!([])), Some(0)),
        (Some(json!([{"value": "a"}])), Some(1)),
    ] {
        let mut body = json!({"displayName": "g"});
        if let Some(members) = members {
            body["members"] = members;
        }
        let (_, members) = replace(&group(), body.clone()).unwrap();
        assert_eq!(members.map(|members| members.len()), read, "{body}");
    }
}

#[test]
fn what_is_stored_comes_back() {
    let before = user(json!({"name": {"givenName": "石川 🚀"}, ENTERPRISE: {"department": "IT"}}));
    let bytes = before.to_bytes();

    assert!(bytes.starts_with(b"{\"schemas\":["));
    let stored = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(Resource::from_stored(ResourceType::User, stored), before);
}

#[test]
fn a_spliced_representation_is_the_same_as_a_built_one() {
    let resource = user(json!({"title": "Dr"}));
    let meta = Meta {
        resource_type: ResourceType::User,
        created: "2026-01-01T00:00:00Z",
        last_modified: "2026-01-02T00:00:00Z",
        version: "W/\"7\"",
        location: "https://x.example/Users/u1",
    };
    let groups = json!([{"value": "g1", "display": "a \"b\""}]);
    for extra in [None, Some(groups), Some(json!([]))] {
        let bytes = extra.as_ref().map(|value| serde_json::to_vec(value).unwrap());
        let spliced =
            splice(&resource.to_bytes(), &meta, bytes.as_deref().map(|json| ("groups", json)));
        let built = representation(&resource, &meta, extra.map(|value| ("groups", value)));
        assert_eq!(serde_json::from_slice::<Value>(&spliced).unwrap(), Value::Object(built));
    }
}

#[test]
fn field_values_are_read_by_path() {
    let resource = user(json!({
        "active": true,
        "emails": [{"type": "work", "value": "w@x"}, {"type": "home", "value": "h@x"}],
        "name": {"givenName": "Ada"},
        ENTERPRISE: {"department": "IT", "manager": "m1"},
        "urn:example:C:1.0:User": {"tag": "t"},
    }));
    for (path, values) in [
        ("userName", vec![json!("ada@example.com")]),
        ("active", vec![json!(true)]),
        ("name.givenName", vec![json!("Ada")]),
        ("name", vec![]),
        ("emails", vec![json!("w@x"), json!("h@x")]),
        ("emails[type eq \"work\"].value", vec![json!("w@x")]),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            vec![json!("IT")],
        ),
        ("manager", vec![json!("m1")]),
        ("title", vec![]),
        ("urn:example:C:1.0:User:tag", vec![json!("t")]),
    ] {
        let parsed = AttributePath::parse(ResourceType::User, path).unwrap();
        let selected = parsed.select(resource.attributes()).into_iter();
        let selected: Vec<Value> = selected.filter(|value| !value.is_object()).cloned().collect();
        assert_eq!(selected, values, "{path}");
        let again = AttributePath::parse(ResourceType::User, &parsed.to_string()).unwrap();
        assert_eq!(again, parsed, "{path}");
    }
}
