//! What is sent and what comes back, read to its end and made safe to print.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response};
use serde::Deserialize;

use crate::simulate::operation::Operation;

/// How often a request is sent, the first time included.
const TRIES_MAX: u32 = 8;
/// The same of a request that only asks whether somebody is there.
const PROBE_TRIES_MAX: u32 = 2;
/// Bytes of an answer that are read: a group of half a million members has room.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Characters of a server's text that are kept.
const SAID_CHARS_MAX: usize = 200;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it is for.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// What comes after the tenant's address, with its query.
    pub path: String,
    /// Its body, JSON.
    pub body: Option<Bytes>,
    /// A status that is as good as a success here.
    pub also_fine: Option<u16>,
    /// How often it is sent, the first time included.
    pub tries_max: u32,
    /// Nothing depends on it: whatever comes of it is no failure.
    pub may_fail: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        let (body, also_fine, tries_max, may_fail) = (None, None, TRIES_MAX, false);
        Self { operation, method, path, body, also_fine, tries_max, may_fail }
    }

    /// A GET.
    pub fn get(operation: Operation, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path)
    }

    /// A GET that asks whether somebody is there: an answer that does not come soon is an answer.
    pub fn probe(operation: Operation, path: impl Into<String>) -> Self {
        Self { tries_max: PROBE_TRIES_MAX, ..Self::get(operation, path) }
    }

    /// A request with a body.
    pub fn with_body(
        operation: Operation,
        method: Method,
        path: impl Into<String>,
        body: &serde_json::Value,
    ) -> Self {
        Self { body: Some(body.to_string().into()), ..Self::new(operation, method, path) }
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    /// A 409 which says that an earlier try of the POST was carried out, and its answer lost.
    pub is_echo: bool,
}

impl Answer {
    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What came of one try.
pub(super) enum Tried {
    Answered { status: u16, body: Bytes, retry_after: Option<Duration> },
    Unanswered { kind: &'static str, detail: String },
}

impl Tried {
    /// Reads an answer to its end.
    pub(super) async fn of(sent: Result<Response, reqwest::Error>) -> Self {
        let answered = async {
            let answer = sent?;
            let status = answer.status().as_u16();
            let retry_after = retry_after(&answer);
            Ok::<_, reqwest::Error>(Self::Answered {
                status,
                body: read(answer).await?,
                retry_after,
            })
        };
        answered.await.unwrap_or_else(|error| {
            let kind = if error.is_timeout() { "timeout" } else { "connection" };
            Self::Unanswered { kind, detail: in_full(&error.without_url()) }
        })
    }
}

/// What a SCIM error says (RFC 7644 section 3.12).
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(rename = "scimType")]
    scim_type: Option<String>,
    detail: Option<String>,
}

/// The kind of an error, such as `409 uniqueness`, and its detail: as the server has it.
pub(super) fn error_of(status: u16, body: &[u8]) -> (String, String) {
    let said: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let kind = match said.scim_type {
        Some(scim_type) => format!("{status} {scim_type}"),
        None => status.to_string(),
    };
    (kind, said.detail.unwrap_or_default())
}

/// Seconds; dates are not used by anybody who slows clients down.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Reads a body to its end, as far as it counts.
async fn read(mut answer: Response) -> Result<Bytes, reqwest::Error> {
    if answer.content_length().is_some_and(|length| length <= ANSWER_BYTES_MAX) {
        return answer.bytes().await;
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 >= ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(body.into())
}

/// A text of a server's, safe to print: one line, not too long.
pub(super) fn plain(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(SAID_CHARS_MAX).map(printable).collect()
}

/// An error with all its causes, in one line.
pub(in crate::simulate) fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_write_a_line_of_its_own() {
        let said = plain("no\n\u{1b}[2Jline");

        assert!(!said.contains(['\n', '\u{1b}']));
        assert_eq!(plain(&"x".repeat(1_000)).len(), SAID_CHARS_MAX);
    }

    #[test]
    fn an_error_is_told_by_its_status_its_type_and_its_detail() {
        let scim = error_of(409, br#"{"scimType": "uniqueness", "detail": "there is one"}"#);
        let other = error_of(502, b"<html>Bad gateway</html>");

        assert_eq!(scim, ("409 uniqueness".to_owned(), "there is one".to_owned()));
        assert_eq!(other, ("502".to_owned(), String::new()));
    }
}
