//! The requests of one wave as a file of JSON lines, to be looked at elsewhere or sent again.
//!
//! It is read block by block, at the reader's pace, each in a snapshot of its own. Requests stand
//! in the order in which they were answered, which is one in which they can be sent again: whatever
//! a request builds on was answered before it came.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use access::WaveId;
use access::exchange::{BodyFacts, Recorded};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::requests::BlockId;
use store::{ReadError, TenantKey};
use utoipa::ToSchema;

use super::find::{self, Wanted};
use crate::admin::problem::Problem;
use crate::admin::{Outcome, open_tenant};
use crate::answer;
use crate::app::App;
use crate::streams::Seat;
use crate::web::admit::still_counts;
use crate::web::sessions::Session;

/// JSON lines.
const MEDIA_TYPE: &str = "application/x-ndjson";

/// A line of the file: a request, and what it got.
#[derive(Serialize, ToSchema)]
#[schema(as = WaveRequest, examples(json!({
    "offset_ms": 1250, "id": "01990a5d-ac96-774b-bcce-b302099a8057",
    "at": "2026-03-01T12:00:01.250Z", "method": "POST", "path": "/Users", "query": null,
    "body": {"userName": "ada@example.com"}, "body_state": "whole", "body_bytes": 30,
    "status": 201, "resource": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "duration_ms": 1.8,
    "scim_type": null, "detail": null
})))]
struct Line {
    /// How long after the wave's first request it came.
    offset_ms: i64,
    /// Its id.
    #[schema(value_type = Uuid)]
    id: access::RequestId,
    /// When it came.
    at: Timestamp,
    /// Its method.
    method: String,
    /// Its path behind the tenant.
    path: String,
    /// Its query.
    #[schema(required)]
    query: Option<String>,
    /// Its body; null unless it is whole, or redacted.
    #[schema(value_type = Option<Object>, required)]
    body: Option<Value>,
    /// `none`, `whole`, `redacted` (whole, less secrets), `cut` (too long to be kept), `omitted`
    /// (no JSON, not read, or too large).
    body_state: &'static str,
    /// Bytes that it had.
    body_bytes: u64,
    /// The status of the answer; null if there was none.
    #[schema(required)]
    status: Option<u16>,
    /// The id of the user or group: what a create was answered, too.
    #[schema(required)]
    resource: Option<String>,
    /// From its arrival to the answer.
    duration_ms: f64,
    /// The keyword of a refusal.
    #[schema(required)]
    scim_type: Option<String>,
    /// What a refusal says.
    #[schema(required)]
    detail: Option<String>,
}

/// A download that goes on.
struct Download {
    app: App,
    tenant: TenantKey,
    wave: WaveId,
    started_at: Timestamp,
    ended_at: Timestamp,
    after: Option<BlockId>,
    session: Option<Arc<Session>>,
    _seat: Seat,
}

/// The requests of one wave as a file, each line a `WaveRequest`, in the order of their answers.
#[utoipa::path(
    get, path = "/tenants/{tenant}/waves/{wave}/requests", tag = "requests",
    responses((status = 200, description = "Requests, a JSON object a line", body = Line,
               content_type = "application/x-ndjson"))
)]
pub async fn download(
    State(app): State<App>,
    Path((tenant, wave)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    start(&app, &tenant, &wave, None)
}

/// Starts the download: for the API, or for a web session, with which it ends.
pub(crate) fn start(
    app: &App,
    tenant: &actors::Tenant,
    wave: &str,
    session: Option<Arc<Session>>,
) -> Outcome {
    let no_such_wave = || Problem::not_found("there is no such wave");
    let id: WaveId = wave.parse().map_err(|_| no_such_wave())?;
    let shared = tenant.shared();
    let live = shared.live_wave(id);
    let kept = shared.snapshot()?.wave(tenant.key(), id)?;
    let wave = live.or(kept).ok_or_else(no_such_wave)?;
    let streams = if session.is_some() { app.web_streams() } else { app.streams() };
    let seat = streams.take(tenant.key()).ok_or_else(Problem::unavailable)?;
    let download = Download {
        app: app.clone(),
        tenant: tenant.key(),
        wave: id,
        started_at: wave.started_at,
        // Look-ups belong to it until it has settled.
        ended_at: wave.reconciled_at.unwrap_or_else(|| shared.clock.now()),
        after: None,
        session,
        _seat: seat,
    };
    let pieces = stream::try_unfold(download, async |mut download: Download| {
        loop {
            if *download.app.stopping().borrow() {
                // Cut off, not ended: the reader is to notice.
                return Err(io::Error::other("the service is stopping"));
            }
            let ended = download
                .session
                .as_ref()
                .is_some_and(|session| !still_counts(&download.app, session).unwrap_or(false));
            if ended {
                return Err(io::Error::other("the session has ended"));
            }
            let (lines, back) = tokio::task::spawn_blocking(move || {
                let lines = download.next_piece();
                (lines, download)
            })
            .await
            .map_err(io::Error::other)?;
            download = back;
            match lines.map_err(io::Error::other)? {
                None => return Ok(None),
                Some(lines) if !lines.is_empty() => {
                    return Ok(Some((Bytes::from(lines), download)));
                }
                Some(_) => {}
            }
        }
    });
    let mut answer = answer::with_body(StatusCode::OK, MEDIA_TYPE, Body::from_stream(pieces));
    let name = format!("attachment; filename=\"wave-{id}.jsonl\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(answer)
}

impl Download {
    /// The lines of the next block that has some; none at the end.
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let snapshot = self.app.service().store().snapshot()?;
        let times = (self.started_at, self.ended_at);
        let next = find::next_of_wave(&snapshot, self.tenant, self.wave, times, self.after)?;
        let Some(block) = next else { return Ok(None) };
        self.after = Some(block);
        let wanted = Wanted::of_wave(self.wave);
        let mut lines = Vec::new();
        for record in find::whole_block(&snapshot, self.tenant, block)? {
            if wanted.wants(&record.facts, &[]) {
                let written = serde_json::to_writer(&mut lines, &self.line(record));
                written.map_err(|error| ReadError::Unavailable(error.to_string()))?;
                lines.push(b'\n');
            }
        }
        Ok(Some(lines))
    }

    fn line(&self, record: Recorded<'_>) -> Line {
        let Recorded { facts, request, .. } = record;
        // Written anew: as it was sent it may have ends of lines in it.
        let body: Option<Value> = serde_json::from_str(&request).ok();
        let body = body.filter(|_| !facts.request.is_cut);
        let micros = u32::try_from(facts.duration_us).unwrap_or(u32::MAX);
        // The request that opens a wave came a moment before it was open.
        let offset_ms = facts.at.as_millisecond() - self.started_at.as_millisecond();
        Line {
            offset_ms: offset_ms.max(0),
            id: facts.id,
            at: facts.at,
            method: facts.method.into_owned(),
            path: facts.path.into_owned(),
            query: facts.query.map(Cow::into_owned),
            body_state: state_of(&facts.request, body.is_some()),
            body,
            body_bytes: facts.request.size,
            status: facts.status,
            resource: facts.resource.map(Cow::into_owned),
            duration_ms: f64::from(micros) / 1_000.0,
            scim_type: facts.scim_type.map(Cow::into_owned),
            detail: facts.detail.map(Cow::into_owned),
        }
    }
}

const fn state_of(body: &BodyFacts, is_there: bool) -> &'static str {
    match (body.size, is_there) {
        (0, _) => "none",
        (_, true) if body.is_redacted => "redacted",
        (_, true) => "whole",
        (_, false) if body.is_cut => "cut",
        (_, false) => "omitted",
    }
}
