//! What Slackwater's admin API tells of a tenant: its rules, its waves, its accounts.
//!
//! Only a simulation of Slackwater itself has this; every other target is seen by SCIM alone.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{REQUEST_WAIT_MAX, Token};

/// The pause between two looks at a wave.
const LOOK_REST: Duration = Duration::from_millis(100);
/// Accounts that are asked for at once.
const PAGE: usize = 1_000;

/// The admin API of one tenant.
pub struct Admin {
    http: reqwest::Client,
    /// With the tenant, without a slash at the end.
    base: String,
    token: Token,
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

impl Admin {
    /// A reader of the tenant at this [`address`].
    pub fn new(http: reqwest::Client, base: String, token: Token) -> Self {
        Self { http, base, token }
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

    /// Waits until the newest wave is reconciled. None where there is no wave, or where that takes
    /// longer than `wait_max`.
    pub async fn settled_wave(&self, wait_max: Duration) -> Result<Option<Wave>, AdminError> {
        let deadline = Instant::now() + wait_max;
        loop {
            let Some(wave) = self.newest_wave().await? else { return Ok(None) };
            if wave.reconciled_at.is_some() {
                return Ok(Some(wave));
            }
            if Instant::now() >= deadline {
                return Ok(None);
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
        let authorization = self.token.header().ok_or(AdminError::BadToken)?;
        let request = self.http.get(format!("{}{path}", self.base)).timeout(REQUEST_WAIT_MAX);
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
    fn an_endpoint_of_another_shape_is_not_sent_the_operator_token() {
        let endpoint = Url::parse("https://peer.example/api/scim").unwrap();

        assert_eq!(address(&endpoint, None), None);
    }
}
