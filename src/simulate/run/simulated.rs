//! What one tenant goes through: the test of the connection, its waves, and the verification.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Options, SETTLE_WAIT_MAX, SimulateError, Target, base_of, dialect_of};
use crate::simulate::admin::{Admin, AdminError, Settled, Wave};
use crate::simulate::client::{Client, ClientOptions, in_full};
use crate::simulate::measure::{Measure, milliseconds};
use crate::simulate::report::WaveReport;
use crate::simulate::tenant::{Tenant, TenantOptions};
use crate::simulate::verify::{self, Comparison};
use crate::simulate::watch::{Cycle, Unwatched, Watch};
use crate::wording::spoken;

/// One tenant, with all that it takes to simulate it.
pub(super) struct Simulated {
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

/// What came of a tenant.
#[derive(Default)]
pub(super) struct Ended {
    /// Its waves, those included that were not sent to their end.
    pub(super) waves: Vec<WaveReport>,
    /// What differs, and how long the comparison took.
    pub(super) verification: Option<(Comparison, Duration)>,
    /// How much could not be written.
    pub(super) owed: usize,
    /// Why it ended early, if it did.
    pub(super) broke_off: Option<SimulateError>,
}

impl Ended {
    /// Nothing came of it.
    pub(super) fn broken_off(why: SimulateError) -> Self {
        Self { broke_off: Some(why), ..Self::default() }
    }
}

impl Simulated {
    pub(super) fn new(
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
        let tenant = TenantOptions {
            number,
            seed: options.seed,
            users: options.users,
            groups: options.groups,
            churn_percent: options.churn_percent,
            apart: options.apart,
            concurrency: options.concurrency,
            dialect: options.dialect.unwrap_or_else(|| dialect_of(&target.endpoint)),
        };
        let sender = client(options.rate, Arc::clone(measure), Arc::clone(watch))?;
        Ok(Self {
            tenant: Tenant::new(tenant, sender),
            reader: reader.transpose()?,
            admin: target.admin.clone().map(|access| Admin::new(http.clone(), access)),
            waves: options.waves,
            interval: options.interval,
            measure: Arc::clone(measure),
            watch: Arc::clone(watch),
            now: options.now,
        })
    }

    /// All of it, as far as it goes.
    pub(super) async fn run(mut self) -> Ended {
        let mut ended = Ended::default();
        ended.broke_off = self.simulate(&mut ended).await.err();
        ended.owed = self.tenant.owes();
        ended
    }

    async fn simulate(&mut self, ended: &mut Ended) -> Result<(), SimulateError> {
        let tenant = self.tenant.options.number;
        self.connect().await?;
        for number in 1..=self.waves {
            let began = Instant::now();
            let mut sent = self.wave(number).await;
            let is_quarantined = self.tenant.client.is_quarantined();
            if !is_quarantined {
                // Entra's waves are far enough apart for each to settle before the next.
                self.see_it_settle(&mut sent).await;
            }
            ended.waves.push(sent.wave);
            if is_quarantined {
                return Err(SimulateError::Quarantined { tenant });
            }
            if number < self.waves {
                tokio::time::sleep(self.interval.saturating_sub(began.elapsed())).await;
            }
        }
        self.verify(ended).await
    }

    /// Sees whether the target can be used, before anything is written to it.
    async fn connect(&mut self) -> Result<(), SimulateError> {
        let tenant = self.tenant.options.number;
        let connected = self.tenant.connect().await;
        connected.map_err(|source| SimulateError::Connection { tenant, source })?;
        if let Some(admin) = &self.admin {
            let read = admin.settings().await;
            read.map_err(|source| SimulateError::Admin { tenant, source })?;
        }
        Ok(())
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
        match self.admin.as_ref()?.newest_wave().await {
            Ok(wave) => wave,
            Err(error) => {
                self.say(&in_full(&error));
                None
            }
        }
    }

    /// Adds what the service made of a wave, if that can be seen.
    async fn see_it_settle(&self, sent: &mut WaveSent) {
        let Some(admin) = &self.admin else { return };
        let settled = match admin.settle(SETTLE_WAIT_MAX).await {
            Ok(Settled::Reconciled(wave)) => wave,
            Ok(Settled::NoWave) => return,
            Ok(Settled::NotInTime) => {
                let (number, waited) = (sent.wave.number, spoken(SETTLE_WAIT_MAX));
                return self.say(&format!("wave {number} did not settle within {waited}"));
            }
            Err(error) => return self.say(&in_full(&error)),
        };
        if let Some(lag_ms) = sent.take(&settled) {
            let (number, changes) = (sent.wave.number, settled.role_changes);
            self.say(&format!(
                "wave {number} settled, {changes} roles changed, {:.1} s after its last request",
                lag_ms / 1_000.0
            ));
        }
    }

    fn say(&self, what: &str) {
        self.watch.line(&format!("tenant {}: {what}", self.tenant.options.number));
    }

    /// What was compared counts, also where the roles cannot be.
    async fn verify(&self, ended: &mut Ended) -> Result<(), SimulateError> {
        let Some(reader) = &self.reader else { return Ok(()) };
        let began = Instant::now();
        let tenant = self.tenant.options.number;
        let (directory, links) = (&self.tenant.directory, &self.tenant.links);
        let concurrency = self.tenant.options.concurrency;
        let compared = verify::compare(reader, directory, links, concurrency).await;
        let found = compared.map_err(|source| SimulateError::ReadBack { tenant, source })?;
        let (found, took) = ended.verification.insert((found, began.elapsed()));
        if let Some(admin) = &self.admin {
            found.absorb(self.roles(admin).await?);
            *took = began.elapsed();
        }
        Ok(())
    }

    async fn roles(&self, admin: &Admin) -> Result<Comparison, SimulateError> {
        let tenant = self.tenant.options.number;
        let unread = |source: AdminError| SimulateError::Roles { tenant, source };
        let settled = admin.settle(SETTLE_WAIT_MAX).await.map_err(unread)?;
        if matches!(settled, Settled::NotInTime) {
            return Err(SimulateError::NotSettled { tenant });
        }
        let (directory, links) = (&self.tenant.directory, &self.tenant.links);
        verify::roles::compare(admin, directory, links).await.map_err(unread)
    }
}

/// A wave whose requests are answered.
struct WaveSent {
    wave: WaveReport,
    sent_at: Timestamp,
    /// The newest wave that the service knew of before.
    before: Option<Wave>,
}

impl WaveSent {
    /// Takes over what the service made of it, unless that is an older wave. Answers the lag, in
    /// milliseconds.
    fn take(&mut self, settled: &Wave) -> Option<f64> {
        let is_older = self
            .before
            .as_ref()
            .is_some_and(|before| before.id == settled.id && before.reconciled_at.is_some());
        let reconciled_at = settled.reconciled_at.filter(|_| !is_older)?;
        // The service's clock need not be ours.
        let lag_ms = reconciled_at.duration_since(self.sent_at).as_secs_f64().max(0.0) * 1_000.0;
        self.wave.lag_ms = Some(lag_ms);
        self.wave.role_changes = Some(settled.role_changes);
        Some(lag_ms)
    }
}
