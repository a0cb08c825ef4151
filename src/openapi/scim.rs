//! The SCIM paths, described by hand: [`crate::http`] takes them apart by hand.
//!
//! `tests/it/openapi.rs` asks a server whether each of these is there, and whether the endpoints
//! that it has are all here, with all their methods. The schemas name the attributes that Entra
//! sends; the whole of them is what `/Schemas` answers.

use serde_json::{Map, Value, json};

use super::schemas::ID;
use super::{operation_id, path_parameter, placeholders, reference};

/// In front of all of them.
const BASE: &str = "/scim/v2/{tenant}";

/// An operation: what is sent and what is answered are names of schemas.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    sends: Option<&'static str>,
    status: &'static str,
    answers: Option<&'static str>,
    /// Refusals besides those that all have.
    refusals: &'static [&'static str],
}

const fn operation(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    sends: Option<&'static str>,
    (status, answers): (&'static str, Option<&'static str>),
    refusals: &'static [&'static str],
) -> Operation {
    Operation { method, path, summary, sends, status, answers, refusals }
}

const USER: Option<&str> = Some("ScimUser");
const GROUP: Option<&str> = Some("ScimGroup");
const PATCH: Option<&str> = Some("ScimPatch");
const SEARCH: Option<&str> = Some("ScimSearch");
const LIST: (&str, Option<&str>) = ("200", Some("ScimList"));
const RESOURCE: (&str, Option<&str>) = ("200", Some("ScimResource"));
const NO_CONTENT: (&str, Option<&str>) = ("204", None);
/// What the body of a write may be refused for.
const NEW: &[&str] = &["400", "408", "409", "413", "415"];
const CHANGED: &[&str] = &["400", "404", "408", "409", "412", "413", "415"];
const ASKED: &[&str] = &["400", "408", "413", "415"];

const OPERATIONS: &[Operation] = &[
    operation("get", "/Users", "Users that match a filter", None, LIST, &["400"]),
    operation("post", "/Users", "Creates a user", USER, ("201", USER), NEW),
    operation("post", "/Users/.search", "Users that match a filter", SEARCH, LIST, ASKED),
    operation("get", "/Users/{id}", "A user", None, ("200", USER), &["400", "404"]),
    operation("put", "/Users/{id}", "Replaces a user", USER, ("200", USER), CHANGED),
    operation("patch", "/Users/{id}", "Changes a user", PATCH, ("200", USER), CHANGED),
    operation("delete", "/Users/{id}", "Deletes a user", None, NO_CONTENT, &["404", "412"]),
    operation("get", "/Groups", "Groups that match a filter", None, LIST, &["400"]),
    operation("post", "/Groups", "Creates a group", GROUP, ("201", GROUP), NEW),
    operation("post", "/Groups/.search", "Groups that match a filter", SEARCH, LIST, ASKED),
    operation("get", "/Groups/{id}", "A group", None, ("200", GROUP), &["400", "404"]),
    operation("put", "/Groups/{id}", "Replaces a group", GROUP, ("200", GROUP), CHANGED),
    operation("patch", "/Groups/{id}", "Changes a group", PATCH, NO_CONTENT, CHANGED),
    operation("delete", "/Groups/{id}", "Deletes a group", None, NO_CONTENT, &["404", "412"]),
    operation("post", "/.search", "Users and groups that match a filter", SEARCH, LIST, ASKED),
    operation(
        "post",
        "/Bulk",
        "Several writes",
        Some("ScimBulk"),
        ("200", Some("ScimBulk")),
        ASKED,
    ),
    operation("get", "/ServiceProviderConfig", "What is supported", None, RESOURCE, &["403"]),
    operation("get", "/ResourceTypes", "The resource types", None, LIST, &["403"]),
    operation("get", "/ResourceTypes/{name}", "A resource type", None, RESOURCE, &["403", "404"]),
    operation("get", "/Schemas", "The schemas", None, LIST, &["403"]),
    operation("get", "/Schemas/{name}", "A schema", None, RESOURCE, &["403", "404"]),
    operation("get", "/Me", "Not supported", None, ("501", Some("ScimError")), &[]),
];

/// The paths, as they stand in the document.
pub(super) fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = format!("{BASE}{}", operation.path);
        let item = paths.entry(path.clone()).or_insert(json!({}));
        item[operation.method] = described(&path, operation);
    }
    paths
}

fn described(path: &str, operation: &Operation) -> Value {
    let mut responses = Map::new();
    for status in ["401", "429", "503"].iter().chain(operation.refusals) {
        responses.insert((*status).to_owned(), refusal(status));
    }
    let mut answer = json!({"description": operation.summary});
    if let Some(schema) = operation.answers {
        answer["content"] = content(schema);
    }
    responses.insert(operation.status.to_owned(), answer);
    if operation.method == "patch" {
        // Entra asks for 204 to a group's; both are given where `attributes` says what to answer.
        let schema = if operation.answers == USER { "ScimUser" } else { "ScimGroup" };
        let description = "The resource, where `attributes` asks for it";
        let asked = json!({"description": description, "content": content(schema)});
        responses.entry("200").or_insert(asked);
    }
    let mut parameters: Vec<Value> = placeholders(path).map(path_parameter).collect();
    let shown: &[&str] = match (operation.method, operation.answers) {
        ("get", Some("ScimList")) if operation.refusals.contains(&"400") => &[
            "filter",
            "startIndex",
            "count",
            "sortBy",
            "sortOrder",
            "cursor",
            "attributes",
            "excludedAttributes",
        ],
        (_, Some("ScimUser" | "ScimGroup")) | ("patch", _) => &["attributes", "excludedAttributes"],
        _ => &[],
    };
    parameters.extend(shown.iter().map(|name| {
        json!({"name": name, "in": "query", "schema": {"type": "string"},
               "description": "RFC 7644 section 3.4.2, 3.9; RFC 9865"})
    }));
    let mut described = json!({
        "tags": ["scim"], "summary": operation.summary,
        "operationId": operation_id(path, operation.method),
        "parameters": parameters, "responses": responses, "security": [{"scim": []}],
    });
    if let Some(schema) = operation.sends {
        described["requestBody"] = json!({"required": true, "content": content(schema)});
    }
    described
}

fn content(schema: &str) -> Value {
    json!({::scim::MEDIA_TYPE: {"schema": reference(schema)}})
}

fn refusal(status: &str) -> Value {
    let (scim_type, detail) = match status {
        "400" => (Some("invalidSyntax"), "the body is not valid JSON"),
        "401" => (None, "the bearer token is missing or not valid here"),
        "403" => (None, "discovery endpoints take no filter"),
        "404" => (None, "there is no such resource"),
        "408" => (None, "the body did not come in time"),
        "409" => (Some("uniqueness"), "userName is taken by another resource"),
        "412" => (None, "the resource has another version than If-Match asks for"),
        "413" => (None, "the body is larger than 1048576 bytes"),
        "415" => (None, "expected Content-Type application/scim+json"),
        "429" => (None, "the tenant's rate limit is reached; see Retry-After"),
        _ => (None, "the service cannot do this now; see Retry-After"),
    };
    let mut example = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status,
        "detail": detail,
    });
    if let Some(scim_type) = scim_type {
        example["scimType"] = scim_type.into();
    }
    let mut content = content("ScimError");
    content[::scim::MEDIA_TYPE]["example"] = example;
    let mut refusal = json!({"description": detail, "content": content});
    if matches!(status, "429" | "503") {
        refusal["headers"] = json!({"Retry-After": {
            "description": "Seconds", "schema": {"type": "integer"}, "required": true,
        }});
    }
    refusal
}

/// The schemas that the paths name.
pub(super) fn schemas() -> Map<String, Value> {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@example.com",
        "externalId": "ada", "displayName": "Ada Lovelace", "active": true,
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
    });
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "IT Admins",
        "externalId": "it-admins", "members": [{"value": ID}],
    });
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": ID}]}],
    });
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1", "data": user}],
    });
    let list = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 1,
        "itemsPerPage": 1, "startIndex": 1, "Resources": [user],
    });
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName eq \"ada@example.com\"", "count": 1,
    });
    let error = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409",
        "scimType": "uniqueness", "detail": "userName is taken by another resource",
    });
    let resource = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"]});
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let objects = || json!({"type": "array", "items": {"type": "object"}});
    let number = || json!({"type": "integer"});
    let made = [
        (
            "ScimUser",
            "A user (RFC 7643 section 4.1)",
            user,
            json!({
                "schemas": texts(), "id": text(), "externalId": text(), "userName": text(),
                "displayName": text(), "active": {}, "emails": {}, "meta": {"type": "object"},
            }),
            json!(["userName"]),
        ),
        (
            "ScimGroup",
            "A group (RFC 7643 section 4.2)",
            group,
            json!({
                "schemas": texts(), "id": text(), "externalId": text(), "displayName": text(),
                "members": objects(), "meta": {"type": "object"},
            }),
            json!(["displayName"]),
        ),
        (
            "ScimPatch",
            "Changes (RFC 7644 section 3.5.2)",
            patch,
            json!({
                "schemas": texts(), "Operations": objects(),
            }),
            json!(["Operations"]),
        ),
        (
            "ScimBulk",
            "Several writes, or what became of them (RFC 7644 section 3.7)",
            bulk,
            json!({
                "schemas": texts(), "failOnErrors": number(), "Operations": objects(),
            }),
            json!(["Operations"]),
        ),
        (
            "ScimSearch",
            "What is looked for (RFC 7644 section 3.4.3)",
            search,
            json!({
                "schemas": texts(), "filter": text(), "startIndex": number(), "count": number(),
                "attributes": texts(), "excludedAttributes": texts(), "cursor": text(),
            }),
            json!([]),
        ),
        (
            "ScimList",
            "Resources (RFC 7644 section 3.4.2)",
            list,
            json!({
                "schemas": texts(), "totalResults": number(), "itemsPerPage": number(),
                "startIndex": number(), "nextCursor": text(), "Resources": objects(),
            }),
            json!(["schemas", "totalResults"]),
        ),
        (
            "ScimResource",
            "What is supported (RFC 7643 sections 5 to 7)",
            resource,
            json!({
                "schemas": texts(), "id": text(), "meta": {"type": "object"},
            }),
            json!(["schemas"]),
        ),
        (
            "ScimError",
            "What went wrong (RFC 7644 section 3.12)",
            error,
            json!({
                "schemas": texts(), "status": text(), "scimType": text(), "detail": text(),
            }),
            json!(["schemas", "status", "detail"]),
        ),
    ];
    let described = made.into_iter().map(|(name, description, example, properties, required)| {
        let schema = json!({
            "type": "object", "description": description, "properties": properties,
            "required": required, "examples": [example],
        });
        (name.to_owned(), schema)
    });
    described.collect()
}
