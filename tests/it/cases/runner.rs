//! Runs one case: its setup, its parallel requests, the request under test, the follow-ups.
//!
//! - `setup`: each request must answer 2xx, unless it has an `expect` of its own.
//! - `parallel`: requests sent at the same time, after the setup, under the same rule.
//! - `request`: the one under test, checked against the case's `expect`.
//! - `then`: follow-ups with their own `expect` (else 200); `when` runs one only where the main
//!   request answered with one of these statuses. The first that fails is the last.
//!
//! A request has `method`, `path`, `query` or `rawQuery`, `headers`, `body` or `rawBody`,
//! `capture` (`{"u": "id"}` makes `{{u.id}}`; `"header:ETag"` makes `{{u.etag}}`) and, in the
//! setup, `repeat` (`{{i}}` counts from 1). Whatever a case created is deleted at its end, also
//! when it failed.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::{Client, Outgoing, Response, encode};
use super::expectation::Expectation;
use super::path::resolve;
use super::placeholder::{Environment, Unresolved, written_out};

/// A case of the corpus.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    /// Names the case; unique.
    pub(super) id: String,
    /// The features of `/ServiceProviderConfig` it needs.
    #[serde(default)]
    pub(super) requires: Vec<String>,
    #[serde(default)]
    setup: Vec<Request>,
    #[serde(default)]
    parallel: Vec<Request>,
    request: Option<Request>,
    #[serde(default)]
    expect: Expectation,
    #[serde(default)]
    then: Vec<Request>,
}

/// A request of a case, with its placeholders.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    query: Map<String, Value>,
    raw_query: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    raw_body: Option<String>,
    #[serde(default)]
    capture: BTreeMap<String, Fields>,
    repeat: Option<u32>,
    expect: Option<Expectation>,
    when: Option<Vec<u16>>,
}

/// What is captured from one answer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Fields {
    One(String),
    Many(Vec<String>),
}

impl Fields {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// A `body` of `null` is a body.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// One run of one case.
#[derive(Debug)]
pub(super) struct CaseRun<'a> {
    client: &'a Client,
    case: &'a Case,
    environment: Environment,
    created: Vec<String>,
}

impl<'a> CaseRun<'a> {
    pub(super) fn new(client: &'a Client, case: &'a Case) -> Self {
        Self { client, case, environment: Environment::random(), created: Vec::new() }
    }

    /// Runs the case and cleans up; answers what the server did wrong.
    pub(super) async fn run(mut self) -> Vec<String> {
        let errors = match self.steps().await {
            Ok(errors) => errors,
            Err(error) => vec![error],
        };
        for path in self.created.iter().rev() {
            // Most cases have deleted some of it themselves; what is left over harms no other.
            let _ = self.client.delete(path).await;
        }
        errors
    }

    /// `Err` where a step before or around the request under test went wrong.
    async fn steps(&mut self) -> Result<Vec<String>, String> {
        let case = self.case;
        for (number, request) in case.setup.iter().enumerate() {
            for i in 1..=request.repeat.unwrap_or(1) {
                self.environment.set("i", i.to_string().into());
                let response = self.send(request).await;
                self.settle(request, response, &format!("setup[{number}]"))?;
            }
        }

        let answers = join_all(case.parallel.iter().map(|one| self.exchange(one))).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| self.note(answer)).collect();
        for (number, (request, response)) in case.parallel.iter().zip(answers).enumerate() {
            self.settle(request, response, &format!("parallel[{number}]"))?;
        }

        let mut status = None;
        if let Some(request) = &case.request {
            let response = self.send(request).await?;
            status = Some(response.status);
            let errors = case.expect.errors(&response, &self.environment);
            self.capture(request, &response)?;
            if !errors.is_empty() {
                return Ok(errors);
            }
        }

        for (number, request) in case.then.iter().enumerate() {
            let skipped = |when: &Vec<u16>| !status.is_some_and(|status| when.contains(&status));
            if request.when.as_ref().is_some_and(skipped) {
                continue;
            }
            let response = self.send(request).await?;
            let fine = Expectation::of_status(200);
            let expect = request.expect.as_ref().filter(|e| !e.is_empty()).unwrap_or(&fine);
            let errors = expect.errors(&response, &self.environment);
            self.capture(request, &response)?;
            if !errors.is_empty() {
                let Request { method, path, .. } = request;
                let place = |error| format!("then[{number}] {method} {path}: {error}");
                return Ok(errors.into_iter().map(place).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Checks the answer to a setup or parallel request, and captures from it.
    fn settle(
        &mut self,
        request: &Request,
        response: Result<Response, String>,
        label: &str,
    ) -> Result<(), String> {
        let response = response?;
        let errors = match &request.expect {
            Some(expect) => expect.errors(&response, &self.environment),
            None if (200..300).contains(&response.status) => Vec::new(),
            None => vec![format!("status {}", response.brief())],
        };
        if errors.is_empty() {
            return self.capture(request, &response);
        }
        let Request { method, path, .. } = request;
        Err(format!("{label} ({method} {path}): {}", errors.join("; ")))
    }

    async fn send(&mut self, request: &Request) -> Result<Response, String> {
        let answer = self.exchange(request).await;
        self.note(answer)
    }

    /// Fills in and sends a request; answers the path it went to as well.
    async fn exchange(&self, request: &Request) -> Result<(String, Response), String> {
        let fill = |text: &str| self.environment.fill_text(text, Unresolved::Refuse);
        let fill_value = |value: &Value| self.environment.fill(value, Unresolved::Refuse);

        let path = fill(&request.path)?;
        let query = if let Some(raw) = &request.raw_query {
            fill(raw)?
        } else {
            let mut pairs = Vec::new();
            for (name, value) in &request.query {
                let value = written_out(&fill_value(value)?);
                pairs.push(format!("{}={}", encode(name, ""), encode(&value, "")));
            }
            pairs.join("&")
        };
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let value = if value.is_null() { None } else { Some(written_out(&fill_value(value)?)) };
            headers.push((name.clone(), value));
        }
        let body = match (&request.raw_body, &request.body) {
            (Some(raw), _) => Some(fill(raw)?.into_bytes()),
            (None, Some(body)) => Some(fill_value(body)?.to_string().into_bytes()),
            (None, None) => None,
        };
        let outgoing = Outgoing { method: &request.method, path: &path, query, headers, body };
        let response = self.client.send(outgoing).await?;
        Ok((path, response))
    }

    /// Remembers what an answer says was created, for the clean-up.
    fn note(&mut self, answer: Result<(String, Response), String>) -> Result<Response, String> {
        let (path, response) = answer?;
        let Some(json) = &response.json else { return Ok(response) };
        let collection = path.split('?').next().unwrap_or_default();
        if response.status == 201 && ["/Users", "/Groups"].contains(&collection) {
            let id = json.get("id").and_then(Value::as_str);
            self.created.extend(id.map(|id| format!("{collection}/{}", encode(id, ""))));
        }
        if response.status == 200 && path == "/Bulk" {
            let operations = json.get("Operations").and_then(Value::as_array);
            self.created.extend(operations.into_iter().flatten().filter_map(created_in_bulk));
        }
        Ok(response)
    }

    fn capture(&mut self, request: &Request, response: &Response) -> Result<(), String> {
        for (name, fields) in &request.capture {
            let name = self.environment.fill_text(name, Unresolved::Keep)?;
            for field in fields.names() {
                let (key, value) = if let Some(header) = field.strip_prefix("header:") {
                    let header = header.to_lowercase();
                    (
                        format!("{name}.{header}"),
                        response.headers.get(&header).cloned().map(Value::from),
                    )
                } else {
                    let json = response.json.as_ref();
                    let found = json.map(|json| resolve(json, field)).transpose()?.flatten();
                    (format!("{name}.{field}"), found.cloned())
                };
                if let Some(value) = value {
                    self.environment.set(key, value);
                }
            }
        }
        Ok(())
    }
}

/// The path of what a bulk operation created, from the end of its location.
fn created_in_bulk(operation: &Value) -> Option<String> {
    let status = operation.get("status").map(written_out)?;
    let location = operation.get("location")?.as_str()?;
    let mut ends = location.trim_end_matches('/').rsplit('/');
    let (id, collection) = (ends.next()?, ends.next()?);
    status.starts_with("201").then(|| format!("/{collection}/{id}"))
}
