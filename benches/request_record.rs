//! What the request record costs: the same server with the record and without it, on the release
//! build over HTTP, creates and changes of users over 64 connections.
//!
//! `cargo bench --bench request_record` prints the throughput of both and their ratio. The two take
//! turns, each round in the other order, so that whatever else the machine does meets both; what is
//! compared is the median of the rounds. The processor time of the servers is printed beside it: it
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

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use self::results::Results;

const OPERATOR: &str = "operator-token-of-the-benchmark";
const ROUNDS: usize = 16;
const ROUNDS_QUICK: usize = 3;
const USERS_PER_ROUND: usize = 2_000;
const IN_FLIGHT: usize = 64;
/// Ticks of `/proc/PID/stat` in a second, as Linux gives them to programs.
const TICKS_PER_SECOND: f64 = 100.0;

struct Server {
    child: Child,
    endpoint: String,
    token: String,
    client: Client,
    data: tempfile::TempDir,
    base: String,
}

/// What a round took: times on the clock, and of the processor, a request.
#[derive(Clone, Copy)]
struct Round {
    creates_per_second: f64,
    patches_per_second: f64,
    cpu_micros: f64,
}

impl Server {
    async fn start(records: bool) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--record-requests", if records { "true" } else { "false" }, "--data"])
            .arg(data.path())
            .env("SLACKWATER_ADMIN_TOKEN", OPERATOR)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let (endpoint, token) = (String::new(), String::new());
        let mut server = Self { child, endpoint, token, client, data, base };
        let tenant = json!({"id": "acme", "name": "acme"});
        let made = server.admin(Method::POST, "/tenants", Some(&tenant)).await;
        let rate = json!({"rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000}});
        server.admin(Method::PATCH, "/tenants/acme/settings", Some(&rate)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (server.endpoint, server.token) =
            (text(&made["scim"]["endpoint"]), text(&made["scim"]["token"]));
        server
    }

    async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/admin/v1{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(OPERATOR);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.endpoint);
        let request = self.client.request(method, url).bearer_auth(&self.token).body(body);
        let request = request.header("content-type", "application/scim+json");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Processor time so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let behind_name = stat.rsplit(") ").next().unwrap();
        let ticks = behind_name.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().unwrap());
        ticks.sum::<f64>() / TICKS_PER_SECOND
    }

    async fn round(&self, number: usize) -> Round {
        let cpu = self.cpu();
        let started = Instant::now();
        let create = |n: usize| async move {
            let body = user(number * USERS_PER_ROUND + n).to_string();
            let (status, user) = self.send(Method::POST, "/Users", body).await;
            assert_eq!(status, StatusCode::CREATED, "{user}");
            user["id"].as_str().unwrap().to_owned()
        };
        let ids: Vec<String> = stream::iter(0..USERS_PER_ROUND)
            .map(create)
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let created = started.elapsed();
        let started = Instant::now();
        stream::iter(&ids)
            .map(|id| async move {
                let body = json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": [
                        {"op": "Replace", "path": "title", "value": format!("Mate {number}")},
                        {"op": "Replace", "path": "name.familyName", "value": "Lovelace"},
                    ],
                });
                let path = format!("/Users/{id}");
                let (status, user) = self.send(Method::PATCH, &path, body.to_string()).await;
                assert_eq!(status, StatusCode::OK, "{user}");
            })
            .buffer_unordered(IN_FLIGHT)
            .collect::<Vec<()>>()
            .await;
        let patched = started.elapsed();
        // What is held is written within a second, and belongs to this round.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Round {
            creates_per_second: USERS_PER_ROUND as f64 / created.as_secs_f64(),
            patches_per_second: USERS_PER_ROUND as f64 / patched.as_secs_f64(),
            cpu_micros: (self.cpu() - cpu) * 1e6 / (2 * USERS_PER_ROUND) as f64,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
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
    let (with, without) = (Server::start(true).await, Server::start(false).await);
    // Once for nothing: caches, connections, the first growth of the files.
    with.round(0).await;
    without.round(0).await;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for number in 1..=rounds {
        if number % 2 == 0 {
            on.push(with.round(number).await);
            off.push(without.round(number).await);
        } else {
            off.push(without.round(number).await);
            on.push(with.round(number).await);
        }
    }
    println!("{rounds} rounds of {USERS_PER_ROUND} users, {IN_FLIGHT} at once; medians");
    for (what, of) in [
        ("creates a second", (|round| round.creates_per_second) as fn(&Round) -> f64),
        ("PATCHes a second", |round| round.patches_per_second),
        ("processor µs a request", |round| round.cpu_micros),
    ] {
        let (on, off) = (median(&on, of), median(&off, of));
        results.add(&format!("{what}, with the record"), None, on, "");
        results.add(&format!("{what}, without the record"), None, off, "");
        println!("{what:<24} with {on:>8.1}   without {off:>8.1}   ratio {:.3}", on / off);
    }
    println!("(throughput with the record is to be at least 0.95 of that without)");
    let page = with.admin(Method::GET, "/tenants/acme/requests?limit=1", None).await;
    println!("requests that were not recorded: {}", page["dropped"]);
    for (what, server) in [("with", &with), ("without", &without)] {
        let file = std::fs::metadata(server.data.path().join("slackwater.redb")).unwrap();
        println!("database {what:<8} {:>6} MB", file.len() >> 20);
    }
    results.write();
}
