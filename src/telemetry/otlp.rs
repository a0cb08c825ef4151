//! Spans to a collector (OTLP over HTTP with protobuf), if one is configured.
//!
//! They are sent in batches by a thread of their own, which nothing waits for: a collector that is
//! slow or away costs spans, never a request. The variables `OTEL_EXPORTER_OTLP_HEADERS` and
//! `OTEL_TRACES_SAMPLER` of the OpenTelemetry specification count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// How long a batch may take to be sent.
const EXPORT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Where a collector takes spans, if its address has no path.
const PATH: &str = "/v1/traces";

/// Whether spans are sent: if not, requests are not asked whose trace they are part of.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Sends spans.
#[derive(Debug)]
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// To the collector at this address. Must not be called within an async runtime.
    pub fn new(endpoint: &Url) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str())
            .with_timeout(EXPORT_WAIT_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        let resource = Resource::builder()
            .with_service_name("slackwater")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        IS_ON.store(true, Ordering::Relaxed);
        Ok(Self(provider))
    }

    /// What takes the spans. It adds nothing of its own to them.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("slackwater"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
    }

    /// Sends what is left, for at most `wait`.
    pub fn flush(&self, wait: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(wait) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The address that spans are sent to: that of a collector, or of its path for spans. No password
/// may be in it, since it is not kept secret.
pub fn endpoint(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_fine = ["http", "https"].contains(&url.scheme()) && url.has_host() && is_plain;
    if url.path() == "/" {
        url.set_path(PATH);
    }
    is_fine.then_some(url)
}

/// Makes a request's span part of the trace that its client speaks of (W3C Trace Context), and says
/// what it is called there.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap, operation: &'static str) {
    if !IS_ON.load(Ordering::Relaxed) {
        return;
    }
    span.record("otel.name", operation);
    span.record("otel.kind", "server");
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    // A span that nobody records has no place in a trace.
    let _ = span.set_parent(context);
}

/// Says in a request's span how it was answered. Log lines say so themselves, and what is added to a
/// span later costs them more than the line.
pub(crate) fn answered(span: &Span, status: u16) {
    if IS_ON.load(Ordering::Relaxed) {
        span.record("http.status", status);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_address_is_taken_with_and_without_the_path() {
        let taken = |text| endpoint(text).map(String::from);
        assert_eq!(taken("http://h:4318").as_deref(), Some("http://h:4318/v1/traces"));
        assert_eq!(taken("https://h/otlp/traces").as_deref(), Some("https://h/otlp/traces"));
        for bad in ["h:4318", "ftp://h", "http://user:secret@h", "http://", ""] {
            assert_eq!(taken(bad), None, "{bad}");
        }
    }
}
