//! A webhook receiver that is down while 50,000 events queue up, measured on the release build:
//!
//! - what it costs the directory: PATCH latency beside a server that has no webhook
//! - what it costs in memory
//! - how fast everything is delivered once the receiver is back, and whether in order
//!
//! `cargo bench --bench backlog` prints all three. The two servers hold the same users and took the
//! same requests, and take turns, so that whatever else the machine does meets both.
//! `-- --quick` queues a tenth; `-- --json FILE` writes the figures there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "support/memory.rs"]
mod memory;
#[path = "support/results.rs"]
mod results;
#[path = "support/running.rs"]
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::memory::memory_mib;
use self::results::Results;
use self::running::{OPERATOR, Running};

const USERS: usize = 1_000;
const QUEUED: usize = 50_000;
const IN_FLIGHT: usize = 32;
const ROUNDS: usize = 10;
const PATCHES_PER_ROUND: usize = 1_000;
/// How long the delivery of everything may take.
const DELIVERY_WAIT_MAX: Duration = Duration::from_mins(10);

struct Server {
    running: Running,
    client: Client,
    scim: String,
    token: String,
    users: Vec<String>,
    _data: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let arguments = ["--allow-private-webhooks", "--log", "error"];
        let running = Running::start(data.path(), &arguments);
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let mut server = Self {
            running,
            client,
            scim: String::new(),
            token: String::new(),
            users: Vec::new(),
            _data: data,
        };
        let made = server.admin(Method::POST, "/tenants", &json!({"id": "acme"})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (server.scim, server.token) =
            (text(&made["scim"]["endpoint"]), text(&made["scim"]["token"]));
        let rate = json!({"rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000}});
        server.admin(Method::PATCH, "/tenants/acme/settings", &rate).await;
        let create = |n: usize| {
            let server = &server;
            async move {
                let body = json!({"userName": format!("user-{n:06}")});
                let user = server.directory(Method::POST, "/Users", &body).await;
                user["id"].as_str().unwrap().to_owned()
            }
        };
        let users: Vec<String> =
            stream::iter(0..USERS).map(create).buffer_unordered(IN_FLIGHT).collect().await;
        server.users = users;
        server
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/admin/v1{path}", self.running.base);
        let answer =
            self.client.request(method, url).bearer_auth(OPERATOR).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn directory(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.scim);
        let request = self.client.request(method, url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/scim+json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Renames users, one after the other: an event each. Answers how long each took.
    async fn rename(&self, from: usize, count: usize) -> Vec<Duration> {
        let rename = |n: usize| async move {
            let name = format!("Name {n}");
            let body = json!({"Operations": [
                {"op": "replace", "path": "displayName", "value": name},
            ]});
            let path = format!("/Users/{}", self.users[n % self.users.len()]);
            let began = Instant::now();
            self.directory(Method::PATCH, &path, &body).await;
            began.elapsed()
        };
        stream::iter(from..from + count).map(rename).buffer_unordered(IN_FLIGHT).collect().await
    }

    /// Resident memory, in MiB.
    fn memory_mib(&self) -> f64 {
        memory_mib(self.running.child.id(), "VmRSS")
    }
}

/// What a receiver got: the order in which events of each account came first.
#[derive(Default)]
struct Received {
    ids: BTreeSet<String>,
    by_account: BTreeMap<String, Vec<u64>>,
    requests: usize,
}

async fn receive(State(received): State<Arc<Mutex<Received>>>, body: String) -> StatusCode {
    let body: Value = serde_json::from_str(&body).unwrap();
    let data = &body["data"];
    let mut received = received.lock().unwrap();
    received.requests += 1;
    if received.ids.insert(data["id"].as_str().unwrap().to_owned()) {
        let account = data["account"].as_str().unwrap_or_default().to_owned();
        received.by_account.entry(account).or_default().push(data["seq"].as_u64().unwrap());
    }
    StatusCode::NO_CONTENT
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a position in a list of some thousands"
    )]
    let position = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[position].as_secs_f64() * 1e6
}

fn compare(mut without: Vec<Duration>, mut with: Vec<Duration>, results: &mut Results) {
    without.sort();
    with.sort();
    for (name, share) in [("median", 0.5), ("p99", 0.99)] {
        let (without, with) = (percentile(&without, share), percentile(&with, share));
        println!(
            "PATCH, {name}: without a webhook {without:.0} µs, with {with:.0} µs, ratio {:.2}",
            with / without
        );
        results.add(&format!("PATCH, {name}, without a webhook"), None, without, "µs");
        results.add(&format!("PATCH, {name}, with a dead one"), None, with, "µs");
    }
}

/// Both take turns.
async fn take_turns(
    without: &Server,
    with: &Server,
    from: usize,
    rounds: usize,
) -> (Vec<Duration>, Vec<Duration>) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let from = from + round * PATCHES_PER_ROUND;
        a.extend(without.rename(from, PATCHES_PER_ROUND).await);
        b.extend(with.rename(from, PATCHES_PER_ROUND).await);
    }
    (a, b)
}

#[tokio::main]
async fn main() {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (queued, rounds) = if is_quick { (QUEUED / 10, 1) } else { (QUEUED, ROUNDS) };
    let mut results = Results::default();
    let without = Server::start().await;
    let with = Server::start().await;
    // It takes connections and never answers: the worst of the dead.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let hooked = json!({"url": format!("http://{address}/")});
    let hook = with.admin(Method::POST, "/tenants/acme/webhooks", &hooked).await;
    let hook = hook["id"].as_str().unwrap().to_owned();

    eprintln!("queueing {queued} events for a receiver that never answers");
    without.rename(0, queued).await;
    with.rename(0, queued).await;
    let (a, b) = take_turns(&without, &with, queued, rounds).await;
    println!("{} events queued for a receiver that never answers", queued + a.len());
    compare(a, b, &mut results);
    println!(
        "memory: without a webhook {:.0} MiB, with {:.0} MiB",
        without.memory_mib(),
        with.memory_mib()
    );

    drop(silent);
    let received = Arc::new(Mutex::new(Received::default()));
    let app = Router::new().route("/", post(receive)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    with.admin(
        Method::PATCH,
        &format!("/tenants/acme/webhooks/{hook}"),
        &json!({"state": "active"}),
    )
    .await;
    let began = Instant::now();
    let expected = queued + rounds * PATCHES_PER_ROUND;
    let mut peak = 0.0_f64;
    loop {
        let delivered = received.lock().unwrap().ids.len();
        peak = peak.max(with.memory_mib());
        if delivered >= expected {
            break;
        }
        assert!(began.elapsed() < DELIVERY_WAIT_MAX, "{delivered} of {expected} were delivered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = began.elapsed();
    let received = received.lock().unwrap();
    let in_order = received.by_account.values().all(|numbers| numbers.is_sorted());
    #[expect(clippy::cast_precision_loss, reason = "some tens of thousands")]
    let rate = received.ids.len() as f64 / took.as_secs_f64();
    println!(
        "receiver back: {} events in {:.1} s ({rate:.0} a second), {} sent twice, in order for each account: {in_order}",
        received.ids.len(),
        took.as_secs_f64(),
        received.requests - received.ids.len(),
    );
    println!("memory while delivering, at most: {peak:.0} MiB");
    results.add("events delivered a second, once it is back", None, rate, "");
    results.add("memory while delivering, at most", None, peak, "MiB");
    results.write();
    assert!(in_order, "an account's events came out of order");
}
