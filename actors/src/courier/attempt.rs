//! One attempt: the signed request, and what came of it.
//!
//! Signed as Standard Webhooks says: `webhook-signature` holds, for each live secret,
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use std::time::Duration;

use access::webhook::{RETRY_AFTER_MAX, Webhook};
use access::{TenantId, WebhookId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::egress::{Answered, EgressError, Outbound, Outgoing, REQUEST_WAIT_MAX};
use crate::vault::{Vault, VaultError};

/// In front of a secret as receivers get it.
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;
/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 300;

/// Makes a secret.
pub(crate) fn make_secret() -> Result<[u8; SECRET_BYTES], VaultError> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|_| VaultError::Failed)?;
    Ok(secret)
}

/// A secret as its receiver gets it.
pub(crate) fn secret_text(secret: &[u8]) -> String {
    format!("{SECRET_PREFIX}{}", BASE64.encode(secret))
}

/// What a webhook's secrets are sealed to.
pub(crate) fn owner(tenant: &TenantId, webhook: WebhookId) -> String {
    format!("{tenant}/{webhook}")
}

/// What signs a webhook's requests.
#[derive(Clone)]
pub(crate) struct Signer {
    url: String,
    keys: Vec<(Vec<u8>, Option<Timestamp>)>,
}

impl Signer {
    /// Opens a webhook's secrets.
    pub(crate) fn open(
        webhook: &Webhook,
        tenant: &TenantId,
        vault: &Vault,
    ) -> Result<Self, VaultError> {
        let owner = owner(tenant, webhook.id);
        let open = |secret: &access::webhook::Secret| {
            Ok((vault.open(&secret.sealed, &owner)?, secret.until))
        };
        let keys = webhook.secrets.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { url: webhook.url.clone(), keys })
    }

    /// The request that carries this body at `now`.
    pub(crate) fn request(&self, id: &str, body: Vec<u8>, now: Timestamp) -> Outgoing {
        let timestamp = now.as_second().to_string();
        let live = self.keys.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
        let signatures: Vec<String> =
            live.filter_map(|(key, _)| signature(key, id, &timestamp, &body)).collect();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures.join(" ")),
        ];
        Outgoing { url: self.url.clone(), headers, body }
    }
}

fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    // A key of any length will do.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The id under which a receiver knows an event: the entry's, which is unique within its tenant,
/// and the tenant's.
pub(crate) fn webhook_id(entry: &Value, tenant: &TenantId) -> String {
    format!("{}_{tenant}", entry.get("id").and_then(Value::as_str).unwrap_or_default())
}

/// The body that carries an entry of the feed.
pub(crate) fn body_of(entry: &Value) -> Vec<u8> {
    let body = json!({"type": entry.get("type"), "timestamp": entry.get("at"), "data": entry});
    // A value can always be written.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The answer's status, if there was an answer.
    pub(crate) status: Option<u16>,
    /// What was wrong; none for a success.
    pub(crate) error: Option<String>,
    /// How long the receiver asks us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The first bytes of the answer.
    pub(crate) body: Vec<u8>,
}

impl Outcome {
    pub(crate) const fn is_success(&self) -> bool {
        self.error.is_none()
    }

    /// The way out failed in a way that it must not.
    pub(crate) fn panicked() -> Self {
        let error = Some("the request failed unexpectedly".to_owned());
        Self { status: None, error, retry_after: None, body: Vec::new() }
    }

    /// Whether it says that the endpoint is down, whatever was sent: no answer, or a gateway's.
    pub(crate) const fn is_of_endpoint(&self) -> bool {
        matches!(self.status, None | Some(502..=504))
    }

    /// The receiver wants no more, ever.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Sends a request. Ends in time, whatever the way out does.
pub(crate) async fn send(outbound: &Outbound, request: Outgoing) -> Outcome {
    // A little more than it should take: a limit of its own says more about what was slow.
    let limit = REQUEST_WAIT_MAX + Duration::from_secs(1);
    let sent = tokio::time::timeout(limit, outbound.egress.send(request)).await;
    match sent.unwrap_or(Err(EgressError::TimedOut)) {
        Ok(answered) => outcome_of(answered),
        Err(error) => {
            let error: String = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
            Outcome { status: None, error: Some(error), retry_after: None, body: Vec::new() }
        }
    }
}

fn outcome_of(answered: Answered) -> Outcome {
    let Answered { status, retry_after, body } = answered;
    let error = match status {
        200..=299 => None,
        300..=399 => Some(format!("answered {status}; redirects are not followed")),
        _ => Some(format!("answered {status}")),
    };
    let heeded = matches!(status, 429 | 503);
    let retry_after = retry_after.filter(|_| heeded).map(|after| after.min(RETRY_AFTER_MAX));
    Outcome { status: Some(status), error, retry_after, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        let key = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();

        let signed = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );

        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_live_secrets_sign() {
        let now = Timestamp::UNIX_EPOCH;
        let keys = vec![(vec![1; 32], None), (vec![2; 32], Some(now))];
        let signer = Signer { url: String::new(), keys };
        let signatures = |now| {
            let request = signer.request("id", Vec::new(), now);
            request.headers[3].1.split(' ').count()
        };

        assert_eq!(signatures(now - Duration::from_secs(1)), 2);
        assert_eq!(signatures(now), 1);
    }

    #[test]
    fn only_429_and_503_say_when_to_come_again_and_within_bounds() {
        let answer = |status, seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            outcome_of(Answered { status, retry_after, body: Vec::new() }).retry_after
        };

        assert_eq!(answer(500, 7), None);
        assert_eq!(answer(503, 7), Some(Duration::from_secs(7)));
        assert_eq!(answer(429, 1_000_000), Some(RETRY_AFTER_MAX));
    }
}
