//! Answers: one place that makes HTTP responses with their media types.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

/// An HTTP answer, other than SCIM's.
pub type Answer = Response<Body>;

/// JSON for operators and engineers.
pub const JSON: &str = "application/json";
/// Tables for them.
pub const CSV: &str = "text/csv; charset=utf-8";
/// Problems for them (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";

/// An answer with these bytes.
pub fn with_body<B>(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<B>,
) -> Response<B> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// An answer without a body.
pub fn empty<B: Default>(status: StatusCode) -> Response<B> {
    let mut answer = Response::new(B::default());
    *answer.status_mut() = status;
    answer
}

/// An answer with JSON.
pub fn json<B: Default + From<Vec<u8>>>(
    status: StatusCode,
    media_type: &'static str,
    value: &impl Serialize,
) -> Response<B> {
    match serde_json::to_vec(value) {
        Ok(body) => with_body(status, media_type, body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            empty(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// Whether a client asks for this media type by name.
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut named = values.flat_map(|value| value.split(','));
    named.any(|named| {
        let named = named.split(';').next().unwrap_or_default();
        named.trim().eq_ignore_ascii_case(media_type)
    })
}

/// The same answer, saying when to come again.
#[must_use]
pub fn retry_after<B>(mut answer: Response<B>, seconds: u64) -> Response<B> {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer
}
