//! Bulk requests.

use std::collections::HashMap;

use scim::{
    bulk::{
        BulkRequest, Method, OPERATIONS_MAX, bulk_response, operation_response, order, references,
        resolve,
    },
    schema::ResourceType,
};
use serde_json::{Value, json};

fn parse(operations: &Value) -> BulkRequest {
    BulkRequest::parse(&json!({"Operations": operations})).unwrap()
}

#[test]
fn a_request_is_read() {
    let request = BulkRequest::parse(&json!({
        "schemas": [scim::urn::BULK_REQUEST],
        "failOnErrors": 1,
        "Operations": [
            {"method": "post", "path": "/Users", "bulkId": "a", "data": {"userName": "x"}},
            {"method": "PATCH", "path": "/Groups/bulkId:g", "version": "W/\"1\"", "data": {}},
            {"method": "DELETE", "path": "Users/u2"},
        ],
    }))
    .unwrap();

    assert_eq!(request.fail_on_errors, Some(1));
    let [post, modify, delete] = request.operations.as_slice() else { panic!() };
    assert_eq!((post.method, post.bulk_id.as_deref()), (Method::Post, Some("a")));
    let path = modify.path.as_ref().unwrap();
    assert_eq!((path.resource_type, path.id.as_deref()), (ResourceType::Group, Some("bulkId:g")));
    assert_eq!(modify.version.as_deref(), Some("W/\"1\""));
    assert_eq!(delete.path.as_ref().unwrap().id.as_deref(), Some("u2"));
}

#[test]
fn what_is_wrong_with_one_operation_is_its_own_error() {
    for (operation, status) in [
        (json!({"method": "POST", "path": "/Users", "data": {}}), 400),
        (json!({"method": "POST", "path": "/Users/u1", "bulkId": "a", "data": {}}), 400),
        (json!({"method": "PUT", "path": "/Users", "data": {}}), 400),
        (json!({"method": "PATCH", "path": "/Users/u1"}), 400),
        (json!({"method": "DELETE"}), 400),
        (json!({"method": "DELETE", "path": "/Nope/u1"}), 404),
        (json!({"method": "DELETE", "path": "/Users/u1/x"}), 404),
    ] {
        let request = parse(&json!([operation]));
        assert_eq!(request.operations[0].path.as_ref().unwrap_err().status, status, "{operation}");
    }
}

#[test]
fn a_request_without_sense_is_refused_whole() {
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": 1}),
        json!({"Operations": ["x"]}),
        json!({"Operations": [{"method": "GET", "path": "/Users"}]}),
        json!({"Operations": [], "failOnErrors": "x"}),
    ] {
        assert_eq!(BulkRequest::parse(&body).unwrap_err().status, 400, "{body}");
    }
    let delete = json!({"method": "DELETE", "path": "/Users/u1"});
    let body = json!({"Operations": vec![delete; OPERATIONS_MAX + 1]});
    assert_eq!(BulkRequest::parse(&body).unwrap_err().status, 413);
}

#[test]
fn references_are_found_and_resolved() {
    let mut data =
        json!({"members": [{"value": "bulkId:b"}, {"value": "bulkId:a"}, {"value": "c"}]});
    assert_eq!(references(&data), ["a", "b"]);

    let ids = HashMap::from([("a", "1"), ("b", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    resolve(&mut data, &ids).unwrap();
    assert_eq!(data, json!({"members": [{"value": "2"}, {"value": "1"}, {"value": "c"}]}));
    assert!(resolve(&mut json!(["bulkId:z"]), &ids).is_err());
}

#[test]
fn an_operation_comes_after_what_it_refers_to() {
    let post = |bulk_id: &str, refers: &[&str]| {
        let members: Vec<_> =
            refers.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": {"members": members}})
    };
    let operations = json!([
        post("a", &["c", "unknown"]),
        post("b", &[]),
        post("c", &[]),
        post("x", &["y"]),
        post("y", &["x"]),
        post("z", &["y", "b"]),
        {"method": "PATCH", "path": "/Groups/bulkId:c", "data": {}},
    ]);
    let order = order(&parse(&operations).operations);

    assert_eq!(order.sequence, [1, 2, 0, 6]);
    assert_eq!(order.cyclic, [3, 4, 5]);
}

#[test]
fn the_answer_repeats_method_and_bulk_id() {
    let request = parse(&json!([{"method": "POST", "path": "/Users", "bulkId": "a", "data": {}}]));
    let one = operation_response(
        &request.operations[0],
        201,
        Some("https://x/Users/1"),
        Some("W/\"1\""),
        None,
    );
    assert_eq!(
        bulk_response(vec![one]),
        json!({
            "schemas": [scim::urn::BULK_RESPONSE],
            "Operations": [{
                "location": "https://x/Users/1", "method": "POST", "bulkId": "a",
                "version": "W/\"1\"", "status": "201",
            }],
        })
    );
}
