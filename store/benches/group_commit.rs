//! How long a durable transaction takes by the number of creates in it, and so how many users a
//! second can be made: a redb file in a temporary directory, each user with its index rows, its
//! account, its mark, its entry in the feed and its audit entry.
//!
//! A transaction takes what is queued when the one before it ends. So that each holds exactly as
//! many changes as is said, the changes of the next one are handed in while one is written.
//!
//! `cargo bench --bench group_commit`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

#[path = "support/tenant.rs"]
mod tenant;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use store::{Changeset, Reply, Store};

use self::tenant::Tenant;

/// Users that are there before.
const USERS: usize = 1_000;
const BATCHES: [usize; 5] = [1, 8, 64, 256, 1_024];

fn hand_in(tenant: &Tenant, changes: Vec<Changeset>) -> Vec<Reply> {
    changes.into_iter().map(|change| tenant.store.commit(change)).collect()
}

fn wait(replies: Vec<Reply>) {
    for reply in replies {
        reply.wait_blocking().unwrap();
    }
}

/// How long so many transactions take, of `size` creates each; `next` numbers the users.
fn commit(tenant: &Tenant, transactions: u64, size: usize, next: &mut usize) -> Duration {
    let mut changes = |size: usize| {
        let first = *next;
        *next += size;
        (first..*next).map(|number| tenant.create(number)).collect::<Vec<_>>()
    };
    let mut batches = (0..transactions).map(|_| changes(size)).collect::<Vec<_>>().into_iter();
    // One change keeps the writer at work while the first batch is handed in.
    let before = hand_in(tenant, changes(1));
    let mut written = hand_in(tenant, batches.next().unwrap_or_default());
    wait(before);
    let began = Instant::now();
    for batch in batches {
        let queued = hand_in(tenant, batch);
        wait(std::mem::replace(&mut written, queued));
    }
    wait(written);
    began.elapsed()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("group commit");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    for size in BATCHES {
        let (tenant, mut next) = (Tenant::new(), USERS);
        tenant.fill(USERS);
        group.throughput(Throughput::Elements(u64::try_from(size).unwrap()));
        group.bench_function(BenchmarkId::new("a transaction", size), |bencher| {
            bencher.iter_custom(|transactions| commit(&tenant, transactions, size, &mut next));
        });
    }
    group.finish();
    criterion.final_summary();
}
