//! The command line.
//!
//! Exit codes: 0 fine, 1 could not do it, 2 bad arguments or configuration, 3 the data is
//! damaged. What a program reads goes to standard output, everything else to standard error.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where the user is talked to"
)]

mod backup;
mod demo;
mod serve;
mod simulate;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use store::OpenError;

use crate::config::{ConfigError, ServeOptions};
use crate::openapi;

/// A SCIM sync reconciler: Microsoft Entra's waves in, the right roles out.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<ServeOptions>),
    /// Run the service with a simulated directory that pushes to it: to see what it does
    Demo(demo::DemoOptions),
    /// Write a consistent backup to DEST: online through the running service that --listen and
    /// --admin-token name, else from the files
    Backup {
        /// The file to write; it must not exist
        dest: PathBuf,
        #[command(flatten)]
        data: DataOptions,
        /// Where a running service listens
        #[arg(long, env = "SLACKWATER_LISTEN", value_name = "HOST:PORT")]
        listen: Option<String>,
        /// The operator token of the running service
        #[arg(long, env = "SLACKWATER_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
        admin_token: Option<String>,
    },
    /// Restore a backup from SRC into an empty data directory
    Restore {
        /// The backup
        src: PathBuf,
        #[command(flatten)]
        data: DataOptions,
    },
    /// Play Entra's provisioning cycles against SCIM endpoints, verify the outcome, and report
    /// rates, latencies and errors
    Simulate(Box<simulate::SimulateOptions>),
    /// Print the OpenAPI document
    Openapi,
    /// Check the integrity of the data; the service must not be running
    Check {
        #[command(flatten)]
        data: DataOptions,
    },
}

#[derive(Debug, Args)]
struct DataOptions {
    /// Data directory
    #[arg(long, env = "SLACKWATER_DATA", value_name = "DIR", default_value = "./data")]
    data: PathBuf,
}

/// Why a command ended without success.
#[derive(Debug)]
enum Failed {
    /// It could not be done.
    Undone(String),
    /// The arguments or the configuration are bad.
    Usage(String),
    /// The data is damaged.
    Damaged(String),
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { .. } => Self::Damaged(error.to_string()),
            error => Self::Undone(error.to_string()),
        }
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve::run(*options),
        Command::Demo(options) => demo::run(&options),
        Command::Backup { dest, data, listen, admin_token } => {
            backup::backup(&dest, &data.data, listen.as_deref(), admin_token.as_deref())
        }
        Command::Restore { src, data } => backup::restore(&src, &data.data),
        Command::Simulate(options) => simulate::run(*options),
        Command::Openapi => print(openapi::text()),
        Command::Check { data } => backup::check(&data.data),
    };
    let (code, message) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failed::Undone(message)) => (1, message),
        Err(Failed::Usage(message)) => (2, message),
        Err(Failed::Damaged(message)) => (3, message),
    };
    eprintln!("slackwater: {message}");
    ExitCode::from(code)
}

/// To standard output, which may be closed.
fn print(text: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failed::Undone(format!("cannot print: {error}")))
}

/// An error with all its causes, in one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
