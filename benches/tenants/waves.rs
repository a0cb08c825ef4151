//! Memory over waves: 20 minutes in which tenants have a wave every 15 seconds, each of which makes
//! and deletes as many users.
//!
//! The server keeps few pages of its database in memory, so that the first minutes fill that up, and
//! what grows afterwards is no cache. Everything else is as it is shipped, also what it records.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::directory::{Directory, Mix, WATCH};
use super::load::{Outcome, Wave};
use super::memory::memory_mib;
use super::pace::Pacer;
use super::report::{Part, Report};
use super::server::Server;

const TENANTS: usize = 10;
/// Users of a tenant.
const USERS: usize = 200;
/// Requests of a wave, and how many of them in a second.
const REQUESTS: usize = 250;
const PER_SECOND: f64 = 25.0;
/// Requests of one tenant that are in flight at once, at most.
const CONNECTIONS: usize = 5;
/// From the beginning of a wave to that of the next: 10 seconds of requests, and a silence in which
/// the wave settles and roles are reconciled.
const CYCLE: Duration = Duration::from_secs(15);
/// How long that goes on.
const LENGTH: Duration = Duration::from_mins(20);
const LENGTH_QUICK: Duration = Duration::from_secs(20);
/// How often memory is read.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
const SAMPLE_EVERY_QUICK: Duration = Duration::from_secs(1);
/// Megabytes of pages that are kept in memory: the least that the server takes.
const CACHE_MB: &str = "16";
/// The lines of `/proc/PID/status` that are read, and what they are called here.
const LINES: [(&str, &str); 2] = [("VmRSS", "memory"), ("RssAnon", "anonymous memory")];

/// Memory at a moment: hours since the beginning, and MiB by line.
type Sample = (f64, [f64; LINES.len()]);

/// Reads memory until it is told to end.
async fn samples(server: &Server, every: Duration, is_over: &Cell<bool>) -> Vec<Sample> {
    let process = server.running.child.id();
    let began = Instant::now();
    let mut interval = tokio::time::interval(every);
    let mut samples = Vec::new();
    while !is_over.get() {
        interval.tick().await;
        let hours = began.elapsed().as_secs_f64() / 3_600.0;
        samples.push((hours, LINES.map(|(line, _)| memory_mib(process, line))));
    }
    samples
}

/// A tenant's waves, until the end.
async fn waves(pacer: &Pacer, directory: &Directory, first: Instant, end: Instant) -> Outcome {
    let mut all = Outcome::none();
    let mut begins = first;
    while begins < end {
        let (requests, per_second, connections) = (REQUESTS, PER_SECOND, CONNECTIONS);
        let wave = Wave { directory, begins, requests, per_second, connections };
        all.add(&wave.run(pacer).await);
        begins += CYCLE;
    }
    all
}

/// The slope of the straight line with the least squares, and its standard error.
fn slope(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(&|(x, _)| *x), mean(&|(_, y)| *y));
    let sum = |of: &dyn Fn(f64, f64) -> f64| {
        points.iter().map(|(x, y)| of(x - x_mean, y - y_mean)).sum::<f64>()
    };
    let width = sum(&|x, _| x * x);
    let slope = sum(&|x, y| x * y) / width;
    let rest = sum(&|x, y| (y - slope * x).powi(2));
    (slope, (rest / (count - 2.0) / width).sqrt())
}

pub(crate) async fn measure(
    pacer: &Pacer,
    is_quick: bool,
    length: Option<Duration>,
    report: &mut Report,
) {
    let (usual, every) =
        if is_quick { (LENGTH_QUICK, SAMPLE_EVERY_QUICK) } else { (LENGTH, SAMPLE_EVERY) };
    let length = length.unwrap_or(usual);
    let data = tempfile::tempdir().unwrap();
    let server = &Server::start(data.path(), &["--cache-mb", CACHE_MB]);
    let settings = json!({
        "rate_limit": null,
        "reconcile": {"settle": "1s", "sweep_min": "20s", "sweep_max": "40s"},
        "role_mappings": [{"group": WATCH, "role": "editor"}],
    });
    let make = async |number: usize| {
        let id = format!("tenant-{number}");
        Directory::make(server, &id, USERS, Mix::Churn, &settings).await
    };
    let directories: Vec<Directory> =
        stream::iter(0..TENANTS).map(make).buffered(TENANTS).collect().await;

    let (began, is_over) = (Instant::now(), Cell::new(false));
    let step = CYCLE.div_f64(TENANTS as f64);
    let load = async {
        let tenants = directories.iter().zip(0..);
        let all = tenants.map(|(directory, number)| {
            waves(pacer, directory, began + step * number, began + length)
        });
        let outcomes = join_all(all).await;
        is_over.set(true);
        Outcome::of(&outcomes)
    };
    let (all, samples) = tokio::join!(load, samples(server, every, &is_over));

    let part: Part = ("tenants with waves all the time", TENANTS);
    let half = samples.len() / 2;
    for (line, (_, name)) in LINES.into_iter().enumerate() {
        let at = |place: usize| (samples[place].1[line], "MiB");
        report.tell(part, &format!("{name}, at the beginning"), at(0), "");
        report.tell(part, &format!("{name}, at half time"), at(half), "");
        report.tell(part, &format!("{name}, at the end"), at(samples.len() - 1), "");
        let points = samples[half..].iter().map(|(hours, mib)| (*hours, mib[line]));
        let (slope, error) = slope(&points.collect::<Vec<_>>());
        let (of_slope, of_error) = ((slope, "MiB/h"), (error, "MiB/h"));
        report.tell(part, &format!("{name}, growth in the second half"), of_slope, "(goal: 0)");
        report.tell(part, &format!("{name}, standard error of that"), of_error, "");
    }
    let seconds = samples.last().unwrap().0 * 3_600.0;
    report.tell(part, "measured for", (seconds, "s"), "");
    report.tell(part, "waves", ((all.requests() / REQUESTS) as f64, ""), "");
    report.tell(part, "requests", (all.requests() as f64, ""), "");
    let more: usize = directories.iter().map(Directory::joined).sum();
    report.tell(part, "users more at the end", (more as f64, ""), "");
    report.tell_failed(part, all.failed());
}
