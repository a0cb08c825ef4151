//! How long the reads behind a list take, by the number of users: the first page, a page behind
//! nine tenths of all, the same by a cursor, and one user found by name.
//!
//! A page is of 100 users. Paging by `startIndex` steps over ids and reads the page alone.
//!
//! `cargo bench --bench pages`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

#[path = "support/tenant.rs"]
mod tenant;

use std::ops::ControlFlow;
use std::time::Duration;

use access::UserId;
use criterion::{BenchmarkId, Criterion};
use scim::schema::ResourceType;
use store::{Snapshot, Store, Texts};

use self::tenant::{Tenant, user_name};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const PAGE: usize = 100;

/// The ids of a page behind `skip` users.
fn ids(snapshot: &Snapshot, tenant: &Tenant, skip: usize) -> Vec<UserId> {
    let (mut seen, mut found) = (0, Vec::with_capacity(PAGE));
    let visit = |id| {
        seen += 1;
        if seen > skip {
            found.push(UserId::from_bytes(id));
        }
        if found.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    snapshot.resource_ids(tenant.key, ResourceType::User, None, visit).unwrap();
    found
}

/// Bytes in the users of a page behind `skip` users.
fn by_index(tenant: &Tenant, skip: usize) -> usize {
    let snapshot = tenant.store.snapshot().unwrap();
    let ids = ids(&snapshot, tenant, skip);
    assert_eq!(ids.len(), PAGE);
    let bytes = |id: &UserId| snapshot.user(tenant.key, *id).unwrap().unwrap().body.len();
    ids.iter().map(bytes).sum()
}

/// Accounts of a page behind one.
fn by_cursor(tenant: &Tenant, after: UserId) -> usize {
    let snapshot = tenant.store.snapshot().unwrap();
    let (texts, limits) = (Texts::default(), (PAGE, PAGE + 1));
    snapshot.accounts_with(tenant.key, Some(after), &texts, limits).unwrap().found.len()
}

/// Bytes in the user with this number, found by name.
fn look_up(tenant: &Tenant, number: usize) -> usize {
    let snapshot = tenant.store.snapshot().unwrap();
    let id = snapshot.user_by_name(tenant.key, &user_name(number)).unwrap().unwrap();
    snapshot.user(tenant.key, id).unwrap().unwrap().body.len()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("pages");
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    // Test runners only want to see it run once: one small tenant is made for them.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    for &users in SIZES.iter().take(if is_measured { SIZES.len() } else { 1 }) {
        let tenant = Tenant::new();
        tenant.fill(users);
        let deep = users / 10 * 9;
        let last_before = ids(&tenant.store.snapshot().unwrap(), &tenant, deep - 1)[0];
        let id = |name| BenchmarkId::new(name, users);
        group.bench_function(id("first page"), |bencher| bencher.iter(|| by_index(&tenant, 0)));
        group.bench_function(id("deep page, startIndex"), |bencher| {
            bencher.iter(|| by_index(&tenant, deep));
        });
        group.bench_function(id("deep page, cursor"), |bencher| {
            bencher.iter(|| by_cursor(&tenant, last_before));
        });
        let mut number = 0;
        group.bench_function(id("look up by userName"), |bencher| {
            bencher.iter(|| {
                number = (number + 7_919) % users;
                look_up(&tenant, number)
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
