//! `/Users`: create, read, replace, patch, delete.

use access::UserId;
use actors::shared::WriteGuard;
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

/// GET of one user.
pub fn get(request: &ScimRequest, id: &str) -> Result<ScimAnswer, Failure> {
    let projection = request.projection(ResourceType::User)?;
    let (shared, id) = (request.tenant.shared(), read_id(id)?);
    let snapshot = shared.snapshot()?;
    let record = snapshot.user(shared.key, id)?.ok_or_else(no_such_user)?;
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint: &request.endpoint };
    let rendered = renderer.user(id, &record, &projection)?;
    if request.has_version(&rendered.version) {
        let mut unchanged = answer::empty(StatusCode::NOT_MODIFIED);
        put_header(&mut unchanged, ETAG, rendered.version);
        return Ok(unchanged);
    }
    Ok(rendered.into_answer(StatusCode::OK))
}

/// POST.
pub async fn post(request: Box<ScimRequest>, write: &WriteGuard) -> Result<ScimAnswer, Failure> {
    let projection = request.projection(ResourceType::User)?;
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
    let (projection, id) = (request.projection(ResourceType::User)?, read_id(id)?);
    let body = request.json()?;
    request.note_sent(ResourceType::User, &body);
    let precondition = request.precondition();
    let record = request.tenant.replace_user(write, id, body, precondition).await?;
    Ok(render(&request, id, &record, &projection)?.into_answer(StatusCode::OK))
}

/// PATCH.
pub async fn patch(
    request: Box<ScimRequest>,
    write: &WriteGuard,
    id: &str,
) -> Result<ScimAnswer, Failure> {
    let (projection, id) = (request.projection(ResourceType::User)?, read_id(id)?);
    let body = request.json()?;
    request.note_sent(ResourceType::User, &body);
    let patch = Patch::compile(ResourceType::User, body)?;
    let precondition = request.precondition();
    let record = request.tenant.patch_user(write, id, patch, precondition).await?;
    Ok(render(&request, id, &record, &projection)?.into_answer(StatusCode::OK))
}

/// DELETE.
pub async fn delete(
    request: &ScimRequest,
    write: &WriteGuard,
    id: &str,
) -> Result<ScimAnswer, Failure> {
    request.tenant.delete_user(write, read_id(id)?, request.precondition()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Creates a user from a body.
pub(super) async fn create(
    request: &ScimRequest,
    write: &WriteGuard,
    body: Value,
) -> Result<(UserId, Record), Failure> {
    let id = UserId::new(request.app.service().clock().now());
    request.note_sent(ResourceType::User, &body);
    let created = scim::resource::create(ResourceType::User, &id.to_string(), body)?;
    Ok(request.tenant.create_user(write, created).await?)
}

/// The user as committed, with its groups as they are now.
pub(super) fn render(
    request: &ScimRequest,
    id: UserId,
    record: &Record,
    projection: &Projection,
) -> Result<Rendered, Failure> {
    let shared = request.tenant.shared();
    let snapshot = shared.snapshot()?;
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint: &request.endpoint };
    Ok(renderer.user(id, record, projection)?)
}

/// An id that is none of ours names nobody.
pub(super) fn read_id(id: &str) -> Result<UserId, Failure> {
    id.parse().map_err(|_| no_such_user())
}

fn no_such_user() -> Failure {
    Failure::not_found("there is no such user")
}
