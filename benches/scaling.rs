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

/// Groups of each size; then each gets a new member, in turns.
async fn grow_groups(tenant: &Tenant, sizes: &[usize], rounds: usize) -> Vec<Vec<Duration>> {
    let largest = *sizes.iter().max().unwrap();
    let users = create_users(tenant, largest + rounds).await;
    let (members, joiners) = users.split_at(largest);
    let mut groups = Vec::new();
    for size in sizes {
        groups.push(create_group(tenant, &format!("group of {size}"), &members[..*size]).await);
    }
    let mut times = vec![Vec::new(); sizes.len()];
    for joiner in joiners.chunks(1) {
        for (group, times) in groups.iter().zip(&mut times) {
            let began = Instant::now();
            add(tenant, group, joiner).await;
            times.push(began.elapsed());
            // Groups keep their sizes: who joined leaves again, untimed.
            remove(tenant, group, &joiner[0]).await;
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
    let times = grow_groups(&crowd, group_sizes, rounds).await;
    report("add one member to a group", group_sizes, times, &mut results);
    let times = look_up_in(&server, tenant_sizes, rounds).await;
    report("look a user up by userName", tenant_sizes, times, &mut results);
    results.write();
}
