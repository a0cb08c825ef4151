//! What a replay found, in words.

use std::fmt;

use super::{LeftOut, Replayed};
use crate::wording::{grouped, milliseconds};

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: u64| grouped(&count.to_string());
        let copies =
            if self.copies > 1 { format!(", in {} copies", self.copies) } else { String::new() };
        writeln!(
            f,
            "{} recorded requests{copies}: {} sent in {}, {} of them tried again",
            number(self.recorded as u64),
            number(self.requests),
            milliseconds(self.duration_ms),
            number(self.retries)
        )?;
        for (count, what) in self.left_out.in_words() {
            writeln!(f, "left out: {} {what}", number(count))?;
        }
        if !self.operations.is_empty() {
            writeln!(
                f,
                "\n{:<18}{:>10}{:>12}{:>12}{:>12}",
                "", "tries", "median", "99 %", "longest"
            )?;
        }
        for one in &self.operations {
            writeln!(
                f,
                "{:<18}{:>10}{:>12}{:>12}{:>12}",
                one.operation,
                number(one.requests),
                milliseconds(one.p50_ms),
                milliseconds(one.p99_ms),
                milliseconds(one.max_ms)
            )?;
        }
        writeln!(f)?;
        if self.is_same() {
            return writeln!(f, "Every answer has the status that was recorded.");
        }
        writeln!(
            f,
            "{} of {} answers have another status than was recorded:",
            number(self.differing),
            number(self.compared)
        )?;
        for (recorded, received, count) in &self.by_status {
            writeln!(f, "  {received} instead of {recorded}: {}", number(*count))?;
        }
        if !self.first_differing.is_empty() {
            writeln!(f, "The first of them:")?;
        }
        for example in &self.first_differing {
            writeln!(f, "  {example}")?;
        }
        if self.skipped > 0 {
            let skipped = number(self.skipped);
            writeln!(f, "{skipped} were not sent: what they are about was not made this time")?;
        }
        if self.unanswered > 0 {
            writeln!(f, "{} had no answer that counts", number(self.unanswered))?;
        }
        Ok(())
    }
}

impl LeftOut {
    /// What was left out, and how much of it.
    fn in_words(&self) -> impl Iterator<Item = (u64, &'static str)> {
        let all = [
            (self.cut_bodies, "requests whose body was not kept, or not in full"),
            (self.redacted_requests, "requests whose address was redacted"),
            (self.redacted_values, "redacted values, of requests that were sent without them"),
            (self.put_off, "requests that were put off, which the directory sent again itself"),
            (self.unknown, "requests about users and groups that the recording does not make"),
            (self.other, "requests with a method that no directory uses"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0)
    }
}
