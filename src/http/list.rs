//! Queries: filter, sort, page, project (RFC 7644 section 3.4.2, RFC 9865).
//!
//! What Entra asks (userName, externalId, displayName, id) is found by index. Anything else scans
//! the tenant's own range, off the async threads, a few scans at a time.

mod find;

use axum::http::StatusCode;
use scim::error::{Error, ScimType};
use scim::list::{ListQuery, Paging, list_response};
use scim::projection::Projection;
use scim::schema::ResourceType;
use store::ReadError;

use self::find::{Found, Query};
use super::ScimAnswer;
use super::error::Failure;
use super::request::ScimRequest;
use super::resource::{Rendered, Renderer};
use crate::answer;

/// Members in one page. A page ends early rather than hold more; it holds one group at least.
const MEMBERS_PER_PAGE_MAX: usize = 50_000;

/// GET of a collection.
pub async fn get(
    request: Box<ScimRequest>,
    resource_type: ResourceType,
) -> Result<ScimAnswer, Failure> {
    let query = ListQuery::from_query_string(request.query())?;
    request.note_filter(resource_type, query.filter.as_deref());
    answer_query(request, &[resource_type], query).await
}

/// POST of `/.search`.
pub async fn search(
    request: Box<ScimRequest>,
    resource_types: &[ResourceType],
) -> Result<ScimAnswer, Failure> {
    let body = request.json()?;
    let query = ListQuery::from_search_request(&body)?;
    answer_query(request, resource_types, query).await
}

async fn answer_query(
    request: Box<ScimRequest>,
    resource_types: &[ResourceType],
    list_query: ListQuery,
) -> Result<ScimAnswer, Failure> {
    let query = Query::compile(resource_types, &list_query)?;
    let page = Page::of(&list_query)?;
    let with_members = resource_types.contains(&ResourceType::Group)
        && projection(ResourceType::Group, &list_query)?.wants("members");
    let answered = if query.needs_scan() || with_members {
        let permits = request.app.scan_permits(request.tenant.key()).await;
        let permits = permits.ok_or_else(Failure::unavailable)?;
        let scan = tokio::task::spawn_blocking(move || {
            let answered = run(&request, &query, &list_query, page);
            drop(permits);
            answered
        });
        scan.await.map_err(|_| Failure::unavailable())?
    } else {
        run(&request, &query, &list_query, page)
    };
    Ok(answer::with_body(StatusCode::OK, scim::MEDIA_TYPE, answered?))
}

/// Which part of what is found is answered.
#[derive(Clone, Copy)]
struct Page {
    skip: usize,
    count: usize,
    by_cursor: bool,
}

impl Page {
    fn of(query: &ListQuery) -> Result<Self, Error> {
        match &query.paging {
            Paging::Index { start_index, count } => {
                Ok(Self { skip: start_index.saturating_sub(1), count: *count, by_cursor: false })
            }
            Paging::Cursor { cursor, count } => {
                let skip = cursor.as_deref().map_or(Ok(0), |text| read_cursor(text, query))?;
                Ok(Self { skip, count: *count, by_cursor: true })
            }
        }
    }
}

fn run(
    request: &ScimRequest,
    query: &Query,
    list_query: &ListQuery,
    page: Page,
) -> Result<Vec<u8>, Failure> {
    let shared = request.tenant.shared();
    let snapshot = shared.snapshot()?;
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint: &request.endpoint };
    let Found { total, page: found } = query.find(&renderer, page.skip, page.count)?;
    let mut resources = Vec::with_capacity(found.len());
    let mut members = 0;
    for (resource_type, id) in found {
        if members > MEMBERS_PER_PAGE_MAX {
            break;
        }
        let projection = projection(resource_type, list_query)?;
        let Some(rendered) = render(&renderer, resource_type, id, &projection)? else { continue };
        if resource_type == ResourceType::Group {
            members += rendered.listed;
        }
        resources.push(rendered.body);
    }
    let reached = page.skip.saturating_add(resources.len());
    let more = page.by_cursor && page.count > 0 && reached < total;
    let next = more.then(|| write_cursor(reached, list_query));
    let start_index = (!page.by_cursor).then(|| page.skip.saturating_add(1));
    Ok(list_response(total, start_index, &resources, next.as_deref(), None))
}

fn projection(resource_type: ResourceType, query: &ListQuery) -> Result<Projection, Error> {
    let (only, without) = (query.attributes.as_deref(), query.excluded_attributes.as_deref());
    Projection::parse(resource_type, only, without)
}

fn render(
    renderer: &Renderer<'_>,
    resource_type: ResourceType,
    id: [u8; 16],
    projection: &Projection,
) -> Result<Option<Rendered>, ReadError> {
    let (snapshot, key) = (renderer.snapshot, renderer.shared.key);
    match resource_type {
        ResourceType::User => {
            let id = access::UserId::from_bytes(id);
            let record = snapshot.user(key, id)?;
            record.map(|record| renderer.listed_user(id, &record, projection)).transpose()
        }
        ResourceType::Group => {
            let id = access::GroupId::from_bytes(id);
            let record = snapshot.group(key, id)?;
            record.map(|record| renderer.group(id, &record, projection)).transpose()
        }
    }
}

/// A cursor: how many were given, and a hash of what was asked, so that it is not used with
/// another query.
fn write_cursor(reached: usize, query: &ListQuery) -> String {
    format!("{reached:x}.{:08x}", fingerprint(query))
}

fn read_cursor(text: &str, query: &ListQuery) -> Result<usize, Error> {
    let refused = |detail: &str| Error::new(400, Some(ScimType::InvalidCursor), detail);
    let (reached, asked) = text
        .split_once('.')
        .and_then(|(reached, asked)| {
            let reached = usize::from_str_radix(reached, 16).ok()?;
            Some((reached, u32::from_str_radix(asked, 16).ok()?))
        })
        .ok_or_else(|| refused("cursor: not one that was given out"))?;
    if asked == fingerprint(query) {
        Ok(reached)
    } else {
        Err(refused("cursor: it belongs to a query with another filter or order"))
    }
}

/// FNV-1a over filter and order.
fn fingerprint(query: &ListQuery) -> u32 {
    let order = if query.descending { "d" } else { "a" };
    let parts = [query.filter.as_deref(), query.sort_by.as_deref(), Some(order)];
    let mut hash = 0x811c_9dc5_u32;
    for part in parts {
        for byte in part.unwrap_or_default().bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}
