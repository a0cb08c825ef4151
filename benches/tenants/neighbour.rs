//! A noisy neighbour: quiet tenants, alone, and beside one that sends 20 times what its limit allows.
//!
//! Limits are as they are shipped. The noisy tenant does not wait for the time that an answer 429
//! names, which is the worst that a directory can do. Each quiet tenant is within a wave all the time.
//!
//! The noise is sent from a thread of its own: sent from the one that measures, its answers would be
//! read while those that count wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::json;
use tokio::runtime;
use tokio::task::{self, JoinHandle};

use super::directory::{Directory, Mix, WATCH};
use super::load::{self, Outcome, Wave};
use super::pace::Pacer;
use super::report::{Part, Report, median};
use super::server::Server;

/// Tenants whose times count, and their requests a second each: 500 in all.
const QUIET: usize = 20;
const PER_SECOND: f64 = 25.0;
/// Users of a tenant before its wave.
const USERS: usize = 200;
/// How many times its limit the noisy tenant sends.
const TIMES: f64 = 20.0;
/// Requests of a tenant that are in flight at once, at most.
const CONNECTIONS: usize = 5;
const CONNECTIONS_NOISY: usize = 64;
/// How long each phase takes.
const PHASE: Duration = Duration::from_secs(20);
const PHASE_QUICK: Duration = Duration::from_secs(4);
/// How often both are measured.
const PAIRS: usize = 9;
const PAIRS_QUICK: usize = 3;
/// Between two phases.
const REST: Duration = Duration::from_secs(1);

/// What a phase measures.
struct Phase {
    quiet: Vec<Outcome>,
    noisy: Option<Outcome>,
}

/// All tenants, and how long a phase takes.
struct Neighbours {
    quiet: Vec<Directory>,
    /// Not here while it sends.
    noisy: Option<Directory>,
    /// What wakes the noisy one.
    pacer: Arc<Pacer>,
    /// What the noisy tenant sends in a second.
    noise: f64,
    phase: Duration,
}

impl Neighbours {
    async fn make(server: &Server, phase: Duration) -> Self {
        let shipped = json!({
            "rate_limit": null, "reconcile": null,
            "role_mappings": [{"group": WATCH, "role": "editor"}],
        });
        let make = async |number: usize| {
            let id = format!("tenant-{number}");
            Directory::make(server, &id, USERS, Mix::NewUsers, &shipped).await
        };
        let quiet = stream::iter(0..QUIET).map(make).buffered(QUIET).collect().await;
        let noisy = Directory::make(server, "noisy", USERS, Mix::NewUsers, &shipped).await;
        let settings = server.admin(Method::GET, "/tenants/noisy/settings", None).await;
        let limit = settings["rate_limit"]["requests_per_second"].as_f64().unwrap();
        let pacer = Arc::new(Pacer::start());
        Self { quiet, noisy: Some(noisy), pacer, noise: limit * TIMES, phase }
    }

    async fn phase(&mut self, pacer: &Pacer, with_noise: bool) -> Phase {
        let began = Instant::now();
        let noise = with_noise.then(|| self.begin_noise(began));
        // Spread, so that they do not all send at the same moments.
        let step = Duration::from_secs_f64(1.0 / PER_SECOND).div_f64(QUIET as f64);
        let waves = self.quiet.iter().zip(0..).map(|(directory, number)| Wave {
            directory,
            begins: began + step * number,
            requests: whole(self.phase.as_secs_f64() * PER_SECOND),
            per_second: PER_SECOND,
            connections: CONNECTIONS,
        });
        let waves: Vec<Wave<'_>> = waves.collect();
        let quiet = load::run(pacer, &waves).await;
        let mut noisy = None;
        if let Some(noise) = noise {
            let (directory, outcome) = noise.await.unwrap();
            self.noisy = Some(directory);
            noisy = Some(outcome);
        }
        tokio::time::sleep(REST).await;
        Phase { quiet, noisy }
    }

    fn begin_noise(&mut self, begins: Instant) -> JoinHandle<(Directory, Outcome)> {
        let directory = self.noisy.take().expect("no noise goes on");
        let (pacer, per_second) = (Arc::clone(&self.pacer), self.noise);
        let requests = whole(self.phase.as_secs_f64() * per_second);
        task::spawn_blocking(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let connections = CONNECTIONS_NOISY;
            let wave = Wave { directory: &directory, begins, requests, per_second, connections };
            let outcome = runtime.block_on(wave.run(&pacer));
            (directory, outcome)
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small number over zero"
)]
fn whole(value: f64) -> usize {
    value.round() as usize
}

pub(crate) async fn measure(pacer: &Pacer, is_quick: bool, report: &mut Report) {
    let (phase, pairs) = if is_quick { (PHASE_QUICK, PAIRS_QUICK) } else { (PHASE, PAIRS) };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut neighbours = Neighbours::make(&server, phase).await;
    // Once for nothing: caches, and the first growth of the file.
    neighbours.phase(pacer, true).await;
    let (mut pooled, mut worst, mut noisy) = (Vec::new(), Vec::new(), Outcome::none());
    for number in 0..pairs {
        let is_noisy_first = number % 2 == 1;
        let first = neighbours.phase(pacer, is_noisy_first).await;
        let second = neighbours.phase(pacer, !is_noisy_first).await;
        let pair = if is_noisy_first { [second, first] } else { [first, second] };
        pair.iter().filter_map(|phase| phase.noisy.as_ref()).for_each(|one| noisy.add(one));
        worst.push(
            pair.each_ref().map(|phase| phase.quiet.iter().map(Outcome::p99).fold(0.0, f64::max)),
        );
        pooled.push(pair.map(|phase| Outcome::of(&phase.quiet)));
    }

    let part: Part = ("quiet tenants beside a noisy one", QUIET);
    report.tell_pairs(part, &pooled, "noise");
    for (side, name) in ["without", "with"].into_iter().enumerate() {
        let worst = median(worst.iter().map(|worst| worst[side]));
        report.tell(part, &format!("p99 of the worst tenant, {name} noise"), (worst, "ms"), "");
    }
    let sent = noisy.requests() as f64;
    report.tell(part, "requests a second of the noisy one", (neighbours.noise, ""), "");
    report.tell(part, "requests of the noisy one", (sent, ""), "");
    report.tell(part, "of these answered 429", (noisy.limited as f64 / sent * 100.0, "%"), "");
    let failed: usize = pooled.iter().flatten().map(Outcome::failed).sum();
    report.tell_failed(part, failed + noisy.errors);
}
