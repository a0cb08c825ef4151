//! How long filters take to parse and to evaluate against a user of a kilobyte: those that Entra
//! sends, and one as deep and one as long as is allowed.
//!
//! `cargo bench --bench filter`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

#[path = "support/user.rs"]
mod user;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use scim::filter::{DEPTH_MAX, Filter, TERMS_MAX};
use scim::schema::ResourceType;

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500));
    let mut criterion = brief.measurement_time(Duration::from_secs(2)).configure_from_args();
    let deep = "not (".repeat(DEPTH_MAX) + "userName pr" + &")".repeat(DEPTH_MAX);
    let terms: Vec<String> = (0..TERMS_MAX).map(|n| format!("userName eq \"user-{n}\"")).collect();
    let filters = [
        ("userName", r#"userName eq "ada@example.com""#.to_owned()),
        ("externalId", r#"externalId eq "00aa00aa-bb11-cc22-dd33-44ee44ee44ee""#.to_owned()),
        ("work e-mail", r#"emails[type eq "work"].value eq "ada@example.com""#.to_owned()),
        ("manager check", r#"id eq "a user" and manager eq "a manager""#.to_owned()),
        ("deepest", deep),
        ("longest", terms.join(" or ")),
    ];
    let user = user::resource();

    let mut parse = criterion.benchmark_group("filter parse");
    for (name, text) in &filters {
        parse.bench_function(*name, |bencher| {
            bencher.iter(|| Filter::parse(ResourceType::User, black_box(text)).unwrap());
        });
    }
    parse.finish();
    let mut evaluate = criterion.benchmark_group("filter evaluate");
    for (name, text) in &filters {
        let filter = Filter::parse(ResourceType::User, text).unwrap();
        evaluate.bench_function(*name, |bencher| {
            bencher.iter(|| filter.matches(black_box(user.attributes())));
        });
    }
    evaluate.finish();
    criterion.final_summary();
}
