//! How long a decision about one account takes, by the number of mappings and of the user's groups.
//!
//! The last mapping matches, and by the last of the groups: everything else is looked at first.
//!
//! `cargo bench --bench decide_role`

use std::hint::black_box;
use std::time::Duration;

use access::mapping::ResolvedMapping;
use access::{Facts, GroupId, RoleRules, Status, decide_role};
use criterion::{BenchmarkId, Criterion};
use jiff::Timestamp;

fn group(number: u128) -> GroupId {
    GroupId::from_bytes(number.to_be_bytes())
}

/// So many mappings, of groups from 1 on.
fn rules(mappings: u128) -> RoleRules {
    let mapping = |number| ResolvedMapping {
        group: Some(group(number)),
        label: format!("Group {number}"),
        role: format!("role-{number}"),
    };
    RoleRules {
        default_role: "default".into(),
        disabled_role: "disabled".into(),
        disable_overrides_lock: true,
        mappings: (1..=mappings).map(mapping).collect(),
    }
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500));
    let mut criterion = brief.measurement_time(Duration::from_secs(2)).configure_from_args();
    for (groups, held) in [(1, "1 group"), (20, "20 groups")] {
        let mut decide = criterion.benchmark_group(format!("decide a role, in {held}"));
        for mappings in [1, 10, 100] {
            let rules = rules(mappings);
            let unmapped = (1..groups).map(|number| group(1_000 + number));
            let held: Vec<GroupId> = unmapped.chain([group(mappings)]).collect();
            let now = Timestamp::UNIX_EPOCH;
            let facts = Facts { status: Status::Active, lock: None, groups: &held, now };
            let decided = decide_role(&facts, &rules).role;
            assert_eq!(decided, Some(format!("role-{mappings}")), "the last mapping matches");
            decide.bench_function(BenchmarkId::from_parameter(mappings), |bencher| {
                bencher.iter(|| decide_role(black_box(&facts), black_box(&rules)));
            });
        }
        decide.finish();
    }
    criterion.final_summary();
}
