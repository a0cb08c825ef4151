//! What was measured: printed line by line, and kept for `--json`.

use std::process::ExitCode;

use super::load::Outcome;
use super::results::Results;

/// The figures so far.
#[derive(Default)]
pub(crate) struct Report {
    results: Results,
    has_failed: bool,
}

/// A part of the program: what was measured, and how many tenants or accounts it has.
pub(crate) type Part = (&'static str, usize);

impl Report {
    /// One more figure. The note says what it is held against.
    pub(crate) fn tell(&mut self, part: Part, what: &str, (value, unit): (f64, &str), note: &str) {
        let (name, size) = part;
        // Three digits are enough, and what is counted is whole.
        let decimals = if value.abs() >= 100.0 || value.fract() == 0.0 { 0 } else { 2 };
        println!("{size:>7} {name:<32} {what:<40} {value:>9.decimals$} {unit:<6} {note}");
        self.results.add(&format!("{name}: {what}"), Some(size), value, unit);
    }

    /// How many requests failed that should not have.
    pub(crate) fn tell_failed(&mut self, part: Part, failed: usize) {
        self.tell(part, "requests that failed", (failed as f64, ""), "(must be 0)");
        self.has_failed |= failed > 0;
    }

    /// Times in two kinds of phases that took turns, and the ratio of neighbours.
    pub(crate) fn tell_pairs(&mut self, part: Part, pairs: &[[Outcome; 2]], with: &str) {
        let of = |side: usize, time: fn(&Outcome) -> f64| {
            (median(pairs.iter().map(|pair| time(&pair[side]))), "ms")
        };
        let ratios = || pairs.iter().map(|[without, with]| with.p99() / without.p99());
        let (least, most) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        self.tell(part, &format!("median, without {with}"), of(0, Outcome::median), "");
        self.tell(part, &format!("median, with {with}"), of(1, Outcome::median), "");
        self.tell(part, &format!("p99, without {with}"), of(0, Outcome::p99), "");
        self.tell(part, &format!("p99, with {with}"), of(1, Outcome::p99), "");
        let spread = format!("(goal: 1.5; {least:.2} to {most:.2})");
        self.tell(part, "p99, ratio of the two", (median(ratios()), ""), &spread);
    }

    /// Writes the figures, if a file was named. Answers what the program exits with.
    pub(crate) fn end(&self) -> ExitCode {
        self.results.write();
        if self.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The median of some values.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
