//! What all handlers share: the service, the rate limits, the public address, the stop signal.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use access::settings::RateLimit;
use actors::Service;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use store::tenant::{Tenant, Token};
use store::{Decoded, TenantKey};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::logins::FailedLogins;
use crate::streams::Streams;
use crate::web::sessions::Sessions;

/// Scans of whole tenants at once, each of which keeps a core busy; of one tenant one at a time, so
/// that no tenant waits for more than one scan of each other.
const SCANS_AT_ONCE: usize = 4;
/// How long a request waits for its turn to scan.
const SCAN_WAIT_MAX: Duration = Duration::from_secs(10);
/// Uploads of equipment at once on the node, each of which is in memory with all its rows.
const UPLOADS_AT_ONCE: usize = 2;
/// How long an upload waits for its turn before its body is read.
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// What all handlers share.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    service: Service,
    operator_sha256: [u8; 32],
    public_url: Option<String>,
    listening_on: String,
    known_tenants: Decoded<Tenant>,
    known_tokens: Decoded<Token>,
    limiters: RwLock<HashMap<TenantKey, Limiter>>,
    scans: Arc<Semaphore>,
    tenant_scans: RwLock<HashMap<TenantKey, Arc<Semaphore>>>,
    uploads: Arc<Semaphore>,
    failed_logins: FailedLogins,
    failed_web_logins: FailedLogins,
    sessions: Sessions,
    streams: Streams,
    records_requests: bool,
    glances: crate::web::tenants::Glances,
    web_streams: Streams,
    stopping: watch::Sender<bool>,
}

struct Limiter {
    limit: RateLimit,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl App {
    /// For a server that listens on `listening_on` (`http://HOST:PORT`).
    pub fn new(
        service: Service,
        operator_sha256: [u8; 32],
        public_url: Option<String>,
        listening_on: String,
        failed_logins_per_minute: Option<NonZeroU32>,
    ) -> Self {
        Self(Arc::new(Inner {
            service,
            operator_sha256,
            public_url,
            listening_on,
            known_tenants: Decoded::default(),
            known_tokens: Decoded::default(),
            limiters: RwLock::default(),
            scans: Arc::new(Semaphore::new(SCANS_AT_ONCE)),
            tenant_scans: RwLock::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
            failed_logins: FailedLogins::new(failed_logins_per_minute),
            failed_web_logins: FailedLogins::counting_all(failed_logins_per_minute),
            sessions: Sessions::default(),
            streams: Streams::of_feed(),
            records_requests: true,
            glances: crate::web::tenants::Glances::default(),
            web_streams: Streams::of_pages(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// The same, which records requests of directories or does not.
    #[must_use]
    pub fn recording_requests(mut self, records: bool) -> Self {
        // Nobody else has it yet: it is being made.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.records_requests = records;
        }
        self
    }

    /// Whether requests of directories are recorded.
    pub fn records_requests(&self) -> bool {
        self.0.records_requests
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.0.service
    }

    /// What the rows of tenants meant that were read for requests.
    pub fn known_tenants(&self) -> &Decoded<Tenant> {
        &self.0.known_tenants
    }

    /// What the rows of tokens meant that were read for requests.
    pub fn known_tokens(&self) -> &Decoded<Token> {
        &self.0.known_tokens
    }

    /// The logins that failed lately.
    pub fn failed_logins(&self) -> &FailedLogins {
        &self.0.failed_logins
    }

    /// The logins on the web page that failed lately.
    pub fn failed_web_logins(&self) -> &FailedLogins {
        &self.0.failed_web_logins
    }

    /// Who is logged in on the web page.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// What was last seen of each tenant.
    pub fn glances(&self) -> &crate::web::tenants::Glances {
        &self.0.glances
    }

    /// The streams that go on.
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// The streams of web pages: whoever opens many takes none away from readers of the feed.
    pub fn web_streams(&self) -> &Streams {
        &self.0.web_streams
    }

    /// Waits for the turn to scan a tenant; none if it does not come in time. The scan holds what
    /// this answers.
    pub async fn scan_permits(&self, tenant: TenantKey) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = {
            let mut scans = self.0.tenant_scans.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(scans.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let both = async {
            let own = own.acquire_owned().await.ok()?;
            let node = Arc::clone(&self.0.scans).acquire_owned().await.ok()?;
            Some([own, node])
        };
        tokio::time::timeout(SCAN_WAIT_MAX, both).await.ok().flatten()
    }

    /// Waits for the turn to upload equipment; none if it does not come in time. What was read of
    /// the upload is let go before what this answers.
    pub async fn upload_permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.0.uploads).acquire_owned();
        tokio::time::timeout(UPLOAD_WAIT_MAX, permit).await.ok()?.ok()
    }

    /// Whether these headers carry the operator token.
    pub fn is_operator(&self, headers: &HeaderMap) -> bool {
        self.is_operator_token(bearer(headers).unwrap_or_default())
    }

    /// Whether this is the operator token.
    pub fn is_operator_token(&self, token: &str) -> bool {
        store::token::same(&store::token::sha256(token), &self.0.operator_sha256)
    }

    /// Scheme, host and port of the configured address, as browsers name it in `Origin`.
    pub fn public_origin(&self) -> Option<&str> {
        let url = self.0.public_url.as_deref()?;
        let host_at = url.find("://")?.saturating_add(3);
        let end = url.get(host_at..)?.find('/').map_or(url.len(), |slash| host_at + slash);
        url.get(..end)
    }

    /// The address under which a client reaches us: the configured one, or else the one that it
    /// used.
    pub fn base_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.0.public_url {
            return url.clone();
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte);
            !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed)
        });
        match host {
            Some(host) => ["http://", host].concat(),
            None => self.0.listening_on.clone(),
        }
    }

    /// The address that goes into Entra's "Tenant URL".
    pub fn scim_endpoint(&self, headers: &HeaderMap, tenant: &access::TenantId) -> String {
        [&self.base_url(headers), "/scim/v2/", tenant.as_str()].concat()
    }

    /// Where OAuth clients fetch access tokens.
    pub fn token_endpoint(&self, headers: &HeaderMap) -> String {
        format!("{}/oauth/token", self.base_url(headers))
    }

    /// Takes so many requests out of a tenant's rate (its burst at most), or says how long to wait.
    pub fn take_from_rate(
        &self,
        tenant: TenantKey,
        limit: &RateLimit,
        requests: NonZeroU32,
    ) -> Result<(), Duration> {
        let limiter = self.limiter(tenant, limit);
        match limiter.check_n(requests.min(limit.burst)) {
            Ok(Err(refused)) => {
                let now = governor::clock::DefaultClock::default().now();
                Err(refused.wait_time_from(now))
            }
            // More than the burst is never asked for.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    fn limiter(&self, tenant: TenantKey, limit: &RateLimit) -> Arc<DefaultDirectRateLimiter> {
        {
            let limiters = self.0.limiters.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = limiters.get(&tenant).filter(|known| known.limit == *limit) {
                return Arc::clone(&known.limiter);
            }
        }
        let per_second: NonZeroU32 = limit.requests_per_second;
        let quota = Quota::per_second(per_second).allow_burst(limit.burst);
        let limiter = Arc::new(RateLimiter::direct(quota));
        let known = Limiter { limit: limit.clone(), limiter: Arc::clone(&limiter) };
        self.0.limiters.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, known);
        limiter
    }

    /// Forgets a tenant that was deleted.
    pub fn forget(&self, tenant: TenantKey) {
        self.0.limiters.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        self.0.tenant_scans.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        self.0.streams.forget(tenant);
        self.0.web_streams.forget(tenant);
    }

    /// Tells that the service is stopping: long polls end, readiness goes.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Whether the service is stopping.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }
}

/// The token of an `Authorization: Bearer` header, if there is exactly one such header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    token_of(value)
}

/// The token of such a header.
pub fn token_of(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
