//! `/tenants/{t}/requests`: what the directory sent, and what it got; `/waves/{w}/requests`: those
//! of one wave, as a file.
//!
//! The newest stand first, in the order in which they were answered. A request is found about a
//! second after its answer.

mod download;
pub(crate) mod explain;
mod find;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use access::RequestId;
use access::exchange::{BodyFacts, Dialect, Exchange, Recorded};
use access::redact::Omitted;
use access::{TokenId, WaveId};
use actors::Tenant;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use store::requests::BlockId;
use utoipa::ToSchema;

pub(crate) use self::download::start as start_download;
pub use self::download::{__path_download, download};
use self::explain::{Explanation, explain};
pub(crate) use self::find::Wanted;
use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// A request of the directory, and what it got.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordedRequest, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "at": "2026-03-01T12:00:00.123Z",
    "method": "POST", "path": "/Users", "query": null, "status": 409, "duration_ms": 1.8,
    "user_agent": null, "token": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "token_label": "first",
    "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "resource_type": "User", "resource": null,
    "subject": "ada@example.com", "external_id": null, "dialect": null, "is_error": true,
    "scim_type": "uniqueness", "detail": "userName is taken by another resource",
    "failed_operations": 0, "request_bytes": 412, "answer_bytes": 150,
    "explanation": {"meaning": "Another user here has that user name already.",
                    "remedy": "Find the other user, and rename or delete one of the two."}
})))]
pub(crate) struct ShownRequest {
    /// Its id: `x-request-id`, and what the audit log calls it.
    #[schema(value_type = Uuid)]
    pub(crate) id: RequestId,
    /// When it came.
    pub(crate) at: Timestamp,
    /// Its method.
    pub(crate) method: String,
    /// Its path behind the tenant, as it was sent.
    pub(crate) path: String,
    /// Its query, as it was sent, less secrets.
    #[schema(required)]
    pub(crate) query: Option<String>,
    /// The status of the answer; null if there was none: it took too long, or the client went away.
    #[schema(required)]
    pub(crate) status: Option<u16>,
    /// From its arrival to the answer.
    pub(crate) duration_ms: f64,
    /// Who it said that it is.
    #[schema(required)]
    pub(crate) user_agent: Option<String>,
    /// The token that it came with: its id.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) token: Option<TokenId>,
    /// The token that it came with: what people call it.
    #[schema(required)]
    pub(crate) token_label: Option<String>,
    /// The wave that it belongs to.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) wave: Option<WaveId>,
    /// `User` or `Group`.
    #[schema(required)]
    pub(crate) resource_type: Option<String>,
    /// The id of the user or group.
    #[schema(required)]
    pub(crate) resource: Option<String>,
    /// Its userName or displayName as far as the request or its answer tells, or what a filter asks
    /// for.
    #[schema(required)]
    pub(crate) subject: Option<String>,
    /// Its externalId, likewise.
    #[schema(required)]
    pub(crate) external_id: Option<String>,
    /// In whose way a PATCH is written: `entra` (`"op": "Add"`) or `rfc` (`"op": "add"`).
    #[schema(value_type = Option<String>, required)]
    pub(crate) dialect: Option<Dialect>,
    /// Whether it was refused, in whole or in part, or not answered.
    pub(crate) is_error: bool,
    /// The keyword of a refusal (RFC 7644 section 3.12).
    #[schema(required)]
    pub(crate) scim_type: Option<String>,
    /// What a refusal says.
    #[schema(required)]
    pub(crate) detail: Option<String>,
    /// Operations of a Bulk that were refused.
    pub(crate) failed_operations: u32,
    /// Bytes of its body.
    pub(crate) request_bytes: u64,
    /// Bytes of the answer's body.
    pub(crate) answer_bytes: u64,
    /// What a refusal means.
    #[schema(required)]
    pub(crate) explanation: Option<Explanation>,
}

/// A page of requests.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestPage {
    /// At most `limit` of them, newest first.
    pub(crate) items: Vec<ShownRequest>,
    /// Set if there may be more; a page can be empty all the same.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
    /// Requests that were not recorded since the service started, because more came than could be
    /// written.
    pub(crate) dropped: u64,
    /// Whether requests are recorded.
    pub(crate) is_recording: bool,
}

/// One request with its bodies.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "request": {
        "id": "01990a5d-ac96-774b-bcce-b302099a8057", "at": "2026-03-01T12:00:00.123Z",
        "method": "POST", "path": "/Users", "query": null, "status": 201, "duration_ms": 1.8,
        "user_agent": null, "token": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "token_label": "first",
        "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "resource_type": "User",
        "resource": "01990a5d-ac96-774b-bcce-b302099a8057", "subject": "ada@example.com",
        "external_id": null, "dialect": null, "is_error": false, "scim_type": null,
        "detail": null, "failed_operations": 0, "request_bytes": 60, "answer_bytes": 0,
        "explanation": null
    },
    "request_body": {"size": 60, "text": "{\"userName\":\"ada@example.com\",\"password\":\"(redacted)\"}",
                     "is_cut": false, "is_redacted": true, "omitted": null},
    "answer_body": {"size": 0, "text": null, "is_cut": false, "is_redacted": false, "omitted": null}
})))]
pub(crate) struct RequestWithBodies {
    /// The request.
    pub(crate) request: ShownRequest,
    /// Its body.
    pub(crate) request_body: ShownBody,
    /// The answer's body.
    pub(crate) answer_body: ShownBody,
}

/// A body, as it was kept: less secrets, and cut if it is long.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownBody {
    /// Bytes that it has.
    pub(crate) size: u64,
    /// What is kept of it; null if there is none, or nothing was kept.
    #[schema(required)]
    pub(crate) text: Option<String>,
    /// Whether its end is missing.
    pub(crate) is_cut: bool,
    /// Whether something secret was taken out: `(redacted)` stands in its place.
    pub(crate) is_redacted: bool,
    /// Why nothing was kept: `not_json`, `too_large` to be looked through for secrets, or
    /// `not_read`.
    #[schema(value_type = Option<String>, required)]
    pub(crate) omitted: Option<Omitted>,
}

/// Which requests are asked for, as the description has it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct RequestsQuery {
    /// About this user or group: its id, userName, displayName or externalId, whole, in any case.
    /// Changes of a group's members are found by the users who join or leave.
    #[param(nullable = false)]
    q: Option<String>,
    /// Of this wave.
    #[param(nullable = false)]
    wave: Option<uuid::Uuid>,
    /// With this method.
    #[param(nullable = false)]
    method: Option<String>,
    /// Answered with this status, such as `409`, or with one of these, such as `4xx`.
    #[param(nullable = false)]
    status: Option<String>,
    /// Only those that were refused, in whole or in part, or not answered.
    #[param(nullable = false)]
    errors: Option<bool>,
}

/// A place in the record: up to and without this exchange of this block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordPlace {
    block: BlockId,
    index: usize,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.block, self.index)
    }
}

impl FromStr for RecordPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (block, index) = text.split_once('.').ok_or(())?;
        Ok(Self { block: block.parse().map_err(drop)?, index: index.parse().map_err(drop)? })
    }
}

/// What the directory sent and what it got, newest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/requests", tag = "requests", params(Paging, RequestsQuery),
    responses((status = 200, description = "Requests", body = RequestPage))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let wanted = Wanted::read(&parameters)?;
    let page = newest(&app, &tenant, wanted, parameters.cursor()?, parameters.limit()?).await?;
    Ok(answer::json(StatusCode::OK, JSON, &page))
}

/// A page of what is wanted, newest first.
pub(crate) async fn newest(
    app: &App,
    tenant: &Tenant,
    wanted: Wanted,
    before: Option<RecordPlace>,
    limit: usize,
) -> Result<RequestPage, Problem> {
    let key = tenant.key();
    let permits = app.scan_permits(key).await.ok_or_else(Problem::unavailable)?;
    let snapshot = app.service().store().snapshot()?;
    let read = tokio::task::spawn_blocking(move || {
        let page = find::newest(&snapshot, key, &wanted, before, limit);
        drop(permits);
        page
    });
    let (found, next) = read.await.map_err(|_| Problem::unavailable())??;
    Ok(RequestPage {
        items: found.into_iter().map(ShownRequest::from).collect(),
        next_cursor: next.map(|next| next.to_string()),
        dropped: tenant.shared().recorder.dropped(),
        is_recording: app.records_requests(),
    })
}

/// One request, with its bodies and what a refusal means.
#[utoipa::path(
    get, path = "/tenants/{tenant}/requests/{request}", tag = "requests",
    responses((status = 200, description = "The request", body = RequestWithBodies))
)]
pub async fn show(
    State(app): State<App>,
    Path((tenant, request)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let shown = one(&app, &tenant, &request).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

/// The request with this id.
pub(crate) async fn one(
    app: &App,
    tenant: &Tenant,
    id: &str,
) -> Result<RequestWithBodies, Problem> {
    let none =
        || Problem::not_found("there is no such request, or it is not kept any more, or not yet");
    let id: RequestId = id.parse().map_err(|_| none())?;
    let key = tenant.key();
    let permits = app.scan_permits(key).await.ok_or_else(Problem::unavailable)?;
    let snapshot = app.service().store().snapshot()?;
    let read = tokio::task::spawn_blocking(move || {
        let found = find::one(&snapshot, key, id);
        drop(permits);
        found
    });
    let Recorded { facts, request, answer } =
        read.await.map_err(|_| Problem::unavailable())??.ok_or_else(none)?;
    let (request_body, answer_body) =
        (ShownBody::new(&facts.request, request), ShownBody::new(&facts.answer, answer));
    Ok(RequestWithBodies { request: facts.into(), request_body, answer_body })
}

impl From<Exchange<'_>> for ShownRequest {
    fn from(facts: Exchange<'_>) -> Self {
        let (is_error, explanation) = (facts.is_error(), explain(&facts));
        let micros = u32::try_from(facts.duration_us).unwrap_or(u32::MAX);
        Self {
            id: facts.id,
            at: facts.at,
            method: facts.method.into_owned(),
            path: facts.path.into_owned(),
            query: facts.query.map(Cow::into_owned),
            status: facts.status,
            duration_ms: f64::from(micros) / 1_000.0,
            user_agent: facts.user_agent.map(Cow::into_owned),
            token: facts.token,
            token_label: facts.token_label.map(Cow::into_owned),
            wave: facts.wave,
            resource_type: facts.resource_type.map(Cow::into_owned),
            resource: facts.resource.map(Cow::into_owned),
            subject: facts.subject.map(Cow::into_owned),
            external_id: facts.external_id.map(Cow::into_owned),
            dialect: facts.dialect,
            is_error,
            scim_type: facts.scim_type.map(Cow::into_owned),
            detail: facts.detail.map(Cow::into_owned),
            failed_operations: facts.failed_operations,
            request_bytes: facts.request.size,
            answer_bytes: facts.answer.size,
            explanation,
        }
    }
}

impl ShownBody {
    fn new(facts: &BodyFacts, text: Cow<'_, str>) -> Self {
        let BodyFacts { size, is_cut, is_redacted, omitted, .. } = *facts;
        let text = Some(text.into_owned()).filter(|text| !text.is_empty());
        Self { size, text, is_cut, is_redacted, omitted }
    }
}
