//! One tenant's SCIM endpoint, as Entra calls it: paced, with a time limit, tried again.
//!
//! A 429 with `Retry-After` pauses the whole tenant; then only what was refused is sent again. A 5xx,
//! a timeout and a lost connection are tried again after growing rests. Both end after a number of
//! tries. After too many failures in a row, or at bad credentials, the tenant is in quarantine and
//! nothing more is sent. What an answer means is not in here.

mod message;
mod token;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, redirect};

pub(super) use self::message::in_full;
pub use self::message::{Answer, Request};
use self::message::{Tried, error_of, plain};
pub use self::token::Token;
use super::measure::{ErrorSeen, Measure};
use super::operation::Operation;
use super::watch::Watch;

/// How long one try of a request may take: Entra waits no longer.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_mins(1);
/// How long a connection may take to come about.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// The rest before the second try; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(250);
const REST_MAX: Duration = Duration::from_secs(15);
/// The longest pause that a `Retry-After` is granted.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);
/// Failures for good, one after the other, that end it.
const FAILURES_IN_A_ROW_MAX: u32 = 20;
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

/// No answer that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It was tried to the end.
    #[error("given up after {tries} tries, at last: {last}")]
    GivenUp {
        /// How often.
        tries: u32,
        /// What came of the last one.
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
        } else if !request.may_fail && !matches!(sent, Err(SendError::Quarantined)) {
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

    /// Counts as a failure what no status tells of: an answer that makes no sense, or something
    /// that could not even be asked for.
    pub fn count_fault(&self, operation: Operation, kind: &str, detail: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.measure.note_fault(operation, &ErrorSeen { kind, detail: &self.safe(detail) });
    }

    async fn persist(&self, request: &Request) -> Result<Answer, SendError> {
        // Whether an earlier try may have been carried out.
        let mut uncertain = false;
        let mut last = String::new();
        for number in 1..=request.tries_max {
            if number > 1 {
                tokio::time::sleep(rest_before(number)).await;
                self.measure.retried();
            }
            self.wait_for_turn().await;
            if self.is_quarantined() {
                return Err(SendError::Quarantined);
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            let tried = self.attempt(request).await;
            let took = began.elapsed();
            match tried {
                Tried::Answered { status, body, retry_after } => {
                    if (200..300).contains(&status) || request.also_fine == Some(status) {
                        self.measure.note(request.operation, took, None);
                    } else {
                        let (kind, detail) = error_of(status, &body);
                        last = self.note_error(request, took, &kind, &detail);
                    }
                    if status != 429 && status < 500 {
                        let is_echo = uncertain && status == 409 && request.method == Method::POST;
                        return Ok(Answer { status, body, is_echo });
                    }
                    uncertain |= status != 429;
                    if let Some(pause) = retry_after {
                        self.pause(pause);
                    }
                }
                Tried::Unanswered { kind, detail } => {
                    last = self.note_error(request, took, kind, &detail);
                    uncertain = true;
                }
            }
        }
        Err(SendError::GivenUp { tries: request.tries_max, last })
    }

    /// Notes a try that was no success. Answers it in words.
    fn note_error(&self, request: &Request, took: Duration, kind: &str, detail: &str) -> String {
        let (kind, detail) = (self.safe(kind), self.safe(detail));
        let seen = ErrorSeen { kind: &kind, detail: &detail };
        self.measure.note(request.operation, took, Some(&seen));
        if detail.is_empty() { kind } else { format!("{kind}: {detail}") }
    }

    /// A text of the server's, which may repeat the token.
    fn safe(&self, text: &str) -> String {
        plain(&self.token.strike(text))
    }

    async fn wait_for_turn(&self) {
        loop {
            let left = self.pause_left();
            if !left.is_zero() {
                tokio::time::sleep(left).await;
            }
            if let Some(pace) = &self.pace {
                pace.until_ready().await;
            }
            // The tenant may have been paused while this waited.
            if self.pause_left().is_zero() {
                return;
            }
        }
    }

    fn pause_left(&self) -> Duration {
        let until = Duration::from_millis(self.paused_until_ms.load(Ordering::Relaxed));
        until.saturating_sub(self.started.elapsed())
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
        Tried::of(building.send().await).await
    }
}

#[cfg(test)]
impl Client {
    /// One for tests that send nothing.
    pub(super) fn idle() -> Self {
        let options = ClientOptions {
            http: http().unwrap(),
            base: "http://127.0.0.1:9".to_owned(),
            token: Token::new("token"),
            rate: None,
            measure: Arc::new(Measure::start()),
            watch: Arc::new(super::watch::Unwatched),
            tenant: 0,
        };
        Self::new(options).unwrap()
    }
}

/// The rest before the try with this number, from 2.
fn rest_before(number: u32) -> Duration {
    FIRST_REST.saturating_mul(1 << number.saturating_sub(2).min(16)).min(REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_end() {
        let rests: Vec<_> = (2..10).map(rest_before).collect();

        assert_eq!(rests[0], FIRST_REST);
        assert!(rests.is_sorted());
        assert_eq!(rest_before(u32::MAX), REST_MAX);
    }
}
