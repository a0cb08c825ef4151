//! Logs, spans and metrics.
//!
//! Logs go to standard error, one event a line: JSON, or text with everything that could end a line
//! escaped, so that a name with a line break in it cannot forge one. Spans go to a collector, if one
//! is configured ([`otlp`]). Neither of them, nor metrics, ever hold a token, a request body, or an
//! attribute of a user.

pub mod catalogue;
pub(crate) mod figures;
pub mod otlp;
mod text;

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::catalogue::{Kind, METRICS};
use self::otlp::Exporter;

/// How often values that were recorded are put into their buckets, also when nobody asks for the
/// metrics: until then each takes memory.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Starts logging, and sends spans to `exporter`. A second call changes nothing.
pub fn log(filter: &str, format: LogFormat, exporter: Option<&Exporter>) -> Result<(), String> {
    // ractor wraps every actor's life in an INFO span.
    let filter = EnvFilter::try_new(format!("{filter},ractor=warn")).map_err(|e| e.to_string())?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => {
            lines.with_ansi(false).fmt_fields(text::fields()).with_filter(filter).boxed()
        }
    };
    // Spans only, and only our own: what libraries put into theirs nobody has looked through.
    let ours = filter_fn(|metadata| {
        let from = metadata.target().split("::").next().unwrap_or_default();
        metadata.is_span() && ["slackwater", "actors", "store"].contains(&from)
    });
    let spans = exporter.map(|exporter| exporter.layer().with_filter(ours));
    // Only a second server in one process, as in tests, finds a logger there already.
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    Ok(())
}

/// The metrics of this process.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| match recorder() {
            Ok(handle) => {
                metrics_process::Collector::default().describe();
                // Ours say more than those of the library.
                METRICS.iter().for_each(catalogue::Metric::register);
                Some(handle)
            }
            Err(error) => {
                tracing::error!(%error, "there are no metrics");
                None
            }
        })
        .as_ref()
}

fn recorder() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            let name = Matcher::Full(metric.name.to_owned());
            builder = builder.set_buckets_for_metric(name, bounds)?;
        }
    }
    builder.install_recorder()
}

/// Keeps what the metrics take in memory bounded. Never ends.
pub async fn keep_up() {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        if let Some(handle) = metrics() {
            handle.run_upkeep();
        }
    }
}
