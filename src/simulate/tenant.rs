//! One tenant's simulation: its directory, what the target made of it, and its waves.
//!
//! Everything is drawn from the seed and the tenant's number, never from time or answers. What could
//! not be written in one wave is owed in the next.

use futures_util::StreamExt as _;
use futures_util::stream;
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;

use super::churn::{self, Changes};
use super::client::{Client, Request, SendError};
use super::cycle::{self, Job, Owed, Plan};
use super::dialect::Dialect;
use super::directory::{self, Directory};
use super::operation::Operation;
use super::perform::{Gates, JobError, Learned, Links, Performer, encoded, quoted};
use super::watch::{Cycle, Watch};

/// Sets the tenants' seeds apart from each other.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

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
    /// Requests under way at the same time, at most.
    pub concurrency: usize,
    /// How bodies are written.
    pub dialect: Dialect,
}

/// The endpoint cannot be provisioned to: Entra would not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// There was no answer.
    #[error("the test of the connection got no answer")]
    Send(#[from] SendError),
    /// The answer was not a success.
    #[error("the test of the connection was answered {status} to {path}, not 200")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// What was answered.
        status: u16,
    },
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
    random: Pcg64Mcg,
    owed: Owed,
    gates: Gates,
    waves: usize,
}

impl Tenant {
    /// Draws the directory. Nothing is sent yet.
    pub fn new(options: TenantOptions, client: Client) -> Self {
        let step = SEED_STEP.wrapping_mul(options.number as u64);
        let mut random = Pcg64Mcg::seed_from_u64(options.seed.wrapping_add(step));
        let directory = Directory::draw(&mut random, options.users, options.groups);
        let gates = Gates::new(options.groups);
        let (links, owed) = (Links::default(), Owed::default());
        Self { options, directory, client, links, random, owed, gates, waves: 0 }
    }

    /// What an administrator does before anything is provisioned: tests the connection, and lets
    /// the schemas be read.
    pub async fn connect(&mut self) -> Result<(), ConnectionError> {
        let filter = format!("userName eq {}", quoted(&directory::guid(&mut self.random)));
        self.probe("/Users", &format!("/Users?filter={}", encoded(&filter))).await?;
        let filter = format!("displayName eq {}", quoted(&directory::guid(&mut self.random)));
        let path = format!("/Groups?excludedAttributes=members&filter={}", encoded(&filter));
        self.probe("/Groups", &path).await?;
        let mut discovery = Request::get(Operation::Discover, "/Schemas");
        // Entra lives without it.
        discovery.also_fine = Some(404);
        self.client.send(discovery).await?;
        Ok(())
    }

    async fn probe(&self, path: &'static str, query: &str) -> Result<(), ConnectionError> {
        let answer = self.client.send(Request::get(Operation::TestConnection, query)).await?;
        match answer.status {
            200 => Ok(()),
            status => Err(ConnectionError::Refused { path, status }),
        }
    }

    /// Whether something could not be written so far.
    pub fn owes(&self) -> usize {
        self.owed.len()
    }

    /// Sends the next wave: the initial cycle first, then incremental ones. Answers what happened
    /// in the directory before it.
    pub async fn wave(&mut self, watch: &dyn Watch) -> Vec<(&'static str, u64)> {
        self.waves += 1;
        let (cycle, plan, events) = self.plan();
        watch.wave_began(self.options.number, self.waves, cycle, plan.requests());
        self.links.people.resize(self.directory.people.len(), None);
        self.links.groups.resize(self.directory.groups.len(), None);
        for stage in plan.stages {
            self.run(stage).await;
        }
        watch.wave_ended(self.options.number, self.waves);
        events
    }

    fn plan(&mut self) -> (Cycle, Plan, Vec<(&'static str, u64)>) {
        if self.waves == 1 {
            let at_once = self.options.concurrency;
            let plan = cycle::initial(&self.directory, &mut self.random, at_once);
            let (people, groups) = (self.directory.people.len(), self.directory.groups.len());
            let events = vec![("users", people as u64), ("groups", groups as u64)];
            return (Cycle::Initial, plan, events);
        }
        let Changes { people, renamed_groups, events } =
            churn::draw(&mut self.directory, &mut self.random, self.options.churn_percent);
        let changes = Changes { people, renamed_groups, events: Vec::new() };
        let owed = std::mem::take(&mut self.owed);
        let plan = cycle::incremental(&self.directory, &changes, &owed, &mut self.random);
        (Cycle::Incremental, plan, events)
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
                Ok(learned) => self.learn(learned),
                Err(_) => self.owed.note(&job),
            }
        }
    }

    fn learn(&mut self, learned: Learned) {
        let (link, id) = match learned {
            Learned::Person(person, id) => (self.links.people.get_mut(person), id),
            Learned::Group(group, id) => (self.links.groups.get_mut(group), id),
            Learned::Nothing => return,
        };
        if let Some(link) = link {
            *link = Some(id);
        }
    }
}
