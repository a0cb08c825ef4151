//! How costs grow with size, measured on the release build over HTTP:
//!
//! - adding one member to a group of 20 to 20,000, one at a time and 16 at once
//! - reading such a group without its members
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
#[path = "support/server.rs"]
mod server;

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::results::Results;
use self::server::{Server, Tenant};

const ROUNDS: usize = 1_000;
const GROUP_SIZES: [usize; 4] = [20, 200, 2_000, 20_000];
const TENANT_SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const IN_FLIGHT: usize = 64;
/// New members of one group under way at once, and how many make one measurement.
const JOINING_AT_ONCE: usize = 16;
const JOINERS: usize = 160;

async fn create_users(tenant: &Tenant, count: usize) -> Vec<String> {
    let create = |n: usize| async move {
        let body = json!({
            "userName": format!("user-{n:06}@example.com"),
            "displayName": format!("User {n}"),
            "emails": [{"type": "work", "primary": true, "value": format!("user-{n:06}@example.com")}],
        });
        let (status, user) = tenant.send(Method::POST, "/Users", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED);
        user["id"].as_str().unwrap().to_owned()
    };
    stream::iter(0..count).map(create).buffer_unordered(IN_FLIGHT).collect().await
}

async fn create_group(tenant: &Tenant, name: &str, members: &[String]) -> String {
    let (status, group) =
        tenant.send(Method::POST, "/Groups", Some(&json!({"displayName": name}))).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = group["id"].as_str().unwrap().to_owned();
    for members in members.chunks(1_000) {
        add(tenant, &id, members).await;
    }
    id
}

async fn add(tenant: &Tenant, group: &str, members: &[String]) {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"Operations": [{"op": "add", "path": "members", "value": members}]});
    let (status, answer) =
        tenant.send(Method::PATCH, &format!("/Groups/{group}"), Some(&body)).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
}

async fn remove(tenant: &Tenant, group: &str, member: &str) {
    let body = json!({"Operations": [
        {"op": "remove", "path": "members", "value": [{"value": member}]},
    ]});
    let (status, answer) =
        tenant.send(Method::PATCH, &format!("/Groups/{group}"), Some(&body)).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
}

async fn look_up(tenant: &Tenant, n: usize) {
    let query = format!("/Users?filter=userName+eq+%22user-{n:06}%40example.com%22");
    let (status, found) = tenant.send(Method::GET, &query, None).await;
    assert_eq!((status, &found["totalResults"]), (StatusCode::OK, &json!(1)));
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

/// Groups of each size, and users who are in none of them.
struct Crowd<'a> {
    tenant: &'a Tenant,
    groups: Vec<String>,
    joiners: Vec<String>,
}

impl<'a> Crowd<'a> {
    async fn new(tenant: &'a Tenant, sizes: &[usize]) -> Self {
        let largest = *sizes.iter().max().unwrap();
        let mut members = create_users(tenant, largest + JOINERS).await;
        let joiners = members.split_off(largest);
        let mut groups = Vec::new();
        for size in sizes {
            groups.push(create_group(tenant, &format!("group of {size}"), &members[..*size]).await);
        }
        Self { tenant, groups, joiners }
    }

    /// Each group gets a new member, in turns.
    async fn join(&self, rounds: usize) -> Vec<Vec<Duration>> {
        let mut times = vec![Vec::new(); self.groups.len()];
        for joiner in self.joiners.chunks(1).cycle().take(rounds) {
            for (group, times) in self.groups.iter().zip(&mut times) {
                let began = Instant::now();
                add(self.tenant, group, joiner).await;
                times.push(began.elapsed());
                // Groups keep their sizes: who joined leaves again, untimed.
                remove(self.tenant, group, &joiner[0]).await;
            }
        }
        times
    }

    /// Each group gets many new members, in turns; how long one takes when so many come at once.
    async fn join_at_once(&self, rounds: usize) -> Vec<Vec<Duration>> {
        let mut times = vec![Vec::new(); self.groups.len()];
        for _ in 0..rounds {
            for (group, times) in self.groups.iter().zip(&mut times) {
                let began = Instant::now();
                let joining = stream::iter(self.joiners.chunks(1));
                let join = async |joiner: &[String]| add(self.tenant, group, joiner).await;
                joining.for_each_concurrent(JOINING_AT_ONCE, join).await;
                times.push(began.elapsed() / u32::try_from(JOINERS).unwrap());
                let leaving = stream::iter(&self.joiners);
                let leave = async |joiner: &String| remove(self.tenant, group, joiner).await;
                leaving.for_each_concurrent(JOINING_AT_ONCE, leave).await;
            }
        }
        times
    }

    /// Each group is read without its members, in turns.
    async fn read(&self, rounds: usize) -> Vec<Vec<Duration>> {
        let mut times = vec![Vec::new(); self.groups.len()];
        for _ in 0..rounds {
            for (group, times) in self.groups.iter().zip(&mut times) {
                let path = format!("/Groups/{group}?excludedAttributes=members");
                let began = Instant::now();
                let (status, answer) = self.tenant.send(Method::GET, &path, None).await;
                times.push(began.elapsed());
                assert_eq!((status, &answer["id"]), (StatusCode::OK, &json!(group)));
            }
        }
        times
    }
}

/// Tenants of each size; then somebody is looked up in each, in turns.
async fn look_up_in(server: &Server, sizes: &[usize], rounds: usize) -> Vec<Vec<Duration>> {
    let mut tenants = Vec::new();
    for size in sizes {
        let tenant = server.tenant(&format!("users-{size}")).await;
        let began = Instant::now();
        create_users(&tenant, *size).await;
        let rate = *size as f64 / began.elapsed().as_secs_f64();
        eprintln!("({size} users made, {rate:.0} a second, {IN_FLIGHT} at once)");
        tenants.push(tenant);
    }
    let mut times = vec![Vec::new(); sizes.len()];
    for round in 0..rounds {
        for ((tenant, size), times) in tenants.iter().zip(sizes).zip(&mut times) {
            let began = Instant::now();
            look_up(tenant, round * 97 % size).await;
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
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut results = Results::default();

    let crowd = server.tenant("members").await;
    let crowd = Crowd::new(&crowd, group_sizes).await;
    let times = crowd.join(rounds).await;
    report("add one member to a group", group_sizes, times, &mut results);
    let times = crowd.join_at_once(rounds / 50).await;
    report("add one member to a group, 16 at once", group_sizes, times, &mut results);
    let times = crowd.read(rounds).await;
    report("read a group without its members", group_sizes, times, &mut results);
    let times = look_up_in(&server, tenant_sizes, rounds).await;
    report("look a user up by userName", tenant_sizes, times, &mut results);
    results.write();
}
