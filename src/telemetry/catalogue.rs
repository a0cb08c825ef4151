//! Every metric that is served: its name, its labels with all their values, and what it means.
//!
//! `docs/metrics.md` has the same table for people, and tests hold both together, and both to what
//! is served. No label has a value that a client or a customer could make up: tenants' ids are
//! customers' names, and `/metrics` takes no token.

use metrics::Unit;

use crate::server::operation;

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it means.
    pub meaning: &'static str,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It grows from 0 at the start of the process.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts values up to each of these bounds.
    Histogram(&'static [f64]),
}

/// A label, with all values that it can have.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values; none for those that have a form instead: a status of three digits, a version.
    pub values: &'static [&'static str],
}

/// Seconds that a request, a commit or a delivery takes.
const SHORT: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Seconds that a pass takes, or a wave waits for its end.
const LONG: &[f64] =
    &[0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0];
/// Things at once, or of one wave.
const COUNT: &[f64] =
    &[0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 10_000.0, 100_000.0];

const AREA: Label = Label { name: "area", values: &["scim", "admin", "web", "other"] };
const LOGIN_AREA: Label =
    Label { name: "area", values: &["scim", "admin", "web", "setup", "oauth"] };
const METHOD: Label =
    Label { name: "method", values: &["GET", "POST", "PUT", "PATCH", "DELETE", "other"] };
const STATUS: Label = Label { name: "status", values: &[] };
const VERSION: Label = Label { name: "version", values: &[] };
const OPERATION: Label = Label { name: "operation", values: &operation::ALL };
const OUTCOME: Label =
    Label { name: "outcome", values: &["committed", "refused", "unavailable", "unknown"] };
const DELIVERY: Label = Label { name: "outcome", values: &["delivered", "failed"] };
const SLOWED: Label = Label { name: "slowed", values: &["false", "true"] };
const KIND: Label = Label {
    name: "kind",
    values: &[
        "directory",
        "tenant",
        "user",
        "group",
        "reconciler",
        "housekeeper",
        "reporter",
        "recorder",
        "courier",
    ],
};
const CHILD: Label = Label { name: "kind", values: &["user", "group"] };
const REASON: Label = Label { name: "reason", values: &["idle", "room"] };
const CAUSE: Label = Label { name: "cause", values: &["panic", "error", "start"] };
const TRIGGER: Label = Label {
    name: "trigger",
    values: &[
        "wave",
        "max_delay",
        "leftover",
        "settings",
        "lock_expiry",
        "sweep",
        "operator",
        "hold",
        "dry_run",
    ],
};
const CHANGING_TRIGGER: Label = Label {
    name: "trigger",
    values: &[
        "wave",
        "max_delay",
        "leftover",
        "settings",
        "lock_expiry",
        "sweep",
        "operator",
        "hold",
    ],
};
const STATE: Label = Label { name: "state", values: &["active", "failing", "disabled"] };

const fn counter(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, meaning }
}

const fn histogram(
    name: &'static str,
    bounds: &'static [f64],
    labels: &'static [Label],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(bounds), labels, meaning }
}

/// Every metric, in the order of the docs.
pub const METRICS: &[Metric] = &[
    // Requests
    counter(
        "slackwater_http_requests_total",
        &[AREA, METHOD, STATUS],
        "Requests that were answered",
    ),
    histogram(
        "slackwater_http_request_duration_seconds",
        SHORT,
        &[OPERATION],
        "Time from a request's head to the head of its answer. follow_changes, follow_page and \
         transfer take as long as their clients like",
    ),
    gauge("slackwater_http_requests_in_flight", &[], "Requests that are being answered"),
    gauge("slackwater_http_connections", &[], "Open connections, of 4,096"),
    counter(
        "slackwater_rate_limited_total",
        &[],
        "SCIM requests above their tenant's rate_limit (429)",
    ),
    counter(
        "slackwater_failed_logins_total",
        &[LOGIN_AREA, SLOWED],
        "Failed logins; slowed ones heard 429 instead of 401",
    ),
    counter(
        "slackwater_requests_not_recorded_total",
        &[],
        "Requests that are not in the request record because it could not keep up",
    ),
    counter(
        "slackwater_log_lines_left_out_total",
        &[],
        "Log lines that were left out because whoever reads them could not keep up",
    ),
    // Waves and roles
    gauge("slackwater_open_waves", &[], "Tenants with an open wave"),
    gauge(
        "slackwater_open_wave_oldest_seconds",
        &[],
        "Age of the wave that has been open for longest; 0 without one",
    ),
    gauge(
        "slackwater_settled_wave_waiting_seconds",
        &[],
        "Since when the wave has been over that waits longest for its roles; 0 without one",
    ),
    counter(
        "slackwater_waves_settled_total",
        &[],
        "Waves that have settled and whose roles are given",
    ),
    histogram("slackwater_wave_requests", COUNT, &[], "Requests of a wave that has settled"),
    histogram("slackwater_wave_role_changes", COUNT, &[], "Roles that a wave changed"),
    histogram(
        "slackwater_wave_lag_seconds",
        LONG,
        &[],
        "Time from a wave's last write until all its roles are given; reconcile.settle is part of it",
    ),
    histogram(
        "slackwater_reconcile_duration_seconds",
        LONG,
        &[TRIGGER],
        "Time that a pass took, by what it was run for; its count is the number of passes",
    ),
    counter("slackwater_reconcile_failures_total", &[TRIGGER], "Passes of which a piece failed"),
    counter(
        "slackwater_reconcile_accounts_examined_total",
        &[TRIGGER],
        "Accounts that passes looked at",
    ),
    counter("slackwater_role_changes_total", &[CHANGING_TRIGGER], "Roles that passes changed"),
    counter(
        "slackwater_role_changes_held_total",
        &[],
        "Role changes that passes held back for an operator",
    ),
    gauge("slackwater_holds_open", &[], "Mass changes that wait for an operator"),
    // Storage
    gauge("slackwater_storage_ready", &[], "1 while changes are taken, 0 while the storage fails"),
    counter(
        "slackwater_storage_failures_total",
        &[],
        "Times that the database failed and was opened again",
    ),
    gauge("slackwater_database_size_bytes", &[], "Size of the database file"),
    histogram(
        "slackwater_commit_duration_seconds",
        SHORT,
        &[],
        "Time that a transaction took to be written and flushed; its count is the number of transactions",
    ),
    histogram("slackwater_commit_batch_size", COUNT, &[], "Changes in a transaction"),
    histogram(
        "slackwater_commit_queue_wait_seconds",
        SHORT,
        &[],
        "Time that a change waited for its turn in a transaction",
    ),
    counter(
        "slackwater_commit_changes_total",
        &[OUTCOME],
        "Changes that were handed to the writer, by what became of them",
    ),
    gauge("slackwater_commit_queue_changes", &[], "Changes that wait for the writer, of 8,192"),
    gauge(
        "slackwater_commit_queue_oldest_seconds",
        &[],
        "For how long the oldest change waits that is not on disk yet; 0 without one",
    ),
    // Actors
    gauge("slackwater_live_actors", &[KIND], "Actors that are live"),
    gauge(
        "slackwater_resting_actors",
        &[KIND],
        "Actors that failed and rest before they are started again",
    ),
    gauge(
        "slackwater_mailbox_messages",
        &[KIND],
        "Messages in the mailboxes of all actors of a kind",
    ),
    gauge("slackwater_mailbox_deepest_messages", &[KIND], "Messages in the fullest mailbox"),
    gauge(
        "slackwater_message_oldest_seconds",
        &[KIND],
        "For how long an actor has been working on one message, at most; 0 if none is working",
    ),
    counter("slackwater_messages_handled_total", &[KIND], "Messages that actors have handled"),
    counter("slackwater_actor_restarts_total", &[KIND, CAUSE], "Actors that failed"),
    counter(
        "slackwater_actors_passivated_total",
        &[CHILD, REASON],
        "Actors of users and groups that were ended because they were idle, or to make room",
    ),
    // Webhooks
    gauge("slackwater_webhooks", &[STATE], "Webhooks by their state"),
    gauge(
        "slackwater_webhook_behind_events",
        &[],
        "Entries of the feed that webhooks have not come to yet; disabled ones do not count",
    ),
    gauge(
        "slackwater_webhook_oldest_event_seconds",
        &[],
        "Age of the oldest event that is not delivered; disabled webhooks do not count; 0 without one",
    ),
    gauge("slackwater_webhook_waiting_events", &[], "Events that wait for another attempt"),
    gauge("slackwater_webhook_dead_events", &[], "Events that were given up and not replayed"),
    counter("slackwater_webhook_attempts_total", &[DELIVERY], "Requests to webhooks' receivers"),
    counter("slackwater_webhook_given_up_total", &[], "Events that were given up"),
    histogram(
        "slackwater_webhook_attempt_duration_seconds",
        SHORT,
        &[],
        "Time that a receiver took to answer, or not to",
    ),
    // Process
    gauge("slackwater_ready", &[], "1 while /readyz answers 200"),
    gauge("slackwater_build_info", &[VERSION], "1; the label says which version runs"),
    gauge("slackwater_runtime_tasks", &[], "Tasks of the runtime that are alive"),
    counter("process_cpu_seconds_total", &[], "Processor time used, in seconds"),
    gauge("process_open_fds", &[], "Open file descriptors"),
    gauge("process_max_fds", &[], "File descriptors that may be open"),
    gauge("process_virtual_memory_bytes", &[], "Virtual memory"),
    gauge("process_virtual_memory_max_bytes", &[], "Virtual memory that there may be"),
    gauge("process_resident_memory_bytes", &[], "Memory in use"),
    gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970"),
    gauge("process_threads", &[], "Threads"),
];

impl Metric {
    /// What its name says it is measured in.
    pub fn unit(&self) -> &'static str {
        let base = self.name.trim_end_matches("_total");
        ["seconds", "bytes"].into_iter().find(|unit| base.ends_with(unit)).unwrap_or("")
    }

    /// Tells the recorder about it, and has it served from the start with every value of its
    /// labels: a rate of what appears with its first value misses that one.
    pub(super) fn register(&self) {
        let unit = match self.unit() {
            "seconds" => Unit::Seconds,
            "bytes" => Unit::Bytes,
            _ => Unit::Count,
        };
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, unit, self.meaning),
            Kind::Gauge => metrics::describe_gauge!(self.name, unit, self.meaning),
            Kind::Histogram(_) => metrics::describe_histogram!(self.name, unit, self.meaning),
        }
        for labels in self.series() {
            match self.kind {
                Kind::Counter => metrics::counter!(self.name, labels).increment(0),
                Kind::Histogram(_) => drop(metrics::histogram!(self.name, labels)),
                // Set when somebody asks.
                Kind::Gauge => {}
            }
        }
    }

    /// Every combination of its labels' values; none where a label has a form instead.
    fn series(&self) -> Vec<Vec<metrics::Label>> {
        let mut series = vec![Vec::new()];
        for label in self.labels {
            let with = |value: &'static str| {
                move |known: &Vec<metrics::Label>| {
                    let mut more = known.clone();
                    more.push(metrics::Label::from_static_parts(label.name, value));
                    more
                }
            };
            series = label.values.iter().flat_map(|value| series.iter().map(with(value))).collect();
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use actors::observe;

    use super::*;

    /// The rows of the table in the docs, as they must be.
    fn rows() -> Vec<String> {
        let row = |metric: &Metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            let label = |label: &Label| match (label.name, label.values) {
                ("operation", _) => "`operation`".to_owned(),
                (name, []) => format!("`{name}`"),
                (name, values) => format!("`{name}`: {}", values.join(", ")),
            };
            let labels: Vec<String> = metric.labels.iter().map(label).collect();
            let (name, unit) = (metric.name, metric.unit());
            let cells = [format!("`{name}`"), kind.into(), labels.join("; "), unit.into()];
            let cells =
                cells.map(|cell| if cell.is_empty() { " |".into() } else { format!(" {cell} |") });
            format!("|{} {} |", cells.concat(), metric.meaning)
        };
        METRICS.iter().map(row).collect()
    }

    #[test]
    fn the_docs_have_every_metric_and_no_other() {
        let docs = include_str!("../../docs/metrics.md");
        let is_row =
            |line: &&str| line.starts_with("| `slackwater_") || line.starts_with("| `process_");
        let known: Vec<&str> = docs.lines().filter(is_row).collect();
        assert_eq!(known, rows(), "\n{}", rows().join("\n"));
        for operation in operation::ALL {
            assert!(docs.contains(&format!("`{operation}`")), "{operation}");
        }
    }

    #[test]
    fn labels_of_actors_are_those_that_actors_have() {
        assert_eq!(KIND.values, observe::Kind::ALL.map(observe::Kind::name));
        assert_eq!(CAUSE.values, observe::Cause::ALL.map(observe::Cause::name));
    }

    #[test]
    fn names_are_as_prometheus_wants_them_and_come_once() {
        for (place, metric) in METRICS.iter().enumerate() {
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
            let again = METRICS.iter().skip(place + 1).any(|other| other.name == metric.name);
            assert!(!again, "{}", metric.name);
            assert!(!metric.labels.iter().any(|label| label.name == "tenant"), "{}", metric.name);
        }
    }
}
