//! `/tenants/{t}/groups`: the pushed groups, and the role that each gives.

use std::ops::ControlFlow;

use access::GroupId;
use axum::extract::{Path, RawQuery, State};
use scim::schema::ResourceType;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::{ListRequest, Outcome};
use crate::app::App;

/// A group that the directory pushed.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "display_name": "Employees", "members": 120,
    "role": "loanee"
})))]
struct Group {
    /// Its SCIM id.
    #[schema(value_type = Uuid)]
    id: GroupId,
    /// Its displayName.
    display_name: String,
    /// Members that are known.
    members: u32,
    /// The role that membership gives by itself; null where no mapping names the group.
    #[schema(required)]
    role: Option<String>,
}

/// Groups, oldest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/groups", tag = "groups", params(Paging),
    responses((status = 200, description = "Groups", body = Page<Group>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<GroupId>::read(&app, &tenant, query.as_deref()).await?;
    let config = tenant.shared().config();
    let snapshot = tenant.shared().snapshot()?;
    let mut items: Vec<Group> = Vec::new();
    let after = after.as_ref().map(GroupId::as_bytes);
    snapshot.resources(tenant.key(), ResourceType::Group, after, |id, record| {
        let id = GroupId::from_bytes(id);
        items.push(Group {
            id,
            display_name: record.name,
            members: record.members,
            role: config.rules.role_of(id).map(str::to_owned),
        });
        if items.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(page(items, limit, |group| group.id.to_string()))
}
