//! Capturing a request and its answer for the request record, at the price of one copy of each:
//! nothing is parsed, packed or written here.
//!
//! What is captured holds secrets until the recorder has taken them out; nothing else sees it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use access::exchange::{ANSWER_BYTES_MAX, Captured, CapturedBody, REQUEST_BYTES_MAX};
use access::{Author, RequestId, TokenId, WaveId};
use actors::shared::Shared;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use bytes::Bytes;
use jiff::Timestamp;

use super::ScimAnswer;
use crate::app::{App, token_of};

/// What becomes known of a request while it is worked on.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Parcel>);

#[derive(Default)]
struct Parcel {
    body: OnceLock<Bytes>,
    wave: OnceLock<WaveId>,
}

impl Seen {
    /// This is its body.
    pub(super) fn body(&self, body: &Bytes) {
        let _ = self.0.body.set(body.clone());
    }

    /// It belongs to this wave. A Bulk, whose operations may belong to two, to the first.
    pub(super) fn wave(&self, wave: WaveId) {
        let _ = self.0.wave.set(wave);
    }
}

/// When a request came.
pub(super) struct Arrival(Timestamp, Instant);

impl Arrival {
    /// Now.
    pub(super) fn now(app: &App) -> Self {
        Self(app.service().clock().now(), Instant::now())
    }

    fn passed(&self) -> Duration {
        self.1.elapsed()
    }
}

/// A request that is being worked on, and will be recorded. One whose work is broken off, because
/// it took too long or the client went away, is recorded without an answer.
pub(super) struct Capture {
    shared: Arc<Shared>,
    id: RequestId,
    arrival: Arrival,
    method: Method,
    uri: Uri,
    user_agent: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
    token: Option<(TokenId, String)>,
    seen: Seen,
    unread: u64,
    status: Option<StatusCode>,
    answer: Bytes,
}

impl Capture {
    /// Begins with a request that was let in; none if requests are not recorded.
    pub(super) fn begin(
        app: &App,
        shared: &Arc<Shared>,
        author: &Author,
        parts: &Parts,
        arrival: Arrival,
    ) -> Option<Self> {
        if !app.records_requests() {
            return None;
        }
        let unread = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let label = || author.label.clone().unwrap_or_default();
        Some(Self {
            shared: Arc::clone(shared),
            id: parts.extensions.get::<RequestId>().copied()?,
            arrival,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            user_agent: parts.headers.get(USER_AGENT).cloned(),
            // There is exactly one, or it had not been let in.
            authorization: parts.headers.get(AUTHORIZATION).cloned(),
            token: author.token.map(|id| (id, label())),
            seen: Seen::default(),
            unread: unread.and_then(|length| length.parse().ok()).unwrap_or(0),
            status: None,
            answer: Bytes::new(),
        })
    }

    /// Where to tell what becomes known of it.
    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Leaves it with the recorder, with its answer.
    pub(super) fn finish(mut self, answer: &ScimAnswer) {
        self.status = Some(answer.status());
        self.answer = answer.body().clone();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let path = super::behind_prefix(self.uri.path()).unwrap_or_default();
        let path = path.trim_start_matches('/');
        let answer = Some(&self.answer).filter(|answer| !answer.is_empty());
        // One for which there is no room is counted there.
        self.shared.recorder.record(&Captured {
            id: self.id,
            at: self.arrival.0,
            method: self.method.as_str(),
            path: path.find('/').and_then(|at| path.get(at..)).unwrap_or_default(),
            query: self.uri.query(),
            user_agent: self.user_agent.as_ref().and_then(|agent| agent.to_str().ok()),
            presented: self.authorization.as_ref().and_then(token_of).unwrap_or_default(),
            token: self.token.as_ref().map(|(id, label)| (*id, label.as_str())),
            wave: self.seen.0.wave.get().copied(),
            request: match self.seen.0.body.get() {
                Some(body) => Some(CapturedBody::of(body, REQUEST_BYTES_MAX)),
                None => (self.unread > 0).then(|| CapturedBody::unread(self.unread)),
            },
            status: self.status.map(|status| status.as_u16()),
            duration: self.arrival.passed(),
            answer: answer.map(|answer| CapturedBody::of(answer, ANSWER_BYTES_MAX)),
        });
    }
}
