//! `slackwater simulate`.

mod admin;
mod output;
mod replay;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use access::duration::HumanDuration;
use actors::{Clock as _, SystemClock};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use url::Url;

use self::admin::AdminOptions;
use self::output::{Json, Output};
use super::{Failed, in_full};
use crate::simulate::client::Token;
use crate::simulate::dialect::Dialect;
use crate::simulate::progress::Progress;
use crate::simulate::report::{Report, html, text};
use crate::simulate::{self, Options, Target};

/// Users and groups of a tenant, waves, and requests under way, at most.
const USERS_MAX: usize = 1_000_000;
const GROUPS_MAX: usize = 100_000;
const WAVES_MAX: usize = 100_000;
const CONCURRENCY_MAX: usize = 10_000;
/// The rest between the halves of a move, if nothing else is said: of the interval, and at most.
const APART_SHARE: u32 = 3;
const APART_MAX: Duration = Duration::from_mins(5);

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
    #[arg(long, value_name = "NUMBER", default_value_t = 200,
          value_parser = number::<0, USERS_MAX>)]
    users: usize,
    /// Groups of each tenant
    #[arg(long, value_name = "NUMBER", default_value_t = 20,
          value_parser = number::<0, GROUPS_MAX>)]
    groups: usize,
    /// Waves to send; the first is the initial cycle
    #[arg(long, value_name = "NUMBER", default_value_t = 3,
          value_parser = number::<1, WAVES_MAX>)]
    waves: usize,
    /// From the start of one wave to the start of the next, at least; Entra has 40m
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    interval: HumanDuration,
    /// The rest between the two halves of a move, out of one group and into another: at least half
    /// of this; 0s for none [default: a third of the interval, at most 5m]
    #[arg(long, value_name = "DURATION")]
    apart: Option<HumanDuration>,
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
    #[arg(long, value_name = "NUMBER", default_value_t = 5,
          value_parser = number::<1, CONCURRENCY_MAX>)]
    concurrency: usize,
    /// How Entra writes PATCH [default: entra, or scim for an endpoint with ?aadOptscim062020]
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<DialectName>,
    /// Read everything back in the end and compare it; exits 1 where something differs
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    admin: AdminOptions,
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

fn number<const MIN: usize, const MAX: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().ok().filter(|number| (MIN..=MAX).contains(number));
    number.ok_or_else(|| format!("expected a number from {MIN} to {MAX}"))
}

/// Runs a simulation, and reports it.
pub(super) fn run(options: SimulateOptions) -> Result<(), Failed> {
    let (json, html) = (options.json.clone(), options.html.clone());
    let replay = options.replay.clone();
    let options = resolve(options)?;
    let json = Json::create(json.as_deref())?;
    let html = html.as_deref().map(Output::create).transpose()?;
    if replay.is_wanted() {
        return replay::run(replay, &options, json);
    }
    let progress = Arc::new(Progress::new(options.targets.len()));
    let simulated = runtime()?.block_on(simulate::run(options, progress));
    let report = simulated.map_err(|error| Failed::Undone(in_full(&error)))?;
    json.tell(&report, &text::write(&report))?;
    if let Some(output) = html {
        let page = html::render(&report).map_err(|error| Failed::Undone(in_full(&error)))?;
        output.write(&page)?;
    }
    judge(&report)
}

/// Whether all of it was done, and the target holds what it must.
fn judge(report: &Report) -> Result<(), Failed> {
    let differences = report.verification.as_ref().map_or(0, |found| found.differences);
    let wrong = match (report.broke_off.as_slice(), differences, report.owed) {
        ([], 0, 0) => return Ok(()),
        ([why], ..) => why.clone(),
        ([why, more @ ..], ..) => format!("{why}; {} tenants more broke off", more.len()),
        (_, 1.., _) => format!("the target differs in {differences} ways"),
        (_, _, owed) => format!("{owed} writes failed and are owed still"),
    };
    Err(Failed::Undone(wrong))
}

fn runtime() -> Result<Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failed::Undone(error.to_string()))
}

fn resolve(options: SimulateOptions) -> Result<Options, Failed> {
    let targets = targets(options.endpoints, options.tokens, &options.admin)?;
    let interval = options.interval.get();
    let apart =
        options.apart.map_or_else(|| (interval / APART_SHARE).min(APART_MAX), |apart| apart.get());
    Ok(Options {
        targets,
        users: options.users,
        groups: options.groups,
        waves: options.waves,
        interval,
        apart,
        rate: NonZeroU32::new(options.rate),
        churn_percent: options.churn,
        seed: options.seed,
        concurrency: options.concurrency,
        dialect: options.dialect.map(|dialect| match dialect {
            DialectName::Entra => Dialect::Entra,
            DialectName::Scim => Dialect::Scim,
        }),
        verify: options.verify,
        now,
    })
}

/// Each endpoint with its token.
fn targets(
    endpoints: Vec<Url>,
    tokens: Vec<String>,
    admin: &AdminOptions,
) -> Result<Vec<Target>, Failed> {
    if endpoints.len() != tokens.len() {
        let (endpoints, tokens) = (endpoints.len(), tokens.len());
        return Err(Failed::Usage(format!(
            "there are {endpoints} endpoints and {tokens} tokens; each --endpoint needs its --token"
        )));
    }
    admin.check()?;
    let target = |(endpoint, token): (Url, String)| {
        check_address("--endpoint", &endpoint)?;
        let admin = admin.access(&endpoint)?;
        Ok(Target { endpoint, token: Token::new(token), admin })
    };
    endpoints.into_iter().zip(tokens).map(target).collect()
}

/// Takes http and https, without a name or a password in it: that would be shown and sent.
fn check_address(option: &str, url: &Url) -> Result<(), Failed> {
    if !["http", "https"].contains(&url.scheme()) {
        return Err(Failed::Usage(format!("{option}: {:?} is not http or https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let why = "a name or a password in the address; tokens are given by --token";
        return Err(Failed::Usage(format!("{option}: {why}")));
    }
    Ok(())
}

/// The time of day.
fn now() -> Timestamp {
    static CLOCK: OnceLock<SystemClock> = OnceLock::new();
    CLOCK.get_or_init(SystemClock::start).now()
}
