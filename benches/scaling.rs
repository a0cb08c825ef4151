//! How costs grow with size, measured on the release build over HTTP:
//!
//! - adding one member to a group of 20,000, beside a group of 20
//! - `userName eq` among 100,000 users, beside 100
//!
//! `cargo bench --bench scaling` prints the medians and their ratio. The two sides take turns, so
//! that whatever else the machine does meets both.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

const OPERATOR: &str = "operator-token-of-the-benchmark";
const ROUNDS: usize = 1_000;
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

fn report(what: &str, small: (&str, Duration), large: (&str, Duration)) {
    let ratio = large.1.as_secs_f64() / small.1.as_secs_f64();
    println!("{what}");
    println!("  {:<24} median {:>8.0} µs", small.0, small.1.as_secs_f64() * 1e6);
    println!("  {:<24} median {:>8.0} µs", large.0, large.1.as_secs_f64() * 1e6);
    println!("  ratio {ratio:.2} (at most 2 is the aim)");
}

#[tokio::main]
async fn main() {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let server = Server::start();

    let crowd = server.tenant("members").await;
    let users = crowd.create_users(20_000 + 2 * ROUNDS).await;
    let (members, joiners) = users.split_at(20_000);
    let small = crowd.create_group("twenty", &members[..20]).await;
    let large = crowd.create_group("twenty thousand", members).await;
    let (mut small_times, mut large_times) = (Vec::new(), Vec::new());
    for pair in joiners.chunks_exact(2) {
        // The group of 20 stays about that size: who joined leaves again, untimed.
        let started = Instant::now();
        crowd.add(&small, &pair[..1]).await;
        small_times.push(started.elapsed());
        let started = Instant::now();
        crowd.add(&large, &pair[1..]).await;
        large_times.push(started.elapsed());
        let leave = json!({"Operations": [{"op": "remove", "path": "members", "value": [{"value": pair[0]}]}]});
        crowd.send(Method::PATCH, &format!("/Groups/{small}"), Some(leave)).await;
    }
    report(
        "add one member to a group",
        ("of 20", median(small_times)),
        ("of 20,000", median(large_times)),
    );

    let few = server.tenant("few").await;
    few.create_users(100).await;
    let many = server.tenant("many").await;
    let started = Instant::now();
    many.create_users(100_000).await;
    let rate = 100_000.0 / started.elapsed().as_secs_f64();
    eprintln!("(100,000 users made, {rate:.0} a second, {IN_FLIGHT} at once, one client process)");
    let (mut few_times, mut many_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let started = Instant::now();
        few.look_up(round % 100).await;
        few_times.push(started.elapsed());
        let started = Instant::now();
        many.look_up(round * 97 % 100_000).await;
        many_times.push(started.elapsed());
    }
    report(
        "look a user up by userName",
        ("among 100", median(few_times)),
        ("among 100,000", median(many_times)),
    );
}
