//! `/tenants/{t}/requests`: what the directory sent and what it got; one request with its bodies;
//! the requests of a wave as a file.

use std::sync::Arc;

use access::redact::{Omitted, REDACTED};
use access::traffic::is_failure;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::Value;
use store::{ReadError, Snapshot, TenantKey};

use super::filters::{self, readable};
use super::forms::percent_encode;
use super::page::{Layout, Shown, render};
use super::visitor::Visitor;
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::admin::requests::{self, RecordPlace, ShownBody, ShownRequest, Wanted};
use crate::app::App;

/// Requests on a page.
const ON_A_PAGE: usize = 50;
/// Bytes of a body that are written out; the rest is in the download, or nowhere.
const SHOWN_BYTES_MAX: usize = 32 << 10;
/// A part of a path that is as long is an id.
const LONG_PART: usize = 24;
/// What can be asked for, and how it is called.
const METHODS: [&str; 5] = ["GET", "POST", "PATCH", "PUT", "DELETE"];
const STATUSES: [(&str, &str); 6] = [
    ("2xx", "done (2xx)"),
    ("409", "name taken (409)"),
    ("404", "not found (404)"),
    ("429", "too fast (429)"),
    ("4xx", "refused (4xx)"),
    ("5xx", "failed (5xx)"),
];

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    layout: Layout,
    home: String,
    asked: Asked,
    rows: Vec<Row>,
    /// The next page, and the first one if this is another.
    next: Option<String>,
    first: Option<String>,
    dropped: u64,
    is_recording: bool,
}

/// What was asked for, to be written into the form again.
struct Asked {
    q: String,
    method: String,
    status: String,
    wave: String,
    errors: bool,
}

struct Row {
    request: ShownRequest,
    what: &'static str,
    answer: String,
    /// The user or group, by name if there still is one.
    about: Option<String>,
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let asked = Asked::read(&parameters);
    let before: Option<RecordPlace> = parameters.cursor()?;
    let wanted = Wanted::read(&parameters)?;
    let page = requests::newest(&app, &tenant, wanted, before, ON_A_PAGE).await?;
    let snapshot = tenant.shared().snapshot()?;
    let rows =
        page.items.into_iter().map(|request| Row::from(request).named(&snapshot, tenant.key()));
    let rows = rows.collect::<Result<_, _>>()?;
    let layout = Layout::of_tenant(&visitor, &tenant, "Requests")?;
    let home = format!("/tenants/{}", tenant.shared().id);
    let here = format!("{home}/requests?{}", asked.query());
    render(&RequestsPage {
        layout: if before.is_none() { layout.live() } else { layout },
        next: page.next_cursor.map(|next| format!("{here}&cursor={}", percent_encode(&next))),
        first: before.map(|_| here.clone()),
        home,
        asked,
        rows,
        dropped: page.dropped,
        is_recording: page.is_recording,
    })
}

impl Asked {
    fn read(parameters: &Parameters) -> Self {
        let text = |name: &str| parameters.get(name).unwrap_or_default().trim().to_owned();
        Self {
            q: text("q"),
            method: text("method").to_ascii_uppercase(),
            status: text("status"),
            wave: text("wave"),
            errors: parameters.get("errors") == Some("true"),
        }
    }

    fn is_filtered(&self) -> bool {
        let texts = [&self.q, &self.method, &self.status, &self.wave];
        self.errors || texts.iter().any(|text| !text.is_empty())
    }

    fn query(&self) -> String {
        let texts = [
            ("q", &self.q),
            ("method", &self.method),
            ("status", &self.status),
            ("wave", &self.wave),
        ];
        let mut parts: Vec<String> = texts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name}={}", percent_encode(text)))
            .collect();
        if self.errors {
            parts.push("errors=true".to_owned());
        }
        parts.join("&")
    }
}

impl Row {
    /// The same, with what the user or group is called now, where the request does not tell.
    fn named(mut self, snapshot: &Snapshot, tenant: TenantKey) -> Result<Self, ReadError> {
        let id = self.request.resource.as_deref().filter(|_| self.request.subject.is_none());
        let record = match (id, self.request.resource_type.as_deref()) {
            (Some(id), Some("Group")) => match id.parse() {
                Ok(id) => snapshot.group(tenant, id)?,
                Err(_) => None,
            },
            (Some(id), Some("User")) => match id.parse() {
                Ok(id) => snapshot.user(tenant, id)?,
                Err(_) => None,
            },
            _ => None,
        };
        self.about = record.map(|record| record.name).or(self.about);
        Ok(self)
    }
}

impl Row {
    /// Whether it failed for the directory: that a look-up finds nothing is as it should be.
    fn is_failure(&self) -> bool {
        let request = &self.request;
        let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
        let is_write = !is_read && !request.path.ends_with("/.search");
        let refused = |status| is_failure(status, is_write, request.method == "DELETE");
        request.status.is_none_or(refused) || request.failed_operations > 0
    }

    /// How its answer is marked.
    fn class(&self) -> &'static str {
        match (self.is_failure(), self.request.is_error) {
            (true, _) => "bad",
            (false, true) => "",
            (false, false) => "ok",
        }
    }

    /// The path without most of the ids in it.
    fn short_path(&self) -> String {
        let short = |part: &str| match part.len() {
            LONG_PART.. => filters::shortened(part, 8),
            _ => part.to_owned(),
        };
        self.request.path.split('/').map(short).collect::<Vec<_>>().join("/")
    }
}

impl From<ShownRequest> for Row {
    fn from(request: ShownRequest) -> Self {
        let (what, answer) = (what(&request), answer_words(request.status));
        let about = request.subject.clone().or_else(|| request.resource.clone());
        Self { request, what, answer, about }
    }
}

/// What a request asks for, in words.
fn what(request: &ShownRequest) -> &'static str {
    let is_search = request.path.ends_with("/.search");
    let about = (request.method.as_str(), request.resource_type.as_deref());
    match about {
        ("POST", _) if is_search => "Search",
        ("POST", None) if request.path.trim_matches('/') == "Bulk" => "Do several things at once",
        ("POST", Some("User")) => "Create a user",
        ("POST", Some("Group")) => "Create a group",
        ("PATCH", Some("User")) => "Change a user",
        ("PATCH", Some("Group")) => "Change a group",
        ("PUT", Some("User")) => "Replace a user",
        ("PUT", Some("Group")) => "Replace a group",
        ("DELETE", Some("User")) => "Delete a user",
        ("DELETE", Some("Group")) => "Delete a group",
        ("GET" | "HEAD", Some("User")) if request.resource.is_some() => "Read a user",
        ("GET" | "HEAD", Some("Group")) if request.resource.is_some() => "Read a group",
        ("GET" | "HEAD", Some("User")) => "Look for users",
        ("GET" | "HEAD", Some("Group")) => "Look for groups",
        ("GET" | "HEAD", _) => "Read what is offered",
        _ => "Something else",
    }
}

/// A status, with what it is called.
fn answer_words(status: Option<u16>) -> String {
    let Some(status) = status else { return "no answer".to_owned() };
    let known = StatusCode::from_u16(status).ok();
    let reason = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!("{status} {reason}").trim_end().to_owned()
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    layout: Layout,
    home: String,
    row: Row,
    /// The account, if it is about a user who has one.
    account: Option<String>,
    duration: String,
    bodies: [Body; 2],
}

/// A body, to be read.
struct Body {
    heading: &'static str,
    id: &'static str,
    kept: ShownBody,
    /// Its text in pieces; between two of them something was taken out.
    pieces: Vec<String>,
    /// Whether not all that is kept is written out.
    is_shortened: bool,
}

/// One request.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, request)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let whole = requests::one(&app, &tenant, &request).await?;
    let layout = Layout::of_tenant(&visitor, &tenant, "Request")?;
    let account = match whole.request.resource.as_deref().and_then(|id| id.parse().ok()) {
        Some(id) => tenant.shared().snapshot()?.account(tenant.key(), id)?,
        None => None,
    };
    let row = Row::from(whole.request).named(&tenant.shared().snapshot()?, tenant.key())?;
    render(&RequestPage {
        layout,
        home: format!("/tenants/{}", tenant.shared().id),
        account: account.map(|account| account.id.to_string()),
        duration: format!("{:.1} ms", row.request.duration_ms),
        row,
        bodies: [
            Body::new("What was sent", "sent", whole.request_body),
            Body::new("What was answered", "answered", whole.answer_body),
        ],
    })
}

/// The requests of a wave, as a file.
pub(super) async fn download(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, wave)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(requests::start_download(&app, &tenant, &wave, Some(Arc::clone(visitor.session())))?)
}

impl Body {
    fn new(heading: &'static str, id: &'static str, kept: ShownBody) -> Self {
        let all = kept.text.as_deref().unwrap_or_default();
        // Cut bodies are no JSON any more, and are shown as they came.
        let parsed: Option<Value> = serde_json::from_str(all).ok();
        let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
        let mut text = pretty.unwrap_or_else(|| all.to_owned());
        let is_shortened = text.len() > SHOWN_BYTES_MAX;
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
        let lines: Vec<String> = text.lines().map(readable).collect();
        let text = lines.join("\n");
        let pieces = if text.is_empty() {
            Vec::new()
        } else {
            text.split(REDACTED).map(str::to_owned).collect()
        };
        Self { heading, id, kept, pieces, is_shortened }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        let shown = ShownBody {
            size: text.len() as u64,
            text: Some(text.to_owned()),
            is_cut: false,
            is_redacted: false,
            omitted: None,
        };
        Body::new("x", "x", shown)
    }

    #[test]
    fn bodies_are_laid_out_and_show_where_something_was_taken_out() {
        let shown = body("{\"a\":\"b\\u202ec\",\"password\":\"(redacted)\"}");
        assert_eq!(shown.pieces.len(), 2);
        assert_eq!(shown.pieces[0], "{\n  \"a\": \"b\u{fffd}c\",\n  \"password\": \"");
        let long = body(&"x".repeat(100_000));
        assert!(long.is_shortened && long.pieces[0].len() == SHOWN_BYTES_MAX);
        assert!(body("").pieces.is_empty());
    }

    #[test]
    fn what_was_asked_for_is_asked_for_on_the_next_page_too() {
        let query = "q=a%26b&errors=true&method=patch";
        let asked = Asked::read(&Parameters::read(Some(query)));
        assert_eq!(asked.query(), "q=a%26b&method=PATCH&errors=true");
        assert!(asked.is_filtered());
        assert!(!Asked::read(&Parameters::read(None)).is_filtered());
    }
}
