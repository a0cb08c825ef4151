//! Logs and metrics.
//!
//! Logs are JSON lines on standard error, one an event, so that a name with a line break in it
//! cannot forge one. Neither logs nor metrics ever hold a token, a request body, or an attribute
//! of a user.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Seconds, for request durations.
const DURATION_BUCKETS: [f64; 12] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0];

/// Starts logging. A second call changes nothing.
pub fn log(filter: &str) -> Result<(), String> {
    // ractor wraps every actor's life in an INFO span.
    let filter = EnvFilter::try_new(format!("{filter},ractor=warn")).map_err(|e| e.to_string())?;
    let logger = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Only a second server in one process, as in tests, finds a logger there already.
    let _ = logger.try_init();
    Ok(())
}

/// The metrics of this process.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let built = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &DURATION_BUCKETS)
                .and_then(PrometheusBuilder::install_recorder);
            built.map_err(|error| tracing::error!(%error, "there are no metrics")).ok()
        })
        .as_ref()
}
