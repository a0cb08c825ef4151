//! Many tenants on one server, on the release build over HTTP:
//!
//! - `rates`: 1,000 tenants whose waves come at Entra's rates; no tenant's p99 should be above 250 ms
//! - `neighbour`: a tenant that sends 20 times what its limit allows; it should lengthen nobody else's
//!   p99 by more than half
//! - `sweep`: SCIM requests of a tenant while its 100,000 accounts are swept again and again; that
//!   should lengthen their p99 by at most half
//! - `memory`: 20 minutes of waves that leave as many users as there were; the server should not grow
//!
//! `cargo bench --bench tenants` takes about 40 minutes; `-- --quick` takes two, and shows that all of
//! it works. `-- --only TEXT` runs the parts whose name holds the text, `-- --minutes N` watches memory
//! for as long, `-- --json FILE` writes the figures there.
//!
//! What is compared is measured in phases that take turns, so that whatever else the machine does
//! meets both. The load takes its share of the machine. The program exits 1 where a request failed that
//! should not have; a goal that is missed is only told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a program to run by hand: it prints, and ends at the first surprise"
)]

#[path = "../support/bodies.rs"]
mod bodies;
#[path = "../support/connection.rs"]
mod connection;
mod directory;
mod load;
#[path = "../support/memory.rs"]
mod memory;
mod neighbour;
mod pace;
mod rates;
mod report;
#[path = "../support/results.rs"]
mod results;
#[path = "../support/server.rs"]
mod server;
mod sweep;
mod waves;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::pace::Pacer;
use self::report::Report;

#[derive(Parser)]
struct Options {
    /// Small and short runs, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Parts whose name holds this text
    #[arg(long, default_value = "")]
    only: String,
    /// How long memory is watched, in minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// Where the figures are written; `results` looks for it
    #[arg(long)]
    json: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Only `cargo bench` says so; test runners ask for a list or a single run, and there is nothing
    // short to run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Options { quick, only, minutes, .. } = Options::parse();
    let pacer = Pacer::start();
    let mut report = Report::default();
    if "rates".contains(&only) {
        Box::pin(rates::measure(&pacer, quick, &mut report)).await;
    }
    if "neighbour".contains(&only) {
        Box::pin(neighbour::measure(&pacer, quick, &mut report)).await;
    }
    if "sweep".contains(&only) {
        Box::pin(sweep::measure(&pacer, quick, &mut report)).await;
    }
    if "memory".contains(&only) {
        let length = minutes.map(Duration::from_mins);
        Box::pin(waves::measure(&pacer, quick, length, &mut report)).await;
    }
    report.end()
}
