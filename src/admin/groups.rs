//! `/tenants/{t}/groups`: the pushed groups, and the role that each gives.

use std::ops::ControlFlow;

use access::GroupId;
use actors::Tenant;
use axum::extract::{Path, RawQuery, State};
use scim::schema::ResourceType;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::{ListRequest, Outcome};
use crate::app::App;

/// A group that the directory pushed.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "display_name": "Employees", "members": 120,
    "role": "loanee", "mapping": 0, "external_id": "5c1f2a7b-8d90-4e11-9d3f-6c1f2a7b8d90"
})))]
pub(crate) struct Group {
    /// Its SCIM id.
    #[schema(value_type = Uuid)]
    pub(crate) id: GroupId,
    /// Its displayName.
    pub(crate) display_name: String,
    /// Members that are known.
    pub(crate) members: u32,
    /// The role that membership gives by itself; null where no mapping names the group.
    #[schema(required)]
    pub(crate) role: Option<String>,
    /// The first mapping that means it: its position in `role_mappings`, from 0.
    #[schema(required)]
    pub(crate) mapping: Option<usize>,
    /// Its externalId.
    #[schema(required)]
    pub(crate) external_id: Option<String>,
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
    let groups = listed(&tenant, after, limit + 1)?;
    Ok(page(groups, limit, |group| group.id.to_string()))
}

/// At most `limit` groups after `after`, oldest first.
pub(crate) fn listed(
    tenant: &Tenant,
    after: Option<GroupId>,
    limit: usize,
) -> Result<Vec<Group>, Problem> {
    let config = tenant.shared().config();
    let snapshot = tenant.shared().snapshot()?;
    let mut groups: Vec<Group> = Vec::new();
    let after = after.as_ref().map(GroupId::as_bytes);
    snapshot.resources(tenant.key(), ResourceType::Group, after, |id, record| {
        if groups.len() >= limit {
            return ControlFlow::Break(());
        }
        let id = GroupId::from_bytes(id);
        let mut mappings = config.rules.mappings.iter();
        groups.push(Group {
            id,
            display_name: record.name,
            members: record.members,
            role: config.rules.role_of(id).map(str::to_owned),
            mapping: mappings.position(|mapping| mapping.group == Some(id)),
            external_id: record.external_id,
        });
        ControlFlow::Continue(())
    })?;
    Ok(groups)
}
