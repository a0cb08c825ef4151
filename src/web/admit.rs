//! Who is let in: session, tenant, origin and CSRF token, before any handler is called.
//!
//! A session that is bound to a tenant gets that tenant's pages and no other: what is another's
//! and what is not there look the same. Whatever changes something must come from a page of ours
//! (`Origin`, `Sec-Fetch-Site`) and bring the session's CSRF token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{COOKIE, HOST, ORIGIN, REFERER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::IntoResponse;
use store::setup_link::{SetupLink, setup_link_key};

use super::forms::{Fields, percent_encode};
use super::page::{Refused, see_other};
use super::sessions::{Notice, Session, Who};
use super::visitor::Visitor;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::answer::Answer;
use crate::app::App;
use crate::http::body;

/// Bytes in the body of a form.
const FORM_BYTES_MAX: usize = 256 << 10;
/// The name of the session's cookie; with TLS, one that no other host or path can set.
const COOKIE_NAME: &str = "slackwater";
const COOKIE_NAME_TLS: &str = "__Host-slackwater";
/// What the script sends when it asks for its page again.
const LOOKS_AGAIN: &str = "x-look-again";
const OUT_OF_DATE: &str =
    "This page was out of date. Go back, load it again, and send the form once more.";

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anyone, logged in or not.
    Anyone,
    /// Anyone who is logged in.
    Session,
    /// Operators, and whoever opened a setup link of the tenant in the path.
    Tenant,
    /// Operators.
    Operator,
}

/// How a route's request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GET: nothing is changed.
    Page,
    /// POST of a form, with the CSRF token among its fields.
    Act,
    /// POST of a file, with the CSRF token in the query.
    Upload,
}

/// What a route demands.
#[derive(Clone)]
pub struct Demand {
    pub(super) app: App,
    pub(super) audience: Audience,
    pub(super) kind: Kind,
}

/// Lets a request in, or answers why not.
pub async fn admit(
    State(demand): State<Demand>,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Answer {
    let app = &demand.app;
    let found = session(app, request.headers());
    let back = request.uri().clone();
    let changes = demand.kind != Kind::Page;
    if changes && !comes_from_us(app, request.headers()) {
        return refuse(StatusCode::FORBIDDEN, "This was sent from another site.");
    }
    let session = match found {
        Ok(session) => session,
        Err(problem) => return Refused::from(problem).into_response(),
    };
    if demand.audience == Audience::Anyone {
        return match with_fields(demand.kind, request).await {
            Ok((request, _)) => next.run(request).await,
            Err(problem) => Refused::from(problem).into_response(),
        };
    }
    let Some(session) = session else { return to_login(&back, changes) };
    if !is_for(demand.audience, &session.who, &parameters) {
        return refuse(StatusCode::NOT_FOUND, "There is nothing at this address.");
    }
    let (request, sent) = match with_fields(demand.kind, request).await {
        Ok(read) => read,
        Err(problem) => return Refused::from(problem).into_response(),
    };
    if changes && !is_token_of(&session, &sent) {
        return refuse(StatusCode::FORBIDDEN, OUT_OF_DATE);
    }
    // A form may take long to come: who was let in may have been shown out since.
    if changes {
        match still_counts(app, &session) {
            Ok(true) => {}
            Ok(false) => return to_login(&back, true),
            Err(problem) => return Refused::from(problem).into_response(),
        }
    }
    let mut request = request;
    let from = changes.then(|| own_referer(app, request.headers())).flatten();
    let visitor = Visitor::new(Arc::clone(&session), &request, looks_again(request.headers()));
    request.extensions_mut().insert(visitor);
    let answer = next.run(request).await;
    // A form that was refused is shown again, with the reason on it.
    match (answer.extensions().get::<Problem>(), from) {
        (Some(problem), Some(from)) if problem.is_clients() => {
            session.notify(Notice { is_error: true, text: problem.sentence() });
            see_other(&from)
        }
        _ => answer,
    }
}

/// The session that a request's cookie names, if it is live. That of a setup link lives as long as
/// its link counts.
pub(super) fn session(app: &App, headers: &HeaderMap) -> Result<Option<Arc<Session>>, Problem> {
    let Some(id) = cookie(app, headers) else { return Ok(None) };
    let now = app.service().clock().now();
    let is_used = !looks_again(headers);
    let Some(session) = app.sessions().find(id, now, is_used) else { return Ok(None) };
    let counts = counts(app, &session.who)?;
    if !counts {
        app.sessions().end(id);
    }
    Ok(counts.then_some(session))
}

/// Whether a page asks for itself again because something has changed: nobody has done anything,
/// and nobody reads what comes, but for the parts that move.
fn looks_again(headers: &HeaderMap) -> bool {
    headers.contains_key(LOOKS_AGAIN)
}

/// Whether a session has neither ended nor lost its reason to be.
pub(crate) fn still_counts(app: &App, session: &Session) -> Result<bool, Problem> {
    let now = app.service().clock().now();
    Ok(session.is_live(now) && counts(app, &session.who)?)
}

/// Whether a session's reason to be still holds.
fn counts(app: &App, who: &Who) -> Result<bool, Problem> {
    let Who::Setup { tenant, link, .. } = who else { return Ok(true) };
    let snapshot = app.service().store().snapshot()?;
    let Some(tenant) = snapshot.tenant(tenant)? else { return Ok(false) };
    let kept = snapshot.document::<SetupLink>(tenant.key, &setup_link_key(*link))?;
    let now = app.service().clock().now();
    Ok(kept.is_some_and(|kept| kept.value.counts_at(now)))
}

fn is_for(audience: Audience, who: &Who, parameters: &RawPathParams) -> bool {
    match (audience, who) {
        (Audience::Anyone | Audience::Session, _) | (_, Who::Operator) => true,
        (Audience::Operator, Who::Setup { .. }) => false,
        (Audience::Tenant, Who::Setup { tenant, .. }) => {
            let mut named = parameters.iter().filter(|(name, _)| *name == "tenant");
            named.next().is_some_and(|(_, value)| value == tenant.as_str())
        }
    }
}

/// The same request with the fields of its form, and the CSRF token that it brings.
async fn with_fields(kind: Kind, request: Request) -> Result<(Request, String), Problem> {
    let (mut parts, body) = request.into_parts();
    match kind {
        Kind::Page => Ok((Request::from_parts(parts, body), String::new())),
        Kind::Upload => {
            let query = Parameters::read(parts.uri.query());
            let sent = query.get("csrf").unwrap_or_default().to_owned();
            Ok((Request::from_parts(parts, body), sent))
        }
        Kind::Act => {
            let fields = Fields::read(&body::read(body, FORM_BYTES_MAX).await?)?;
            let sent = fields.text("csrf").to_owned();
            parts.extensions.insert(fields);
            Ok((Request::from_parts(parts, Body::empty()), sent))
        }
    }
}

fn is_token_of(session: &Session, sent: &str) -> bool {
    store::token::same(&store::token::sha256(sent), &store::token::sha256(&session.csrf))
}

/// Whether a request that changes something was made by a page of ours, or by no page at all: then
/// nobody's cookie was sent behind their back.
fn comes_from_us(app: &App, headers: &HeaderMap) -> bool {
    let from_elsewhere =
        headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let origin = headers.get(ORIGIN);
    !from_elsewhere && origin.is_none_or(|origin| is_own(app, headers, origin))
}

/// Whether an origin is the one that the request was sent to, or the configured one.
fn is_own(app: &App, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let host = origin.split_once("://").map(|(_, host)| host);
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
    let configured = app.public_origin();
    configured.is_some_and(|configured| configured.eq_ignore_ascii_case(origin))
        || host.zip(asked).is_some_and(|(host, asked)| host.eq_ignore_ascii_case(asked))
}

/// The page of ours that a form was on: its path and query.
fn own_referer(app: &App, headers: &HeaderMap) -> Option<String> {
    let referer: Uri = headers.get(REFERER)?.to_str().ok()?.parse().ok()?;
    let origin = format!("{}://{}", referer.scheme_str()?, referer.authority()?);
    let is_own = is_own(app, headers, &HeaderValue::from_str(&origin).ok()?);
    is_own.then(|| referer.path_and_query().map(ToString::to_string))?
}

fn to_login(back: &Uri, changes: bool) -> Answer {
    match back.path_and_query() {
        Some(back) if !changes && back.as_str() != "/" => {
            see_other(&format!("/login?next={}", percent_encode(back.as_str())))
        }
        _ => see_other("/login"),
    }
}

fn refuse(status: StatusCode, words: &str) -> Answer {
    Refused::from(Problem::new(status, words)).into_response()
}

// --- the cookie ----------------------------------------------------------------------------------

/// Whether people reach us by TLS.
fn is_secure(app: &App) -> bool {
    app.public_origin().is_some_and(|origin| origin.starts_with("https://"))
}

fn cookie<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let name = if is_secure(app) { COOKIE_NAME_TLS } else { COOKIE_NAME };
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// The header that gives a session's cookie; an empty id takes it back.
pub(super) fn set_cookie(app: &App, id: &str) -> HeaderValue {
    let (name, secure) =
        if is_secure(app) { (COOKIE_NAME_TLS, "; Secure") } else { (COOKIE_NAME, "") };
    let age = if id.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Ends the session of these headers.
pub(super) fn end_session(app: &App, headers: &HeaderMap) {
    if let Some(id) = cookie(app, headers) {
        app.sessions().end(id);
    }
}

/// Whether somebody is logged in already.
pub(super) fn is_logged_in(app: &App, headers: &HeaderMap) -> bool {
    session(app, headers).is_ok_and(|session| session.is_some())
}

/// Methods that a kind of route takes.
pub(super) const fn method(kind: Kind) -> Method {
    match kind {
        Kind::Page => Method::GET,
        Kind::Act | Kind::Upload => Method::POST,
    }
}
