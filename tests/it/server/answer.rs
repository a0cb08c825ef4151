//! What came back.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(answer: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Self { status, headers, body: answer.bytes().await?.to_vec() })
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The body.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The resource's id.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A SCIM error with this status, and `scimType` where one is named.
    #[track_caller]
    pub(crate) fn expect_scim_error(self, status: u16, scim_type: Option<&str>) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/scim+json", "{answer:?}");
        let body = answer.json();
        let schemas = serde_json::json!(["urn:ietf:params:scim:api:messages:2.0:Error"]);
        assert_eq!(body["schemas"], schemas, "{answer:?}");
        assert_eq!(body["status"], status.to_string(), "{answer:?}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:?}");
        if let Some(scim_type) = scim_type {
            assert_eq!(body["scimType"], scim_type, "{answer:?}");
        }
        answer
    }

    /// A problem (RFC 9457) with this status, whose detail says `word`.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, word: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        let body = answer.json();
        assert_eq!(body["status"], status, "{answer:?}");
        assert!(body["title"].is_string(), "{answer:?}");
        assert!(body["detail"].as_str().is_some_and(|d| d.contains(word)), "{word}: {answer:?}");
        answer
    }

    /// Everything that a client could tell answers apart by.
    pub(crate) fn fingerprint(&self) -> String {
        let own = ["date", "x-request-id"];
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        let body = String::from_utf8_lossy(&self.body);
        format!("{}\n{}\n\n{body}", self.status, headers.join("\n"))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}
