//! One tenant's simulation: its directory, what the target made of it, and its waves.
//!
//! Everything is drawn from the seed and the tenant's number, never from time or answers. What could
//! not be written in one wave is owed in the next.

mod connection;
mod generators;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

pub use self::connection::ConnectionError;
use self::generators::Generators;
use super::churn;
use super::client::Client;
use super::cycle::{self, Job, Owed, Plan};
use super::dialect::Dialect;
use super::directory::Directory;
use super::links::{Learned, Links};
use super::perform::{Gates, JobError, Performer};
use super::watch::{Cycle, Watch};

/// How a tenant is simulated.
#[derive(Debug, Clone)]
pub struct TenantOptions {
    /// Which tenant, from 0.
    pub number: usize,
    /// What everything is drawn from.
    pub seed: u64,
    /// People at the beginning.
    pub users: usize,
    /// Groups.
    pub groups: usize,
    /// Of a hundred people, how many an incremental cycle touches.
    pub churn_percent: f64,
    /// The rest between the halves of a move, at most.
    pub apart: Duration,
    /// Requests under way at the same time, at most.
    pub concurrency: usize,
    /// How bodies are written.
    pub dialect: Dialect,
}

/// One tenant.
pub struct Tenant {
    /// How it is simulated.
    pub options: TenantOptions,
    /// What its target must hold.
    pub directory: Directory,
    /// Where its requests go.
    pub client: Client,
    /// The ids that its target gave.
    pub links: Links,
    generators: Generators,
    owed: Owed,
    gates: Gates,
    waves: usize,
}

impl Tenant {
    /// Draws the directory. Nothing is sent yet.
    pub fn new(options: TenantOptions, client: Client) -> Self {
        let generators = Generators::new(options.seed, options.number);
        let directory = Directory::draw(&mut generators.directory(), options.users, options.groups);
        let gates = Gates::new(options.groups);
        let (links, owed) = (Links::default(), Owed::default());
        Self { options, directory, client, links, generators, owed, gates, waves: 0 }
    }

    /// What an administrator does before anything is provisioned: tests the connection, and lets
    /// the schemas be read.
    pub async fn connect(&self) -> Result<(), ConnectionError> {
        connection::test(&self.client, &mut self.generators.connection()).await
    }

    /// How much could not be written so far.
    pub fn owes(&self) -> usize {
        self.owed.len()
    }

    /// Sends the next wave: the initial cycle first, then incremental ones. Answers what happened
    /// in the directory before it.
    pub async fn wave(&mut self, watch: &dyn Watch) -> Vec<(&'static str, u64)> {
        let (cycle, plan, events) = self.plan();
        watch.wave_began(self.options.number, self.waves, cycle, plan.requests());
        for stage in plan.stages {
            if !stage.rest.is_zero() && !self.client.is_quarantined() {
                tokio::time::sleep(stage.rest).await;
            }
            self.run(stage.jobs).await;
        }
        watch.wave_ended(self.options.number, self.waves);
        events
    }

    /// What the next wave sends, and what happened before it.
    fn plan(&mut self) -> (Cycle, Plan, Vec<(&'static str, u64)>) {
        self.waves += 1;
        let mut random = self.generators.plan(self.waves);
        if self.waves == 1 {
            let plan = cycle::initial(&self.directory, &mut random, self.options.concurrency);
            let (people, groups) = (self.directory.people.len(), self.directory.groups.len());
            let events = vec![("users", people as u64), ("groups", groups as u64)];
            return (Cycle::Initial, plan, events);
        }
        let mut chance = self.generators.churn(self.waves);
        let changes = churn::draw(&mut self.directory, &mut chance, self.options.churn_percent);
        let owed = std::mem::take(&mut self.owed);
        let since = cycle::Since {
            directory: &self.directory,
            links: &self.links,
            changes: &changes,
            owed: &owed,
        };
        let plan = cycle::incremental(&since, &mut random, self.options.apart);
        (Cycle::Incremental, plan, changes.events)
    }

    /// Performs the jobs of one stage; what comes of them counts from the next stage on.
    async fn run(&mut self, jobs: Vec<Job>) {
        let performer = Performer {
            client: &self.client,
            dialect: self.options.dialect,
            directory: &self.directory,
            links: &self.links,
            gates: &self.gates,
        };
        let performed: Vec<(Job, Result<Learned, JobError>)> = stream::iter(jobs)
            .map(async |job| {
                let outcome = performer.perform(&job).await;
                (job, outcome)
            })
            .buffer_unordered(self.options.concurrency.max(1))
            .collect()
            .await;
        for (job, outcome) in performed {
            match outcome {
                Ok(learned) => self.links.learn(learned),
                Err(error) => self.owe(&job, &error),
            }
        }
    }

    /// What could not be written is counted, and written in the next wave.
    fn owe(&mut self, job: &Job, error: &JobError) {
        if let Some(kind) = error.fault() {
            self.client.count_fault(job.operation(), kind, &error.to_string());
        }
        self.owed.note(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Tenant {
        let options = TenantOptions {
            number: 0,
            seed: 5,
            users: 100,
            groups: 14,
            churn_percent: 20.0,
            apart: Duration::ZERO,
            concurrency: 5,
            dialect: Dialect::Entra,
        };
        Tenant::new(options, Client::idle())
    }

    #[test]
    fn what_failed_in_one_wave_changes_nothing_of_what_happens_in_later_ones() {
        let (mut smooth, mut rough) = (tenant(), tenant());

        for wave in 1..=4 {
            smooth.plan();
            let (_, plan, _) = rough.plan();
            if wave == 2 {
                let mut jobs = plan.stages.iter().flat_map(|stage| &stage.jobs);
                let failed = jobs.find(|job| matches!(job, Job::ProvisionUser { .. })).unwrap();
                rough.owe(failed, &JobError::NoLink);
                assert_eq!(rough.owes(), 1);
            }
        }

        let held = |tenant: &Tenant| {
            format!("{:?} {:?}", tenant.directory.people, tenant.directory.groups)
        };
        assert_eq!(held(&smooth), held(&rough));
    }
}
