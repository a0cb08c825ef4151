//! The demonstration's app: it receives webhooks, verifies them as Standard Webhooks says, and
//! prints a line for each change of a role.
//!
//! What the documentation asks of a receiver it does: a signature that does not fit and a timestamp
//! that is off are refused, and a change that was told is not told again. It keeps nothing: an app
//! would keep each change in the transaction in which it acts on it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actors::{Clock, SystemClock};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use super::operator::Operator;
use super::words;
use crate::cli::serve::say;

/// In front of a secret as receivers get it.
const SECRET_PREFIX: &str = "whsec_";
/// How far a timestamp may be off.
const SECONDS_OFF_MAX: u64 = 300;
/// Bytes of a delivery.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A receiver that listens on this machine alone.
pub(super) struct Receiver {
    listener: TcpListener,
    inner: Arc<Inner>,
    /// Where it receives.
    pub(super) url: String,
}

struct Inner {
    secret: OnceLock<Vec<u8>>,
    clock: SystemClock,
    operator: Operator,
    tenant: String,
    /// The newest entry of each account that was told.
    told: Mutex<HashMap<String, u64>>,
}

impl Receiver {
    /// Binds a free port. Names are asked of the operator's API.
    pub(super) async fn bind(operator: Operator, tenant: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/role-changes", listener.local_addr()?);
        let inner = Inner {
            secret: OnceLock::new(),
            clock: SystemClock::start(),
            operator,
            tenant: tenant.to_owned(),
            told: Mutex::default(),
        };
        Ok(Self { listener, inner: Arc::new(inner), url })
    }

    /// Tells how deliveries are signed, which is known once the webhook was made. Whatever comes
    /// before that is put off. Answers whether this is a secret.
    pub(super) fn learn(&self, secret: &str) -> bool {
        let key = secret.strip_prefix(SECRET_PREFIX).and_then(|text| BASE64.decode(text).ok());
        key.is_some_and(|key| self.inner.secret.set(key).is_ok())
    }

    /// Receives, for good.
    pub(super) fn receive(self) -> impl Future<Output = ()> + Send + 'static {
        let router = Router::new()
            .route("/role-changes", post(take))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.inner);
        async move {
            // It is ended with the process; without it, deliveries wait.
            if let Err(error) = axum::serve(self.listener, router).await {
                tracing::error!(%error, "webhooks are not received any more");
            }
        }
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(key) = inner.secret.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    if !is_signed(key, &headers, &body, inner.clock.now().as_second()) {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let entry = event.get("data").cloned().unwrap_or_default();
    let account = entry.get("account").and_then(Value::as_str).unwrap_or_default().to_owned();
    let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
    if !inner.is_news(&account, seq) {
        return StatusCode::NO_CONTENT;
    }
    let path = format!("/tenants/{}/accounts/{account}", inner.tenant);
    // Of somebody whom nobody knows any more the entry alone is told.
    let shown = inner.operator.get(&path).await.unwrap_or_default();
    if let Err(error) = say(&format!("{}\n", words::role_change(&entry, &shown))) {
        tracing::warn!(%error, "standard output cannot be written to");
    }
    StatusCode::NO_CONTENT
}

impl Inner {
    /// Whether nothing as new as this was told of the account.
    fn is_news(&self, account: &str, seq: u64) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = told.entry(account.to_owned()).or_default();
        let is_news = seq > *newest;
        *newest = seq.max(*newest);
        is_news
    }
}

/// Whether a delivery was signed with this key, and lately: HMAC-SHA256 over `id.timestamp.body`,
/// in one of the signatures that the header has.
fn is_signed(key: &[u8], headers: &HeaderMap, body: &[u8], now: i64) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return false;
    };
    let is_recent =
        timestamp.parse::<i64>().is_ok_and(|sent| now.abs_diff(sent) <= SECONDS_OFF_MAX);
    let is_ours = |signature: &str| {
        let given = signature.strip_prefix("v1,").and_then(|text| BASE64.decode(text).ok());
        let (Some(given), Ok(mut mac)) = (given, Hmac::<Sha256>::new_from_slice(key)) else {
            return false;
        };
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.verify_slice(&given).is_ok()
    };
    is_recent && signatures.split(' ').any(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, as its libraries' own tests have it.
    fn example() -> (Vec<u8>, HeaderMap, &'static [u8], i64) {
        let key = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        (key, headers.into_iter().collect(), b"{\"test\": 2432232314}", 1_614_265_330)
    }

    #[test]
    fn a_delivery_that_is_signed_as_the_specification_says_is_taken() {
        let (key, mut headers, body, now) = example();

        assert!(is_signed(&key, &headers, body, now));
        assert!(is_signed(&key, &headers, body, now + 299));
        let two = format!("v1,AAAA {}", headers["webhook-signature"].to_str().unwrap());
        headers.insert("webhook-signature", two.parse().unwrap());
        assert!(is_signed(&key, &headers, body, now), "one of several signatures is enough");
    }

    #[test]
    fn what_was_changed_is_old_or_is_signed_by_somebody_else_is_refused() {
        let (key, headers, body, now) = example();

        assert!(!is_signed(&key, &headers, b"{\"test\": 1}", now));
        assert!(!is_signed(&key, &headers, body, now + 301));
        assert!(!is_signed(&key, &headers, body, now - 301));
        assert!(!is_signed(b"another key", &headers, body, now));
        assert!(!is_signed(&key, &HeaderMap::new(), body, now));
    }
}
