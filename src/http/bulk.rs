//! `/Bulk` (RFC 7644 section 3.7): many operations in one request, each on its own.
//!
//! Operations run one after the other, those that name another's `bulkId` after it. What was done
//! stays done when a later one fails.

use std::collections::HashMap;

use access::wave::WriteOutcome;
use actors::shared::WriteGuard;
use actors::{Precondition, version};
use axum::http::StatusCode;
use scim::bulk::{self, BulkOperation, BulkPath, BulkRequest, Method};
use scim::error::Error;
use scim::patch::Patch;
use scim::projection::Projection;
use scim::schema::ResourceType;
use serde_json::Value;

use super::ScimAnswer;
use super::error::Failure;
use super::request::ScimRequest;
use super::resource::Rendered;
use super::{groups, users};
use crate::answer;

/// What became of one operation.
struct Done {
    status: StatusCode,
    location: Option<String>,
    version: Option<String>,
}

/// POST of `/Bulk`.
pub async fn handle(request: Box<ScimRequest>) -> Result<ScimAnswer, Failure> {
    let body = request.json()?;
    let bulk = BulkRequest::parse(&body)?;
    // Each operation is a request; one of them is paid for.
    super::take_from_rate(&request.app, &request.tenant, bulk.operations.len().saturating_sub(1))?;
    let order = bulk::order(&bulk.operations);
    let mut ids = HashMap::new();
    let mut answers: Vec<Option<Value>> = vec![None; bulk.operations.len()];
    let mut errors = 0;
    for index in order.sequence.iter().chain(&order.cyclic) {
        if bulk.fail_on_errors.is_some_and(|limit| errors >= limit) {
            break;
        }
        let Some(operation) = bulk.operations.get(*index) else { continue };
        let done = if order.cyclic.contains(index) {
            // RFC 7644 section 3.7.1: a circular reference that cannot be resolved.
            Err(Error::new(409, None, "bulkId: the reference goes round in a circle").into())
        } else {
            one(&request, operation, &mut ids).await
        };
        errors += usize::from(done.is_err());
        if let Some(answer) = answers.get_mut(*index) {
            *answer = Some(operation_answer(operation, location(&request, operation, &ids), done));
        }
    }
    let answers = answers.into_iter().flatten().collect();
    Ok(answer::json(StatusCode::OK, scim::MEDIA_TYPE, &bulk::bulk_response(answers)))
}

/// The address of the resource that an operation names, if it names one (RFC 7644 section 3.7.3:
/// every answer has it, but for a POST that failed).
fn location(
    request: &ScimRequest,
    operation: &BulkOperation,
    ids: &HashMap<String, String>,
) -> Option<String> {
    let path = operation.path.as_ref().ok()?;
    let id = resolve_id(path.id.as_deref()?, ids).ok()?;
    Some(format!("{}{}/{id}", request.endpoint, path.resource_type.endpoint()))
}

fn operation_answer(
    operation: &BulkOperation,
    named: Option<String>,
    done: Result<Done, Failure>,
) -> Value {
    match done {
        Ok(Done { status, location, version }) => {
            let (status, location) = (status.as_u16(), location.or(named));
            bulk::operation_response(
                operation,
                status,
                location.as_deref(),
                version.as_deref(),
                None,
            )
        }
        Err(failure) => {
            let error = failure.error();
            let body = error.to_json();
            bulk::operation_response(operation, error.status, named.as_deref(), None, Some(body))
        }
    }
}

/// Runs one operation.
async fn one(
    request: &ScimRequest,
    operation: &BulkOperation,
    ids: &mut HashMap<String, String>,
) -> Result<Done, Failure> {
    let path = operation.path.clone()?;
    let mut data = operation.data.clone().unwrap_or(Value::Null);
    bulk::resolve(&mut data, ids)?;
    let id = match path.id.as_deref() {
        Some(id) => Some(resolve_id(id, ids)?),
        None => None,
    };
    let write = request.begin_write();
    let (done, outcome) = match (operation.method, id) {
        (Method::Post, None) => {
            let (id, done) = create(request, &write, path.resource_type, data).await?;
            if let Some(bulk_id) = &operation.bulk_id {
                ids.insert(bulk_id.clone(), id);
            }
            (done, WriteOutcome::Created)
        }
        (Method::Delete, Some(id)) => {
            delete(request, &write, &path, &id, precondition(operation)).await?;
            let done = Done { status: StatusCode::NO_CONTENT, location: None, version: None };
            (done, WriteOutcome::Deleted)
        }
        (Method::Put | Method::Patch, Some(id)) => {
            let change = (operation.method, precondition(operation));
            let done = change_one(request, &write, &path, &id, data, change).await?;
            (done, WriteOutcome::Updated)
        }
        _ => {
            let detail = "path: expected /Users or /Groups for POST, and an id behind it otherwise";
            return Err(Error::invalid_syntax(detail).into());
        }
    };
    write.done(outcome);
    Ok(done)
}

fn precondition(operation: &BulkOperation) -> Precondition {
    Precondition::from_header(operation.version.as_deref())
}

fn resolve_id(id: &str, ids: &HashMap<String, String>) -> Result<String, Error> {
    let mut value = Value::from(id);
    bulk::resolve(&mut value, ids)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

async fn create(
    request: &ScimRequest,
    write: &WriteGuard,
    resource_type: ResourceType,
    data: Value,
) -> Result<(String, Done), Failure> {
    let projection = Projection::parse(resource_type, Some("id"), None)?;
    let (id, rendered) = match resource_type {
        ResourceType::User => {
            let (id, record) = users::create(request, write, data).await?;
            (id.to_string(), users::render(request, id, &record, &projection)?)
        }
        ResourceType::Group => {
            let (id, _) = groups::create(request, write, data).await?;
            (id.to_string(), groups::rendered_now(request, id, &projection)?)
        }
    };
    Ok((id, done(StatusCode::CREATED, rendered)))
}

async fn change_one(
    request: &ScimRequest,
    write: &WriteGuard,
    path: &BulkPath,
    id: &str,
    data: Value,
    (method, precondition): (Method, Precondition),
) -> Result<Done, Failure> {
    let tenant = &request.tenant;
    request.note_sent(path.resource_type, &data);
    match path.resource_type {
        ResourceType::User => {
            let id = users::read_id(id)?;
            let record = if method == Method::Put {
                tenant.replace_user(write, id, data, precondition).await?
            } else {
                let patch = Patch::compile(ResourceType::User, data)?;
                tenant.patch_user(write, id, patch, precondition).await?
            };
            let projection = Projection::parse(ResourceType::User, Some("id"), None)?;
            Ok(done(StatusCode::OK, users::render(request, id, &record, &projection)?))
        }
        ResourceType::Group => {
            let id = groups::read_id(id)?;
            let revision = if method == Method::Put {
                tenant.replace_group(write, id, data, precondition).await?
            } else {
                let patch = Patch::compile(ResourceType::Group, data)?;
                tenant.patch_group(write, id, patch, precondition).await?
            };
            let status =
                if method == Method::Put { StatusCode::OK } else { StatusCode::NO_CONTENT };
            let location = format!("{}/Groups/{id}", request.endpoint);
            let version = Some(version::of_group(revision));
            Ok(Done { status, location: Some(location), version })
        }
    }
}

async fn delete(
    request: &ScimRequest,
    write: &WriteGuard,
    path: &BulkPath,
    id: &str,
    precondition: Precondition,
) -> Result<(), Failure> {
    match path.resource_type {
        ResourceType::User => {
            request.tenant.delete_user(write, users::read_id(id)?, precondition).await?;
        }
        ResourceType::Group => {
            request.tenant.delete_group(write, groups::read_id(id)?, precondition).await?;
        }
    }
    Ok(())
}

fn done(status: StatusCode, rendered: Rendered) -> Done {
    let Rendered { location, version, .. } = rendered;
    Done { status, location: Some(location), version: Some(version) }
}
