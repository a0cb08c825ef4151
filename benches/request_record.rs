//! What the request record costs: the same server with the record and without it, on the release
//! build over HTTP, creates and changes of users over 64 connections.
//!
//! `cargo bench --bench request_record` prints the throughput of both and their ratio. The two take
//! turns, each round in the other order, so that whatever else the machine does meets both; what
//! counts is the median of the ratios of two rounds together. A round is long enough for the record to be packed and
//! written several times within it. The processor time of the servers is printed beside it: it
//! does not depend on the client, which takes its part of the machine. `-- --quick` makes fewer rounds;
//! `-- --json FILE` writes the figures there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "support/results.rs"]
mod results;
#[path = "support/server.rs"]
mod server;

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::results::Results;
use self::server::{Server, Tenant};

const ROUNDS: usize = 16;
const ROUNDS_QUICK: usize = 2;
/// A little more than three times what the recorder packs at once: what is packed for a phase is packed
/// within it, and does not fall into the next.
const USERS_PER_ROUND: usize = 6_250;
const IN_FLIGHT: usize = 64;
/// Ticks of `/proc/PID/stat` in a second, as Linux gives them to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server with or without the record, and its tenant.
struct Side {
    server: Server,
    tenant: Tenant,
    data: tempfile::TempDir,
}

/// What the requests of one kind took: on the clock, and of the processor, for a request.
#[derive(Clone, Copy)]
struct Phase {
    requests_per_second: f64,
    cpu_micros: f64,
}

/// The same phase on both servers.
struct Pair {
    with: Phase,
    without: Phase,
}

impl Side {
    async fn start(records: bool) -> Self {
        let data = tempfile::tempdir().unwrap();
        let records = if records { "true" } else { "false" };
        let server = Server::start(data.path(), &["--log", "warn", "--record-requests", records]);
        let tenant = server.tenant("acme").await;
        Self { server, tenant, data }
    }

    /// Processor time of the server so far, in seconds.
    fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.server.running.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        let behind_name = stat.rsplit(") ").next().unwrap();
        let ticks = behind_name.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().unwrap());
        ticks.sum::<f64>() / TICKS_PER_SECOND
    }

    /// Creates the users of a round; answers their ids.
    async fn create(&self, round: usize) -> (Phase, Vec<String>) {
        let create = |n: usize| async move {
            let body = user(round * USERS_PER_ROUND + n);
            let (status, user) = self.tenant.send(Method::POST, "/Users", Some(&body)).await;
            assert_eq!(status, StatusCode::CREATED, "{user}");
            user["id"].as_str().unwrap().to_owned()
        };
        self.phase(stream::iter(0..USERS_PER_ROUND).map(create)).await
    }

    /// Changes the users of a round.
    async fn patch(&self, round: usize, ids: &[String]) -> Phase {
        let patch = |id| async move {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [
                    {"op": "Replace", "path": "title", "value": format!("Mate {round}")},
                    {"op": "Replace", "path": "name.familyName", "value": "Lovelace"},
                ],
            });
            let path = format!("/Users/{id}");
            let (status, user) = self.tenant.send(Method::PATCH, &path, Some(&body)).await;
            assert_eq!(status, StatusCode::OK, "{user}");
        };
        self.phase(stream::iter(ids).map(patch)).await.0
    }

    async fn phase<T>(
        &self,
        requests: impl futures_util::Stream<Item = impl Future<Output = T>>,
    ) -> (Phase, Vec<T>) {
        let (cpu, started) = (self.cpu(), Instant::now());
        let answers: Vec<T> = requests.buffer_unordered(IN_FLIGHT).collect().await;
        let took = started.elapsed();
        // What is still held is written within a second, and belongs to this phase.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let phase = Phase {
            requests_per_second: answers.len() as f64 / took.as_secs_f64(),
            cpu_micros: (self.cpu() - cpu) * 1e6 / answers.len() as f64,
        };
        (phase, answers)
    }
}

/// A user as Entra sends one.
fn user(n: usize) -> Value {
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        ],
        "externalId": format!("entra-{n:08}"),
        "userName": format!("user-{n:08}@example.com"),
        "active": true,
        "displayName": format!("User Number {n}"),
        "emails": [{"primary": true, "type": "work", "value": format!("user-{n:08}@example.com")}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": format!("User Number {n}"), "familyName": "Number", "givenName": "User"},
        "title": "Mate",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Deck", "employeeNumber": format!("{n}")
        },
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

#[tokio::main]
async fn main() {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if is_quick { ROUNDS_QUICK } else { ROUNDS };
    let mut results = Results::default();
    let (with, without) = (Side::start(true).await, Side::start(false).await);
    let (mut creates, mut patches) = (Vec::new(), Vec::new());
    for number in 0..=rounds {
        // In turns, and in turn about the first.
        let (created, with_ids, without_ids) = if number % 2 == 0 {
            let (on, with_ids) = with.create(number).await;
            let (off, without_ids) = without.create(number).await;
            (Pair { with: on, without: off }, with_ids, without_ids)
        } else {
            let (off, without_ids) = without.create(number).await;
            let (on, with_ids) = with.create(number).await;
            (Pair { with: on, without: off }, with_ids, without_ids)
        };
        let patched = if number % 2 == 0 {
            let on = with.patch(number, &with_ids).await;
            Pair { with: on, without: without.patch(number, &without_ids).await }
        } else {
            let off = without.patch(number, &without_ids).await;
            Pair { with: with.patch(number, &with_ids).await, without: off }
        };
        // The first is for nothing: caches, connections, the first growth of the files.
        if number > 0 {
            creates.push(created);
            patches.push(patched);
        }
    }
    println!("{rounds} rounds of {USERS_PER_ROUND} users, {IN_FLIGHT} at once; medians");
    for (what, pairs) in [("creates", &creates), ("PATCHes", &patches)] {
        for (unit, of) in [
            ("a second", (|phase| phase.requests_per_second) as fn(&Phase) -> f64),
            ("processor µs", |phase| phase.cpu_micros),
        ] {
            let on = median(pairs.iter().map(|pair| of(&pair.with)).collect());
            let off = median(pairs.iter().map(|pair| of(&pair.without)).collect());
            let ratio = |pair: &Pair| of(&pair.with) / of(&pair.without);
            // Of two rounds, each server was once the first: that one finds the machine rested.
            let ratios = pairs.chunks_exact(2).map(|two| (ratio(&two[0]) * ratio(&two[1])).sqrt());
            let ratio = median(ratios.collect());
            results.add(&format!("{what}, {unit}, with the record"), None, on, "");
            results.add(&format!("{what}, {unit}, without the record"), None, off, "");
            results.add(&format!("{what}, {unit}, ratio"), None, ratio, "");
            println!("{what} {unit:<13} with {on:>8.1}   without {off:>8.1}   ratio {ratio:.3}");
        }
    }
    println!("(throughput with the record is to be at least 0.95 of that without)");
    let page = with.server.admin(Method::GET, "/tenants/acme/requests?limit=1", None).await;
    println!("requests that were not recorded: {}", page["dropped"]);
    for (what, side) in [("with", &with), ("without", &without)] {
        let file = std::fs::metadata(side.data.path().join("slackwater.redb")).unwrap();
        println!("database {what:<8} {:>6} MB", file.len() >> 20);
    }
    results.write();
}
