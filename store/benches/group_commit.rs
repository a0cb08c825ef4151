//! How long creates take that are handed in at once, until all of them are on disk, by how many they
//! are; and so how many users a second can be made: a redb file in a temporary directory, each user
//! with its index rows, its account, its mark, its entry in the feed and its audit entry.
//!
//! The first of them begins a transaction, and what is handed in while that is planned goes with it;
//! the others go with the next.
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

/// How long so many batches take, one after the other, of `size` creates each; `next` numbers the
/// users.
fn commit(tenant: &Tenant, batches: u64, size: usize, next: &mut usize) -> Duration {
    let batches = (0..batches).map(|_| {
        let first = *next;
        *next += size;
        (first..*next).map(|number| tenant.create(number)).collect::<Vec<_>>()
    });
    let batches: Vec<Vec<Changeset>> = batches.collect();
    let began = Instant::now();
    for batch in batches {
        let replies: Vec<Reply> =
            batch.into_iter().map(|change| tenant.store.commit(change)).collect();
        for reply in replies {
            reply.wait_blocking().unwrap();
        }
    }
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
        group.bench_function(BenchmarkId::new("creates at once", size), |bencher| {
            bencher.iter_custom(|batches| commit(&tenant, batches, size, &mut next));
        });
    }
    group.finish();
    criterion.final_summary();
}
