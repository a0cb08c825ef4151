//! Bulk requests (RFC 7644 §3.7).
//!
//! [`BulkRequest::parse`] reads the request; what is wrong with a single operation is that
//! operation's error, so that the others still run. [`order`] finds an order in which every
//! operation comes after those whose `bulkId` it refers to. Not here: running them.

mod order;

use std::{collections::HashMap, hash::BuildHasher};

use serde_json::{Map, Value, json};

pub use self::order::{Order, order};
use crate::{error::Error, schema::ResourceType, urn};

/// The most operations in one request.
pub const OPERATIONS_MAX: usize = 1000;
/// The largest request, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 8 << 20;

/// What a reference to another operation begins with.
const REFERENCE: &str = "bulkId:";

/// A bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    /// After so many errors the rest is not run. At least 1.
    pub fail_on_errors: Option<usize>,
    /// In the order sent.
    pub operations: Vec<BulkOperation>,
}

/// One operation of a bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    /// What to do.
    pub method: Method,
    /// The client's name for what a POST makes.
    pub bulk_id: Option<String>,
    /// The version that the resource must be at, as in `If-Match`.
    pub version: Option<String>,
    /// What to do it to, or why the operation cannot be run.
    pub path: Result<BulkPath, Error>,
    /// The body.
    pub data: Option<Value>,
}

/// The endpoint or resource of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkPath {
    /// The endpoint.
    pub resource_type: ResourceType,
    /// The resource; none for a POST. May be a reference, `bulkId:x`.
    pub id: Option<String>,
}

/// The method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Modify.
    Patch,
    /// Delete.
    Delete,
}

impl Method {
    /// The name, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(name))
    }
}

fn member_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

impl BulkRequest {
    /// Reads a request. It is refused whole if it has no `Operations`, too many, or one without a
    /// method; without that there is nothing to answer for the operation.
    pub fn parse(body: &Value) -> Result<Self, Error> {
        let Value::Object(body) = body else {
            return Err(Error::invalid_syntax("the body is not a JSON object"));
        };
        let Some(Value::Array(operations)) = member_of(body, "Operations") else {
            return Err(Error::invalid_syntax("expected an array `Operations`"));
        };
        if operations.len() > OPERATIONS_MAX {
            let detail = format!("a bulk request has at most {OPERATIONS_MAX} operations");
            return Err(Error::too_many(detail));
        }
        let fail_on_errors = match member_of(body, "failOnErrors") {
            None => None,
            Some(value) => match value.as_i64() {
                Some(count) => usize::try_from(count).ok().filter(|count| *count > 0),
                None => return Err(Error::invalid_value("failOnErrors: expected an integer")),
            },
        };
        let operations = operations
            .iter()
            .enumerate()
            .map(|(index, value)| {
                operation(value).map_err(|error| error.at(format_args!("operation {index}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { fail_on_errors, operations })
    }
}

fn operation(value: &Value) -> Result<BulkOperation, Error> {
    let Value::Object(object) = value else {
        return Err(Error::invalid_syntax("expected an object"));
    };
    let text = |name| member_of(object, name).and_then(Value::as_str);
    let Some(method) = text("method").and_then(Method::from_name) else {
        return Err(Error::invalid_syntax("method: expected POST, PUT, PATCH or DELETE"));
    };
    let bulk_id = text("bulkId").filter(|id| !id.is_empty()).map(str::to_owned);
    let data = member_of(object, "data").cloned();
    let path = text("path")
        .ok_or_else(|| Error::invalid_value("path: expected a string"))
        .and_then(path)
        .and_then(|path| check(method, bulk_id.as_deref(), path, data.as_ref()));
    Ok(BulkOperation { method, bulk_id, version: text("version").map(str::to_owned), path, data })
}

/// `/Users` or `/Users/{id}`.
fn path(text: &str) -> Result<BulkPath, Error> {
    let mut segments = text.trim_matches('/').splitn(2, '/');
    let endpoint = segments.next().unwrap_or_default();
    let Some(resource_type) = ResourceType::from_endpoint(endpoint) else {
        return Err(Error::not_found(format!("{text:?} is not an endpoint")));
    };
    let id = segments.next().filter(|id| !id.is_empty());
    if id.is_some_and(|id| id.contains(['/', '?', '#'])) {
        return Err(Error::not_found(format!("{text:?} is not an endpoint")));
    }
    Ok(BulkPath { resource_type, id: id.map(str::to_owned) })
}

/// What RFC 7644 §3.7 requires of each method.
fn check(
    method: Method,
    bulk_id: Option<&str>,
    path: BulkPath,
    data: Option<&Value>,
) -> Result<BulkPath, Error> {
    let name = method.as_str();
    match (method, path.id.is_some()) {
        (Method::Post, true) => {
            return Err(Error::invalid_value("path: a POST goes to an endpoint, not a resource"));
        }
        (Method::Put | Method::Patch | Method::Delete, false) => {
            return Err(Error::invalid_value(format!("path: a {name} goes to a resource")));
        }
        _ => {}
    }
    if method == Method::Post && bulk_id.is_none() {
        return Err(Error::invalid_value("bulkId: a POST needs one"));
    }
    if method != Method::Delete && data.is_none() {
        return Err(Error::invalid_value(format!("data: a {name} needs it")));
    }
    Ok(path)
}

/// The `bulkId`s that strings of the form `bulkId:x` anywhere in `value` refer to, each once.
pub fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Some(bulk_id) = text.strip_prefix(REFERENCE) {
                found.push(bulk_id.to_owned());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(object) => object.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The `bulkId` that an id in a path refers to.
pub fn reference(id: &str) -> Option<&str> {
    id.strip_prefix(REFERENCE)
}

/// Puts ids in place of references. `ids` is by `bulkId`; a reference that it does not know is
/// refused.
pub fn resolve<S: BuildHasher>(
    value: &mut Value,
    ids: &HashMap<String, String, S>,
) -> Result<(), Error> {
    match value {
        Value::String(text) => {
            if let Some(bulk_id) = text.strip_prefix(REFERENCE) {
                let Some(id) = ids.get(bulk_id) else {
                    return Err(Error::invalid_value(format!(
                        "{text} names no resource made here"
                    )));
                };
                *text = id.clone();
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve(item, ids)),
        Value::Object(object) => object.values_mut().try_for_each(|value| resolve(value, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The answer to one operation. `response` is the error body where the status is 400 or more.
pub fn operation_response(
    operation: &BulkOperation,
    status: u16,
    location: Option<&str>,
    version: Option<&str>,
    response: Option<Value>,
) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("location", location.map(Value::from));
    put("method", Some(operation.method.as_str().into()));
    put("bulkId", operation.bulk_id.as_deref().map(Value::from));
    put("version", version.map(Value::from));
    put("status", Some(status.to_string().into()));
    put("response", response);
    Value::Object(body)
}

/// The answer to a bulk request.
pub fn bulk_response(operations: Vec<Value>) -> Value {
    let mut body = json!({ "schemas": [urn::BULK_RESPONSE] });
    body["Operations"] = Value::Array(operations);
    body
}
