//! How long the body of a create takes: a user of a kilobyte, as Entra's default mapping makes one.
//!
//! `parse` reads the JSON, `create` makes the resource of it, `to bytes` makes what is stored of
//! that, and `body` is all three, one after the other. Nothing is stored.
//!
//! `cargo bench --bench create`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

#[path = "support/user.rs"]
mod user;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use scim::schema::ResourceType;
use scim::{json, resource};

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500));
    let mut criterion = brief.measurement_time(Duration::from_secs(2)).configure_from_args();
    let bytes = serde_json::to_vec(&user::body()).unwrap();
    let user = user::resource();

    let mut create = criterion.benchmark_group("create");
    create.bench_function("parse", |bencher| {
        bencher.iter(|| json::parse(black_box(&bytes)).unwrap());
    });
    create.bench_function("create", |bencher| {
        let create = |body| resource::create(ResourceType::User, user::ID, body).unwrap();
        bencher.iter_batched(user::body, create, BatchSize::SmallInput);
    });
    create.bench_function("to bytes", |bencher| {
        bencher.iter(|| black_box(&user).to_bytes());
    });
    create.bench_function("body", |bencher| {
        bencher.iter(|| {
            let body = json::parse(black_box(&bytes)).unwrap();
            let created = resource::create(ResourceType::User, user::ID, body).unwrap();
            created.resource.to_bytes()
        });
    });
    create.finish();
    criterion.final_summary();
}
