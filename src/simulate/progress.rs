//! How a simulation goes on, on standard error: bars on a terminal, plain lines anywhere else.
//!
//! Each tenant has a bar as long as there are few of them; many share one. Plain lines come when a
//! wave begins and when it has ended, with its figures, so that a log of them can be read. What
//! cannot be written is let go: watching never stops a simulation.

use std::io::{IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::watch::{Cycle, Watch};
use crate::wording::{grouped, spoken};

/// Tenants that have a bar of their own.
const BARS_MAX: usize = 6;
/// How often bars are drawn in a second, at most.
const DRAWS_PER_SECOND: u8 = 10;

/// Shows how a simulation goes on. What it drew is gone when it is dropped.
pub struct Progress(Shown);

enum Shown {
    Bars(Bars),
    Lines(Lines),
}

impl Progress {
    /// For so many tenants, on standard error.
    pub fn new(tenants: usize) -> Self {
        let error = std::io::stderr();
        if error.is_terminal() {
            return Self(Shown::Bars(Bars::new(tenants)));
        }
        Self::lines(tenants, error)
    }

    /// Plain lines for so many tenants, to anywhere.
    pub fn lines(tenants: usize, out: impl Write + Send + 'static) -> Self {
        Self(Shown::Lines(Lines::new(tenants, Box::new(out))))
    }
}

impl Watch for Progress {
    fn wave_began(&self, tenant: usize, number: usize, cycle: Cycle, requests_planned: u64) {
        match &self.0 {
            Shown::Bars(bars) => bars.wave_began(tenant, number, cycle, requests_planned),
            Shown::Lines(lines) => lines.wave_began(tenant, number, cycle, requests_planned),
        }
    }

    fn answered(&self, tenant: usize) {
        match &self.0 {
            Shown::Bars(bars) => bars.answered(tenant),
            Shown::Lines(lines) => lines.answered(tenant),
        }
    }

    fn wave_ended(&self, tenant: usize, number: usize) {
        match &self.0 {
            Shown::Bars(bars) => bars.wave_ended(tenant, number),
            Shown::Lines(lines) => lines.wave_ended(tenant, number),
        }
    }

    fn line(&self, text: &str) {
        match &self.0 {
            // A bar that cannot be drawn is no reason to stop.
            Shown::Bars(bars) => drop(bars.all.println(text)),
            Shown::Lines(lines) => lines.say(text),
        }
    }
}

/// Bars on a terminal.
struct Bars {
    all: MultiProgress,
    /// One for each tenant, or one for all.
    drawn: Vec<ProgressBar>,
    tenants: usize,
    /// Tenants whose wave is under way.
    sending: Mutex<usize>,
}

impl Bars {
    fn new(tenants: usize) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let all = MultiProgress::with_draw_target(target);
        let count = if tenants > BARS_MAX { 1 } else { tenants };
        let template = "{prefix} {bar:32} {human_pos:>9} of {human_len:<9} {msg}";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let drawn = (0..count).map(|number| {
            let bar = ProgressBar::new(0).with_style(style.clone());
            let prefix = if count == tenants { format!("tenant {number}") } else { String::new() };
            all.add(bar.with_prefix(prefix).with_finish(ProgressFinish::AndClear))
        });
        let drawn = drawn.collect();
        Self { all, drawn, tenants, sending: Mutex::new(0) }
    }

    /// Whether tenants share a bar.
    fn is_shared(&self) -> bool {
        self.drawn.len() < self.tenants
    }

    fn bar(&self, tenant: usize) -> Option<&ProgressBar> {
        self.drawn.get(if self.is_shared() { 0 } else { tenant })
    }

    fn wave_began(&self, tenant: usize, number: usize, cycle: Cycle, requests_planned: u64) {
        let Some(bar) = self.bar(tenant) else { return };
        if self.is_shared() {
            bar.inc_length(requests_planned);
            self.count(bar, |sending| sending.saturating_add(1));
        } else {
            bar.set_length(requests_planned);
            bar.set_position(0);
            bar.set_message(format!("wave {number}, {}", cycle.name()));
        }
    }

    fn answered(&self, tenant: usize) {
        if let Some(bar) = self.bar(tenant) {
            bar.inc(1);
        }
    }

    fn wave_ended(&self, tenant: usize, number: usize) {
        let Some(bar) = self.bar(tenant) else { return };
        if self.is_shared() {
            self.count(bar, |sending| sending.saturating_sub(1));
        } else {
            bar.set_message(format!("wave {number} was sent"));
        }
    }

    fn count(&self, bar: &ProgressBar, change: impl FnOnce(usize) -> usize) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        *sending = change(*sending);
        bar.set_message(format!("{} of {} tenants in a wave", *sending, self.tenants));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // What cannot be cleared stays; nothing depends on it.
        let _ = self.all.clear();
    }
}

/// Lines in a log.
struct Lines {
    tenants: Vec<Sent>,
    out: Mutex<Box<dyn Write + Send>>,
}

/// What was sent of a tenant's wave.
struct Sent {
    answered: AtomicU64,
    began: Mutex<Instant>,
}

impl Lines {
    fn new(tenants: usize, out: Box<dyn Write + Send>) -> Self {
        let sent = || Sent { answered: AtomicU64::new(0), began: Mutex::new(Instant::now()) };
        Self { tenants: (0..tenants).map(|_| sent()).collect(), out: Mutex::new(out) }
    }

    fn wave_began(&self, tenant: usize, number: usize, cycle: Cycle, requests_planned: u64) {
        if let Some(sent) = self.tenants.get(tenant) {
            sent.answered.store(0, Ordering::Relaxed);
            *sent.began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        let planned = grouped(&requests_planned.to_string());
        let cycle = cycle.name();
        self.say(&format!("{}wave {number} ({cycle}): {planned} requests", self.whose(tenant)));
    }

    fn answered(&self, tenant: usize) {
        if let Some(sent) = self.tenants.get(tenant) {
            sent.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wave_ended(&self, tenant: usize, number: usize) {
        let Some(sent) = self.tenants.get(tenant) else { return };
        let answered = sent.answered.load(Ordering::Relaxed);
        let took = sent.began.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let count = grouped(&answered.to_string());
        let (took, rate) = (spoken(took), rate(answered, took));
        self.say(&format!(
            "{}wave {number} was sent: {count} requests in {took}, {rate} a second",
            self.whose(tenant)
        ));
    }

    /// Which tenant a line is about; of one tenant nobody asks.
    fn whose(&self, tenant: usize) -> String {
        if self.tenants.len() > 1 { format!("tenant {tenant}: ") } else { String::new() }
    }

    fn say(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece: others write to standard error too.
        let _ = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
    }
}

/// Requests a second.
fn rate(requests: u64, took: Duration) -> String {
    let per_mille = u128::from(requests).saturating_mul(1_000);
    let rate = per_mille.checked_div(took.as_millis()).unwrap_or(per_mille);
    grouped(&rate.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What was written, to be read.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn without_a_terminal_each_wave_is_two_plain_lines() {
        let written = Written::default();
        let progress = Progress::lines(2, written.clone());

        progress.wave_began(0, 1, Cycle::Initial, 1_200);
        progress.wave_began(1, 1, Cycle::Initial, 3);
        (0..1_201).for_each(|_| progress.answered(0));
        progress.wave_ended(0, 1);
        progress.line("tenant 0: 12 roles changed");

        let text = written.text();
        let lines: Vec<&str> = text.lines().collect();
        let [first, second, ended, said] = lines.as_slice() else { panic!("{text}") };
        assert_eq!(*first, "tenant 0: wave 1 (initial): 1,200 requests");
        assert_eq!(*second, "tenant 1: wave 1 (initial): 3 requests");
        assert!(ended.starts_with("tenant 0: wave 1 was sent: 1,201 requests in "), "{ended}");
        assert_eq!(*said, "tenant 0: 12 roles changed");
        assert!(!text.contains('\r') && !text.contains('\u{1b}'), "no signs for a terminal");
    }

    #[test]
    fn a_wave_is_counted_from_its_own_beginning() {
        let written = Written::default();
        let progress = Progress::lines(1, written.clone());

        for number in [1, 2] {
            progress.wave_began(0, number, Cycle::Incremental, 5);
            (0..5).for_each(|_| progress.answered(0));
            progress.wave_ended(0, number);
        }

        assert_eq!(written.text().matches("was sent: 5 requests").count(), 2);
    }

    #[test]
    fn few_tenants_have_a_bar_each_and_many_share_one() {
        let few = Bars::new(BARS_MAX);
        let many = Bars::new(BARS_MAX + 1);

        many.wave_began(0, 1, Cycle::Initial, 10);
        many.wave_began(BARS_MAX, 1, Cycle::Initial, 5);
        many.answered(BARS_MAX);

        assert_eq!(few.drawn.len(), BARS_MAX);
        assert_eq!(many.drawn.len(), 1);
        assert_eq!((many.drawn[0].length(), many.drawn[0].position()), (Some(15), 1));
        assert_eq!(many.drawn[0].message(), format!("2 of {} tenants in a wave", BARS_MAX + 1));
    }

    #[test]
    fn a_rate_is_a_whole_number_a_second() {
        assert_eq!(rate(1_000, Duration::from_millis(250)), "4,000");
        assert_eq!(rate(3, Duration::ZERO), "3,000");
    }
}
