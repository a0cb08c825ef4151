//! The way out: sends webhooks' requests, and keeps them out of our own network.
//!
//! A URL is judged when it is entered and again before each request; a name is looked up once for
//! each connection, every address that it has is judged, and the connection goes to one that was.
//! Redirects are not followed, no proxy of the environment is used, answers are not decompressed.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use access::webhook::target::{self, TargetError};
use actors::courier::egress::{
    ANSWER_KEPT_BYTES_MAX, Answered, Egress, EgressError, Outgoing, REQUEST_WAIT_MAX,
};
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, redirect};
use url::Host;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the body of an answer may take; the status has been read by then.
const BODY_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take, and a name's addresses.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
const LOOK_UP_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Sends requests by HTTP.
pub struct HttpEgress {
    client: Client,
    allow_private: bool,
}

impl HttpEgress {
    /// Reaches public addresses, and private ones where `allow_private`.
    pub fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let builder = || {
            Client::builder()
                .user_agent(concat!("slackwater/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .timeout(REQUEST_WAIT_MAX)
                .connect_timeout(CONNECT_WAIT_MAX)
                .pool_idle_timeout(IDLE_MAX)
                .dns_resolver(Arc::new(JudgedNames { allow_private }))
        };
        let client = builder().build().or_else(|error| {
            tracing::error!(
                error = in_full(&error),
                "no certificates of authorities were found: webhooks cannot reach https addresses",
            );
            builder().tls_certs_only([]).build()
        })?;
        Ok(Self { client, allow_private })
    }
}

impl Egress for HttpEgress {
    fn check(&self, url: String) -> BoxFuture<'static, Result<(), EgressError>> {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let url = target::read(&url, allow_private).map_err(refused)?;
            let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
            match look_up(name).await {
                Ok(addresses) => judge(&addresses, allow_private).map_err(refused),
                // It may come to be known; until then nothing is sent there.
                Err(_) => Ok(()),
            }
        })
    }

    fn send(&self, request: Outgoing) -> BoxFuture<'static, Result<Answered, EgressError>> {
        let (client, allow_private) = (self.client.clone(), self.allow_private);
        Box::pin(async move {
            // Addresses by number never reach the resolver.
            let url = target::read(&request.url, allow_private).map_err(refused)?;
            let mut sending = client.post(url).body(request.body);
            for (name, value) in request.headers {
                sending = sending.header(name, value);
            }
            let answer = sending.send().await.map_err(failed)?;
            Ok(read(answer).await)
        })
    }
}

/// The status counts; a body that breaks off does not change it.
async fn read(mut answer: Response) -> Answered {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after =
        retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let mut body = Vec::new();
    let reading = async {
        let mut bytes_read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            bytes_read += chunk.len();
            let room = ANSWER_KEPT_BYTES_MAX.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if bytes_read >= ANSWER_BYTES_MAX {
                return;
            }
        }
    };
    // Read to its end only so that the connection can be used again.
    let _ = tokio::time::timeout(BODY_WAIT_MAX, reading).await;
    Answered { status, retry_after, body }
}

/// Looks names up, and refuses those that lead to an address that must not be reached.
struct JudgedNames {
    allow_private: bool,
}

impl Resolve for JudgedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let addresses = look_up(name.as_str()).await?;
            judge(&addresses, allow_private)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn look_up(name: &str) -> std::io::Result<Vec<SocketAddr>> {
    let looked_up = tokio::time::timeout(LOOK_UP_WAIT_MAX, tokio::net::lookup_host((name, 0)));
    let addresses: Vec<SocketAddr> = looked_up.await??.collect();
    if addresses.is_empty() {
        return Err(std::io::Error::other("the name has no address"));
    }
    Ok(addresses)
}

/// One address that must not be reached is enough: which one is connected to is not ours to say.
fn judge(addresses: &[SocketAddr], allow_private: bool) -> Result<(), TargetError> {
    let forbidden = |address: &SocketAddr| target::is_forbidden(address.ip());
    if !allow_private && addresses.iter().any(forbidden) {
        return Err(TargetError::Forbidden);
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(error: TargetError) -> EgressError {
    EgressError::Refused(error.to_string())
}

fn failed(error: reqwest::Error) -> EgressError {
    if error.is_timeout() {
        return EgressError::TimedOut;
    }
    // Without the address: it may hold a secret of the receiver's.
    EgressError::Failed(in_full(&error.without_url()))
}

fn in_full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
    }

    #[test]
    fn one_forbidden_address_among_public_ones_is_enough() {
        assert!(judge(&addresses(&["8.8.8.8", "2606:4700::1"]), false).is_ok());
        for inside in ["127.0.0.1", "10.1.1.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"] {
            assert!(judge(&addresses(&["8.8.8.8", inside]), false).is_err(), "{inside}");
            assert!(judge(&addresses(&[inside]), true).is_ok(), "{inside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_comes_to_mean_this_machine_is_refused_when_it_is_looked_up() {
        let names = JudgedNames { allow_private: false };

        let resolved = names.resolve("localhost".parse().unwrap()).await;

        let error = resolved.err().unwrap().to_string();
        assert!(error.contains("private, local or reserved"), "{error}");
    }

    #[tokio::test]
    async fn an_address_by_number_is_refused_before_it_is_connected_to() {
        let egress = HttpEgress::new(false).unwrap();
        for url in ["https://127.0.0.1:1/", "https://[::1]:1/", "https://0x7f.1:1/"] {
            let request = Outgoing { url: url.to_owned(), headers: Vec::new(), body: Vec::new() };

            let sent = egress.send(request).await;

            assert!(matches!(sent, Err(EgressError::Refused(_))), "{url}: {sent:?}");
        }
    }
}
