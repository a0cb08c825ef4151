//! The demonstration's operator: a client of the admin API, as an app's own tools would be.
//!
//! It has no other way in than everybody else: what it does can be done with `curl`.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::simulate::client::http;

/// Items of a page.
const PAGE: usize = 1_000;
/// Pages that are read of a list: more than any demonstration has.
const PAGES_MAX: usize = 1_000;

/// A call that did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There was no answer.
    #[error("{call} was not answered")]
    Unanswered {
        /// Method and path.
        call: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer was a refusal.
    #[error("{call} was refused with {status}: {detail}")]
    Refused {
        /// Method and path.
        call: String,
        /// Its status.
        status: StatusCode,
        /// What it says.
        detail: String,
    },
}

impl CallError {
    /// Whether it was refused with this status.
    pub(super) fn is(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }
}

/// An operator.
#[derive(Clone)]
pub(super) struct Operator {
    http: Client,
    base: String,
    token: String,
}

impl Operator {
    /// Of the service at this address (`http://HOST:PORT`).
    pub(super) fn new(address: &str, token: &str) -> Result<Self, reqwest::Error> {
        let base = format!("{address}/admin/v1");
        Ok(Self { http: http()?, base, token: token.to_owned() })
    }

    /// Calls, and answers the body; null where there is none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let call = format!("{method} {path}");
        let unanswered = |source| CallError::Unanswered { call: call.clone(), source };
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(unanswered)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unanswered)?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(CallError::Refused { call, status, detail })
    }

    /// GET.
    pub(super) async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    /// All items of a list.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, CallError> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{joint}limit={PAGE}");
        let mut items = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut page = self.get(&next).await?;
            if let Some(more) = page.get_mut("items").and_then(Value::as_array_mut) {
                items.append(more);
            }
            let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) else { break };
            next = format!("{path}{joint}limit={PAGE}&cursor={cursor}");
        }
        Ok(items)
    }
}
