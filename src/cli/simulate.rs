//! `slackwater simulate`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use access::duration::HumanDuration;
use actors::{Clock as _, SystemClock};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use url::Url;

use super::{Failed, print};
use crate::simulate::client::Token;
use crate::simulate::dialect::Dialect;
use crate::simulate::report::{Report, text};
use crate::simulate::watch::{Cycle, Watch};
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
    let options = resolve(options)?;
    if html.is_some() {
        return Err(Failed::Usage("--html is not there yet; use --json".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::Undone(error.to_string()))?;
    let simulated = runtime.block_on(simulate::run(options, Arc::new(Lines)));
    let report = simulated.map_err(|error| Failed::Undone(in_full(&error)))?;
    tell(&report, json.as_deref())?;
    match report.verification.map_or(0, |found| found.differences) {
        0 => Ok(()),
        differences => Err(Failed::Undone(format!("the target differs in {differences} ways"))),
    }
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

/// Reports of a simulation. Where standard output takes the JSON, people read the other one.
fn tell(report: &Report, json: Option<&Path>) -> Result<(), Failed> {
    let readable = text::write(report);
    let Some(path) = json else { return print(&readable) };
    let written = serde_json::to_string_pretty(report);
    let written = written.map_err(|error| Failed::Undone(error.to_string()))?;
    if path == Path::new("-") {
        eprint!("{readable}");
        return print(&format!("{written}\n"));
    }
    print(&readable)?;
    std::fs::write(path, written)
        .map_err(|error| Failed::Undone(format!("{}: {error}", path.display())))
}

fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Says when waves begin, on standard error.
struct Lines;

impl Watch for Lines {
    fn wave_began(&self, tenant: usize, number: usize, cycle: Cycle, requests_planned: u64) {
        let cycle = cycle.name();
        self.line(&format!(
            "tenant {tenant}: wave {number}, {cycle} cycle, about {requests_planned} requests"
        ));
    }

    fn answered(&self, _: usize) {}

    fn wave_ended(&self, _: usize, _: usize) {}

    fn line(&self, text: &str) {
        eprintln!("{text}");
    }
}
