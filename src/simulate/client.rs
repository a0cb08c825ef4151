//! One tenant's SCIM endpoint, as Entra calls it: paced, with a time limit, tried again.
//!
//! A 429 with `Retry-After` pauses the whole tenant; then only what was refused is sent again. A 5xx,
//! a timeout and a lost connection are tried again after growing rests. Both end after a number of
//! tries. After too many failures in a row, or at bad credentials, the tenant is in quarantine and
//! nothing more is sent. What an answer means is not in here.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, redirect};
use serde::Deserialize;

use super::measure::{ErrorSeen, Measure};
use super::operation::Operation;
use super::watch::Watch;

/// How long one try of a request may take: Entra waits no longer.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_mins(1);
/// How long a connection may take to come about.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a request is sent, the first time included.
const TRIES_MAX: u32 = 8;
/// The rest before the second try; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(250);
const REST_MAX: Duration = Duration::from_secs(15);
/// The longest pause that a `Retry-After` is granted.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);
/// Failures for good, one after the other, that end it.
const FAILURES_IN_A_ROW_MAX: u32 = 20;
/// Bytes of an answer that are read: a group of half a million members has room.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Characters of a detail that are kept.
const DETAIL_CHARS_MAX: usize = 200;
/// What Entra sends bodies as.
const SCIM_JSON: &str = "application/scim+json; charset=utf-8";
/// How evenly requests are spread over a second: those of so many milliseconds may come at once.
const BURST_MILLISECONDS: u32 = 20;

/// Makes the connections that all tenants share.
pub fn http() -> Result<reqwest::Client, reqwest::Error> {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("slackwater-simulate/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST_WAIT_MAX)
            .connect_timeout(CONNECT_WAIT_MAX)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
    };
    // A machine without certificates of authorities reaches http addresses all the same.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}

/// A token that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The header that carries it; none if no header can.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The text, without the token wherever it occurs.
    fn strike(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "…") }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

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
}

impl Request {
    /// A GET.
    pub fn get(operation: Operation, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { operation, method: Method::GET, path, body: None, also_fine: None }
    }

    /// A request with a body.
    pub fn with_body(
        operation: Operation,
        method: Method,
        path: impl Into<String>,
        body: &serde_json::Value,
    ) -> Self {
        let body = Some(body.to_string().into());
        Self { operation, method, path: path.into(), body, also_fine: None }
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

/// No answer that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It was tried to the end.
    #[error("given up after {TRIES_MAX} tries, at last: {last}")]
    GivenUp {
        /// What came of the last try.
        last: String,
    },
    /// The tenant is in quarantine: it was not sent.
    #[error("not sent: too many failures in a row, or a refused token")]
    Quarantined,
}

/// One tenant's endpoint.
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    token: Token,
    authorization: HeaderValue,
    pace: Option<DefaultDirectRateLimiter>,
    measure: Arc<Measure>,
    watch: Arc<dyn Watch>,
    tenant: usize,
    started: Instant,
    /// Milliseconds from the start, until which nothing is sent.
    paused_until_ms: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
    failures_in_a_row: AtomicU32,
    quarantined: AtomicBool,
}

/// What a client is made of.
pub struct ClientOptions {
    /// See [`http()`].
    pub http: reqwest::Client,
    /// The tenant's address.
    pub base: String,
    /// The tenant's token.
    pub token: Token,
    /// Requests a second, at most.
    pub rate: Option<NonZeroU32>,
    /// Takes note of answers.
    pub measure: Arc<Measure>,
    /// Hears of answers.
    pub watch: Arc<dyn Watch>,
    /// Which tenant, from 0.
    pub tenant: usize,
}

/// A token that no header can carry.
#[derive(Debug, thiserror::Error)]
#[error("the token holds characters that cannot be sent")]
pub struct BadToken;

/// What came of one try.
enum Tried {
    Answered { status: u16, body: Bytes, retry_after: Option<Duration> },
    Unanswered { kind: &'static str, detail: String },
}

impl Client {
    /// A client that sent nothing yet.
    pub fn new(options: ClientOptions) -> Result<Self, BadToken> {
        let authorization = options.token.header().ok_or(BadToken)?;
        let pace = options.rate.map(|rate| {
            let burst = NonZeroU32::new(rate.get() / (1_000 / BURST_MILLISECONDS));
            let quota = Quota::per_second(rate).allow_burst(burst.unwrap_or(NonZeroU32::MIN));
            RateLimiter::direct(quota)
        });
        Ok(Self {
            http: options.http,
            base: options.base.trim_end_matches('/').to_owned(),
            token: options.token,
            authorization,
            pace,
            measure: options.measure,
            watch: options.watch,
            tenant: options.tenant,
            started: Instant::now(),
            paused_until_ms: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            failures_in_a_row: AtomicU32::new(0),
            quarantined: AtomicBool::new(false),
        })
    }

    /// Requests sent, tries again included, and those that failed for good.
    pub fn counts(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// Whether nothing more is sent.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Sends a request until there is an answer that counts: a success, or a refusal that trying
    /// again does not change.
    pub async fn send(&self, request: Request) -> Result<Answer, SendError> {
        let sent = self.persist(&request).await;
        let fine = sent.as_ref().is_ok_and(|answer| {
            answer.is_success() || answer.is_echo || request.also_fine == Some(answer.status)
        });
        if fine {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        } else if !matches!(sent, Err(SendError::Quarantined)) {
            self.count_failure(sent.as_ref().map_or(0, |answer| answer.status));
        }
        self.watch.answered(self.tenant);
        sent
    }

    fn count_failure(&self, status: u16) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.measure.failed();
        let in_a_row = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let refused = status == 401;
        if (refused || in_a_row >= FAILURES_IN_A_ROW_MAX)
            && !self.quarantined.swap(true, Ordering::Relaxed)
        {
            let why = if refused { "the token was refused" } else { "too many failures in a row" };
            self.watch.line(&format!("tenant {}: in quarantine, {why}", self.tenant));
        }
    }

    async fn persist(&self, request: &Request) -> Result<Answer, SendError> {
        // Whether an earlier try may have been carried out.
        let mut uncertain = false;
        let mut last = String::new();
        for number in 1..=TRIES_MAX {
            self.wait_for_turn().await;
            if self.is_quarantined() {
                return Err(SendError::Quarantined);
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            let tried = self.attempt(request).await;
            let took = began.elapsed();
            let rest = match tried {
                Tried::Answered { status, body, retry_after } => {
                    let error = self.note(request, took, status, &body);
                    if status != 429 && status < 500 {
                        let is_echo = uncertain && status == 409 && request.method == Method::POST;
                        return Ok(Answer { status, body, is_echo });
                    }
                    uncertain |= status != 429;
                    last = error;
                    if let Some(pause) = retry_after.filter(|_| number < TRIES_MAX) {
                        self.pause(pause);
                        self.measure.retried();
                        continue;
                    }
                    rest_after(number)
                }
                Tried::Unanswered { kind, detail } => {
                    let detail = self.token.strike(&detail);
                    let seen = ErrorSeen { kind, detail: &detail };
                    self.measure.note(request.operation, took, Some(&seen));
                    uncertain = true;
                    kind.clone_into(&mut last);
                    rest_after(number)
                }
            };
            if number < TRIES_MAX {
                tokio::time::sleep(rest).await;
                self.measure.retried();
            }
        }
        Err(SendError::GivenUp { last })
    }

    /// Notes an answer. Answers its kind, if it is an error.
    fn note(&self, request: &Request, took: Duration, status: u16, body: &[u8]) -> String {
        if (200..300).contains(&status) || request.also_fine == Some(status) {
            self.measure.note(request.operation, took, None);
            return String::new();
        }
        let said: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let kind = match said.scim_type.as_deref() {
            Some(scim_type) => plain(&format!("{status} {scim_type}")),
            None => status.to_string(),
        };
        let detail = plain(&self.token.strike(&said.detail.unwrap_or_default()));
        let seen = ErrorSeen { kind: &kind, detail: &detail };
        self.measure.note(request.operation, took, Some(&seen));
        kind
    }

    async fn wait_for_turn(&self) {
        loop {
            let until = Duration::from_millis(self.paused_until_ms.load(Ordering::Relaxed));
            let left = until.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left).await;
        }
        if let Some(pace) = &self.pace {
            pace.until_ready().await;
        }
    }

    fn pause(&self, pause: Duration) {
        let until = self.started.elapsed() + pause.min(RETRY_AFTER_MAX);
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.paused_until_ms.fetch_max(until, Ordering::Relaxed);
    }

    async fn attempt(&self, request: &Request) -> Tried {
        let url = format!("{}{}", self.base, request.path);
        let mut building = self
            .http
            .request(request.method.clone(), url)
            .header(AUTHORIZATION, self.authorization.clone());
        if let Some(body) = &request.body {
            building = building
                .header(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON))
                .body(body.clone());
        }
        let answered = async {
            let answer = building.send().await?;
            let status = answer.status().as_u16();
            let retry_after = retry_after(&answer);
            Ok::<_, reqwest::Error>((status, retry_after, read(answer).await?))
        };
        match answered.await {
            Ok((status, retry_after, body)) => Tried::Answered { status, body, retry_after },
            Err(error) => {
                let kind = if error.is_timeout() { "timeout" } else { "connection" };
                let detail = plain(&in_full(&error.without_url()));
                Tried::Unanswered { kind, detail }
            }
        }
    }
}

/// What a SCIM error says (RFC 7644 section 3.12).
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(rename = "scimType")]
    scim_type: Option<String>,
    detail: Option<String>,
}

fn rest_after(tries: u32) -> Duration {
    FIRST_REST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(REST_MAX)
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
fn plain(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(DETAIL_CHARS_MAX).map(printable).collect()
}

fn in_full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_end() {
        let rests: Vec<_> = (1..TRIES_MAX).map(rest_after).collect();

        assert_eq!(rests[0], FIRST_REST);
        assert!(rests.is_sorted());
        assert_eq!(rest_after(u32::MAX), REST_MAX);
    }

    #[test]
    fn a_token_shows_itself_nowhere() {
        let token = Token::new("secret");

        assert_eq!(format!("{token:?}"), "Token");
        assert!(!format!("{:?}", token.header().unwrap()).contains("secret"));
        assert_eq!(token.strike("token secret is unknown"), "token … is unknown");
    }

    #[test]
    fn what_a_server_says_cannot_write_a_line_of_its_own() {
        let said = plain("no\n\u{1b}[2Jline");

        assert!(!said.contains(['\n', '\u{1b}']));
        assert_eq!(plain(&"x".repeat(1_000)).len(), DETAIL_CHARS_MAX);
    }
}
