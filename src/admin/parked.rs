//! `/tenants/{t}/parked`: memberships that wait for users whom nobody has pushed yet.

use std::collections::HashMap;
use std::str::FromStr;

use access::GroupId;
use access::wave::later;
use actors::Tenant;
use actors::housekeeper::PARKED_FOR;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use store::{ReadError, Snapshot, TenantKey};
use utoipa::ToSchema;

use super::page::Paging;
use super::problem::Problem;
use super::{ListRequest, Outcome};
use crate::answer::{self, JSON};
use crate::app::App;

/// Memberships read at once, and looked at for those of a group before an answer is given.
const PIECE: usize = 512;
const LOOKED_AT_MAX: usize = 20_000;

/// A membership that waits.
#[derive(Serialize, ToSchema)]
#[schema(as = Parked, examples(json!({
    "value": "ada@example.com", "group": "01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90",
    "group_name": "Employees", "since": "2026-03-01T12:00:00Z",
    "expires_at": "2026-03-31T12:00:00Z"
})))]
pub(crate) struct ParkedItem {
    /// What the directory sent as the member's value.
    pub(crate) value: String,
    /// The group's SCIM id.
    #[schema(value_type = Uuid)]
    pub(crate) group: GroupId,
    /// The group's displayName.
    pub(crate) group_name: String,
    /// Since when it waits.
    pub(crate) since: Timestamp,
    /// When it is taken back.
    pub(crate) expires_at: Timestamp,
}

/// A page of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParkedPage {
    /// At most `limit` of them.
    pub(crate) items: Vec<ParkedItem>,
    /// Set if there may be more; a page can be empty all the same.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// Where a membership is in the list.
pub(crate) struct Place(Vec<u8>);

impl FromStr for Place {
    type Err = base64::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        URL_SAFE_NO_PAD.decode(text).map(Self)
    }
}

/// Which memberships are asked for.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct ParkedQuery {
    /// Of this group.
    #[param(nullable = false)]
    group: Option<uuid::Uuid>,
}

/// Memberships that wait for their users, by value.
#[utoipa::path(
    get, path = "/tenants/{tenant}/parked", tag = "groups", params(Paging, ParkedQuery),
    responses((status = 200, description = "Memberships", body = ParkedPage))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<Place>::read(&app, &tenant, query.as_deref()).await?;
    let group = parameters.parse("group", "the id of a group")?;
    let page = listed(&app, &tenant, group, after, limit).await?;
    Ok(answer::json(StatusCode::OK, JSON, &page))
}

/// At most `limit` memberships that wait, of this group or of any, after `after`.
pub(crate) async fn listed(
    app: &App,
    tenant: &Tenant,
    group: Option<GroupId>,
    after: Option<Place>,
    limit: usize,
) -> Result<ParkedPage, Problem> {
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let tenant = tenant.clone();
    let read = tokio::task::spawn_blocking(move || {
        let snapshot = tenant.shared().snapshot()?;
        let page = find(&snapshot, tenant.key(), group, after.map(|place| place.0), limit);
        drop(permits);
        Ok(page?)
    });
    read.await.map_err(|_| Problem::unavailable())?
}

fn find(
    snapshot: &Snapshot,
    tenant: TenantKey,
    group: Option<GroupId>,
    mut after: Option<Vec<u8>>,
    limit: usize,
) -> Result<ParkedPage, ReadError> {
    let mut names: HashMap<GroupId, String> = HashMap::new();
    let mut items = Vec::new();
    for _ in 0..LOOKED_AT_MAX.div_ceil(PIECE) {
        let parked = snapshot.all_parked(tenant, after.as_deref(), PIECE)?;
        let is_last = parked.len() < PIECE;
        for waiting in parked {
            if items.len() >= limit {
                let next_cursor = after.map(|place| URL_SAFE_NO_PAD.encode(place));
                return Ok(ParkedPage { items, next_cursor });
            }
            after = Some(waiting.place);
            if group.is_some_and(|group| group != waiting.group) {
                continue;
            }
            let group_name = if let Some(name) = names.get(&waiting.group) {
                name.clone()
            } else {
                let name = snapshot.group(tenant, waiting.group)?.map(|record| record.name);
                let name = name.unwrap_or_default();
                names.insert(waiting.group, name.clone());
                name
            };
            items.push(ParkedItem {
                value: waiting.value,
                group: waiting.group,
                group_name,
                since: waiting.since,
                expires_at: later(waiting.since, PARKED_FOR),
            });
        }
        if is_last {
            return Ok(ParkedPage { items, next_cursor: None });
        }
    }
    Ok(ParkedPage { items, next_cursor: after.map(|place| URL_SAFE_NO_PAD.encode(place)) })
}
