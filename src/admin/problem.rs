//! Problems (RFC 9457): the one place where failures become answers of the admin API.

use std::time::Duration;

use access::lifecycle::ManualError;
use actors::ChangeError;
use actors::service::webhooks::WebhookError;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use store::ReadError;

use crate::answer::{self, Answer, PROBLEM};
use crate::http::error::Failure;

/// What went wrong, for people and programs.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    more: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "the operator token is missing or wrong")
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: it can be read, and is not allowed.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429: the tenant's rate limit.
    pub fn too_fast(wait: Duration) -> Self {
        let detail = "the tenant's rate limit is reached; see Retry-After";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(wait), ..problem }
    }

    /// 429: too many failed logins from this address.
    pub fn too_many_failed_logins(wait: Duration) -> Self {
        let detail = "too many failed logins from this address; see Retry-After";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(wait), ..problem }
    }

    /// 503: trouble of our own.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the service cannot do this now; try again")
    }

    /// Its status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether another request would be needed, rather than another moment.
    pub fn is_clients(&self) -> bool {
        self.status.is_client_error()
    }

    /// What went wrong, for people.
    pub fn sentence(&self) -> String {
        let mut letters = self.detail.chars();
        // What begins with the name of a key keeps it as it is.
        let first = letters.next().filter(|_| !self.detail.contains(": "));
        let mut sentence = match first {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => self.detail.clone(),
        };
        if !sentence.ends_with(['.', '!', '?']) {
            sentence.push('.');
        }
        sentence
    }

    /// What is at fault, as a key of the settings or a field, and what is wrong with it; none where
    /// it is the request as a whole.
    pub fn field(&self) -> Option<(&str, &str)> {
        let (before, reason) = self.detail.split_once(": ")?;
        match self.more.get("key").and_then(Value::as_str) {
            Some(key) => Some((key, self.detail.strip_prefix(key)?.strip_prefix(": ")?)),
            None => Some((before, reason)).filter(|_| !before.contains(' ')),
        }
    }

    /// With one more key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Answer {
        let title = self.status.canonical_reason().unwrap_or("Problem");
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Value::Object(body) = &mut body {
            body.extend(self.more);
        }
        let mut made = answer::json(self.status, PROBLEM, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            made.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            made = answer::retry_after(made, wait.as_secs().saturating_add(1));
        } else if self.status == StatusCode::SERVICE_UNAVAILABLE {
            made = answer::retry_after(made, 5);
        }
        made
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::unavailable()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let error = failure.error();
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, error.detail.clone())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => {
                Self::not_found("there is no such account, token, client, hold, webhook or tenant")
            }
            ChangeError::NotUnique { attribute } => Self::conflict(format!("{attribute} is taken")),
            ChangeError::Manual(
                error @ (ManualError::Locked | ManualError::Disabled | ManualError::Deleted),
            ) => Self::conflict(error.to_string()),
            error @ (ChangeError::HoldClosed | ChangeError::SettingsMoved) => {
                Self::conflict(error.to_string())
            }
            ChangeError::Settings(error) => {
                Self::unprocessable(error.to_string()).with("key", error.key)
            }
            ChangeError::Protocol(error) => Self::unprocessable(error.detail),
            error => {
                tracing::error!(%error, "a change failed");
                Self::unavailable()
            }
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let detail = error.to_string();
        match error {
            WebhookError::NotFound => Self::not_found(detail),
            WebhookError::TooMany | WebhookError::Secret(_) => Self::conflict(detail),
            WebhookError::Invalid { key, .. } => Self::unprocessable(detail).with("key", key),
            WebhookError::Trimmed { oldest } => {
                Self::new(StatusCode::GONE, detail).with("oldest", oldest)
            }
            WebhookError::Change(error) => error.into(),
            error => {
                tracing::error!(%error, "a webhook could not be changed");
                Self::unavailable()
            }
        }
    }
}
