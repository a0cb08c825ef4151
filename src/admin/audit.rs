//! `/tenants/{t}/audit`: who changed what; and `/audit`, the same for what belongs to no tenant.
//!
//! A list, newest first, for people who look for something; or, where JSON lines are asked for, an
//! export of everything, oldest first.

pub(crate) mod export;

use access::RequestId;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use store::{TenantKey, Texts};
use utoipa::ToSchema;

use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::schemas::audit::{AuditActorKind, AuditEntry};

/// Entries that are looked through for those that are asked for before an answer is given.
const LOOKED_AT_MAX: usize = 25_000;
/// Who can be asked for.
pub(crate) const ACTORS: [&str; 5] = ["token", "operator", "setup_link", "reconciler", "service"];

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// At most `limit` of them, newest first.
    #[schema(value_type = Vec<AuditEntry>)]
    pub(crate) items: Vec<Value>,
    /// Set if there may be more; a page can be empty all the same.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
    /// How many entries were looked at.
    #[serde(skip)]
    pub(crate) looked_at: usize,
}

/// Which entries are asked for.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) actor: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) request: Option<RequestId>,
}

/// Which entries are asked for, as the description has it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct AuditQuery {
    /// Changed by one of this kind.
    #[param(inline, nullable = false)]
    actor: Option<AuditActorKind>,
    /// With a change of this kind of thing, such as `account`.
    #[param(nullable = false)]
    object: Option<String>,
    /// With a change of the thing of this id.
    #[param(nullable = false)]
    id: Option<String>,
    /// Asked for by this request: the `x-request-id` of an answer.
    #[param(nullable = false)]
    request: Option<uuid::Uuid>,
    /// Of an export: only what follows the entry of this number.
    #[param(minimum = 0, nullable = false)]
    after: Option<u64>,
}

/// What was changed of a tenant, newest first.
///
/// Where `Accept` names JSON lines: all of it, oldest first, each line an `AuditEntry`.
#[utoipa::path(
    get, path = "/tenants/{tenant}/audit", tag = "audit", params(Paging, AuditQuery),
    responses((status = 200, description = "Entries", content(
        (AuditPage = "application/json"), (String = "application/jsonl"),
        (String = "application/x-ndjson"), (String = "application/x-jsonlines"),
    )))
)]
pub async fn of_tenant(
    State(app): State<App>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    show(&app, tenant.key(), &headers, query.as_deref()).await
}

/// What was changed that belongs to no tenant: tenants made and deleted, the operator token.
///
/// Where `Accept` names JSON lines: all of it, oldest first, each line an `AuditEntry`.
#[utoipa::path(
    get, path = "/audit", tag = "audit", params(Paging, AuditQuery),
    responses((status = 200, description = "Entries", content(
        (AuditPage = "application/json"), (String = "application/jsonl"),
        (String = "application/x-ndjson"), (String = "application/x-jsonlines"),
    )))
)]
pub async fn of_service(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    show(&app, TenantKey::SERVICE, &headers, query.as_deref()).await
}

async fn show(app: &App, tenant: TenantKey, headers: &HeaderMap, query: Option<&str>) -> Outcome {
    let parameters = Parameters::read(query);
    let wanted = Wanted::read(&parameters)?;
    let after = parameters.parse("after", "the number of an entry")?.unwrap_or_default();
    if let Some(media_type) = export::media_type(headers) {
        return export::start(app, tenant, media_type, after, wanted);
    }
    let (limit, before) = (parameters.limit()?, parameters.cursor::<u64>()?);
    let page = listed(app, tenant, wanted, before, limit).await?;
    Ok(answer::json(StatusCode::OK, JSON, &page))
}

/// At most `limit` wanted entries before the number `before`, newest first.
pub(crate) async fn listed(
    app: &App,
    tenant: TenantKey,
    wanted: Wanted,
    before: Option<u64>,
    limit: usize,
) -> Result<AuditPage, Problem> {
    let permits = app.scan_permits(tenant).await.ok_or_else(Problem::unavailable)?;
    let snapshot = app.service().store().snapshot()?;
    let read = tokio::task::spawn_blocking(move || {
        let limits = (limit, LOOKED_AT_MAX);
        let wants = |entry: &Value| wanted.wants(entry);
        let looked = snapshot.audit_back(tenant, before, &wanted.texts(), limits, wants);
        drop(permits);
        looked
    });
    let looked = read.await.map_err(|_| Problem::unavailable())??;
    let next_cursor = looked.more_after.map(|number| number.to_string());
    Ok(AuditPage { items: looked.found, next_cursor, looked_at: looked.rows })
}

fn number_of(entry: &Value) -> Option<u64> {
    entry.get("seq").and_then(Value::as_u64)
}

impl Wanted {
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let owned = |name: &str| parameters.get(name).map(str::to_owned);
        let actor = owned("actor");
        if actor.as_ref().is_some_and(|actor| !ACTORS.contains(&actor.as_str())) {
            let expected = ACTORS.join(", ");
            return Err(Problem::bad_request(format!("actor: expected one of {expected}")));
        }
        let request = parameters.parse("request", "the x-request-id of an answer")?;
        Ok(Self { actor, object: owned("object"), id: owned("id"), request })
    }

    /// What the row of a wanted entry holds.
    fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        if let Some(actor) = &self.actor {
            texts = texts.with("kind", actor);
        }
        if let Some(object) = &self.object {
            texts = texts.with("object", object);
        }
        if let Some(id) = &self.id {
            texts = texts.with("id", id);
        }
        if let Some(request) = self.request {
            texts = texts.with("request", &request.to_string());
        }
        texts
    }

    fn wants(&self, entry: &Value) -> bool {
        let is = |wanted: Option<&str>, found: Option<&Value>| {
            wanted.is_none_or(|wanted| found.and_then(Value::as_str) == Some(wanted))
        };
        let kind = entry.get("actor").and_then(|actor| actor.get("kind"));
        let request = self.request.map(|request| request.to_string());
        if !is(self.actor.as_deref(), kind) || !is(request.as_deref(), entry.get("request")) {
            return false;
        }
        if self.object.is_none() && self.id.is_none() {
            return true;
        }
        let changes = entry.get("changes").and_then(Value::as_array);
        changes.into_iter().flatten().any(|change| {
            is(self.object.as_deref(), change.get("object"))
                && is(self.id.as_deref(), change.get("id"))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(query: &str) -> Wanted {
        Wanted::read(&Parameters::read(Some(query))).unwrap()
    }

    #[test]
    fn an_entry_is_wanted_for_its_actor_its_request_and_one_of_its_changes() {
        let request = "01890a5d-ac96-774b-bcce-b302099a8057";
        let entry = json!({
            "actor": {"kind": "operator"},
            "request": request,
            "changes": [{"object": "user", "id": "1"}, {"object": "account", "id": "2"}],
        });
        for query in ["", "actor=operator", "object=user&id=1", "object=account", "id=2"] {
            assert!(wanted(query).wants(&entry), "{query}");
        }
        assert!(wanted(&format!("request={request}")).wants(&entry));
        let other = request.replace("8057", "8058");
        assert!(!wanted(&format!("request={other}")).wants(&entry));
        for query in ["actor=token", "object=user&id=2", "object=group", "id=3"] {
            assert!(!wanted(query).wants(&entry), "{query}");
        }
    }
}
