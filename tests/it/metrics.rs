//! Metrics: what is served is what the docs say, with no label that a client could make up.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::json;

use crate::server::{Server, eventually};
use crate::webhooks::receiver::Receiver;

/// A row of the table in the docs.
struct Row {
    kind: String,
    /// The labels, with their values where the docs name them.
    labels: BTreeMap<String, Vec<String>>,
}

/// The docs' table, by the metric's name.
fn documented() -> BTreeMap<String, Row> {
    let docs = include_str!("../../docs/metrics.md");
    let operations = Regex::new("`([a-z_]+)`").unwrap();
    let (table, list) = docs.split_once("`operation` is one of").unwrap();
    let operations: Vec<String> =
        operations.captures_iter(list).map(|found| found[1].to_owned()).collect();
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let mut labels = BTreeMap::new();
        for label in cells[3].split(';').map(str::trim).filter(|label| !label.is_empty()) {
            let (name, values) = label.split_once(':').unwrap_or((label, ""));
            let name = name.trim_matches('`').to_owned();
            let values = values.split(',').map(|value| value.trim().to_owned());
            let mut values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
            if name == "operation" {
                values.clone_from(&operations);
            }
            labels.insert(name, values);
        }
        let row = Row { kind: cells[2].to_owned(), labels };
        rows.insert(cells[1].trim_matches('`').to_owned(), row);
    }
    rows
}

/// What was served: each metric's kind, and its series by their labels.
struct Served {
    kinds: BTreeMap<String, String>,
    series: Vec<(String, BTreeMap<String, String>, f64)>,
    text: String,
}

async fn served(server: &Server) -> Served {
    let text = String::from_utf8(server.get("/metrics").await.expect(200).body).unwrap();
    let (mut kinds, mut series) = (BTreeMap::new(), Vec::new());
    let label = Regex::new(r#"([a-z_]+)="([^"]*)""#).unwrap();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (of, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = of.split_once('{').unwrap_or((of, ""));
            let labels = label.captures_iter(labels);
            let labels = labels.map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
            series.push((name.to_owned(), labels, value.parse().unwrap()));
        }
    }
    Served { kinds, series, text }
}

impl Served {
    /// The sum of all series of this name that have this label.
    fn sum(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let is_meant = |labels: &BTreeMap<String, String>| {
            label.is_none_or(|(key, value)| labels.get(key).is_some_and(|is| is == value))
        };
        let meant = self.series.iter().filter(|(of, labels, _)| of == name && is_meant(labels));
        meant.map(|(_, _, value)| value).sum()
    }
}

/// Whether a figure is this one: both are whole numbers.
fn is(figure: f64, expected: f64) -> bool {
    (figure - expected).abs() < 0.5
}

/// A tenant that has seen a bit of everything: a wave, roles, a look-up, a refusal, a webhook.
async fn busy_server() -> Server {
    let home = crate::server::Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", crate::server::OPERATOR_TOKEN);
    command.env("SLACKWATER_ALLOW_PRIVATE_WEBHOOKS", "true");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme-corp", "250ms").await;
    let admin = server.admin();
    let receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url("/hook"), "types": ["account.role_changed"]});
    admin.post("/tenants/acme-corp/webhooks", &webhook).await.expect(201);
    admin.map_roles("acme-corp", &[("Warehouse", "loanee")]).await;
    let bob = scim.create_user("bob@example.com").await;
    let group = scim.create_group("Warehouse").await;
    scim.add_member(&group, &bob).await;
    scim.find("/Users", "userName eq \"bob@example.com\"").await;
    scim.set(&bob, "title", "Keeper").await;
    scim.with_token("wrong").get("/Users").await.expect(401);
    admin.wait_until_settled("acme-corp").await;
    eventually("delivery", || async {
        if receiver.arrived().is_empty() { Err("nothing arrived".to_owned()) } else { Ok(()) }
    })
    .await;
    server
}

#[tokio::test]
async fn what_is_served_is_what_the_docs_say_and_nothing_of_a_tenants() {
    let server = busy_server().await;

    let served = served(&server).await;

    let documented = documented();
    let kinds: BTreeMap<String, String> =
        documented.iter().map(|(name, row)| (name.clone(), row.kind.clone())).collect();
    assert_eq!(served.kinds, kinds);
    for (name, labels, _) in &served.series {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let row = documented.get(name).or_else(|| documented.get(base?)).unwrap();
        let named: BTreeSet<&String> = labels.keys().filter(|label| *label != "le").collect();
        assert_eq!(named, row.labels.keys().collect(), "{name}");
        for (label, value) in labels.iter().filter(|(label, _)| *label != "le") {
            let values = &row.labels[label];
            let fits = match label.as_str() {
                "status" => value.len() == 3 && value.parse::<u16>().is_ok(),
                "version" => value == env!("CARGO_PKG_VERSION"),
                _ => values.contains(value),
            };
            assert!(fits, "{name} {label}={value}");
        }
    }
    for word in ["acme", "bob", "Warehouse", "example.com", "loanee", "127.0.0.1"] {
        assert!(!served.text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn figures_follow_what_was_done() {
    let server = busy_server().await;

    // Figures may be a second old.
    let served = eventually("figures of the wave", || async {
        let served = served(&server).await;
        let is_done = is(served.sum("slackwater_open_waves", None), 0.0)
            && served.sum("slackwater_messages_handled_total", Some(("kind", "user"))) >= 1.0;
        if is_done { Ok(served) } else { Err(served.text) }
    })
    .await;

    let count = |name: &str, label| served.sum(name, label);
    let operations = "slackwater_http_request_duration_seconds_count";
    assert!(count(operations, Some(("operation", "create_user"))) >= 1.0);
    assert!(count(operations, Some(("operation", "patch_group"))) >= 1.0);
    assert!(count(operations, Some(("operation", "find_users"))) >= 1.0);
    assert!(count("slackwater_failed_logins_total", Some(("area", "scim"))) >= 1.0);
    assert!(count("slackwater_waves_settled_total", None) >= 1.0);
    assert!(count("slackwater_wave_lag_seconds_sum", None) >= 0.25);
    assert!(count("slackwater_role_changes_total", Some(("trigger", "wave"))) >= 1.0);
    assert!(count("slackwater_commit_changes_total", Some(("outcome", "committed"))) >= 5.0);
    assert!(count("slackwater_commit_duration_seconds_count", None) >= 3.0);
    assert!(count("slackwater_webhook_attempts_total", Some(("outcome", "delivered"))) >= 1.0);
    assert!(count("slackwater_database_size_bytes", None) > 0.0);
    assert!(count("process_resident_memory_bytes", None) > 0.0);
    for (name, label, value) in [
        ("slackwater_live_actors", Some(("kind", "tenant")), 1.0),
        ("slackwater_live_actors", Some(("kind", "courier")), 1.0),
        ("slackwater_webhooks", Some(("state", "active")), 1.0),
        ("slackwater_ready", None, 1.0),
        ("slackwater_storage_ready", None, 1.0),
        ("slackwater_http_requests_in_flight", None, 1.0),
        ("slackwater_actor_restarts_total", None, 0.0),
    ] {
        let text = &served.text;
        assert!(is(count(name, label), value), "{name} {label:?} is not {value}\n{text}");
    }
}

#[test]
fn alerts_and_dashboard_name_metrics_and_label_values_that_exist() {
    let documented = documented();
    let name = Regex::new(r"\b(?:slackwater|process)_[a-z_]+").unwrap();
    let matcher = Regex::new(r#"\b([a-z_]+)=\\?"([a-z_0-9]+)\\?""#).unwrap();
    let of_prometheus = ["job", "instance", "le", "severity"];
    for (file, text) in [
        ("alerts.yml", include_str!("../../deploy/prometheus/alerts.yml")),
        ("alerts_test.yml", include_str!("../../deploy/prometheus/alerts_test.yml")),
        ("slackwater.json", include_str!("../../deploy/grafana/slackwater.json")),
    ] {
        for found in name.find_iter(text).map(|found| found.as_str()) {
            let ends = ["_bucket", "_sum", "_count"];
            let base = ends.iter().find_map(|end| found.strip_suffix(end)).unwrap_or(found);
            assert!(
                documented.contains_key(found) || documented.contains_key(base),
                "{file}: {found}"
            );
        }
        for found in matcher.captures_iter(text) {
            let (label, value) = (&found[1], found[2].to_owned());
            let labels = documented.values().filter_map(|row| row.labels.get(label));
            let is_known = of_prometheus.contains(&label)
                || label == "status"
                || labels.into_iter().any(|values| values.contains(&value));
            assert!(is_known, "{file}: {label}={value}");
        }
    }
}
