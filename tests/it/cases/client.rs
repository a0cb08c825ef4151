//! The HTTP client of the cases: SCIM headers by default, each of them replaceable.
//!
//! It follows no redirect and uses no proxy, so a case sees the server's own answer.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

/// How long one answer may take; Entra itself gives up after 60 s.
const ANSWER_SECS_MAX: u64 = 30;

/// How much of a body an error message shows.
const BRIEF_BYTES_MAX: usize = 300;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Response {
    /// The HTTP status code.
    pub(super) status: u16,
    /// The headers, names in lower case; of a repeated one, the last.
    pub(super) headers: BTreeMap<String, String>,
    /// The body, where it is JSON.
    pub(super) json: Option<Value>,
    raw: Vec<u8>,
}

impl Response {
    /// Status and start of the body, for an error message.
    pub(super) fn brief(&self) -> String {
        let shown = &self.raw[..self.raw.len().min(BRIEF_BYTES_MAX)];
        format!("HTTP {} {}", self.status, String::from_utf8_lossy(shown))
    }
}

/// One request, its placeholders already filled in.
#[derive(Debug, Default)]
pub(super) struct Outgoing<'a> {
    /// The HTTP method.
    pub(super) method: &'a str,
    /// The path below the base URL, not yet percent-encoded.
    pub(super) path: &'a str,
    /// The query as it goes on the wire, without the question mark.
    pub(super) query: String,
    /// Headers to set, or to leave out where there is no value.
    pub(super) headers: Vec<(String, Option<String>)>,
    /// The body.
    pub(super) body: Option<Vec<u8>>,
}

/// Sends requests to one SCIM base URL.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
    token: String,
}

impl Client {
    pub(super) fn new(base_url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(ANSWER_SECS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap_or_else(|error| panic!("cannot make an HTTP client: {}", chain(&error)));
        Self { http, base_url: base_url.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// Whether requests carry a bearer token.
    pub(super) fn has_token(&self) -> bool {
        !self.token.is_empty()
    }

    /// Sends a GET with the default headers.
    pub(super) async fn get(&self, path: &str) -> Result<Response, String> {
        self.send(Outgoing { method: "GET", path, ..Outgoing::default() }).await
    }

    /// Sends a DELETE with the default headers.
    pub(super) async fn delete(&self, path: &str) -> Result<Response, String> {
        self.send(Outgoing { method: "DELETE", path, ..Outgoing::default() }).await
    }

    /// Sends one request and reads the whole answer; the error has the whole chain of causes.
    pub(super) async fn send(&self, outgoing: Outgoing<'_>) -> Result<Response, String> {
        let Outgoing { method, path, query, headers, body } = outgoing;
        let mut url = format!("{}{}", self.base_url, encode(path, "/:@!$&'()*+,;=-._~%"));
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }

        let mut fields = vec![("Accept".to_owned(), "application/scim+json".to_owned())];
        if self.has_token() {
            fields.push(("Authorization".to_owned(), format!("Bearer {}", self.token)));
        }
        if body.is_some() {
            fields.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
        }
        for (name, value) in headers {
            fields.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            fields.extend(value.map(|value| (name, value)));
        }

        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|error| format!("no method {method:?}: {error}"))?;
        let mut request = self.http.request(method, url);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        self.receive(request).await.map_err(|error| format!("transport: {}", chain(&error)))
    }

    async fn receive(&self, request: reqwest::RequestBuilder) -> Result<Response, reqwest::Error> {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let headers =
            answer.headers().iter().map(|(name, v)| (name.as_str().to_owned(), text(v))).collect();
        let raw = answer.bytes().await?.to_vec();
        let json = serde_json::from_slice(&raw).ok();
        Ok(Response { status, headers, json, raw })
    }
}

/// Percent-encodes everything but letters, digits, `-._~` and `safe` (RFC 3986, section 2).
pub(super) fn encode(text: &str, safe: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let kept = char::from(byte);
        if kept.is_ascii_alphanumeric() || "-._~".contains(kept) || safe.contains(kept) {
            encoded.push(kept);
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn only_unreserved_and_safe_characters_stay_as_they_are() {
        assert_eq!(encode("a b/ü%20~", "/%"), "a%20b/%C3%BC%20~");
        assert_eq!(encode("userName eq \"x\"", ""), "userName%20eq%20%22x%22");
    }
}
