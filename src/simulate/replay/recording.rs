//! Reading a recording: the JSON lines of one wave, as the service hands them out for download.
//!
//! What cannot be sent again is left out and counted: bodies that were cut or not kept, requests
//! whose address was redacted, and requests that were put off (429, 5xx, no answer), since the
//! directory sent those again itself. Redacted values are taken out of bodies, and counted too.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use access::redact::REDACTED;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;

/// Bytes of one recording: all of it is held in memory.
const RECORDING_BYTES_MAX: u64 = 1 << 30;
/// Methods that a directory uses.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large to be held in memory.
    #[error("{} has more than {} MB", path.display(), RECORDING_BYTES_MAX >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is not what the service writes.
    #[error("{}, line {line}: not a recorded request", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A request that is sent again.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// When, counted from the first request of the first recording. The time between two
    /// recordings is left out.
    pub(super) offset: Duration,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub(super) method: &'static str,
    /// Behind the tenant, such as `/Users`.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) body: Option<Value>,
    /// What it was answered.
    pub(super) status: u16,
    /// The id of the user or group; of a create, the one that it was given.
    pub(super) resource: Option<String>,
}

impl Step {
    /// The id that the first service gave in answer to this.
    pub(super) fn made(&self) -> Option<&str> {
        (self.method == "POST" && self.status == 201).then_some(self.resource.as_deref()?)
    }
}

/// What a replay does not send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// Requests whose body was cut, or not kept at all.
    pub cut_bodies: u64,
    /// Requests whose path or query was redacted.
    pub redacted_requests: u64,
    /// Values that were redacted, of requests that are sent without them.
    pub redacted_values: u64,
    /// Requests that were put off, by 429, 5xx or no answer.
    pub put_off: u64,
    /// Requests about users and groups that no request of the recording makes.
    pub unknown: u64,
    /// Requests whose method is not one of a directory.
    pub other: u64,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Line {
    offset_ms: i64,
    method: String,
    path: String,
    query: Option<String>,
    body: Option<Value>,
    body_state: String,
    status: Option<u16>,
    /// Lines of older services have none.
    #[serde(default)]
    resource: Option<String>,
}

/// Reads recordings, one after the other.
pub(super) fn read(paths: &[PathBuf]) -> Result<(Vec<Step>, LeftOut), RecordingError> {
    let (mut steps, mut left_out) = (Vec::new(), LeftOut::default());
    let mut begins = Duration::ZERO;
    for path in paths {
        let mut ends = begins;
        for step in read_one(path, begins, &mut left_out)? {
            ends = ends.max(step.offset);
            steps.push(step);
        }
        begins = ends;
    }
    Ok((steps, left_out))
}

fn read_one(
    path: &Path,
    begins: Duration,
    left_out: &mut LeftOut,
) -> Result<Vec<Step>, RecordingError> {
    let unreadable = |source| RecordingError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > RECORDING_BYTES_MAX {
        return Err(RecordingError::TooLarge { path: path.to_owned() });
    }
    // The file may be a pipe, which has no length.
    let lines = BufReader::new(file.take(RECORDING_BYTES_MAX)).lines();
    let mut steps = Vec::new();
    for (at, line) in lines.enumerate() {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let line = parse(&line).map_err(|source| RecordingError::Malformed {
            path: path.to_owned(),
            line: at.saturating_add(1),
            source,
        })?;
        steps.extend(step(line, begins, left_out));
    }
    Ok(steps)
}

/// A line, whose path is one: written behind an address, any other text could lead, with the token,
/// to somewhere else.
fn parse(line: &str) -> Result<Line, serde_json::Error> {
    let line: Line = serde_json::from_str(line)?;
    if line.path.starts_with('/') {
        return Ok(line);
    }
    Err(serde_json::Error::custom("the path does not begin with a slash"))
}

/// What is sent again of a line, if anything is.
fn step(line: Line, begins: Duration, left_out: &mut LeftOut) -> Option<Step> {
    let Line { offset_ms, method, path, query, mut body, body_state, status, resource } = line;
    let Some(status) = status.filter(|status| *status != 429 && *status < 500) else {
        left_out.put_off = left_out.put_off.saturating_add(1);
        return None;
    };
    let Some(method) = METHODS.into_iter().find(|known| *known == method) else {
        left_out.other = left_out.other.saturating_add(1);
        return None;
    };
    if path.contains(REDACTED) || query.as_deref().is_some_and(|query| query.contains(REDACTED)) {
        left_out.redacted_requests = left_out.redacted_requests.saturating_add(1);
        return None;
    }
    if matches!(body_state.as_str(), "cut" | "omitted") {
        left_out.cut_bodies = left_out.cut_bodies.saturating_add(1);
        return None;
    }
    if let Some(body) = &mut body {
        let removed = without_redacted(body);
        left_out.redacted_values = left_out.redacted_values.saturating_add(removed);
    }
    let offset = Duration::from_millis(u64::try_from(offset_ms).unwrap_or(0));
    let offset = begins.saturating_add(offset);
    Some(Step { offset, method, path, query, body, status, resource })
}

/// Takes out what was redacted: an attribute, an element of a list, an operation of a PATCH.
/// Answers how much that was.
fn without_redacted(value: &mut Value) -> u64 {
    let is_redacted = |value: &Value| value.as_str() == Some(REDACTED);
    let is_redacted_operation =
        |value: &Value| value.get("op").is_some() && value.get("value").is_some_and(is_redacted);
    let mut removed = 0_u64;
    match value {
        Value::Object(attributes) => {
            let before = attributes.len();
            attributes.retain(|_, value| !is_redacted(value));
            removed += (before - attributes.len()) as u64;
            removed += attributes.values_mut().map(without_redacted).sum::<u64>();
        }
        Value::Array(elements) => {
            let before = elements.len();
            elements.retain(|value| !is_redacted(value) && !is_redacted_operation(value));
            removed += (before - elements.len()) as u64;
            removed += elements.iter_mut().map(without_redacted).sum::<u64>();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    fn line(changes: &Value) -> String {
        let mut line = json!({
            "offset_ms": 5, "method": "POST", "path": "/Users", "query": null,
            "body": {"userName": "ada"}, "body_state": "whole", "status": 201,
            "resource": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c"
        });
        for (key, value) in changes.as_object().unwrap() {
            line[key] = value.clone();
        }
        line.to_string()
    }

    fn file(lines: &[String]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        file
    }

    #[test]
    fn what_cannot_be_sent_again_is_left_out_and_counted() {
        let file = file(&[
            line(&json!({})),
            line(&json!({"body": null, "body_state": "cut"})),
            line(&json!({"body": null, "body_state": "omitted"})),
            line(&json!({"query": "filter=(redacted)"})),
            line(&json!({"status": 429})),
            line(&json!({"status": 503})),
            line(&json!({"status": null})),
            line(&json!({"method": "TRACE"})),
        ]);

        let (steps, left_out) = read(&[file.path().to_owned()]).unwrap();

        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].made(), Some("01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c"));
        let expected =
            LeftOut { cut_bodies: 2, redacted_requests: 1, put_off: 3, other: 1, ..left_out };
        assert_eq!(left_out, expected);
    }

    #[test]
    fn redacted_values_are_taken_out_and_the_rest_is_sent() {
        let body = json!({
            "userName": "ada", "password": "(redacted)",
            "Operations": [
                {"op": "Add", "path": "password", "value": "(redacted)"},
                {"op": "Add", "path": "title", "value": "x"},
                {"op": "Add", "value": {"password": "(redacted)", "nickName": "a"}},
            ],
        });
        let file = file(&[line(&json!({"body": body, "body_state": "redacted"}))]);

        let (steps, left_out) = read(&[file.path().to_owned()]).unwrap();

        let expected = json!({
            "userName": "ada",
            "Operations": [
                {"op": "Add", "path": "title", "value": "x"},
                {"op": "Add", "value": {"nickName": "a"}},
            ],
        });
        assert_eq!(steps[0].body.as_ref(), Some(&expected));
        assert_eq!(left_out.redacted_values, 3);
    }

    #[test]
    fn a_recording_begins_where_the_one_before_has_ended() {
        let first = file(&[line(&json!({"offset_ms": 1_000})), line(&json!({"offset_ms": 400}))]);
        let second = file(&[line(&json!({"offset_ms": 30}))]);

        let (steps, _) = read(&[first.path().to_owned(), second.path().to_owned()]).unwrap();

        let offsets: Vec<u128> = steps.iter().map(|step| step.offset.as_millis()).collect();
        assert_eq!(offsets, [1_000, 400, 1_030]);
    }

    #[test]
    fn a_path_that_would_lead_to_another_host_is_refused() {
        for path in ["@evil.example/Users", ".evil.example/Users", "Users", ""] {
            let file = file(&[line(&json!({"path": path}))]);

            let error = read(&[file.path().to_owned()]).unwrap_err();

            assert!(matches!(error, RecordingError::Malformed { line: 1, .. }), "{path}");
        }
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        let file = file(&[line(&json!({})), "{\"no\": 1}".to_owned()]);

        let error = read(&[file.path().to_owned()]).unwrap_err();

        assert!(error.to_string().ends_with("line 2: not a recorded request"), "{error}");
        let missing = read(&[PathBuf::from("/no/such/file")]).unwrap_err();
        assert!(missing.to_string().contains("/no/such/file"), "{missing}");
    }
}
