//! `/tenants/{t}/groups`: the pushed groups, and the role that each gives.

use std::ops::ControlFlow;

use access::GroupId;
use axum::extract::{Path, RawQuery, State};
use scim::schema::ResourceType;
use serde_json::{Value, json};

use super::page::page;
use super::{ListRequest, Outcome};
use crate::app::App;

/// GET: groups, oldest first.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<GroupId>::read(&app, &tenant, query.as_deref()).await?;
    let config = tenant.shared().config();
    let snapshot = tenant.shared().snapshot()?;
    let mut items: Vec<Value> = Vec::new();
    let after = after.as_ref().map(GroupId::as_bytes);
    snapshot.resources(tenant.key(), ResourceType::Group, after, |id, record| {
        let id = GroupId::from_bytes(id);
        items.push(json!({
            "id": id,
            "display_name": record.name,
            "members": record.members,
            "role": config.rules.role_of(id),
        }));
        if items.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(page(items, limit, |item| item["id"].as_str().unwrap_or_default().to_owned()))
}
