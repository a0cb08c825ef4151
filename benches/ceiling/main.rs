//! How much of the possible is reached: Slackwater beside the smallest server that keeps the same
//! promise (`benches/smallest-server`), on the release build over HTTP.
//!
//! `cargo bench --bench ceiling` builds that server, and prints for creates, changes and reads what
//! both do in a second, and which share of the possible ours is. The two take turns, each round in
//! the other order, so that whatever else the machine does meets both; what is compared is the
//! median of the rounds, and how far single rounds were apart stands beside it. The smallest server
//! writes the same rows as Slackwater, and once more, in a run of its own, the user and its index
//! rows alone. Reads are held against an answer of a kilobyte that is always the same. Creates
//! begin with an empty database, changes and reads with as many users on both sides.
//!
//! Options, after `--`: `--rounds N`, `--quick` (a tenth of the requests), `--only TEXT` (workloads
//! whose name holds it), `--serve=OPTION` (one more option of `slackwater serve`, any number of
//! times), `--json FILE`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program to run by hand, on one thread: it prints, and ends at the first surprise"
)]

#[path = "../support/bodies.rs"]
mod bodies;
#[path = "../support/connection.rs"]
mod connection;
mod load;
#[path = "../support/results.rs"]
mod results;
mod servers;

use std::path::PathBuf;

use clap::Parser;

use self::bodies::{new_title, user, user_name};
use self::load::Round;
use self::results::Results;
use self::servers::{Server, own_cpu};

/// A name, what is sent, over how many connections (one comparison for each), and the requests of a
/// round.
type Workload = (&'static str, Kind, &'static [usize], usize);

/// What is compared: with which rows, the users that are there before, and what is sent. Each of these
/// has servers of its own. Of 1,000 users each has a live actor, of 10,000 not.
const COMPARED: [(Rows, usize, &[Workload]); 6] = [
    (Rows::Same, 0, &[("create a user", Kind::Create, &[64, 256], 8_000)]),
    (Rows::Fewest, 0, &[("create a user, fewest rows", Kind::Create, &[64, 256], 8_000)]),
    (Rows::Same, 1_000, &[("PATCH one of 1,000 users", Kind::Patch, &[64, 256], 8_000)]),
    (Rows::Same, 10_000, &[("PATCH one of 10,000 users", Kind::Patch, &[64, 256], 8_000)]),
    (
        Rows::Fewest,
        1_000,
        &[("PATCH one of 1,000 users, fewest rows", Kind::Patch, &[64, 256], 8_000)],
    ),
    (
        Rows::Same,
        10_000,
        &[
            ("GET one of 10,000 users", Kind::Get, &[64], 30_000),
            ("look one of 10,000 users up", Kind::LookUp, &[64], 30_000),
            ("look up a user that is not there", Kind::LookUpNobody, &[64], 30_000),
        ],
    ),
];
/// Connections over which the users are made that are there before.
const CONNECTIONS_FILLING: usize = 64;
/// A step that visits users far apart, one after the other.
const STRIDE: usize = 7_919;

/// What the smallest server writes.
#[derive(Clone, Copy)]
enum Rows {
    /// As many as Slackwater, and as large.
    Same,
    /// The user and what finds it again.
    Fewest,
}

impl Rows {
    /// Options of the smallest server.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Same => &[],
            Self::Fewest => &["fewest-rows"],
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Create,
    Patch,
    Get,
    LookUp,
    LookUpNobody,
}

#[derive(Parser)]
struct Options {
    /// Rounds of each workload that count
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tenth of the requests
    #[arg(long)]
    quick: bool,
    /// Workloads whose name holds this text
    #[arg(long, default_value = "")]
    only: String,
    /// One more option of `slackwater serve`
    #[arg(long, allow_hyphen_values = true)]
    serve: Vec<String>,
    /// Where the figures are written; `results` looks for it
    #[arg(long)]
    json: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A server, and the ids of the users that it has made, by number.
struct Side {
    server: Server,
    is_ours: bool,
    ids: Vec<String>,
    /// Changes so far: each sets another value, since one that changes nothing is not written.
    changes: usize,
}

/// A round, with the processor time of server and load, in microseconds a request.
struct Measured {
    round: Round,
    server_micros: f64,
    load_micros: f64,
}

impl Side {
    const fn new(server: Server, is_ours: bool) -> Self {
        Self { server, is_ours, ids: Vec::new(), changes: 0 }
    }

    async fn round(&mut self, kind: Kind, connections: usize, requests: usize) -> Measured {
        let cpu = (self.server.cpu(), own_cpu());
        let load = (connections, requests);
        let round = match kind {
            Kind::Create => self.create(load).await,
            Kind::Patch => self.patch(load).await,
            Kind::Get | Kind::LookUp | Kind::LookUpNobody => self.read(kind, load).await,
        };
        let micros = |from: f64, to: f64| (to - from) * 1e6 / requests as f64;
        Measured {
            round,
            server_micros: micros(cpu.0, self.server.cpu()),
            load_micros: micros(cpu.1, own_cpu()),
        }
    }

    async fn create(&mut self, load: (usize, usize)) -> Round {
        let Self { server, ids, .. } = self;
        let first = ids.len();
        ids.resize(first + load.1, String::new());
        let write = |number: usize, to: &mut Vec<u8>| {
            server.write("POST", "/Users", &user(first + number), to);
        };
        load::round(server.address, load, write, |number, status, body| {
            assert_eq!(status, 201, "{}", String::from_utf8_lossy(body));
            ids[first + number] = id_in(body);
        })
        .await
    }

    async fn patch(&mut self, load: (usize, usize)) -> Round {
        let Self { server, ids, changes, .. } = self;
        let first = *changes;
        *changes += load.1;
        let write = |number: usize, to: &mut Vec<u8>| {
            let path = format!("/Users/{}", ids[number * STRIDE % ids.len()]);
            server.write("PATCH", &path, &new_title(&format!("Mate {}", first + number)), to);
        };
        load::round(server.address, load, write, |_, status, body| {
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        })
        .await
    }

    /// The server that does the least answers every read with the same kilobyte.
    async fn read(&self, kind: Kind, load: (usize, usize)) -> Round {
        let Self { server, ids, is_ours, .. } = self;
        let write = |number: usize, to: &mut Vec<u8>| {
            let user = number * STRIDE % ids.len();
            let name = || user_name(user).replace('@', "%40");
            let path = match kind {
                _ if !is_ours => "/static".to_owned(),
                Kind::LookUp => format!("/Users?filter=userName+eq+%22{}%22", name()),
                Kind::LookUpNobody => format!("/Users?filter=userName+eq+%22no-{}%22", name()),
                _ => format!("/Users/{}", ids[user]),
            };
            server.write("GET", &path, &[], to);
        };
        load::round(server.address, load, write, |_, status, body| {
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        })
        .await
    }
}

/// The id in a user.
fn id_in(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let (_, id) = body.split_once(r#""id":""#).expect("a user with an id");
    id.split_once('"').unwrap().0.to_owned()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of the rounds' percentiles, in milliseconds.
fn percentile(rounds: &[Measured], percent: f64) -> f64 {
    let of = |measured: &Measured| measured.round.latencies.value_at_percentile(percent) as f64;
    median(rounds.iter().map(of)) / 1e3
}

fn report(name: &str, connections: usize, [theirs, ours]: [&[Measured]; 2], results: &mut Results) {
    let rate = |rounds: &[Measured]| median(rounds.iter().map(|m| m.round.per_second));
    let micros = |rounds: &[Measured]| median(rounds.iter().map(|m| m.server_micros));
    let pairs = || theirs.iter().zip(ours);
    let shares = || pairs().map(|(a, b)| b.round.per_second / a.round.per_second);
    let (possible, reached) = (rate(theirs), rate(ours));
    let share = reached / possible * 100.0;
    println!(
        "{name:<38} {connections:>5} {possible:>9.0} {reached:>9.0} {share:>5.0} %  ({:.0} to {:.0}) \
         {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7.0} {:>7.0} {:>6.0}",
        shares().fold(f64::INFINITY, f64::min) * 100.0,
        shares().fold(0.0, f64::max) * 100.0,
        percentile(theirs, 50.0),
        percentile(ours, 50.0),
        percentile(theirs, 99.0),
        percentile(ours, 99.0),
        micros(theirs),
        micros(ours),
        median(pairs().flat_map(|(a, b)| [a.load_micros, b.load_micros])),
    );
    let size = Some(connections);
    for (what, value, unit) in [
        ("possible", possible, ""),
        ("reached", reached, ""),
        ("share", share, "%"),
        ("possible, median", percentile(theirs, 50.0), "ms"),
        ("reached, median", percentile(ours, 50.0), "ms"),
        ("possible, p99", percentile(theirs, 99.0), "ms"),
        ("reached, p99", percentile(ours, 99.0), "ms"),
        ("possible, processor", micros(theirs), "µs"),
        ("reached, processor", micros(ours), "µs"),
    ] {
        results.add(&format!("{name}: {what}"), size, value, unit);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Only `cargo bench` says so; test runners ask for a list or a single run, and there is nothing
    // short to run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let options = Options::parse();
    let divisor = if options.quick { 10 } else { 1 };
    println!(
        "{:<38} {:>5} {:>9} {:>9} {:>21} {:>17} {:>17} {:>15} {:>6}",
        "",
        "conn.",
        "possible",
        "reached",
        "share (rounds)",
        "median ms",
        "p99 ms",
        "server µs",
        "load"
    );
    let mut results = Results::default();
    for (rows, users, workloads) in COMPARED {
        let is_wanted = |(name, ..): &&Workload| name.contains(&options.only);
        let wanted =
            workloads.iter().filter(is_wanted).flat_map(|&(name, kind, over, requests)| {
                over.iter().map(move |&connections| (name, kind, connections, requests))
            });
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            continue;
        }
        let mut theirs = Side::new(Server::smallest(rows.options()), false);
        let mut ours = Side::new(Server::slackwater(&options.serve).await, true);
        for side in [&mut theirs, &mut ours] {
            side.create((CONNECTIONS_FILLING, users / divisor)).await;
        }
        for (name, kind, connections, requests) in wanted {
            let requests = requests / divisor;
            // Once for nothing: caches, and the first growth of the files.
            theirs.round(kind, connections, requests).await;
            ours.round(kind, connections, requests).await;
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for round in 0..options.rounds {
                if round % 2 == 0 {
                    a.push(theirs.round(kind, connections, requests).await);
                    b.push(ours.round(kind, connections, requests).await);
                } else {
                    b.push(ours.round(kind, connections, requests).await);
                    a.push(theirs.round(kind, connections, requests).await);
                }
            }
            report(name, connections, [&a, &b], &mut results);
        }
    }
    results.write();
}
