//! `slackwater simulate`.

mod replay;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use access::duration::HumanDuration;
use actors::{Clock as _, SystemClock};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Runtime;
use url::Url;

use super::{Failed, in_full, print};
use crate::simulate::client::Token;
use crate::simulate::dialect::Dialect;
use crate::simulate::progress::Progress;
use crate::simulate::report::{Report, html, text};
use crate::simulate::{self, Options, Target};

/// The options of `simulate`.
#[derive(Debug, Args)]
pub(super) struct SimulateOptions {
    /// A SCIM endpoint, as entered as Tenant URL; once for each tenant
    #[arg(long = "endpoint", value_name = "URL", required = true)]
    endpoints: Vec<Url>,
    /// The token of each endpoint, in the same order; better given by the variable, separated by
    /// commas: others can see a command line
    #[arg(
        long = "token",
        env = "SLACKWATER_SIMULATE_TOKENS",
        value_name = "TOKEN",
        value_delimiter = ',',
        hide_env_values = true
    )]
    tokens: Vec<String>,
    /// Users of each tenant at the beginning
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    users: usize,
    /// Groups of each tenant
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    groups: usize,
    /// Waves to send; the first is the initial cycle
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    waves: usize,
    /// From the start of one wave to the start of the next, at least; Entra has 40m
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    interval: HumanDuration,
    /// Requests a second to each tenant, at most; 0 for as many as go
    #[arg(long, value_name = "NUMBER", default_value_t = 25)]
    rate: u32,
    /// Of a hundred users, how many change between two waves
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
    churn: f64,
    /// What everything is drawn from: the same seed sends the same requests
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Requests to each tenant under way at the same time, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = concurrency)]
    concurrency: usize,
    /// How Entra writes PATCH [default: entra, or scim for an endpoint with ?aadOptscim062020]
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<DialectName>,
    /// Read everything back in the end and compare it; exits 1 where something differs
    #[arg(long)]
    verify: bool,
    /// The operator token, where the endpoints are Slackwater's: roles are verified too, and each
    /// wave's role changes and lag are shown; better given by the variable. Without --admin-url it
    /// is only sent beside endpoints that end in /scim/v2/TENANT
    #[arg(long, env = "SLACKWATER_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Where the admin API is [default: beside the endpoint]
    #[arg(long, value_name = "URL")]
    admin_url: Option<Url>,
    /// Write the report as JSON to FILE, or to standard output for "-"
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a web page to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    replay: replay::ReplayOptions,
}

/// Entra's dialects, by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DialectName {
    /// Without a flag: capitalised operations, booleans as strings
    Entra,
    /// With aadOptscim062020: close to RFC 7644
    Scim,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>();
    number
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

fn concurrency(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "expected a number from 1 to 10000".to_owned())
}

/// Runs a simulation, and reports it.
pub(super) fn run(options: SimulateOptions) -> Result<(), Failed> {
    let (json, html) = (options.json.clone(), options.html.clone());
    let replay = options.replay.clone();
    let options = resolve(options)?;
    if replay.is_wanted() {
        return replay::run(replay, &options, json.as_deref());
    }
    let progress = Arc::new(Progress::new(options.targets.len()));
    let simulated = runtime()?.block_on(simulate::run(options, progress));
    let report = simulated.map_err(|error| Failed::Undone(in_full(&error)))?;
    tell(&report, json.as_deref())?;
    if let Some(path) = html {
        let page = html::render(&report).map_err(|error| Failed::Undone(in_full(&error)))?;
        write_file(&path, &page)?;
    }
    match report.verification.map_or(0, |found| found.differences) {
        0 => Ok(()),
        differences => Err(Failed::Undone(format!("the target differs in {differences} ways"))),
    }
}

fn runtime() -> Result<Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failed::Undone(error.to_string()))
}

fn resolve(options: SimulateOptions) -> Result<Options, Failed> {
    let (endpoints, tokens) = (options.endpoints, options.tokens);
    if endpoints.len() != tokens.len() {
        let (endpoints, tokens) = (endpoints.len(), tokens.len());
        return Err(Failed::Usage(format!(
            "there are {endpoints} endpoints and {tokens} tokens; each --endpoint needs its --token"
        )));
    }
    if let Some(bad) = endpoints.iter().find(|url| !["http", "https"].contains(&url.scheme())) {
        return Err(Failed::Usage(format!("--endpoint: {:?} is not http or https", bad.scheme())));
    }
    let target = |(endpoint, token)| Target { endpoint, token: Token::new(token) };
    Ok(Options {
        targets: endpoints.into_iter().zip(tokens).map(target).collect(),
        users: options.users,
        groups: options.groups,
        waves: options.waves,
        interval: options.interval.get(),
        rate: NonZeroU32::new(options.rate),
        churn_percent: options.churn,
        seed: options.seed,
        concurrency: options.concurrency,
        dialect: options.dialect.map(|dialect| match dialect {
            DialectName::Entra => Dialect::Entra,
            DialectName::Scim => Dialect::Scim,
        }),
        verify: options.verify,
        admin_token: options.admin_token.map(Token::new),
        admin_url: options.admin_url,
        now,
    })
}

fn now() -> Timestamp {
    static CLOCK: OnceLock<SystemClock> = OnceLock::new();
    CLOCK.get_or_init(SystemClock::start).now()
}

/// Reports of a simulation.
fn tell(report: &Report, json: Option<&Path>) -> Result<(), Failed> {
    let readable = text::write(report);
    match json {
        None => print(&readable),
        Some(path) => write_json(report, &readable, path),
    }
}

/// Writes JSON to a file, or to standard output for `-`; then people read the other one elsewhere.
fn write_json(report: &impl Serialize, readable: &str, path: &Path) -> Result<(), Failed> {
    let written = serde_json::to_string_pretty(report);
    let written = written.map_err(|error| Failed::Undone(error.to_string()))?;
    if path == Path::new("-") {
        eprint!("{readable}");
        return print(&format!("{written}\n"));
    }
    print(readable)?;
    write_file(path, &written)
}

fn write_file(path: &Path, text: &str) -> Result<(), Failed> {
    std::fs::write(path, text)
        .map_err(|error| Failed::Undone(format!("{}: {error}", path.display())))
}
