//! What is measured: latencies by operation, errors by kind, answers second by second.
//!
//! One for a whole simulation, shared by all its tenants; taking note of an answer holds a lock for
//! less than a microsecond. Its size does not grow with the number of requests.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::operation::Operation;
use super::report::{ErrorReport, OperationReport, Second};

/// Latencies above this count as this: requests are given up much sooner.
const LATENCY_MICROSECONDS_MAX: u64 = 300_000_000;
/// Significant digits that are kept of a latency.
const DIGITS: u8 = 3;
/// Seconds of the timeline; what comes later is counted in the last one.
const SECONDS_MAX: usize = 7 * 86_400;
/// Kinds of errors told apart; further ones are counted together.
const ERROR_KINDS_MAX: usize = 64;
/// Where distributions begin, and how many times longer each step is than the one before.
const DISTRIBUTION_FROM_MICROSECONDS: u64 = 100;
const DISTRIBUTION_STEP: f64 = 1.5;

/// Takes note of answers.
#[derive(Debug)]
pub struct Measure {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requests: u64,
    retries: u64,
    failures: u64,
    operations: BTreeMap<Operation, Measured>,
    errors: BTreeMap<String, ErrorReport>,
    timeline: Vec<Second>,
}

#[derive(Debug)]
struct Measured {
    latencies: Histogram<u64>,
    errors: u64,
}

/// An answer that was no success, that made no sense, or that did not come.
#[derive(Debug)]
pub struct ErrorSeen<'a> {
    /// Such as `409 uniqueness` or `timeout`.
    pub kind: &'a str,
    /// What the answer said.
    pub detail: &'a str,
}

impl Measure {
    /// One that begins now.
    pub fn start() -> Self {
        Self { started: Instant::now(), inner: Mutex::default() }
    }

    /// Since when.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Notes one try of a request, which ended now after `took`.
    pub fn note(&self, operation: Operation, took: Duration, error: Option<&ErrorSeen<'_>>) {
        let second = self.started.elapsed().as_secs();
        let mut inner = self.lock();
        inner.requests += 1;
        if let Some(measured) = inner.measured(operation) {
            let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            measured.latencies.saturating_record(microseconds);
            measured.errors += u64::from(error.is_some());
        }
        inner.tick(second, took, error.is_some());
        if let Some(error) = error {
            inner.count_error(operation, error);
        }
    }

    /// Notes that a request is tried again.
    pub fn retried(&self) {
        self.lock().retries += 1;
    }

    /// Notes that a request failed for good.
    pub fn failed(&self) {
        self.lock().failures += 1;
    }

    /// Notes a failure for good that is no try of a request.
    pub fn note_fault(&self, operation: Operation, error: &ErrorSeen<'_>) {
        let mut inner = self.lock();
        inner.failures += 1;
        inner.count_error(operation, error);
    }

    /// Requests, tries again, failures for good.
    pub fn totals(&self) -> (u64, u64, u64) {
        let inner = self.lock();
        (inner.requests, inner.retries, inner.failures)
    }

    /// Latencies by operation.
    pub fn operations(&self) -> Vec<OperationReport> {
        self.lock().operations.iter().map(|(operation, one)| one.report(*operation)).collect()
    }

    /// Errors by kind, the most frequent first.
    pub fn errors(&self) -> Vec<ErrorReport> {
        let mut errors: Vec<ErrorReport> = self.lock().errors.values().cloned().collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        errors
    }

    /// What went on, second by second.
    pub fn timeline(&self) -> Vec<Second> {
        self.lock().timeline.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counts are whole after each statement: a panic elsewhere does not spoil them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn measured(&mut self, operation: Operation) -> Option<&mut Measured> {
        Some(match self.operations.entry(operation) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let latencies = Histogram::new_with_bounds(1, LATENCY_MICROSECONDS_MAX, DIGITS);
                new.insert(Measured { latencies: latencies.ok()?, errors: 0 })
            }
        })
    }

    fn tick(&mut self, second: u64, took: Duration, error: bool) {
        let second = usize::try_from(second).unwrap_or(usize::MAX).min(SECONDS_MAX - 1);
        while self.timeline.len() <= second {
            let second = self.timeline.len() as u64;
            self.timeline.push(Second { second, requests: 0, errors: 0, max_ms: 0.0 });
        }
        if let Some(tick) = self.timeline.get_mut(second) {
            tick.requests += 1;
            tick.errors += u64::from(error);
            tick.max_ms = tick.max_ms.max(milliseconds(took));
        }
    }

    fn count_error(&mut self, operation: Operation, error: &ErrorSeen<'_>) {
        let full = self.errors.len() >= ERROR_KINDS_MAX;
        let kind = if full && !self.errors.contains_key(error.kind) { "other" } else { error.kind };
        if let Some(known) = self.errors.get_mut(kind) {
            known.count += 1;
            return;
        }
        let example = match error.detail {
            "" => operation.name().to_owned(),
            detail => format!("{}: {detail}", operation.name()),
        };
        let kind = kind.to_owned();
        self.errors.insert(kind.clone(), ErrorReport { kind, count: 1, example });
    }
}

impl Measured {
    fn report(&self, operation: Operation) -> OperationReport {
        let at = |quantile| in_milliseconds(self.latencies.value_at_quantile(quantile));
        OperationReport {
            operation: operation.name().to_owned(),
            requests: self.latencies.len(),
            errors: self.errors,
            mean_ms: self.latencies.mean() / 1_000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: in_milliseconds(self.latencies.max()),
            distribution: self.distribution(),
        }
    }

    /// Steps on a logarithmic axis, from the last that nothing took so short to the first that
    /// everything took at most.
    fn distribution(&self) -> Vec<(f64, u64)> {
        let mut so_far = 0;
        let mut steps: Vec<(f64, u64)> = Vec::new();
        for step in self.latencies.iter_log(DISTRIBUTION_FROM_MICROSECONDS, DISTRIBUTION_STEP) {
            so_far += step.count_since_last_iteration();
            let reached = (in_milliseconds(step.value_iterated_to()), so_far);
            if let [only] = steps.as_mut_slice()
                && only.1 == 0
            {
                *only = reached;
            } else {
                steps.push(reached);
            }
        }
        steps
    }
}

/// As a number of milliseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 microseconds")]
fn in_milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_counts_are_those_of_what_was_noted() {
        let measure = Measure::start();

        for microseconds in 1..=1_000 {
            measure.note(Operation::CreateUser, Duration::from_micros(microseconds), None);
        }

        let [create] = measure.operations().try_into().unwrap();
        assert_eq!((create.requests, create.errors), (1_000, 0));
        assert!((create.p50_ms - 0.5).abs() < 0.002, "{}", create.p50_ms);
        assert!((create.p99_ms - 0.99).abs() < 0.002, "{}", create.p99_ms);
        assert!((create.max_ms - 1.0).abs() < 0.002, "{}", create.max_ms);
        assert_eq!(create.distribution.last().unwrap().1, 1_000);
        assert!(create.distribution.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        assert_eq!(measure.timeline().iter().map(|tick| tick.requests).sum::<u64>(), 1_000);
    }

    #[test]
    fn errors_are_counted_by_kind_with_the_first_as_an_example() {
        let measure = Measure::start();
        for detail in ["one", "two"] {
            let error = ErrorSeen { kind: "409 uniqueness", detail };
            measure.note(Operation::CreateUser, Duration::ZERO, Some(&error));
        }

        let errors = measure.errors();

        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].count, errors[0].example.as_str()), (2, "create user: one"));
        assert_eq!(measure.operations()[0].errors, 2);
    }

    #[test]
    fn a_fault_is_a_failure_and_an_error_but_no_request() {
        let measure = Measure::start();

        let fault = ErrorSeen { kind: "not understood", detail: "a user without an id" };
        measure.note_fault(Operation::CreateUser, &fault);

        assert_eq!(measure.totals(), (0, 0, 1));
        assert_eq!(measure.errors()[0].example, "create user: a user without an id");
        assert!(measure.operations().is_empty());
    }

    #[test]
    fn kinds_of_errors_without_end_are_counted_together() {
        let measure = Measure::start();

        for number in 0..10_000 {
            let kind = format!("400 {number}");
            let error = ErrorSeen { kind: &kind, detail: "" };
            measure.note(Operation::CreateUser, Duration::ZERO, Some(&error));
        }

        let errors = measure.errors();
        assert_eq!(errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(errors.iter().map(|error| error.count).sum::<u64>(), 10_000);
    }
}
