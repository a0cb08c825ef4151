//! SCIM over HTTP (RFC 7644): who is it, is it too fast, is it well-formed; then down to the
//! actors, and the answer.
//!
//! Paths are taken apart here rather than by the router: Entra and its administrators write `//`
//! and trailing slashes, and every answer, also to a path that does not exist, is a SCIM body.

pub mod body;
pub mod bulk;
pub mod discovery;
pub mod error;
pub mod groups;
pub mod list;
pub mod request;
pub mod resource;
pub mod users;

mod authenticate;
mod capture;
mod counting;
pub(crate) mod percent;

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use access::wave::WriteOutcome;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use scim::schema::ResourceType;

use self::authenticate::authenticate;
use self::body::{BODY_BYTES_LARGE_MAX, BODY_BYTES_MAX};
use self::capture::{Arrival, Capture};
use self::counting::Counting;
use self::error::Failure;
use self::percent::decode_segment;
use self::request::ScimRequest;
use crate::app::App;

/// An answer of SCIM's: its body is there as a whole.
pub type ScimAnswer = Response<Bytes>;

/// What stands behind `/scim/v2` in a path, if it is SCIM's; also with more slashes in front.
pub fn behind_prefix(path: &str) -> Option<&str> {
    let rest = path.trim_start_matches('/').strip_prefix("scim/v2")?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Answers a request whose path is SCIM's: see [`behind_prefix`].
pub async fn handle(app: App, request: Request) -> ScimAnswer {
    let arrival = Arrival::now(&app);
    let (parts, body) = request.into_parts();
    let uri = parts.uri.clone();
    let path = behind_prefix(uri.path()).unwrap_or_default();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).map(decode_segment);
    let tenant = segments.next().flatten().unwrap_or_default();
    let rest: Option<Vec<_>> = segments.collect();
    let (tenant, author) = match authenticate(&app, &parts, &tenant).await {
        Ok(found) => found,
        Err(failure) => return failure.into_answer(),
    };
    let counting = Counting::of(&tenant, &parts);
    let capture = Capture::begin(&app, tenant.shared(), &author, &parts, arrival);
    let seen = capture.as_ref().map(Capture::seen).unwrap_or_default();
    let endpoint = app.scim_endpoint(&parts.headers, &tenant.shared().id);
    // In a box: each future that it is handed to would have room for a copy of it.
    let unread = Bytes::new();
    let request = ScimRequest { app, tenant, author, endpoint, parts, body: unread, seen };
    let request = Box::new(request);
    let answer = answer(request, body, rest).await.unwrap_or_else(Failure::into_answer);
    let answer = counting.done(answer);
    if let Some(capture) = capture {
        capture.finish(&answer);
    }
    answer
}

/// Answers a request that was let in.
async fn answer(
    request: Box<ScimRequest>,
    body: Body,
    path: Option<Vec<Cow<'_, str>>>,
) -> Result<ScimAnswer, Failure> {
    take_from_rate(&request.app, &request.tenant, 1)?;
    // What cannot be decoded names nothing. The token was good: this must not be a 401.
    let Some(path) = path else {
        return Err(Failure::not_found("the path is not validly encoded"));
    };
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    dispatch(request, body, &path).await
}

/// Takes so many requests out of the tenant's rate.
fn take_from_rate(app: &App, tenant: &actors::Tenant, requests: usize) -> Result<(), Failure> {
    let Some(requests) = u32::try_from(requests).ok().and_then(NonZeroU32::new) else {
        return Ok(());
    };
    let limit = &tenant.shared().config().settings.rate_limit;
    app.take_from_rate(tenant.key(), limit, requests).map_err(|wait| {
        metrics::counter!("slackwater_rate_limited_total").increment(1);
        Failure::too_fast(wait)
    })
}

/// What a path means.
///
/// The future of a request is moved some times before it runs, and is as large as the largest of its
/// branches: whatever is more than a look-up is in a box of its own.
async fn dispatch(
    mut request: Box<ScimRequest>,
    body: Body,
    path: &[&str],
) -> Result<ScimAnswer, Failure> {
    let method = request.parts.method.clone();
    match path {
        [] => Err(Failure::not_found("there is nothing at this path")),
        ["ServiceProviderConfig" | "ResourceTypes" | "Schemas", ..] => {
            request.look_up();
            discovery::handle(&request, path)
        }
        ["Me", ..] => Err(Failure::not_implemented("/Me is not supported")),
        ["Bulk"] if method == Method::POST => {
            Box::pin(async move {
                request.read(body, BODY_BYTES_LARGE_MAX).await?;
                bulk::handle(request).await
            })
            .await
        }
        [".search"] if method == Method::POST => search(request, body, &ResourceType::ALL).await,
        ["Bulk" | ".search"] => Err(Failure::method_not_allowed("POST")),
        [endpoint, rest @ ..] => match ResourceType::from_endpoint(endpoint) {
            Some(resource_type) => {
                resource_request(request, body, resource_type, &method, rest).await
            }
            None => Err(Failure::not_found("there is no such endpoint")),
        },
    }
}

async fn resource_request(
    request: Box<ScimRequest>,
    body: Body,
    resource_type: ResourceType,
    method: &Method,
    path: &[&str],
) -> Result<ScimAnswer, Failure> {
    match (path, method.as_str()) {
        ([], "GET" | "HEAD") => {
            request.look_up();
            list::get(request, resource_type).await
        }
        ([".search"], "POST") => search(request, body, &[resource_type]).await,
        ([id], "GET" | "HEAD") => {
            request.look_up();
            match resource_type {
                ResourceType::User => users::get(&request, id),
                ResourceType::Group => groups::get(&request, id),
            }
        }
        ([], "POST") | ([_], "PUT" | "PATCH" | "DELETE") => {
            let id = path.first().copied();
            Box::pin(write_request(request, body, resource_type, method, id)).await
        }
        ([], _) => Err(Failure::method_not_allowed("GET, POST")),
        ([".search"], _) => Err(Failure::method_not_allowed("POST")),
        ([_], _) => Err(Failure::method_not_allowed("GET, PUT, PATCH, DELETE")),
        _ => Err(Failure::not_found("there is nothing at this path")),
    }
}

/// A query in a body (RFC 7644 section 3.4.3).
async fn search(
    mut request: Box<ScimRequest>,
    body: Body,
    resource_types: &[ResourceType],
) -> Result<ScimAnswer, Failure> {
    request.look_up();
    Box::pin(async move {
        request.read(body, BODY_BYTES_MAX).await?;
        list::search(request, resource_types).await
    })
    .await
}

/// A write: it belongs to a wave from its arrival to its answer.
async fn write_request(
    mut request: Box<ScimRequest>,
    body: Body,
    resource_type: ResourceType,
    method: &Method,
    id: Option<&str>,
) -> Result<ScimAnswer, Failure> {
    let write = request.begin_write();
    let outcome = match method.as_str() {
        "POST" => WriteOutcome::Created,
        "DELETE" => WriteOutcome::Deleted,
        _ => WriteOutcome::Updated,
    };
    if *method != Method::DELETE {
        let bytes_max = match resource_type {
            ResourceType::User => BODY_BYTES_MAX,
            ResourceType::Group => BODY_BYTES_LARGE_MAX,
        };
        request.read(body, bytes_max).await?;
    }
    let (id, sent) = (id.unwrap_or_default(), request.body.clone());
    let answer = match (resource_type, method.as_str()) {
        (ResourceType::User, "POST") => users::post(request, &write).await,
        (ResourceType::User, "PUT") => users::put(request, &write, id).await,
        (ResourceType::User, "PATCH") => users::patch(request, &write, id).await,
        (ResourceType::User, _) => users::delete(&request, &write, id).await,
        (ResourceType::Group, "POST") => groups::post(request, &write).await,
        (ResourceType::Group, "PUT") => groups::put(request, &write, id).await,
        (ResourceType::Group, "PATCH") => groups::patch(request, &write, id).await,
        (ResourceType::Group, _) => groups::delete(&request, &write, id).await,
    };
    if answer.is_ok() {
        write.done(outcome);
    }
    answer.map_err(|failure| failure.to(resource_type, method, &sent))
}

/// How long clients are told to wait when we cannot say better.
const RETRY_AFTER: Duration = Duration::from_secs(5);

fn challenge(mut answer: ScimAnswer) -> ScimAnswer {
    debug_assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}
