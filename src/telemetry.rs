//! Logs, spans and metrics.
//!
//! Logs go to standard error, one event a line: JSON, or text with everything that could end a line
//! escaped, so that a name with a line break in it cannot forge one. A thread of its own writes them,
//! so that no request waits for whoever reads them; what it cannot keep up with is left out and
//! counted. Spans go to a collector, if one
//! is configured ([`otlp`]). Neither of them, nor metrics, ever hold a token, a request body, or an
//! attribute of a user.

pub mod catalogue;
pub(crate) mod figures;
pub mod otlp;
mod span_fields;
mod text;

use std::io::BufWriter;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::catalogue::{Kind, METRICS};
use self::otlp::Exporter;
use self::span_fields::SpanFields;

/// How often values that were recorded are put into their buckets, also when nobody asks for the
/// metrics: until then each takes memory.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Lines that wait to be written; what comes when there are as many is left out. A line holds a path
/// of a kilobyte at most, so that they take some 25 MB.
const LINES_MAX: usize = 16_384;

/// Counts the lines that were left out.
static LEFT_OUT: OnceLock<ErrorCounter> = OnceLock::new();

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

/// Starts logging, and sends spans to `exporter`. A second call changes nothing. Lines that wait are
/// written when what this answers is dropped, for a second at most.
pub fn log(
    filter: &str,
    format: LogFormat,
    exporter: Option<&Exporter>,
) -> Result<WorkerGuard, String> {
    // ractor wraps every actor's life in an INFO span.
    let filter = EnvFilter::try_new(format!("{filter},ractor=warn")).map_err(|e| e.to_string())?;
    // Buffered: lines that wait together are written together.
    let stderr = BufWriter::new(std::io::stderr());
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX);
    let (writer, guard) = writer.thread_name("log-writer").finish(stderr);
    let _ = LEFT_OUT.set(writer.error_counter());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Json => {
            // All spans once, from the outside in. The innermost would stand there twice, and each is
            // read and written again for each line.
            let lines = lines.json().flatten_event(true).with_current_span(false);
            lines.fmt_fields(SpanFields).with_filter(filter).boxed()
        }
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
    Ok(guard)
}

/// Log lines that were left out because more came than could be written.
pub(crate) fn lines_left_out() -> u64 {
    let counted = LEFT_OUT.get().map_or(0, ErrorCounter::dropped_lines);
    u64::try_from(counted).unwrap_or(u64::MAX)
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
