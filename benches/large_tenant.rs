//! A tenant of a million users beside one of a thousand, on the release build over HTTP:
//!
//! - how much memory the server takes while they are created, and while they are looked up
//! - how long it takes from the start of the program until it answers requests again
//! - a look-up by userName in each of the two, one at a time, in turns
//!
//! `cargo bench --bench large_tenant` takes some ten minutes; `-- --quick` makes a hundredth of the
//! users; `-- --json FILE` writes the figures there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "support/memory.rs"]
mod memory;
#[path = "support/results.rs"]
mod results;
#[path = "support/server.rs"]
mod server;

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;

use self::memory::memory_mib;
use self::results::Results;
use self::server::{Server, Tenant};

const USERS: usize = 1_000_000;
const USERS_SMALL: usize = 1_000;
const IN_FLIGHT: usize = 64;
const LOOK_UPS: usize = 4_000;

async fn create(tenant: &Tenant, count: usize) {
    let create = |n: usize| async move {
        let address = format!("user-{n:08}@example.com");
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "externalId": format!("entra-{n:08}"),
            "userName": address,
            "displayName": format!("User {n}"),
            "active": true,
            "emails": [{"type": "work", "primary": true, "value": address}],
        });
        let (status, user) = tenant.send(Method::POST, "/Users", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{user}");
    };
    let mut made = stream::iter(0..count).map(create).buffer_unordered(IN_FLIGHT);
    let mut number = 0;
    while made.next().await.is_some() {
        number += 1;
        if number % 100_000 == 0 {
            eprintln!("({number} users)");
        }
    }
}

/// Spread over all of them, in no order that a cache would like.
async fn look_up(tenant: &Tenant, round: usize, users: usize) -> Duration {
    let number = round.wrapping_mul(7_919) % users;
    let path = format!("/Users?filter=userName+eq+%22user-{number:08}%40example.com%22");
    let began = Instant::now();
    let (status, found) = tenant.send(Method::GET, &path, None).await;
    let took = began.elapsed();
    assert_eq!((status, &found["totalResults"]), (StatusCode::OK, &json!(1)), "{path}");
    took
}

/// Memory of the server in MiB, at most, so far.
fn memory(server: &Server) -> f64 {
    memory_mib(server.running.child.id(), "VmHWM")
}

/// Asks a server to end, and waits until it has.
fn stop(mut server: Server) {
    let pid = server.running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.running.child.wait().unwrap().success());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::main]
async fn main() {
    // Cargo's test runner asks for a list or a single run; there is nothing short to run.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let users = if is_quick { USERS / 100 } else { USERS };
    let mut results = Results::default();
    let mut tell = |what: &str, size: usize, value: f64, unit: &str, limit: &str| {
        println!("{what:<42} {size:>9} users {value:>9.1} {unit:<4} {limit}");
        results.add(what, Some(size), value, unit);
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--log", "warn"]);
    let (mut large, mut small) = (server.tenant("large").await, server.tenant("small").await);

    let began = Instant::now();
    create(&large, users).await;
    let rate = users as f64 / began.elapsed().as_secs_f64();
    create(&small, USERS_SMALL).await;
    tell("users created in a second", users, rate, "", "");
    tell("memory while creating, at most", users, memory(&server), "MiB", "(goal: 512)");
    let path = data.path().join("slackwater.redb");
    let bytes = std::fs::metadata(path).unwrap().len();
    tell("database", users, bytes as f64 / f64::from(1 << 20), "MiB", "");

    let before = server.running.base.clone();
    stop(server);
    let began = Instant::now();
    let server = Server::start(data.path(), &["--log", "warn"]);
    for tenant in [&mut large, &mut small] {
        tenant.endpoint = tenant.endpoint.replacen(&before, &server.running.base, 1);
    }
    look_up(&large, 1, users).await;
    let opened = began.elapsed().as_secs_f64();
    tell("started and answered the first request in", users, opened, "s", "(goal: 1)");

    let (mut of_large, mut of_small) = (Vec::new(), Vec::new());
    for round in 0..LOOK_UPS {
        of_large.push(look_up(&large, round, users).await);
        of_small.push(look_up(&small, round, USERS_SMALL).await);
    }
    let micros = |times| median(times).as_secs_f64() * 1e6;
    let (of_large, of_small) = (micros(of_large), micros(of_small));
    tell("look a user up", USERS_SMALL, of_small, "µs", "");
    let ratio = format!("ratio {:.2} (goal: 1.5)", of_large / of_small);
    tell("look a user up", users, of_large, "µs", &ratio);
    let at_once = |round| look_up(&large, round, users);
    let began = Instant::now();
    let done = stream::iter(0..10 * LOOK_UPS).map(at_once).buffer_unordered(IN_FLIGHT);
    let done = done.count().await as f64;
    let rate = done / began.elapsed().as_secs_f64();
    tell("look-ups in a second, 64 at once", users, rate, "", "");
    tell("memory while looking up, at most", users, memory(&server), "MiB", "(goal: 512)");
    results.write();
}
