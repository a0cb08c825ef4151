//! The load: requests that are sent when they are due, whatever became of those before them.
//!
//! A request's time counts from the moment at which it was due. One that has to wait, because the
//! server keeps the connections busy, has waited for the server: a stall is not hidden by requests
//! that were never sent in it. All that is measured together is sent from one thread.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;

use super::connection::Connection;
use super::directory::Directory;
use super::pace::Pacer;

/// Requests of one tenant, at a steady rate.
pub(crate) struct Wave<'a> {
    pub(crate) directory: &'a Directory,
    /// When the first request is due. The connections are opened then, and not before.
    pub(crate) begins: Instant,
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    /// Requests that may be in flight at once.
    pub(crate) connections: usize,
}

/// What became of requests.
pub(crate) struct Outcome {
    /// Times from when a request was due to its answer, in microseconds.
    latencies: Histogram<u64>,
    /// How much later than that it was sent, where a connection stood ready, in microseconds: what
    /// the load adds to the times by itself.
    lateness: Histogram<u64>,
    /// Answers 429.
    pub(crate) limited: usize,
    /// Answers that were neither a success nor 429.
    pub(crate) errors: usize,
}

impl Wave<'_> {
    /// Sends them all.
    pub(crate) async fn run(&self, pacer: &Pacer) -> Outcome {
        let next = Cell::new(0);
        let outcome = RefCell::new(Outcome::none());
        let connection = async |_| {
            pacer.until(self.begins).await;
            let mut connection = Connection::open(self.directory.address).await;
            let mut request = Vec::with_capacity(4 << 10);
            loop {
                let number = next.replace(next.get() + 1);
                if number >= self.requests {
                    return;
                }
                let due = self.begins + Duration::from_secs_f64(number as f64 / self.per_second);
                let was_ready = pacer.until(due).await;
                let lateness = was_ready.then(|| due.elapsed());
                request.clear();
                let sent = self.directory.write_next(&mut request);
                let (status, body) = connection.ask(&request).await;
                outcome.borrow_mut().record(due.elapsed(), lateness, status, body);
                self.directory.read(sent, status, body);
            }
        };
        join_all((0..self.connections).map(connection)).await;
        outcome.into_inner()
    }
}

/// Sends all of these, side by side.
pub(crate) async fn run(pacer: &Pacer, waves: &[Wave<'_>]) -> Vec<Outcome> {
    join_all(waves.iter().map(|wave| wave.run(pacer))).await
}

impl Outcome {
    pub(crate) fn none() -> Self {
        let histogram = || Histogram::new(3).unwrap();
        Self { latencies: histogram(), lateness: histogram(), limited: 0, errors: 0 }
    }

    fn record(&mut self, latency: Duration, lateness: Option<Duration>, status: u16, body: &[u8]) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap();
        self.latencies.record(micros(latency)).unwrap();
        if let Some(lateness) = lateness {
            self.lateness.record(micros(lateness)).unwrap();
        }
        match status {
            200..300 => {}
            429 => self.limited += 1,
            _ => {
                self.errors += 1;
                eprintln!("({status}: {})", String::from_utf8_lossy(body));
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).unwrap();
        self.lateness.add(&other.lateness).unwrap();
        self.limited += other.limited;
        self.errors += other.errors;
    }

    /// All of these as one.
    pub(crate) fn of(outcomes: &[Self]) -> Self {
        let mut all = Self::none();
        for outcome in outcomes {
            all.add(outcome);
        }
        all
    }

    /// Requests that were sent, and answered.
    pub(crate) fn requests(&self) -> usize {
        usize::try_from(self.latencies.len()).unwrap()
    }

    /// Requests that were not answered with a success.
    pub(crate) fn failed(&self) -> usize {
        self.limited + self.errors
    }

    /// The median of the times, in milliseconds.
    pub(crate) fn median(&self) -> f64 {
        self.latencies.value_at_quantile(0.5) as f64 / 1e3
    }

    /// The 99th percentile of the times, in milliseconds.
    pub(crate) fn p99(&self) -> f64 {
        self.latencies.value_at_quantile(0.99) as f64 / 1e3
    }

    /// The longest time, in milliseconds.
    pub(crate) fn slowest(&self) -> f64 {
        self.latencies.max() as f64 / 1e3
    }

    /// The 99th percentile of how late the load was by itself, in milliseconds.
    pub(crate) fn lateness_p99(&self) -> f64 {
        self.lateness.value_at_quantile(0.99) as f64 / 1e3
    }
}
