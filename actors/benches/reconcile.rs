//! How long a reconciliation of a whole tenant takes, by the number of accounts: a sweep that finds
//! every account as it should be, and a change of settings that gives every account another role.
//!
//! The tenant is in a redb file. Of a role that changes, everything is committed: the account, its
//! entry in the feed, its audit entry.
//!
//! `cargo bench --bench reconcile` prints the medians. A change of 100,000 roles takes many seconds, so
//! that the rounds are few. `-- --quick` leaves the largest tenant out; `-- --json FILE` writes the
//! figures there.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "../../store/benches/support/tenant.rs"]
mod filled;
#[path = "../../benches/support/results.rs"]
mod results;

use std::sync::Arc;
use std::time::{Duration, Instant};

use access::Author;
use actors::service::Page;
use actors::{Limits, Service, SystemClock, Tenant};
use serde_json::json;
use store::Store;

use self::results::Results;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const SWEEPS: usize = 10;
const CHANGES: usize = 3;
const OPERATOR: Author = Author::operator(None);

async fn open(store: Arc<dyn Store>) -> (Service, Tenant) {
    let record = store.snapshot().unwrap().tenant(&"acme".parse().unwrap()).unwrap().unwrap();
    let clock = Arc::new(SystemClock::start());
    let service = Service::start(store, clock, Limits::default()).await.unwrap();
    let tenant = service.tenant(&record).await.unwrap();
    (service, tenant)
}

/// How long a sweep takes that changes nothing.
async fn sweep(tenant: &Tenant, accounts: usize) -> Duration {
    let began = Instant::now();
    let report = tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();
    let took = began.elapsed();
    assert_eq!((report.examined, report.changed), (accounts as u64, 0));
    took
}

/// How long a change of the default role takes, until every account has it.
async fn change_all(tenant: &Tenant, accounts: usize, role: &str) -> Duration {
    let feed = || tenant.shared().snapshot().unwrap().counts(tenant.key()).unwrap().feed;
    let (before, began) = (feed(), Instant::now());
    tenant.patch_settings(&json!({"default_role": role}), &OPERATOR).await.unwrap();
    let took = began.elapsed();
    assert_eq!(feed() - before, accounts as u64, "every account has its new role");
    took
}

fn report(what: &str, accounts: usize, mut times: Vec<Duration>, results: &mut Results) {
    times.sort_unstable();
    let seconds = times[times.len() / 2].as_secs_f64();
    let rate = accounts as f64 / seconds;
    println!("{what:<20} {accounts:>8} accounts {:>10.1} ms {rate:>9.0} a second", seconds * 1e3);
    results.add(what, Some(accounts), seconds, "s");
    results.add(&format!("{what}: accounts a second"), Some(accounts), rate, "");
}

#[tokio::main]
async fn main() {
    // Only `cargo bench` says so; test runners ask for a list or a single run, and there is nothing
    // short to run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let mut results = Results::default();
    for accounts in &SIZES[..SIZES.len() - usize::from(is_quick)] {
        let filled = tokio::task::block_in_place(|| {
            let filled = filled::Tenant::new();
            filled.fill(*accounts);
            filled
        });
        let store: Arc<dyn Store> = Arc::<store::RedbStore>::clone(&filled.store);
        let (service, tenant) = open(store).await;
        let (mut sweeps, mut changes) = (Vec::new(), Vec::new());
        for _ in 0..SWEEPS {
            sweeps.push(sweep(&tenant, *accounts).await);
        }
        for number in 0..CHANGES {
            changes.push(change_all(&tenant, *accounts, &format!("role-{number}")).await);
        }
        report("nothing changes", *accounts, sweeps, &mut results);
        report("every role changes", *accounts, changes, &mut results);
        service.stop(Duration::from_secs(5)).await;
    }
    results.write();
}
