//! Changing what is stored without reading all of it.

use scim::{
    patch::Patch,
    resource::Resource,
    schema::ResourceType,
    stored::{AttributeNames, ReviseError, Revised, Stored},
};
use serde_json::{Value, json};

use crate::support::user;

fn revise(bytes: &[u8], operation: &Value) -> Result<Option<Revised>, ReviseError> {
    let body = json!({"Operations": [operation]});
    let patch = Patch::compile(ResourceType::User, body)?;
    Stored::read(ResourceType::User, bytes)?.revise(&patch, &AttributeNames::of(["userName"]))
}

fn stored() -> Vec<u8> {
    user(json!({"title": "Mate", "emails": [{"type": "work", "value": "a@x"}]})).to_bytes()
}

fn attributes(bytes: &[u8]) -> serde_json::Map<String, Value> {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[test]
fn what_a_change_does_not_touch_stays_byte_for_byte() {
    let before = String::from_utf8(stored()).unwrap();
    let change = json!({"op": "replace", "path": "title", "value": "Captain \"Ada\""});
    let revised = revise(before.as_bytes(), &change).unwrap().unwrap();

    let after = before.replace("\"Mate\"", "\"Captain \\\"Ada\\\"\"");
    assert_eq!(String::from_utf8(revised.body).unwrap(), after);
    assert_eq!(revised.excerpt["userName"], attributes(before.as_bytes())["userName"]);
    assert!(!revised.excerpt.contains_key("emails"));
}

#[test]
fn what_is_so_already_is_no_change() {
    for change in [
        json!({"op": "replace", "path": "title", "value": "Mate"}),
        json!({"op": "remove", "path": "nickName"}),
        json!({"op": "add", "path": "urn:example:unknown", "value": {}}),
    ] {
        assert_eq!(revise(&stored(), &change).unwrap(), None, "{change}");
    }
}

#[test]
fn an_extension_that_comes_or_goes_shows_in_schemas() {
    let department = format!("{}:department", scim::urn::ENTERPRISE_USER);
    let change = json!({"op": "add", "path": department, "value": "Deck"});
    let with = revise(&stored(), &change).unwrap().unwrap().body;
    let now = attributes(&with);
    assert_eq!(now["schemas"], json!([scim::urn::USER, scim::urn::ENTERPRISE_USER]));
    assert_eq!(now[scim::urn::ENTERPRISE_USER], json!({"department": "Deck"}));

    let change = json!({"op": "remove", "path": department});
    let without = revise(&with, &change).unwrap().unwrap().body;
    assert_eq!(without, stored());
}

#[test]
fn a_refused_change_says_what_the_protocol_says() {
    let change = json!({"op": "replace", "value": {"id": "another"}});
    let refused = revise(&stored(), &change).unwrap_err();
    assert!(matches!(refused, ReviseError::Refused(error) if error.detail.contains("id")));
}

#[test]
fn what_is_no_json_object_is_unreadable() {
    let change = json!({"op": "replace", "path": "title", "value": "Captain"});
    for bytes in [b"{\"title\":".as_slice(), b"[]", b"", b"{\"emails\":[}"] {
        let unreadable = revise(bytes, &change).unwrap_err();
        assert!(matches!(unreadable, ReviseError::Unreadable(_)), "{unreadable}");
    }
}

#[test]
fn names_that_json_escapes_are_kept() {
    let mut kept = user(json!({})).attributes().clone();
    let urn = "urn:example:\"quoted\"\u{e9}";
    kept.insert(urn.to_owned(), json!({"a": 1}));
    let before = Resource::from_stored(ResourceType::User, kept).to_bytes();

    let change = json!({"op": "add", "path": "title", "value": "Mate"});
    let after = attributes(&revise(&before, &change).unwrap().unwrap().body);

    assert_eq!(after[urn], json!({"a": 1}));
    assert_eq!(after["schemas"], json!([scim::urn::USER, urn]));
    assert_eq!(after["title"], "Mate");
}

/// Where a name points does not depend on the order in which a user has its extensions.
#[test]
fn the_longest_urn_of_an_extension_is_meant() {
    let (short, long) = ("urn:example:custom:1.0", "urn:example:custom:1.0:User");
    for order in [[short, long], [long, short]] {
        let mut kept = user(json!({})).attributes().clone();
        for urn in order {
            kept.insert(urn.to_owned(), json!({"a": 1}));
        }
        let before = Resource::from_stored(ResourceType::User, kept).to_bytes();
        let change = json!({"op": "add", "path": format!("{long}:tag"), "value": "x"});

        let after = attributes(&revise(&before, &change).unwrap().unwrap().body);

        assert_eq!(after[long], json!({"a": 1, "tag": "x"}));
        assert_eq!(after[short], json!({"a": 1}));
    }
}
