//! `/tenants`: make, show, list, delete.

use access::TenantId;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{Parameters, page};
use super::problem::Problem;
use super::{Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Characters in a tenant's name.
const NAME_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    id: String,
    name: Option<String>,
}

/// POST: makes a tenant. Its token is shown only here.
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    headers: HeaderMap,
    request: Request,
) -> Outcome {
    let NewTenant { id, name } = read_body(request).await?;
    let id: TenantId =
        id.parse().map_err(|error| Problem::unprocessable(format!("id: {error}")))?;
    let name = name.unwrap_or_else(|| id.to_string());
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let detail = format!("name: expected 1 to {NAME_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    let now = app.service().clock().now();
    let (token, text) =
        store::token::make("first".to_owned(), now, None).map_err(|_| Problem::unavailable())?;
    app.service().create_tenant(id.clone(), name.clone(), token, author).await?;
    let endpoint = app.scim_endpoint(&headers, &id);
    let body = json!({"id": id, "name": name, "scim": {"endpoint": endpoint, "token": text}});
    Ok(answer::json(StatusCode::CREATED, JSON, &body))
}

/// GET: all tenants.
pub async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor::<TenantId>()?);
    let tenants = app.service().store().snapshot()?.tenants(after.as_ref(), limit + 1)?;
    let items: Vec<Value> =
        tenants.iter().map(|tenant| shown(&app, &headers, tenant, &json!({}))).collect();
    Ok(page(items, limit, |item| item["id"].as_str().unwrap_or_default().to_owned()))
}

/// GET: one tenant.
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Path(tenant): Path<String>,
) -> Outcome {
    let live = open_tenant(&app, &tenant).await?;
    let snapshot = live.shared().snapshot()?;
    let kept = snapshot.tenant(&live.shared().id)?;
    let kept = kept.ok_or_else(|| Problem::not_found("there is no such tenant"))?;
    let counts = snapshot.counts(live.key())?;
    let counts = json!({"users": counts.users, "groups": counts.groups});
    Ok(answer::json(StatusCode::OK, JSON, &shown(&app, &headers, &kept, &counts)))
}

/// DELETE: the tenant is gone at once, its rows follow.
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
) -> Outcome {
    let live = open_tenant(&app, &tenant).await?;
    app.service().delete_tenant(&live.shared().id, author).await?;
    app.forget(live.key());
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn shown(app: &App, headers: &HeaderMap, tenant: &store::tenant::Tenant, more: &Value) -> Value {
    let endpoint = app.scim_endpoint(headers, &tenant.id);
    let mut shown = json!({
        "id": tenant.id,
        "name": tenant.name,
        "created_at": tenant.created_at,
        "scim": {"endpoint": endpoint},
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more.clone());
    }
    shown
}
