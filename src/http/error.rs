//! Failures as SCIM errors (RFC 7644 section 3.12): the one place where they are mapped.
//!
//! Trouble of our own is 503, never 401, 404 or 500: Entra quarantines a job on those, and a 401
//! sends the customer to rotate a good token. An inner error's text never reaches a client.

use std::time::Duration;

use actors::ChangeError;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use scim::error::{Error, ScimType};
use store::ReadError;

use super::ScimAnswer;
use super::counting::OfReference;
use super::{RETRY_AFTER, challenge};
use crate::answer;

/// A failure, as the client hears of it.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    is_of_reference: bool,
}

impl Failure {
    fn new(status: StatusCode, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Error::new(status.as_u16(), scim_type, detail).into()
    }

    /// 401: no token, a wrong one, or no such tenant.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, None, "the bearer token is missing or not valid here")
    }

    /// 404.
    pub fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, detail)
    }

    /// 405, with what is allowed.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        let failure = Self::new(StatusCode::METHOD_NOT_ALLOWED, None, detail);
        Self { allow: Some(allow), ..failure }
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, None, detail)
    }

    /// 415.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, detail)
    }

    /// 429.
    pub fn too_fast(wait: Duration) -> Self {
        let detail = "the tenant's rate limit is reached; see Retry-After";
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, None, detail);
        Self { retry_after: Some(wait), ..failure }
    }

    /// 429: too many failed logins from this address.
    pub fn too_many_failed_logins(wait: Duration) -> Self {
        let detail = "too many failed logins from this address; see Retry-After";
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, None, detail);
        Self { retry_after: Some(wait), ..failure }
    }

    /// 501.
    pub fn not_implemented(detail: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, None, detail)
    }

    /// 503: trouble of our own.
    pub fn unavailable() -> Self {
        let detail = "the service cannot do this now; see Retry-After";
        let failure = Self::new(StatusCode::SERVICE_UNAVAILABLE, None, detail);
        Self { retry_after: Some(RETRY_AFTER), ..failure }
    }

    /// The same; the request was about nothing but references.
    pub(super) fn of_reference(self) -> Self {
        Self { is_of_reference: true, ..self }
    }

    /// The error, as it stands in a bulk answer.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The answer.
    pub fn into_answer(self) -> ScimAnswer {
        let status =
            StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut made = answer::json(status, scim::MEDIA_TYPE, &self.error.to_json());
        if self.is_of_reference {
            made.extensions_mut().insert(OfReference);
        }
        if let Some(allow) = self.allow {
            made.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: a client that waits less comes too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            made = answer::retry_after(made, seconds.max(1));
        }
        if status == StatusCode::UNAUTHORIZED { challenge(made) } else { made }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None, allow: None, is_of_reference: false }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::unavailable()
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Protocol(error) => error.into(),
            ChangeError::NotFound => Self::not_found("there is no such resource"),
            ChangeError::NotUnique { attribute } => {
                Error::uniqueness(format!("{attribute} is taken by another resource")).into()
            }
            ChangeError::VersionMismatch => Error::precondition_failed(
                "the resource has another version than If-Match asks for",
            )
            .into(),
            ChangeError::Overloaded => {
                Self { retry_after: Some(Duration::from_secs(1)), ..Self::unavailable() }
            }
            error => {
                tracing::error!(%error, "a change failed");
                Self::unavailable()
            }
        }
    }
}
