//! The way out: what couriers need of the network, and what all of them share.
//!
//! HTTP is not known here. Whoever starts the service brings an [`Egress`]; tests bring a receiver
//! of their own.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Semaphore;

use crate::vault::Vault;

/// How long one request may take in all.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer that are kept.
pub const ANSWER_KEPT_BYTES_MAX: usize = 1_024;
/// Requests of the node in flight.
const IN_FLIGHT_MAX: usize = 512;
/// Requests of the node in a second.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(5_000).unwrap();

/// A request to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// To where.
    pub url: String,
    /// Its headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// What `Retry-After` said, if it said so in seconds.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The request was not sent: it leads where it must not.
    #[error("{0}")]
    Refused(String),
    /// There was no answer in time.
    #[error("no answer within 15 s")]
    TimedOut,
    /// There was no connection, or it broke.
    #[error("{0}")]
    Failed(String),
}

/// Sends requests. Never follows a redirect, never waits longer than [`REQUEST_WAIT_MAX`].
pub trait Egress: Send + Sync + 'static {
    /// Whether a webhook may point there, as far as that is known now.
    fn check(&self, url: String) -> BoxFuture<'static, Result<(), EgressError>>;

    /// Sends a request and reads the answer.
    fn send(&self, request: Outgoing) -> BoxFuture<'static, Result<Answered, EgressError>>;
}

/// What the couriers of a node share.
#[derive(Clone)]
pub struct Outbound {
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) vault: Vault,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) limiter: Arc<Limiter>,
}

impl Outbound {
    /// Sends through `egress`, with secrets from `vault`.
    pub fn new(egress: Arc<dyn Egress>, vault: Vault) -> Self {
        let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        Self { egress, vault, permits, limiter: Arc::new(limiter(PER_SECOND)) }
    }

    /// No way out: webhooks can be made, and what they send fails.
    pub fn none() -> Self {
        Self::new(Arc::new(NoEgress), Vault::default())
    }
}

struct NoEgress;

impl Egress for NoEgress {
    fn check(&self, _: String) -> BoxFuture<'static, Result<(), EgressError>> {
        Box::pin(async { Ok(()) })
    }

    fn send(&self, _: Outgoing) -> BoxFuture<'static, Result<Answered, EgressError>> {
        Box::pin(async { Err(EgressError::Refused("this service sends nothing".to_owned())) })
    }
}

/// A rate limit in the runtime's time, which tests pause and advance.
pub(crate) type Limiter = RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Nanos>>;

/// A limit of so many a second, and as many at once.
pub(crate) fn limiter(per_second: NonZeroU32) -> Limiter {
    let clock = RuntimeClock(tokio::time::Instant::now());
    RateLimiter::direct_with_clock(Quota::per_second(per_second), clock)
}

/// Takes one request out of a rate, or says how long to wait.
pub(crate) fn take(limiter: &Limiter) -> Result<(), Duration> {
    let wait = |refused: governor::NotUntil<Nanos>| {
        Duration::from(refused.earliest_possible().duration_since(limiter.clock().now()))
    };
    limiter.check().map_err(wait)
}

/// The time of the runtime.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeClock(tokio::time::Instant);

impl Clock for RuntimeClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}
