//! A whole simulation: all tenants at once, wave after wave, then the verification and the report.
//!
//! What one tenant goes through is in [`simulated`]. What breaks off there takes nothing from the
//! report: it is put together of whatever was found, in [`found`].

mod found;
mod simulated;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use url::Url;

use self::found::Found;
use self::simulated::{Ended, Simulated};
use super::admin::{self, AdminError};
use super::client::{self, BadToken, Token};
use super::dialect::Dialect;
use super::measure::Measure;
use super::report::Report;
use super::tenant::ConnectionError;
use super::verify::ReadBackError;
use super::watch::Watch;

/// How long a wave is given to settle: the default `settle`, and what a pass over many accounts
/// takes.
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(15);

/// A tenant of the target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address: what is entered as *Tenant URL*.
    pub endpoint: Url,
    /// Its token.
    pub token: Token,
    /// Its admin API, where the target is Slackwater and may be asked.
    pub admin: Option<admin::Access>,
}

/// What is simulated.
#[derive(Clone)]
pub struct Options {
    /// Tenants, at least one.
    pub targets: Vec<Target>,
    /// Users of each at the beginning.
    pub users: usize,
    /// Groups of each.
    pub groups: usize,
    /// Waves of each; the first is the initial cycle.
    pub waves: usize,
    /// From the start of one wave to the start of the next, at least.
    pub interval: Duration,
    /// The rest between the halves of a move, at most.
    pub apart: Duration,
    /// Requests a second to each tenant, at most.
    pub rate: Option<NonZeroU32>,
    /// Of a hundred users, how many an incremental cycle touches.
    pub churn_percent: f64,
    /// What everything is drawn from.
    pub seed: u64,
    /// Requests to each tenant under way at the same time, at most.
    pub concurrency: usize,
    /// How bodies are written; none to let each tenant's address say it.
    pub dialect: Option<Dialect>,
    /// Whether everything is read back and compared.
    pub verify: bool,
    /// Gives the time of day.
    pub now: fn() -> Timestamp,
}

/// Why a simulation, or that of a tenant, came to no end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// No connections can be made at all.
    #[error("an HTTP client cannot be made")]
    Http(#[source] reqwest::Error),
    /// A token cannot be sent.
    #[error("tenant {tenant}")]
    Token {
        /// Which tenant, from 0.
        tenant: usize,
        /// Why.
        #[source]
        source: BadToken,
    },
    /// A tenant cannot be provisioned to.
    #[error("tenant {tenant}")]
    Connection {
        /// Which tenant, from 0.
        tenant: usize,
        /// Why.
        #[source]
        source: ConnectionError,
    },
    /// A tenant was not simulated to the end.
    #[error("tenant {tenant} is in quarantine: too many failures in a row, or a refused token")]
    Quarantined {
        /// Which tenant, from 0.
        tenant: usize,
    },
    /// The target cannot be read back.
    #[error("tenant {tenant} cannot be verified")]
    ReadBack {
        /// Which tenant, from 0.
        tenant: usize,
        /// Why.
        #[source]
        source: ReadBackError,
    },
    /// The admin API does not let itself be read.
    #[error("the admin API of tenant {tenant} cannot be used")]
    Admin {
        /// Which tenant, from 0.
        tenant: usize,
        /// Why.
        #[source]
        source: AdminError,
    },
    /// The roles cannot be read.
    #[error("the roles of tenant {tenant} cannot be verified")]
    Roles {
        /// Which tenant, from 0.
        tenant: usize,
        /// Why.
        #[source]
        source: AdminError,
    },
    /// The last wave did not settle in time.
    #[error("the last wave of tenant {tenant} did not settle within {SETTLE_WAIT_MAX:?}")]
    NotSettled {
        /// Which tenant, from 0.
        tenant: usize,
    },
    /// A defect.
    #[error("a tenant's simulation broke off")]
    BrokeOff,
}

/// Simulates all of it. A tenant that breaks off does so alone: the report has what was found until
/// then, and why. It is an error only where nothing can be sent at all.
pub async fn run(options: Options, watch: Arc<dyn Watch>) -> Result<Report, SimulateError> {
    let started_at = (options.now)();
    let http = client::http().map_err(SimulateError::Http)?;
    let measure = Arc::new(Measure::start());
    let simulated =
        options.targets.iter().enumerate().map(|(number, target)| {
            Simulated::new(&options, number, target, &http, &measure, &watch)
        });
    let simulated: Vec<Simulated> = simulated.collect::<Result<_, _>>()?;
    let mut running: JoinSet<Ended> = simulated.into_iter().map(Simulated::run).collect();
    let mut found = Found::default();
    while let Some(ended) = running.join_next().await {
        found.add(ended.unwrap_or_else(|_| Ended::broken_off(SimulateError::BrokeOff)));
    }
    Ok(found.report(&options, &started_at, &measure))
}

/// The address without its query, which holds Entra's flags.
pub(crate) fn base_of(endpoint: &Url) -> String {
    let mut base = endpoint.clone();
    base.set_query(None);
    base.set_fragment(None);
    base.as_str().trim_end_matches('/').to_owned()
}

/// An administrator chooses the dialect by a flag in the address.
fn dialect_of(endpoint: &Url) -> Dialect {
    let flagged = endpoint.query().is_some_and(|query| query.contains("aadOptscim062020"));
    if flagged { Dialect::Scim } else { Dialect::Entra }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_in_an_address_chooses_the_dialect_and_is_not_sent() {
        let endpoint = Url::parse("https://x.example/scim/v2/acme/?aadOptscim062020").unwrap();

        assert_eq!(base_of(&endpoint), "https://x.example/scim/v2/acme");
        assert_eq!(dialect_of(&endpoint), Dialect::Scim);
    }
}
