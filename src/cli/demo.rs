//! `slackwater demo`: the service, a directory that pushes to it, and an app that hears of it, in
//! one process and without any configuration.
//!
//! The service is the one of `serve`. The directory is the simulation's: it sends SCIM over HTTP, as
//! Entra does. What an operator would do is done over the admin API, and the app receives signed
//! webhooks. Nothing takes a short cut. The environment is not read: a variable that is set for
//! `serve` must not lead a demonstration to real data.

mod operator;
mod receiver;
mod stage;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use access::duration::HumanDuration;
use clap::Args;
use tempfile::TempDir;
use tokio::sync::watch;

use self::operator::{CallError, Operator};
use self::receiver::Receiver;
use self::stage::Stage;
use super::serve::{self, say};
use super::{Failed, in_full};
use crate::config::ServeOptions;
use crate::simulate::client::BadToken;
use crate::simulate::tenant::ConnectionError;
use crate::telemetry::{self, LogFormat};

/// How long the end waits for requests in flight.
const DRAIN: &str = "3s";
/// People in the largest demonstration: what is printed is still read by a person.
const PEOPLE_MAX: u64 = 20_000;

/// The options of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoOptions {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Data directory, which stays at the end; without it, a temporary one that does not
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// People in the directory at the beginning
    #[arg(long, value_name = "NUMBER", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=PEOPLE_MAX))]
    people: u64,
    /// From the start of one wave to the start of the next
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    every: HumanDuration,
    /// What names, groups and all that happens are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Why a demonstration cannot go on.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Token(#[from] BadToken),
    #[error("no HTTP client could be made")]
    Http(#[from] reqwest::Error),
    #[error("the app cannot listen for webhooks")]
    Receiver(#[source] std::io::Error),
    #[error("the answer to {0} was not understood")]
    NotUnderstood(&'static str),
    #[error("too many requests failed, so that the directory gave up")]
    Quarantined,
    #[error("nothing can be printed")]
    Print(#[from] std::io::Error),
}

/// Where the data is, and whether it stays.
enum Place {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Place {
    fn new(data: Option<PathBuf>) -> Result<Self, Failed> {
        if let Some(data) = data {
            return Ok(Self::Kept(data));
        }
        let temporary = tempfile::Builder::new().prefix("slackwater-demo-").tempdir();
        let temporary = temporary
            .map_err(|error| Failed::Undone(format!("no temporary directory: {error}")))?;
        Ok(Self::Temporary(temporary))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(temporary) => temporary.path(),
        }
    }
}

pub(super) fn run(options: &DemoOptions) -> Result<(), Failed> {
    let place = Place::new(options.data.clone())?;
    let _lines = telemetry::log("error", LogFormat::Text, None)
        .map_err(|error| Failed::Undone(format!("log: {error}")))?;
    let _ = telemetry::metrics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::Undone(format!("the runtime could not start: {error}")))?;
    let played = runtime.block_on(play(options, &place));
    runtime.shutdown_background();
    if let Place::Temporary(temporary) = place {
        temporary
            .close()
            .map_err(|error| Failed::Undone(format!("the data could not be removed: {error}")))?;
    }
    played
}

/// Serves, and plays, until somebody ends it.
async fn play(options: &DemoOptions, place: &Place) -> Result<(), Failed> {
    let mut stop = serve::stop_signal()?;
    let token = store::token::random_hex().map_err(|error| Failed::Undone(error.to_string()))?;
    let config = ServeOptions {
        listen: Some(options.listen.clone()),
        data: Some(place.path().to_owned()),
        drain: Some(DRAIN.to_owned()),
        // The app listens on this machine.
        allow_private_webhooks: Some(true),
        admin_token: Some(token.clone()),
        ..ServeOptions::default()
    };
    let config = config.resolve()?;
    let drain = config.drain;
    let opened = serve::open(config).await?;
    let address = opened.listening_on.clone();
    // The service ends after the directory: nobody is to see a refusal that means nothing.
    let (ending, ended) = watch::channel(false);
    let serving = tokio::spawn(opened.serve(ended, drain, Duration::ZERO));
    let played = tokio::select! {
        _ = stop.wait_for(|stopping| *stopping) => Ok(()),
        played = tell(options, place, &address, &token) => played,
    };
    ending.send_replace(true);
    let served = serving.await;
    played.map_err(|error| Failed::Undone(in_full(&error)))?;
    served.map_err(|error| Failed::Undone(format!("the service broke off: {error}")))?;
    let kept = matches!(place, Place::Kept(_)).then(|| place.path());
    say(&words::goodbye(kept)).map_err(|error| Failed::Undone(format!("cannot print: {error}")))
}

/// The story: it ends only where it cannot go on.
async fn tell(
    options: &DemoOptions,
    place: &Place,
    address: &str,
    token: &str,
) -> Result<(), DemoError> {
    let operator = Operator::new(address, token)?;
    let stage = Stage::new(address, operator.clone(), options.every.get());
    say(&format!("listening on {address}\n"))?;
    say(&words::Welcome {
        address,
        token,
        tenant: stage::TENANT,
        people: options.people,
        every: &options.every.to_string(),
        settle: stage.settle(),
        mappings: &stage::MAPPINGS,
        default_role: stage::DEFAULT_ROLE,
        data: &place.path().display().to_string(),
        keeps_data: matches!(place, Place::Kept(_)),
    }
    .text())?;
    let mut directory = stage.prepare(options.people, options.seed).await?;
    directory.connect().await?;
    stage.first_wave(&mut directory).await?;

    let receiver = Receiver::bind(operator, stage::TENANT).await.map_err(DemoError::Receiver)?;
    stage.subscribe(&receiver).await?;
    say(&words::listening(&receiver.url))?;
    tokio::spawn(receiver.receive());
    stage.later_waves(&mut directory, options.every.get()).await
}
