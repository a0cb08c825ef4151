//! The OpenAPI document: every route, with its schemas, errors and examples.
//!
//! A handler says what is its own in `#[utoipa::path]`: method, path, tag, parameters, body, what
//! it answers, and the refusals that only it knows. What holds for all of them (the token, the
//! parts of the path, 401, 404, 422, 503, the form of a problem) is added here, once. Routes are
//! made by `routes!` from the same attribute, so that none can be served without a description;
//! SCIM paths are taken apart by hand and therefore described by hand, in [`scim`].
//!
//! To add:
//!
//! - **a route**: `#[utoipa::path(get, path = "/tenants/{tenant}/things", tag = "things",
//!   responses((status = 200, body = Page<Thing>)))]` on the handler, a line in
//!   [`crate::admin::routes`], and `#[derive(ToSchema)]` with an example on `Thing`. A refusal of
//!   its own is `(status = 409, description = "why")`: the problem and its example follow from it.
//! - **a part of a path**: nothing if it is an id of ours, else a line in [`path_parameter`].
//! - **a type of a lower crate**: a mirror in [`schemas`].
//! - **an event type**: the compiler asks for its keys in [`events`].

pub mod events;
pub mod schemas;
pub mod scim;

use std::sync::LazyLock;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema as _;
use utoipa::openapi::{Info, OpenApi, Paths};
use utoipa_axum::router::OpenApiRouter;

use crate::{admin, answer, server};

/// The methods that an operation can have in a document.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// Where the admin API is served.
const ADMIN: &str = "/admin/v1";

const ABOUT: &str = "Slackwater takes users and groups from Microsoft Entra ID by SCIM 2.0 and \
decides which access role each user has.

**Operators** call everything under `/admin/v1` with `Authorization: Bearer` and the operator \
token. **Directories** call `/scim/v2/{tenant}` with `Authorization: Bearer` and a token of that \
tenant; making the tenant shows the first one. The other paths take no token.

Errors of the admin API are problems (RFC 9457), those of SCIM are SCIM errors (RFC 7644 section \
3.12). Lists come in pages: `next_cursor` is the `cursor` of the next page, and null on the last. \
Answers may have more keys than are described. Times are RFC 3339 in UTC, durations are texts such \
as `250ms`, `60s`, `20m`, `30d`.";

/// The document, as `/openapi.json` serves it and `slackwater openapi` prints it.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    &TEXT
}

/// The document.
pub fn document() -> Value {
    let base = OpenApi::new(Info::new("Slackwater", env!("CARGO_PKG_VERSION")), Paths::new());
    let router = OpenApiRouter::with_openapi(base)
        .merge(server::routes())
        .nest(ADMIN, admin::routes())
        .into_openapi();
    // From here on as JSON, which is shorter to write than utoipa's types, and what is read.
    let mut document = serde_json::to_value(router).unwrap_or_default();
    document["info"]["description"] = ABOUT.into();
    document["info"]["license"] =
        json!({"name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE")});
    document["servers"] = json!([{"url": "/", "description": "This service"}]);
    document["tags"] = tags();
    for (path, method, operation) in operations(&mut document) {
        complete(&path, &method, operation);
    }
    let problem = serde_json::to_value(schemas::Problem::schema()).unwrap_or_default();
    document["components"]["schemas"]["Problem"] = problem;
    for (name, page) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        // utoipa writes out what is on a page; by reference it keeps its name.
        if let Some(item) = name.strip_prefix("Page_") {
            page["properties"]["items"]["items"] = reference(item);
        }
    }
    extend(&mut document["components"]["schemas"], events::schemas());
    extend(&mut document["components"]["schemas"], scim::schemas());
    extend(&mut document["paths"], scim::paths());
    document["components"]["securitySchemes"] = json!({
        "operator": {"type": "http", "scheme": "bearer", "description": "The operator token"},
        "scim": {"type": "http", "scheme": "bearer", "description": "A token of the tenant"},
    });
    document
}

fn tags() -> Value {
    json!([
        {"name": "tenants", "description": "Customer directories"},
        {"name": "tokens", "description": "What a directory logs in with"},
        {"name": "settings", "description": "Roles, mappings, times and limits of a tenant"},
        {"name": "accounts", "description": "What the app sees of users, and what operators do to them"},
        {"name": "holds", "description": "Mass changes of roles that wait for an operator"},
        {"name": "groups", "description": "What the directory pushed, and the role that each group gives"},
        {"name": "waves", "description": "Bursts of requests, and the reconciliations that follow"},
        {"name": "requests", "description": "What the directory sent, and what it got"},
        {"name": "changes", "description": "The change feed: ordered, durable, gapless"},
        {"name": "webhooks", "description": "The same changes, sent to an address, signed"},
        {"name": "equipment", "description": "Who holds what, and who has not returned it"},
        {"name": "audit", "description": "Who changed what"},
        {"name": "service", "description": "The service itself: health, actors, backup"},
        {"name": "scim", "description": "SCIM 2.0 (RFC 7643, 7644), for directories"},
    ])
}

/// All operations: path, method and the operation itself.
fn operations(document: &mut Value) -> Vec<(String, String, &mut Map<String, Value>)> {
    let mut found = Vec::new();
    let Some(paths) = document["paths"].as_object_mut() else { return found };
    for (path, item) in paths {
        let Some(item) = item.as_object_mut() else { continue };
        for (method, operation) in item {
            if METHODS.contains(&method.as_str())
                && let Some(operation) = operation.as_object_mut()
            {
                found.push((path.clone(), method.clone(), operation));
            }
        }
    }
    found
}

/// Adds to an operation what it shares with others.
fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    operation.insert("operationId".into(), operation_id(path, method).into());
    let is_admin = path.starts_with(ADMIN);
    let takes_body = operation.contains_key("requestBody");
    if let Some(parameters) = operation.entry("parameters").or_insert(json!([])).as_array_mut() {
        let takes_query = !parameters.is_empty();
        parameters.splice(0..0, placeholders(path).map(path_parameter));
        if is_admin {
            let shared = shared_refusals(takes_query, takes_body, path.contains('{'));
            operation.insert("security".into(), json!([{"operator": []}]));
            let responses = operation.entry("responses").or_insert(json!({}));
            for (status, why) in shared {
                let status = status.as_str();
                if responses.get(status).is_none() {
                    responses[status] = json!({"description": why});
                }
            }
        }
    }
    if let Some(body) = operation.get_mut("requestBody") {
        // Where a body may be missing, utoipa says that it may be null, which is something else.
        for (_, content) in body["content"].as_object_mut().into_iter().flatten() {
            let mut all = content["schema"]["oneOf"].as_array().into_iter().flatten();
            if let Some(real) = all.find(|one| one.get("$ref").is_some()).cloned() {
                content["schema"] = real;
            }
        }
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let refused = status.parse().ok().filter(|status: &u16| *status >= 400);
        if let Some(status) = refused.filter(|_| response.get("content").is_none()) {
            describe_problem(status, response);
        }
    }
}

/// What any call of the admin API may be refused with.
fn shared_refusals(
    takes_query: bool,
    takes_body: bool,
    names_something: bool,
) -> Vec<(StatusCode, &'static str)> {
    let all = [
        (true, StatusCode::UNAUTHORIZED, "the operator token is missing or wrong"),
        (true, StatusCode::TOO_MANY_REQUESTS, "too many failed logins from this address"),
        (true, StatusCode::SERVICE_UNAVAILABLE, "the service cannot do this now; try again"),
        (names_something, StatusCode::NOT_FOUND, "there is no such tenant"),
        (takes_query, StatusCode::BAD_REQUEST, "limit: expected a number from 1 to 1000"),
        (takes_body, StatusCode::BAD_REQUEST, "the body is not valid JSON"),
        (takes_body, StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        (takes_body, StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1048576 bytes"),
        (takes_body, StatusCode::UNPROCESSABLE_ENTITY, "role: expected 1 to 1000 characters"),
    ];
    let applies = all.into_iter().filter(|(applies, ..)| *applies);
    applies.map(|(_, status, why)| (status, why)).collect()
}

/// Makes a refusal a problem, with an example that its description gives.
fn describe_problem(status: u16, response: &mut Value) {
    let known = StatusCode::from_u16(status).ok();
    let title = known.and_then(|status| status.canonical_reason()).unwrap_or("Problem");
    let detail = response["description"].clone();
    let example =
        json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
    response["description"] = title.into();
    response["content"] =
        json!({answer::PROBLEM: {"schema": reference("Problem"), "example": example}});
    let header = match status {
        401 => json!({"WWW-Authenticate": {"schema": {"type": "string"}, "required": true}}),
        429 | 503 => json!({"Retry-After": {
            "description": "Seconds", "schema": {"type": "integer"}, "required": true,
        }}),
        _ => return,
    };
    response["headers"] = header;
}

/// The names in braces.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A part of a path: an id that we gave, unless it is named here.
fn path_parameter(name: &str) -> Value {
    let (description, schema, example) = match name {
        "tenant" => {
            let schema = json!({"type": "string", "pattern": "^[a-z0-9-]{1,63}$"});
            ("The tenant's id", schema, "acme")
        }
        // Of a resource type or a schema of SCIM.
        "name" => ("As its list names it", json!({"type": "string"}), "User"),
        _ => {
            let schema = json!({"type": "string", "format": "uuid"});
            ("An id that this service gave", schema, schemas::ID)
        }
    };
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": schema, "example": example,
    })
}

/// A name that is unique, and stays while method and path do: `get_tenants_tenant_tokens`.
fn operation_id(path: &str, method: &str) -> String {
    let path = path.strip_prefix(ADMIN).unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// A reference to a schema.
fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn extend(object: &mut Value, more: Map<String, Value>) {
    if let Value::Object(object) = object {
        object.extend(more);
    }
}
