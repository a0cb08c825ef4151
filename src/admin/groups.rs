//! `/tenants/{t}/groups`: the pushed groups, and the role that each gives.

use std::ops::ControlFlow;

use access::GroupId;
use axum::extract::{Path, RawQuery, State};
use scim::schema::ResourceType;
use serde_json::{Value, json};

use super::page::{Parameters, page};
use super::{Outcome, open_tenant};
use crate::app::App;

/// GET: groups, oldest first.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor::<GroupId>()?);
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
