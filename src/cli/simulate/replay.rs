//! `slackwater simulate --replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::output::Json;
use super::{in_full, number, runtime};
use crate::cli::Failed;
use crate::simulate::client::{self, Client, ClientOptions};
use crate::simulate::measure::Measure;
use crate::simulate::progress::Progress;
use crate::simulate::replay::{self, COPIES_MAX, Replayed, Speed};
use crate::simulate::watch::Watch;
use crate::simulate::{self, Options};

/// What is sent again, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayOptions {
    /// Send a recorded wave again instead: the requests of one wave, as the web page and GET
    /// /admin/v1/tenants/{tenant}/waves/{id}/requests hand them out; once for each wave, in their
    /// order. Exits 1 where an answer has another status than was recorded
    #[arg(long = "replay", value_name = "FILE", conflicts_with_all = ["verify", "html"])]
    recordings: Vec<PathBuf>,
    /// How fast recorded requests come: 1 as recorded, 2 twice as fast, "max" as fast as they go
    #[arg(long, value_name = "FACTOR", default_value = "1", requires = "recordings")]
    speed: Speed,
    /// Copies of the recording that are sent side by side, each with names and ids of its own
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "recordings",
          value_parser = number::<1, COPIES_MAX>)]
    multiply: usize,
}

impl ReplayOptions {
    /// Whether anything is to be sent again.
    pub(super) fn is_wanted(&self) -> bool {
        !self.recordings.is_empty()
    }
}

/// Sends recordings again, and tells what came of it.
pub(super) fn run(replay: ReplayOptions, options: &Options, json: Json) -> Result<(), Failed> {
    let replay = replay::Options {
        recordings: replay.recordings,
        speed: replay.speed,
        copies: replay.multiply,
        concurrency: options.concurrency,
    };
    let replayed = runtime()?.block_on(send(&replay, options))?;
    json.tell(&replayed, &replayed.to_string())?;
    if replayed.is_same() {
        return Ok(());
    }
    Err(Failed::Undone("not everything was answered as recorded".to_owned()))
}

async fn send(replay: &replay::Options, options: &Options) -> Result<Replayed, Failed> {
    let undone = |error: &dyn std::error::Error| Failed::Undone(in_full(error));
    let [target] = options.targets.as_slice() else {
        return Err(Failed::Usage("--replay: expected one --endpoint".to_owned()));
    };
    let measure = Arc::new(Measure::start());
    let watch: Arc<dyn Watch> = Arc::new(Progress::new(1));
    let client = Client::new(ClientOptions {
        http: client::http().map_err(|error| undone(&error))?,
        base: simulate::base_of(&target.endpoint),
        token: target.token.clone(),
        rate: options.rate,
        measure: Arc::clone(&measure),
        watch: Arc::clone(&watch),
        tenant: 0,
    });
    let client = client.map_err(|error| undone(&error))?;
    let replayed = replay::run(replay, Arc::new(client), &measure, &watch).await;
    replayed.map_err(|error| undone(&error))
}
