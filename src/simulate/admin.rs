//! What Slackwater's admin API tells of a tenant: its rules, its waves, its accounts.
//!
//! Only a simulation of Slackwater itself has this; every other target is seen by SCIM alone. Who
//! may be sent the operator token is decided by whoever makes an [`Access`], by the rules of
//! [`address`] and [`is_this_machine`].

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::client::{REQUEST_WAIT_MAX, Token};

/// The pause between two looks at a wave.
const LOOK_REST: Duration = Duration::from_millis(100);
/// Accounts that are asked for at once.
const PAGE: usize = 1_000;

/// Where the admin API of a tenant is, and the token that it takes.
#[derive(Debug, Clone)]
pub struct Access {
    /// With the tenant, without a slash at the end: see [`address`].
    pub address: String,
    /// The operator token.
    pub token: Token,
}

/// The admin API of one tenant.
pub struct Admin {
    http: reqwest::Client,
    access: Access,
}

/// The admin API did not tell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// There was no answer, or one that was not understood.
    #[error("the admin API cannot be read")]
    Unread(#[source] reqwest::Error),
    /// The answer was not a success.
    #[error("the admin API answered {0}")]
    Refused(u16),
    /// The token cannot be sent.
    #[error("the admin token holds characters that cannot be sent")]
    BadToken,
}

/// A tenant's rules.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// The role of those in no mapped group.
    pub default_role: String,
    /// The role of those who are disabled.
    pub disabled_role: String,
    /// In order: the first that matches wins.
    pub role_mappings: Vec<Mapping>,
}

/// A group and the role that it gives.
#[derive(Debug, Deserialize)]
pub struct Mapping {
    /// The group by its name.
    pub group: Option<String>,
    /// The group by its id.
    pub group_id: Option<String>,
    /// The role.
    pub role: String,
}

/// A wave, as the service saw it.
#[derive(Debug, Clone, Deserialize)]
pub struct Wave {
    /// Its id.
    pub id: String,
    /// Roles that changed by its reconciliation.
    pub role_changes: u64,
    /// When that was done.
    pub reconciled_at: Option<Timestamp>,
}

/// An account.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// The SCIM user's id.
    pub id: String,
    /// Its role; none for a deleted one.
    pub role: Option<String>,
    /// Whether a lock counts.
    pub locked: bool,
    /// Whether its role waits for a wave to settle.
    pub pending: bool,
    /// Why it has that role.
    pub why: Why,
}

/// Why an account has its role.
#[derive(Debug, Deserialize)]
pub struct Why {
    /// Such as `mapping` or `manual`.
    pub rule: String,
    /// Why a change waits, if one does.
    #[serde(default)]
    pub withheld: Option<serde::de::IgnoredAny>,
}

/// What became of the newest wave.
#[derive(Debug)]
pub enum Settled {
    /// It is reconciled.
    Reconciled(Wave),
    /// There is none: nothing was changed yet.
    NoWave,
    /// It is not reconciled still.
    NotInTime,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// Where the admin API of a tenant is: beside an endpoint that looks like Slackwater's, or where it
/// was said to be. Elsewhere the operator token has no business.
pub fn address(endpoint: &Url, admin: Option<&Url>) -> Option<String> {
    let path = endpoint.path().trim_end_matches('/');
    let (before, tenant) = path.rsplit_once('/')?;
    let (origin, below) = if let Some(url) = admin {
        let path = url.path().trim_end_matches('/');
        (url.origin(), path.strip_suffix("/admin/v1").unwrap_or(path))
    } else {
        (endpoint.origin(), before.strip_suffix("/scim/v2")?)
    };
    let base = format!("{}{below}", origin.ascii_serialization());
    Some(format!("{base}/admin/v1/tenants/{tenant}"))
}

/// Whether an address is one of this machine's own: a token that only lay about in the environment
/// leaves it for no other.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

impl Admin {
    /// A reader of a tenant.
    pub fn new(http: reqwest::Client, access: Access) -> Self {
        Self { http, access }
    }

    /// The tenant's rules.
    pub async fn settings(&self) -> Result<Settings, AdminError> {
        self.read("/settings").await
    }

    /// The newest wave, if there is one.
    pub async fn newest_wave(&self) -> Result<Option<Wave>, AdminError> {
        let waves: Items<Wave> = self.read("/waves?limit=1").await?;
        Ok(waves.items.into_iter().next())
    }

    /// Waits until the newest wave is reconciled, but not longer than `wait_max`.
    pub async fn settle(&self, wait_max: Duration) -> Result<Settled, AdminError> {
        let deadline = Instant::now() + wait_max;
        loop {
            let Some(wave) = self.newest_wave().await? else { return Ok(Settled::NoWave) };
            if wave.reconciled_at.is_some() {
                return Ok(Settled::Reconciled(wave));
            }
            if Instant::now() >= deadline {
                return Ok(Settled::NotInTime);
            }
            tokio::time::sleep(LOOK_REST).await;
        }
    }

    /// Calls `each` with every account.
    pub async fn accounts(&self, mut each: impl FnMut(&Account)) -> Result<(), AdminError> {
        let mut path = format!("/accounts?limit={PAGE}");
        loop {
            let page: Items<Account> = self.read(&path).await?;
            page.items.iter().for_each(&mut each);
            let Some(cursor) = page.next_cursor else { return Ok(()) };
            let next = format!("/accounts?limit={PAGE}&cursor={cursor}");
            if next == path {
                // A cursor that leads to itself would go on for ever.
                return Ok(());
            }
            path = next;
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        let authorization = self.access.token.header().ok_or(AdminError::BadToken)?;
        let url = format!("{}{path}", self.access.address);
        let request = self.http.get(url).timeout(REQUEST_WAIT_MAX);
        let unread = |error: reqwest::Error| AdminError::Unread(error.without_url());
        let sent = request.header(AUTHORIZATION, authorization).send().await;
        let answer = sent.map_err(unread)?;
        if !answer.status().is_success() {
            return Err(AdminError::Refused(answer.status().as_u16()));
        }
        answer.json().await.map_err(unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_api_is_beside_the_endpoint_unless_it_is_said_to_be_elsewhere() {
        let url = |text: &str| Url::parse(text).unwrap();
        let endpoint = url("https://scim.example:8443/scim/v2/acme/?aadOptscim062020");

        let beside = address(&endpoint, None).unwrap();
        let elsewhere = address(&endpoint, Some(&url("http://127.0.0.1:8080/admin/v1/"))).unwrap();
        let below = address(&endpoint, Some(&url("http://ops.example/slack"))).unwrap();

        assert_eq!(beside, "https://scim.example:8443/admin/v1/tenants/acme");
        assert_eq!(elsewhere, "http://127.0.0.1:8080/admin/v1/tenants/acme");
        assert_eq!(below, "http://ops.example/slack/admin/v1/tenants/acme");
    }

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        let is_this = |text: &str| is_this_machine(&Url::parse(text).unwrap());

        for own in
            ["http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]/", "http://LOCALHOST/"]
        {
            assert!(is_this(own), "{own}");
        }
        for other in ["http://10.0.0.1/", "http://localhost.example/", "http://[2001:db8::1]/"] {
            assert!(!is_this(other), "{other}");
        }
    }

    #[test]
    fn an_endpoint_of_another_shape_is_not_sent_the_operator_token() {
        let endpoint = Url::parse("https://peer.example/api/scim").unwrap();

        assert_eq!(address(&endpoint, None), None);
    }
}
