//! SCIM requests of a tenant while it is swept.
//!
//! All of a large tenant's accounts are reconciled again and again, by an operator's request, which is
//! the same pass as a sweep by the clock. The directory's changes touch titles and a group without a
//! mapping, so that no pass finds a role to change.

use std::cell::Cell;
use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use super::directory::{Directory, Mix};
use super::load::{Outcome, Wave};
use super::pace::Pacer;
use super::report::{Part, Report, median};
use super::server::Server;

const ACCOUNTS: usize = 100_000;
const ACCOUNTS_QUICK: usize = 2_000;
/// Requests a second. They are beyond the limit that is shipped, which is raised.
const PER_SECOND: f64 = 200.0;
/// Requests that are in flight at once, at most.
const CONNECTIONS: usize = 16;
/// How many requests each phase has.
const REQUESTS: usize = 3_000;
const REQUESTS_QUICK: usize = 600;
/// How often both are measured.
const PAIRS: usize = 11;
const PAIRS_QUICK: usize = 3;
const TENANT: &str = "large";

/// Sweeps until it is told to end. Answers how long each took, in seconds.
async fn sweeps(server: &Server, is_over: &Cell<bool>) -> Vec<f64> {
    let (path, body) = (format!("/tenants/{TENANT}/reconcile"), json!({"dry_run": false}));
    let mut took = Vec::new();
    while !is_over.get() {
        let began = Instant::now();
        let report = server.admin(Method::POST, &path, Some(&body)).await;
        took.push(began.elapsed().as_secs_f64());
        assert_eq!(report["changed"], 0, "{report}");
    }
    took
}

/// Measures requests, with sweeps beside them or without.
async fn phase(
    pacer: &Pacer,
    (server, directory): (&Server, &Directory),
    requests: usize,
    with_sweeps: bool,
) -> (Outcome, Vec<f64>) {
    let is_over = Cell::new(!with_sweeps);
    let begins = Instant::now();
    let wave =
        Wave { directory, begins, requests, per_second: PER_SECOND, connections: CONNECTIONS };
    let load = async {
        let outcome = wave.run(pacer).await;
        is_over.set(true);
        outcome
    };
    tokio::join!(load, sweeps(server, &is_over))
}

pub(crate) async fn measure(pacer: &Pacer, is_quick: bool, report: &mut Report) {
    let (accounts, requests, pairs) = if is_quick {
        (ACCOUNTS_QUICK, REQUESTS_QUICK, PAIRS_QUICK)
    } else {
        (ACCOUNTS, REQUESTS, PAIRS)
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let began = Instant::now();
    let settings = json!({"reconcile": null});
    let directory = Directory::make(&server, TENANT, accounts, Mix::Changes, &settings).await;
    eprintln!("({accounts} users made in {:.0} s)", began.elapsed().as_secs_f64());
    let tenant = (&server, &directory);
    // Once for nothing: caches, and the first growth of the file.
    phase(pacer, tenant, requests, true).await;
    let (mut measured, mut took) = (Vec::new(), Vec::new());
    for number in 0..pairs {
        let is_swept_first = number % 2 == 1;
        let (first, first_took) = phase(pacer, tenant, requests, is_swept_first).await;
        let (second, second_took) = phase(pacer, tenant, requests, !is_swept_first).await;
        measured.push(if is_swept_first { [second, first] } else { [first, second] });
        took.extend(first_took.into_iter().chain(second_took));
    }

    let part: Part = ("accounts that are swept", accounts);
    report.tell_pairs(part, &measured, "sweeps");
    let sweep = median(took.iter().copied());
    report.tell(part, "a sweep, beside the requests", (sweep, "s"), "");
    report.tell(part, "sweeps", (took.len() as f64, ""), "");
    report.tell(part, "requests a second", (PER_SECOND, ""), "");
    report.tell_failed(part, measured.iter().flatten().map(Outcome::failed).sum());
}
