//! How long PATCH takes on a user of a kilobyte: one attribute in Entra's dialect, 36 operations as
//! Microsoft's validator sends them, and the merged object of Entra's other dialect.
//!
//! `compile` reads the body, `apply` makes the new user of the old, `stored` the new bytes of the old
//! ones, as a change of a stored user does. Nothing is stored here.
//!
//! `cargo bench --bench patch`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]

#[path = "support/user.rs"]
mod user;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use scim::patch::Patch;
use scim::schema::ResourceType;
use scim::stored::{AttributeNames, Stored};
use scim::urn::{ENTERPRISE_USER, PATCH_OP};
use serde_json::{Value, json};

/// Paths of what the validator replaces, an operation each; those of the extension come after.
const CORE_PATHS: [&str; 31] = [
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "name.formatted",
    "name.familyName",
    "name.givenName",
    "name.middleName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "emails[type eq \"work\"].value",
    "emails[type eq \"home\"].value",
    "emails[type eq \"other\"].value",
    "addresses[type eq \"work\"].formatted",
    "addresses[type eq \"work\"].streetAddress",
    "addresses[type eq \"work\"].locality",
    "addresses[type eq \"work\"].region",
    "addresses[type eq \"work\"].postalCode",
    "addresses[type eq \"work\"].country",
    "phoneNumbers[type eq \"work\"].value",
    "phoneNumbers[type eq \"mobile\"].value",
    "phoneNumbers[type eq \"fax\"].value",
    "phoneNumbers[type eq \"pager\"].value",
    "phoneNumbers[type eq \"home\"].value",
    "phoneNumbers[type eq \"other\"].value",
    "roles[primary eq \"True\"].value",
    "roles[primary eq \"True\"].type",
];
const EXTENSION_ATTRIBUTES: [&str; 5] =
    ["employeeNumber", "costCenter", "organization", "department", "division"];

fn body(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

fn one_attribute() -> Value {
    body(&json!([{"op": "Replace", "path": "displayName", "value": "Ada King"}]))
}

fn validator() -> Value {
    let core = CORE_PATHS.map(str::to_owned).into_iter();
    let extension = EXTENSION_ATTRIBUTES.map(|name| format!("{ENTERPRISE_USER}:{name}"));
    let replace = |path: String| json!({"op": "replace", "path": path, "value": "BAPNQLJSRQGD"});
    let operations: Vec<Value> = core.chain(extension).map(replace).collect();
    assert_eq!(operations.len(), 36);
    body(&Value::from(operations))
}

fn merged_object() -> Value {
    let mut merged = json!({
        "displayName": "Ada King", "title": "Countess", "preferredLanguage": "en",
        "name.givenName": "Ada", "name.familyName": "King", "name.formatted": "Ada King",
    });
    for name in EXTENSION_ATTRIBUTES {
        merged[format!("{ENTERPRISE_USER}:{name}")] = "changed".into();
    }
    body(&json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "king@example.com"},
        {"op": "replace", "value": merged},
    ]))
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500));
    let mut criterion = brief.measurement_time(Duration::from_secs(2)).configure_from_args();
    let bodies = [
        ("one attribute", one_attribute()),
        ("36 operations", validator()),
        ("merged object", merged_object()),
    ];
    let user = user::resource();

    let mut compile = criterion.benchmark_group("patch compile");
    for (name, body) in &bodies {
        compile.bench_function(*name, |bencher| {
            let compile = |body| Patch::compile(ResourceType::User, body).unwrap();
            bencher.iter_batched(|| body.clone(), compile, BatchSize::SmallInput);
        });
    }
    compile.finish();
    let mut apply = criterion.benchmark_group("patch apply");
    for (name, body) in &bodies {
        let patch = Patch::compile(ResourceType::User, body.clone()).unwrap();
        assert_ne!(patch.apply(&user).unwrap().resource, user, "{name} changes something");
        apply.bench_function(*name, |bencher| {
            bencher.iter(|| patch.apply(black_box(&user)).unwrap());
        });
    }
    apply.finish();
    let bytes = user.to_bytes();
    let read = |patch: &Patch| {
        let stored = Stored::read(ResourceType::User, black_box(&bytes)).unwrap();
        stored.revise(patch, &AttributeNames::of([])).unwrap()
    };
    let mut revise = criterion.benchmark_group("patch stored");
    for (name, body) in &bodies {
        let patch = Patch::compile(ResourceType::User, body.clone()).unwrap();
        assert!(read(&patch).is_some(), "{name} changes something");
        revise.bench_function(*name, |bencher| bencher.iter(|| read(&patch)));
    }
    revise.finish();
    criterion.final_summary();
}
