//! 1,000 tenants at Entra's rates.
//!
//! Entra's provisioning jobs run each on their own: a wave of up to 25 requests a second, then silence
//! for 20 to 40 minutes. A tenant that is busy for 72 seconds of every half hour is within a wave for
//! 4 % of the time, so that 40 of 1,000 are at any moment: 1,000 requests a second in all. The window
//! that is measured keeps that rate, and makes waves shorter and closer, so that each tenant has one
//! within minutes.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use serde_json::json;

use super::directory::{Directory, Mix, WATCH};
use super::load::{self, Outcome, Wave};
use super::pace::Pacer;
use super::report::{Part, Report, median};
use super::server::Server;

const TENANTS: usize = 1_000;
const TENANTS_QUICK: usize = 50;
/// Users of a tenant before its wave.
const USERS: usize = 50;
/// Requests of a tenant's wave: so many that a p99 of its own says something.
const REQUESTS: usize = 200;
const REQUESTS_QUICK: usize = 100;
/// Requests a second within a wave: what a gallery application has to take of each tenant.
const PER_SECOND: f64 = 25.0;
/// Tenants within a wave at any moment, on average: 4 % of 1,000.
const AT_ONCE: f64 = 40.0;
/// Requests of one tenant that are in flight at once, at most: as many as Entra has.
const CONNECTIONS: usize = 5;
/// The milliseconds within which no tenant's p99 should be.
const GOAL_MS: f64 = 250.0;
/// Tenants that are made at once.
const MADE_AT_ONCE: usize = 16;
/// Waves begin at the same moments in every run.
const SEED: u64 = 25;

/// How long a wave takes.
fn length(requests: usize) -> Duration {
    Duration::from_secs_f64(requests as f64 / PER_SECOND)
}

/// The most waves that go on at once, by when they begin.
fn at_once_max(begins: &[Duration], length: Duration) -> usize {
    let at_once = |moment: &Duration| {
        begins.iter().filter(|begun| (**begun..**begun + length).contains(moment)).count()
    };
    begins.iter().map(at_once).max().unwrap_or_default()
}

pub(crate) async fn measure(pacer: &Pacer, is_quick: bool, report: &mut Report) {
    let (tenants, requests) =
        if is_quick { (TENANTS_QUICK, REQUESTS_QUICK) } else { (TENANTS, REQUESTS) };
    let data = tempfile::tempdir().unwrap();
    let server = &Server::start(data.path(), &[]);
    let began = Instant::now();
    // As shipped, but that sweeps begin at once: a tenant's first one would come 20 minutes after it
    // was made, and tenants that have run for long are swept all the time, each in half an hour.
    let settings = json!({
        "rate_limit": null,
        "reconcile": {"settle": null, "sweep_min": "10s", "sweep_max": "30m"},
        "role_mappings": [{"group": WATCH, "role": "editor"}],
    });
    let make = async |number: usize| {
        let id = format!("tenant-{number:04}");
        Directory::make(server, &id, USERS, Mix::NewUsers, &settings).await
    };
    let directories: Vec<Directory> =
        stream::iter(0..tenants).map(make).buffered(MADE_AT_ONCE).collect().await;
    eprintln!("({tenants} tenants made in {:.0} s)", began.elapsed().as_secs_f64());

    let length = length(requests);
    let spread = length.mul_f64(tenants as f64 / AT_ONCE);
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    let begins: Vec<Duration> =
        (0..tenants).map(|_| spread.mul_f64(random.random_range(0.0..1.0))).collect();
    let began = Instant::now();
    let waves: Vec<Wave<'_>> = directories
        .iter()
        .zip(&begins)
        .map(|(directory, begins)| Wave {
            directory,
            begins: began + *begins,
            requests,
            per_second: PER_SECOND,
            connections: CONNECTIONS,
        })
        .collect();
    let outcomes = load::run(pacer, &waves).await;
    let took = began.elapsed().as_secs_f64();

    let part: Part = ("tenants at Entra's rates", tenants);
    let all = Outcome::of(&outcomes);
    let p99s = || outcomes.iter().map(Outcome::p99);
    let goal = format!("(goal: {GOAL_MS:.0})");
    report.tell(part, "p99 of the worst tenant", (p99s().fold(0.0, f64::max), "ms"), &goal);
    report.tell(part, "p99 of the median tenant", (median(p99s()), "ms"), "");
    report.tell(part, "p99 of all requests", (all.p99(), "ms"), "");
    report.tell(part, "slowest request", (all.slowest(), "ms"), "");
    report.tell(part, "sent late by the load, p99", (all.lateness_p99(), "ms"), "");
    let at_once = at_once_max(&begins, length) as f64;
    report.tell(part, "tenants within a wave, at most", (at_once, ""), "");
    report.tell(part, "requests a second", (all.requests() as f64 / took, ""), "");
    report.tell(part, "requests", (all.requests() as f64, ""), "");
    report.tell_failed(part, all.failed());
}
