//! How costs grow with size, measured on the release build over HTTP:
//!
//! - adding one member to a group of 20 to 20,000
//! - `userName eq` among 100 to 100,000 users
//!
//! `cargo bench --bench scaling` prints the medians, and the ratio of the last to the first. The
//! sizes take turns, so that whatever else the machine does meets all. `-- --quick` leaves the largest
//! out and asks a tenth as often; `-- --json FILE` writes the figures there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
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
const ROUNDS: usize = 1_000;
const GROUP_SIZES: [usize; 4] = [20, 200, 2_000, 20_000];
const TENANT_SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const IN_FLIGHT: usize = 64;

struct Server {
    child: Child,
    base: String,
    client: Client,
    _data: tempfile::TempDir,
}

struct Tenant<'a> {
    server: &'a Server,
    base: String,
    token: String,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
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
        Self { child, base, client: Client::new_for_loopback(), _data: data }
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/admin/v1{path}", self.base);
        let request = self.client.request(method, url).bearer_auth(OPERATOR).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn tenant(&self, id: &str) -> Tenant<'_> {
        let made = self.admin(Method::POST, "/tenants", &json!({"id": id, "name": id})).await;
        let rate = json!({"rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000}});
        self.admin(Method::PATCH, &format!("/tenants/{id}/settings"), &rate).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Tenant {
            server: self,
            base: text(&made["scim"]["endpoint"]),
            token: text(&made["scim"]["token"]),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A client that talks to this machine alone.
trait Loopback {
    fn new_for_loopback() -> Self;
}

impl Loopback for Client {
    fn new_for_loopback() -> Self {
        Self::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
    }
}

impl Tenant<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.base);
        let mut request = self.server.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request =
                request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn create_users(&self, count: usize) -> Vec<String> {
        let create = |n: usize| async move {
            let body = json!({
                "userName": format!("user-{n:06}@example.com"),
                "displayName": format!("User {n}"),
                "emails": [{"type": "work", "primary": true, "value": format!("user-{n:06}@example.com")}],
            });
            let (status, user) = self.send(Method::POST, "/Users", Some(body)).await;
            assert_eq!(status, StatusCode::CREATED);
            user["id"].as_str().unwrap().to_owned()
        };
        stream::iter(0..count).map(create).buffer_unordered(IN_FLIGHT).collect().await
    }

    async fn create_group(&self, name: &str, members: &[String]) -> String {
        let (status, group) =
            self.send(Method::POST, "/Groups", Some(json!({"displayName": name}))).await;
        assert_eq!(status, StatusCode::CREATED);
        let id = group["id"].as_str().unwrap().to_owned();
        for members in members.chunks(1_000) {
            self.add(&id, members).await;
        }
        id
    }

    async fn add(&self, group: &str, members: &[String]) {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"Operations": [{"op": "add", "path": "members", "value": members}]});
        let (status, answer) =
            self.send(Method::PATCH, &format!("/Groups/{group}"), Some(body)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }

    async fn remove(&self, group: &str, member: &str) {
        let body = json!({"Operations": [
            {"op": "remove", "path": "members", "value": [{"value": member}]},
        ]});
        let (status, answer) =
            self.send(Method::PATCH, &format!("/Groups/{group}"), Some(body)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }

    async fn look_up(&self, n: usize) {
        let query = format!("/Users?filter=userName+eq+%22user-{n:06}%40example.com%22");
        let (status, found) = self.send(Method::GET, &query, None).await;
        assert_eq!((status, &found["totalResults"]), (StatusCode::OK, &json!(1)));
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn report(what: &str, sizes: &[usize], times: Vec<Vec<Duration>>, results: &mut Results) {
    println!("{what}");
    let micros: Vec<f64> =
        times.into_iter().map(|times| median(times).as_secs_f64() * 1e6).collect();
    for (size, micros) in sizes.iter().zip(&micros) {
        println!("  {size:>7} {micros:>8.0} µs");
        results.add(what, Some(*size), *micros, "µs");
    }
    let ratio = micros[micros.len() - 1] / micros[0];
    println!("  ratio {ratio:.2} (at most 2 is the aim)");
}

/// Groups of each size; then each gets a new member, in turns.
async fn grow_groups(tenant: &Tenant<'_>, sizes: &[usize], rounds: usize) -> Vec<Vec<Duration>> {
    let largest = *sizes.iter().max().unwrap();
    let users = tenant.create_users(largest + rounds).await;
    let (members, joiners) = users.split_at(largest);
    let mut groups = Vec::new();
    for size in sizes {
        groups.push(tenant.create_group(&format!("group of {size}"), &members[..*size]).await);
    }
    let mut times = vec![Vec::new(); sizes.len()];
    for joiner in joiners.chunks(1) {
        for (group, times) in groups.iter().zip(&mut times) {
            let began = Instant::now();
            tenant.add(group, joiner).await;
            times.push(began.elapsed());
            // Groups keep their sizes: who joined leaves again, untimed.
            tenant.remove(group, &joiner[0]).await;
        }
    }
    times
}

/// Tenants of each size; then somebody is looked up in each, in turns.
async fn look_up_in(server: &Server, sizes: &[usize], rounds: usize) -> Vec<Vec<Duration>> {
    let mut tenants = Vec::new();
    for size in sizes {
        let tenant = server.tenant(&format!("users-{size}")).await;
        let began = Instant::now();
        tenant.create_users(*size).await;
        let rate = *size as f64 / began.elapsed().as_secs_f64();
        eprintln!("({size} users made, {rate:.0} a second, {IN_FLIGHT} at once)");
        tenants.push(tenant);
    }
    let mut times = vec![Vec::new(); sizes.len()];
    for round in 0..rounds {
        for ((tenant, size), times) in tenants.iter().zip(sizes).zip(&mut times) {
            let began = Instant::now();
            tenant.look_up(round * 97 % size).await;
            times.push(began.elapsed());
        }
    }
    times
}

#[tokio::main]
async fn main() {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, left_out) = if is_quick { (ROUNDS / 10, 1) } else { (ROUNDS, 0) };
    let group_sizes = &GROUP_SIZES[..GROUP_SIZES.len() - left_out];
    let tenant_sizes = &TENANT_SIZES[..TENANT_SIZES.len() - left_out];
    let server = Server::start();
    let mut results = Results::default();

    let crowd = server.tenant("members").await;
    let times = grow_groups(&crowd, group_sizes, rounds).await;
    report("add one member to a group", group_sizes, times, &mut results);
    let times = look_up_in(&server, tenant_sizes, rounds).await;
    report("look a user up by userName", tenant_sizes, times, &mut results);
    results.write();
}
