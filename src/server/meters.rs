//! Counting requests that were answered.
//!
//! To find a metric by its name and labels costs more than to count: each is found once on a thread
//! and kept there. There are few, since their labels are of fixed lists.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

thread_local! {
    static METERS: RefCell<Meters> = RefCell::default();
    static IN_FLIGHT: OnceCell<Gauge> = const { OnceCell::new() };
}

#[derive(Default)]
struct Meters {
    /// By area, method and status.
    requests: HashMap<(&'static str, &'static str, StatusCode), Counter>,
    /// By operation.
    durations: HashMap<&'static str, Histogram>,
}

/// The requests that are being answered.
pub(super) fn in_flight() -> Gauge {
    let find = || gauge!("slackwater_http_requests_in_flight");
    IN_FLIGHT.with(|kept| kept.get_or_init(find).clone())
}

/// A request was answered.
pub(super) fn answered(
    area: &'static str,
    method: &'static str,
    operation: &'static str,
    status: StatusCode,
    took: Duration,
) {
    METERS.with_borrow_mut(|meters| {
        let requests = meters.requests.entry((area, method, status)).or_insert_with(|| {
            let status = status.as_str().to_owned();
            counter!(
                "slackwater_http_requests_total",
                "area" => area, "method" => method, "status" => status,
            )
        });
        requests.increment(1);
        let durations = meters.durations.entry(operation).or_insert_with(
            || histogram!("slackwater_http_request_duration_seconds", "operation" => operation),
        );
        durations.record(took.as_secs_f64());
    });
}
