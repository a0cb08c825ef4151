//! `slackwater serve`.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actors::courier::egress::Outbound;
use actors::vault::Vault;
use actors::{Limits, Mailer, Service, SystemClock};
use store::{RedbStore, RedbStoreOptions, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Failed;
use crate::app::App;
use crate::config::{Config, ServeOptions};
use crate::egress::HttpEgress;
use crate::telemetry::otlp::Exporter;
use crate::{server, telemetry};

/// The part of the drain time that is kept for the actors to end, and for the last spans to be sent.
const SHARE_OF_DRAIN: u32 = 10;

pub(super) fn run(options: ServeOptions) -> Result<(), Failed> {
    let config = options.resolve()?;
    let exporter = config.otlp_endpoint.as_ref().map(Exporter::new).transpose();
    let exporter = exporter.map_err(|error| Failed::Usage(format!("otlp_endpoint: {error}")))?;
    let _lines = telemetry::log(&config.log, config.log_format, exporter.as_ref())
        .map_err(|error| Failed::Usage(format!("log: {error}")))?;
    let _ = telemetry::metrics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::Undone(format!("the runtime could not start: {error}")))?;
    let for_spans = exporter.is_some().then(|| config.drain / SHARE_OF_DRAIN);
    let served = runtime.block_on(serve(config, for_spans.unwrap_or_default()));
    // Connections that did not end within the drain time end here.
    runtime.shutdown_background();
    if let (Some(exporter), Some(wait)) = (exporter, for_spans) {
        exporter.flush(wait);
    }
    served
}

async fn serve(config: Config, for_spans: Duration) -> Result<(), Failed> {
    let stop = stop_signal()?;
    let drain = config.drain;
    let opened = open(config).await?;
    if let Err(error) = say(&format!("listening on {}\n", opened.listening_on)) {
        tracing::warn!(%error, "standard output cannot be written to");
    }
    opened.serve(stop, drain, for_spans).await;
    Ok(())
}

/// A service that has its data and its address, and is ready to serve.
pub(super) struct Opened {
    service: Service,
    app: App,
    listener: TcpListener,
    /// `http://HOST:PORT`.
    pub(super) listening_on: String,
}

/// Opens the data, binds the address, and starts what goes on in the background.
pub(super) async fn open(config: Config) -> Result<Opened, Failed> {
    let options = RedbStoreOptions { cache_bytes: config.cache_bytes };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&config.data, &options)?);
    let clock = Arc::new(SystemClock::start());
    let outbound = outbound(&config)?;
    let mailer = config.mailer.map(|mailer| mailer as Arc<dyn Mailer>);
    let service =
        Service::start_with(Arc::clone(&store), clock, Limits::default(), outbound, mailer)
            .await
            .map_err(|error| Failed::Undone(error.to_string()))?;
    let operator_sha256 = operator_token(&service, config.admin_token.as_deref()).await?;
    let listener = server::bind(config.listen)
        .await
        .map_err(|error| Failed::Undone(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(|error| Failed::Undone(error.to_string()))?;
    let listening_on = format!("http://{address}");
    let app = App::new(
        service.clone(),
        operator_sha256,
        config.public_url,
        listening_on.clone(),
        config.failed_logins_per_minute,
    )
    .recording_requests(config.record_requests);
    tokio::spawn(telemetry::keep_up());
    let opener = service.clone();
    tokio::spawn(async move {
        if let Err(error) = opener.open_all().await {
            tracing::error!(%error, "not all tenants could be opened; requests will open them");
        }
    });
    Ok(Opened { service, app, listener, listening_on })
}

impl Opened {
    /// Serves until `stop` is true, then ends within `drain`, of which `for_spans` is kept for
    /// somebody else.
    pub(super) async fn serve(
        self,
        stop: watch::Receiver<bool>,
        drain: Duration,
        for_spans: Duration,
    ) {
        let for_actors = drain / SHARE_OF_DRAIN;
        let for_requests = drain.saturating_sub(for_actors + for_spans);
        let all_answered = server::serve(self.listener, self.app, stop, for_requests).await;
        if !all_answered {
            tracing::warn!("requests were cut off at the end of the drain time");
        }
        // Actors end at once: whom they worked for has been answered, or was cut off.
        self.service.stop(for_actors).await;
        drop(self.service);
        tracing::info!("stopped");
    }
}

/// The way out for webhooks.
fn outbound(config: &Config) -> Result<Outbound, Failed> {
    let key = config.secret_key.as_ref().map(|key| &key.0);
    if key.is_none() {
        tracing::warn!(
            "no secret key is configured (SLACKWATER_SECRET_KEY): webhooks' secrets are kept \
             unencrypted"
        );
    }
    let egress = HttpEgress::new(config.allow_private_webhooks)
        .map_err(|error| Failed::Undone(format!("webhooks cannot be sent: {error}")))?;
    Ok(Outbound::new(Arc::new(egress), Vault::new(key)))
}

/// The operator token's hash: of the given one, of the kept one, or of a new one, which is printed
/// once.
async fn operator_token(service: &Service, given: Option<&str>) -> Result<[u8; 32], Failed> {
    if let Some(token) = given {
        return Ok(store::token::sha256(token));
    }
    let undone = |error: &dyn std::fmt::Display| Failed::Undone(error.to_string());
    let kept = service.store().snapshot().and_then(|snapshot| snapshot.operator_token());
    if let Some(sha256) = kept.map_err(|error| undone(&error))? {
        return Ok(sha256);
    }
    let token = store::token::random_hex().map_err(|error| undone(&error))?;
    let sha256 = store::token::sha256(&token);
    // Shown before it is kept: a token that counts and that nobody has seen locks everybody out.
    say(&format!("operator token:\n{token}\n")).map_err(|error| undone(&error))?;
    service.keep_operator_token(sha256).await.map_err(|error| undone(&error))?;
    Ok(sha256)
}

/// Tells when SIGTERM or SIGINT comes.
pub(super) fn stop_signal() -> Result<watch::Receiver<bool>, Failed> {
    let undone = |error: std::io::Error| Failed::Undone(format!("no signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(undone)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(undone)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        sender.send_replace(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Not logged: the line would still wait when the process has ended.
        eprintln!("slackwater: stopping at once");
        std::process::exit(1);
    });
    Ok(receiver)
}

/// To standard output, at once, also into a pipe.
pub(super) fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
