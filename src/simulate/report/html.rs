//! The report as one HTML page, to be kept, mailed and opened anywhere.
//!
//! It promises to load nothing: styles and drawings stand in the page, there is no script, and a
//! policy in its head forbids the rest. What a service answered is a stranger's words: it is
//! escaped, cut, and shown without characters that turn or hide text. Every drawing has a table
//! beside it that says the same.
//!
//! Geometry is in [`timeline`] and [`latency`]; what was measured, in the report itself.

pub mod filters;
mod latency;
mod timeline;
mod view;

use askama::Template;

use self::latency::Latencies;
use self::timeline::{Timeline, rows};
use self::view::{PlanRow, WaveRow};
use super::{Report, Verification};

/// Waves that the page lists; the other forms of the report have all of them.
const WAVES_SHOWN_MAX: usize = 300;

/// The page could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be written as HTML")]
pub struct RenderError(#[from] askama::Error);

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    /// The wide drawing and the one for phones: letters in an image shrink with it.
    timelines: [Timeline; 2],
    seconds: Vec<timeline::Row>,
    latencies: Latencies,
    waves: Vec<WaveRow>,
    waves_left_out: usize,
    /// What a column of a tenant would be for.
    has_tenants: bool,
    plan: Vec<PlanRow>,
    command: String,
}

/// The report as a page of HTML.
pub fn render(report: &Report) -> Result<String, RenderError> {
    let page = Page {
        report,
        timelines: timeline::draw(report),
        seconds: rows(report),
        latencies: latency::draw(&report.operations),
        waves: report.waves.iter().take(WAVES_SHOWN_MAX).map(WaveRow::of).collect(),
        waves_left_out: report.waves.len().saturating_sub(WAVES_SHOWN_MAX),
        has_tenants: report.plan.tenants > 1,
        plan: view::plan(&report.plan),
        command: view::command(&report.plan),
    };
    Ok(page.render()?)
}

impl Page<'_> {
    /// In a sentence, how it went.
    fn verdict(&self) -> (&'static str, &'static str) {
        match &self.report.verification {
            _ if !self.report.broke_off.is_empty() => {
                ("bad", "The simulation broke off before its end.")
            }
            Some(Verification { differences: 1.., .. }) => {
                ("bad", "What the service holds is not what was sent.")
            }
            _ if self.report.owed > 0 => {
                ("bad", "Some writes failed and were not made up for: the service lacks them.")
            }
            Some(_) => ("ok", "The service holds exactly what was sent."),
            None if self.report.failures > 0 => ("warn", "Some requests failed for good."),
            None => ("info", "Every request was answered; nothing was read back to compare."),
        }
    }
}

#[cfg(test)]
mod tests;
