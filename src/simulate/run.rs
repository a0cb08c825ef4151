//! A whole simulation: all tenants at once, wave after wave, then the verification and the report.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinSet;
use url::Url;

use super::admin::{self, Admin, AdminError, Wave};
use super::client::{self, BadToken, Client, ClientOptions, Token};
use super::dialect::Dialect;
use super::measure::{Measure, milliseconds};
use super::report::{Plan, Report, Verification, WaveReport};
use super::tenant::{ConnectionError, Tenant, TenantOptions};
use super::verify::{self, Comparison, ReadBackError};
use super::watch::{Cycle, Unwatched, Watch};

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
    /// The token of Slackwater's admin API, where the target is Slackwater.
    pub admin_token: Option<Token>,
    /// Where the admin API is, if not beside the endpoint.
    pub admin_url: Option<Url>,
    /// Gives the time of day.
    pub now: fn() -> Timestamp,
}

/// Why a simulation came to no end.
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
    /// The admin API cannot be read.
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

/// Simulates all of it. Ends early only where a tenant cannot be provisioned to.
pub async fn run(options: Options, watch: Arc<dyn Watch>) -> Result<Report, SimulateError> {
    let started_at = (options.now)();
    let http = client::http().map_err(SimulateError::Http)?;
    let measure = Arc::new(Measure::start());
    let mut running = JoinSet::new();
    for (number, target) in options.targets.iter().enumerate() {
        let simulated = Simulated::new(&options, number, target, &http, &measure, &watch)?;
        running.spawn(simulated.run());
    }
    let mut waves: Vec<WaveReport> = Vec::new();
    let mut verification: Option<(Comparison, Duration)> = None;
    while let Some(ended) = running.join_next().await {
        let ended = ended.map_err(|_| SimulateError::BrokeOff)??;
        waves.extend(ended.waves);
        if let Some((found, took)) = ended.verification {
            let (total, longest) = verification.get_or_insert_with(Default::default);
            total.absorb(found);
            *longest = took.max(*longest);
        }
    }
    waves.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
    let (requests, retries, failures) = measure.totals();
    let busy_ms = busy_ms(&waves);
    Ok(Report {
        plan: plan(&options),
        started_at: started_at.to_string(),
        duration_ms: milliseconds(measure.started().elapsed()),
        requests,
        retries,
        failures,
        requests_per_second: rate(waves.iter().map(|wave| wave.requests).sum(), busy_ms),
        operations: measure.operations(),
        errors: measure.errors(),
        waves,
        timeline: measure.timeline(),
        verification: verification.map(|(found, took)| Verification {
            users: found.users,
            groups: found.groups,
            memberships: found.memberships,
            roles: found.roles,
            differences: found.differences,
            first_differences: found.told,
            duration_ms: milliseconds(took),
        }),
    })
}

fn plan(options: &Options) -> Plan {
    Plan {
        seed: options.seed,
        tenants: options.targets.len(),
        users: options.users,
        groups: options.groups,
        waves: options.waves,
        interval_ms: milliseconds(options.interval),
        rate: options.rate.map(|rate| f64::from(rate.get())),
        churn_percent: options.churn_percent,
        concurrency: options.concurrency,
    }
}

/// How long at least one wave was being sent. The waves are in the order of their starts.
fn busy_ms(waves: &[WaveReport]) -> f64 {
    let (mut busy, mut until) = (0.0, 0.0_f64);
    for wave in waves {
        let end = wave.started_ms + wave.duration_ms;
        busy += (end - wave.started_ms.max(until)).max(0.0);
        until = until.max(end);
    }
    busy
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 requests")]
fn rate(requests: u64, busy_ms: f64) -> f64 {
    if busy_ms > 0.0 { requests as f64 * 1_000.0 / busy_ms } else { 0.0 }
}

/// One tenant, with all that it takes to simulate it.
struct Simulated {
    tenant: Tenant,
    /// Reads it back, without being measured.
    reader: Option<Client>,
    admin: Option<Admin>,
    waves: usize,
    interval: Duration,
    measure: Arc<Measure>,
    watch: Arc<dyn Watch>,
    now: fn() -> Timestamp,
}

struct Ended {
    waves: Vec<WaveReport>,
    verification: Option<(Comparison, Duration)>,
}

impl Simulated {
    fn new(
        options: &Options,
        number: usize,
        target: &Target,
        http: &reqwest::Client,
        measure: &Arc<Measure>,
        watch: &Arc<dyn Watch>,
    ) -> Result<Self, SimulateError> {
        let client = |rate, measure: Arc<Measure>, watch: Arc<dyn Watch>| {
            let client = ClientOptions {
                http: http.clone(),
                base: base_of(&target.endpoint),
                token: target.token.clone(),
                rate,
                measure,
                watch,
                tenant: number,
            };
            Client::new(client).map_err(|source| SimulateError::Token { tenant: number, source })
        };
        let reader =
            options.verify.then(|| client(None, Measure::start().into(), Arc::new(Unwatched)));
        let admin = options.admin_token.as_ref().and_then(|token| {
            let address = admin::address(&target.endpoint, options.admin_url.as_ref())?;
            Some(Admin::new(http.clone(), address, token.clone()))
        });
        let tenant = TenantOptions {
            number,
            seed: options.seed,
            users: options.users,
            groups: options.groups,
            churn_percent: options.churn_percent,
            concurrency: options.concurrency,
            dialect: options.dialect.unwrap_or_else(|| dialect_of(&target.endpoint)),
        };
        let sender = client(options.rate, Arc::clone(measure), Arc::clone(watch))?;
        Ok(Self {
            tenant: Tenant::new(tenant, sender),
            reader: reader.transpose()?,
            admin,
            waves: options.waves,
            interval: options.interval,
            measure: Arc::clone(measure),
            watch: Arc::clone(watch),
            now: options.now,
        })
    }

    async fn run(mut self) -> Result<Ended, SimulateError> {
        let number = self.tenant.options.number;
        let connected = self.tenant.connect().await;
        connected.map_err(|source| SimulateError::Connection { tenant: number, source })?;
        let mut waves = Vec::new();
        for wave in 1..=self.waves {
            let began = Instant::now();
            let mut report = self.wave(wave).await;
            if self.tenant.client.is_quarantined() {
                return Err(SimulateError::Quarantined { tenant: number });
            }
            // Entra's waves are far enough apart for each to settle before the next.
            self.see_it_settle(&mut report).await;
            waves.push(report.wave);
            if wave < self.waves {
                tokio::time::sleep(self.interval.saturating_sub(began.elapsed())).await;
            }
        }
        let verification = self.verify().await?;
        Ok(Ended { waves, verification })
    }

    async fn wave(&mut self, number: usize) -> WaveSent {
        let before = self.newest_wave().await;
        let (requests, failures) = self.tenant.client.counts();
        let began = Instant::now();
        let events = self.tenant.wave(self.watch.as_ref()).await;
        let took = began.elapsed();
        let (requests_now, failures_now) = self.tenant.client.counts();
        let cycle = if number == 1 { Cycle::Initial } else { Cycle::Incremental };
        let wave = WaveReport {
            tenant: self.tenant.options.number,
            number,
            cycle: cycle.name(),
            started_ms: milliseconds(began.saturating_duration_since(self.measure.started())),
            duration_ms: milliseconds(took),
            requests: requests_now - requests,
            failures: failures_now - failures,
            events,
            role_changes: None,
            lag_ms: None,
        };
        WaveSent { wave, sent_at: (self.now)(), before }
    }

    async fn newest_wave(&self) -> Option<Wave> {
        self.admin.as_ref()?.newest_wave().await.ok()?
    }

    /// Adds what the service made of a wave, if that can be seen.
    async fn see_it_settle(&self, sent: &mut WaveSent) {
        let Some(admin) = &self.admin else { return };
        let Ok(Some(settled)) = admin.settled_wave(SETTLE_WAIT_MAX).await else { return };
        let is_older = sent
            .before
            .as_ref()
            .is_some_and(|before| before.id == settled.id && before.reconciled_at.is_some());
        let Some(reconciled_at) = settled.reconciled_at.filter(|_| !is_older) else { return };
        let lag = reconciled_at.duration_since(sent.sent_at).as_secs_f64() * 1_000.0;
        // The service's clock need not be ours.
        sent.wave.lag_ms = Some(lag.max(0.0));
        sent.wave.role_changes = Some(settled.role_changes);
        let (tenant, number) = (sent.wave.tenant, sent.wave.number);
        let changes = settled.role_changes;
        self.watch.line(&format!(
            "tenant {tenant}: wave {number} settled, {changes} roles changed, {:.1} s after its \
             last request",
            lag.max(0.0) / 1_000.0
        ));
    }

    async fn verify(&self) -> Result<Option<(Comparison, Duration)>, SimulateError> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let began = Instant::now();
        let tenant = self.tenant.options.number;
        let (directory, links) = (&self.tenant.directory, &self.tenant.links);
        let concurrency = self.tenant.options.concurrency;
        let compared = verify::compare(reader, directory, links, concurrency).await;
        let mut found = compared.map_err(|source| SimulateError::ReadBack { tenant, source })?;
        if let Some(admin) = &self.admin {
            let roles = async {
                if admin.settled_wave(SETTLE_WAIT_MAX).await?.is_none() {
                    return Ok(None);
                }
                verify::roles::compare(admin, directory, links).await.map(Some)
            };
            let roles: Result<_, AdminError> = roles.await;
            let roles = roles.map_err(|source| SimulateError::Roles { tenant, source })?;
            found.absorb(roles.ok_or(SimulateError::NotSettled { tenant })?);
        }
        let owed = self.tenant.owes();
        if owed > 0 {
            self.watch.line(&format!("tenant {tenant}: {owed} writes failed and are owed still"));
        }
        Ok(Some((found, began.elapsed())))
    }
}

/// A wave whose requests are answered.
struct WaveSent {
    wave: WaveReport,
    sent_at: Timestamp,
    /// The newest wave that the service knew of before.
    before: Option<Wave>,
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

    fn wave(started_ms: f64, duration_ms: f64) -> WaveReport {
        WaveReport {
            tenant: 0,
            number: 1,
            cycle: "initial",
            started_ms,
            duration_ms,
            requests: 1,
            failures: 0,
            events: Vec::new(),
            role_changes: None,
            lag_ms: None,
        }
    }

    #[test]
    fn rests_between_waves_do_not_count_and_waves_at_once_count_once() {
        let waves = [wave(0.0, 100.0), wave(50.0, 20.0), wave(90.0, 30.0), wave(1_000.0, 10.0)];

        assert!((busy_ms(&waves) - 130.0).abs() < 1e-9);
    }

    #[test]
    fn the_flag_in_an_address_chooses_the_dialect_and_is_not_sent() {
        let endpoint = Url::parse("https://x.example/scim/v2/acme/?aadOptscim062020").unwrap();

        assert_eq!(base_of(&endpoint), "https://x.example/scim/v2/acme");
        assert_eq!(dialect_of(&endpoint), Dialect::Scim);
    }
}
