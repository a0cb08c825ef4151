//! Queries, sorting and their answers.

use scim::{
    list::{COUNT_DEFAULT, COUNT_MAX, ListQuery, Paging, list_response, sort_key},
    path::AttributePath,
    schema::ResourceType,
};
use serde_json::{Map, Value, json};

fn index(query: &str) -> (usize, usize) {
    match ListQuery::from_query_string(query).unwrap().paging {
        Paging::Index { start_index, count } => (start_index, count),
        Paging::Cursor { .. } => panic!("{query}"),
    }
}

#[test]
fn a_query_string_is_form_encoded() {
    let query = ListQuery::from_query_string(
        "filter=externalId+eq+%22john%2Bwong%22&SORTBY=userName&sortOrder=Descending\
         &excludedAttributes=members&aadOptscim062020&x=1&x=2",
    )
    .unwrap();

    assert_eq!(query.filter.as_deref(), Some("externalId eq \"john+wong\""));
    assert_eq!(query.sort_by.as_deref(), Some("userName"));
    assert!(query.descending);
    assert_eq!(query.excluded_attributes.as_deref(), Some("members"));
    assert_eq!(query.paging, Paging::Index { start_index: 1, count: COUNT_DEFAULT });
}

#[test]
fn numbers_are_put_into_range() {
    for (query, expected) in [
        ("startIndex=6&count=5", (6, 5)),
        ("startIndex=-7", (1, COUNT_DEFAULT)),
        ("startIndex=0", (1, COUNT_DEFAULT)),
        ("count=-1", (1, 0)),
        ("count=0", (1, 0)),
        ("count=1000000", (1, COUNT_MAX)),
        ("startIndex=99999999999999999999999", (usize::MAX, COUNT_DEFAULT)),
    ] {
        assert_eq!(index(query), expected, "{query}");
    }
    for query in
        ["count=x", "count=", "startIndex=1.5", "count=--1", "count=1&Count=2", "sortOrder=up"]
    {
        assert_eq!(ListQuery::from_query_string(query).unwrap_err().status, 400, "{query}");
    }
}

#[test]
fn naming_cursor_asks_for_pages_by_cursor() {
    for (query, expected) in
        [("cursor", None), ("cursor=&count=5", None), ("cursor=abc", Some("abc"))]
    {
        match ListQuery::from_query_string(query).unwrap().paging {
            Paging::Cursor { cursor, .. } => assert_eq!(cursor.as_deref(), expected),
            Paging::Index { .. } => panic!("{query}"),
        }
    }
}

#[test]
fn a_search_request_says_the_same() {
    let query = ListQuery::from_search_request(&json!({
        "schemas": [scim::urn::SEARCH_REQUEST],
        "attributes": ["displayName", "userName"],
        "filter": "userName pr",
        "startIndex": 3,
        "COUNT": 1e30,
        "sortBy": null,
    }))
    .unwrap();

    assert_eq!(query.attributes.as_deref(), Some("displayName,userName"));
    assert_eq!(query.filter.as_deref(), Some("userName pr"));
    assert_eq!(query.paging, Paging::Index { start_index: 3, count: COUNT_MAX });
    for body in
        [json!([]), json!({"count": true}), json!({"attributes": [1]}), json!({"count": 1.5})]
    {
        assert_eq!(ListQuery::from_search_request(&body).unwrap_err().status, 400, "{body}");
    }
}

#[test]
fn resources_are_sorted_by_the_rule_of_their_attribute() {
    let key = |path: &str, resource: Value| {
        let Value::Object(resource) = resource else { panic!() };
        let path = AttributePath::parse(ResourceType::User, path).unwrap();
        sort_key(ResourceType::User, &path, &resource)
    };
    let missing = |path| key(path, Value::Object(Map::new()));
    for (path, less, more) in [
        ("userName", json!({"userName": "ada"}), json!({"userName": "BOB"})),
        ("externalId", json!({"externalId": "BOB"}), json!({"externalId": "ada"})),
        ("active", json!({"active": false}), json!({"active": true})),
        (
            "name.familyName",
            json!({"name": {"familyName": "a"}}),
            json!({"name": {"familyName": "b"}}),
        ),
        (
            "meta.created",
            json!({"meta": {"created": "2026-01-01T01:00:00+02:00"}}),
            json!({"meta": {"created": "2026-01-01T00:00:00Z"}}),
        ),
        (
            "emails",
            json!({"emails": [{"value": "z"}, {"value": "a", "primary": true}]}),
            json!({"emails": [{"value": "b"}]}),
        ),
    ] {
        assert!(key(path, less.clone()) < key(path, more), "{path}");
        assert!(key(path, less) < missing(path), "{path}: missing comes last");
    }
}

#[test]
fn a_list_response_counts_what_it_holds() {
    let read = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
    assert_eq!(
        read(list_response(7, Some(6), &[br#"{"id":"a"}"#, br#"{"id":"b"}"#], None, None)),
        json!({
            "schemas": [scim::urn::LIST_RESPONSE],
            "totalResults": 7,
            "startIndex": 6,
            "itemsPerPage": 2,
            "Resources": [{"id": "a"}, {"id": "b"}],
        })
    );
    let nothing: [&[u8]; 0] = [];
    let page = read(list_response(0, None, &nothing, Some("n\""), Some("p")));
    assert_eq!((&page["nextCursor"], &page["previousCursor"]), (&json!("n\""), &json!("p")));
    assert_eq!(page["Resources"], json!([]));
}
