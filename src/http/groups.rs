//! `/Groups`: create, read, replace, patch, delete.
//!
//! PATCH answers 204 (Entra asks for that, and it keeps the cost independent of the group's size)
//! unless the request names the attributes that it wants back.

use access::GroupId;
use actors::shared::WriteGuard;
use actors::version;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use scim::patch::Patch;
use scim::projection::Projection;
use scim::schema::ResourceType;
use serde_json::Value;
use store::Record;

use super::ScimAnswer;
use super::error::Failure;
use super::request::ScimRequest;
use super::resource::{Rendered, Renderer, put_header};
use crate::answer;

/// GET of one group.
pub fn get(request: &ScimRequest, id: &str) -> Result<ScimAnswer, Failure> {
    let (projection, id) = (request.projection(ResourceType::Group)?, read_id(id)?);
    let shared = request.tenant.shared();
    let snapshot = shared.snapshot()?;
    let record = snapshot.group(shared.key, id)?.ok_or_else(no_such_group)?;
    let version = version::of_group(record.revision);
    if request.has_version(&version) {
        let mut unchanged = answer::empty(StatusCode::NOT_MODIFIED);
        put_header(&mut unchanged, ETAG, version);
        return Ok(unchanged);
    }
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint: &request.endpoint };
    Ok(renderer.group(id, &record, &projection)?.into_answer(StatusCode::OK))
}

/// POST.
pub async fn post(request: Box<ScimRequest>, write: &WriteGuard) -> Result<ScimAnswer, Failure> {
    let projection = request.projection(ResourceType::Group)?;
    let body = request.json()?;
    let (id, record) = create(&request, write, body).await?;
    Ok(render(&request, id, &record, &projection)?.into_answer(StatusCode::CREATED))
}

/// PUT.
pub async fn put(
    request: Box<ScimRequest>,
    write: &WriteGuard,
    id: &str,
) -> Result<ScimAnswer, Failure> {
    let (projection, id) = (request.projection(ResourceType::Group)?, read_id(id)?);
    let body = request.json()?;
    request.note_sent(ResourceType::Group, &body);
    let precondition = request.precondition();
    request.tenant.replace_group(write, id, body, precondition).await?;
    Ok(rendered_now(&request, id, &projection)?.into_answer(StatusCode::OK))
}

/// PATCH.
pub async fn patch(
    request: Box<ScimRequest>,
    write: &WriteGuard,
    id: &str,
) -> Result<ScimAnswer, Failure> {
    let (projection, id) = (request.projection(ResourceType::Group)?, read_id(id)?);
    let wants_answer = request.asks_for_attributes()?;
    let body = request.json()?;
    request.note_sent(ResourceType::Group, &body);
    let patch = Patch::compile(ResourceType::Group, body)?;
    let precondition = request.precondition();
    let revision = request.tenant.patch_group(write, id, patch, precondition).await?;
    if wants_answer {
        return Ok(rendered_now(&request, id, &projection)?.into_answer(StatusCode::OK));
    }
    let mut done = answer::empty(StatusCode::NO_CONTENT);
    put_header(&mut done, ETAG, version::of_group(revision));
    Ok(done)
}

/// DELETE.
pub async fn delete(
    request: &ScimRequest,
    write: &WriteGuard,
    id: &str,
) -> Result<ScimAnswer, Failure> {
    request.tenant.delete_group(write, read_id(id)?, request.precondition()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Creates a group from a body.
pub(super) async fn create(
    request: &ScimRequest,
    write: &WriteGuard,
    body: Value,
) -> Result<(GroupId, Record), Failure> {
    let id = GroupId::new(request.app.service().clock().now());
    request.note_sent(ResourceType::Group, &body);
    let created = scim::resource::create(ResourceType::Group, &id.to_string(), body)?;
    Ok(request.tenant.create_group(write, created).await?)
}

/// The group as committed, with its members as they are now.
fn render(
    request: &ScimRequest,
    id: GroupId,
    record: &Record,
    projection: &Projection,
) -> Result<Rendered, Failure> {
    let shared = request.tenant.shared();
    let snapshot = shared.snapshot()?;
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint: &request.endpoint };
    Ok(renderer.group(id, record, projection)?)
}

/// The group as it is now.
pub(super) fn rendered_now(
    request: &ScimRequest,
    id: GroupId,
    projection: &Projection,
) -> Result<Rendered, Failure> {
    let shared = request.tenant.shared();
    let record = shared.snapshot()?.group(shared.key, id)?.ok_or_else(no_such_group)?;
    render(request, id, &record, projection)
}

/// An id that is none of ours names nothing.
pub(super) fn read_id(id: &str) -> Result<GroupId, Failure> {
    id.parse().map_err(|_| no_such_group())
}

fn no_such_group() -> Failure {
    Failure::not_found("there is no such group")
}
