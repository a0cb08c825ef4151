//! Filters of the page: how it writes numbers, times, and what strangers wrote.

#![expect(clippy::inline_always, missing_docs, reason = "what askama's attribute makes")]

use std::fmt::Display;

use askama::{Result, Values};

use crate::wording;

/// Characters of a stranger's text that are shown.
const SAID_CHARS_MAX: usize = 600;

/// A number in groups of three.
#[askama::filter_fn]
pub fn number(number: impl Display, _: &dyn Values) -> Result<String> {
    Ok(wording::grouped(&number.to_string()))
}

/// A number with one digit behind the point, in groups of three.
#[askama::filter_fn]
pub fn rate(rate: &f64, _: &dyn Values) -> Result<String> {
    Ok(wording::grouped(&format!("{rate:.1}")))
}

/// Milliseconds, in a unit that suits them.
#[askama::filter_fn]
pub fn time(ms: &f64, _: &dyn Values) -> Result<String> {
    Ok(wording::milliseconds(*ms))
}

/// What somebody else wrote: readable, and not endless.
#[askama::filter_fn]
pub fn said(text: impl Display, _: &dyn Values) -> Result<String> {
    Ok(wording::shortened(&wording::readable(&text.to_string()), SAID_CHARS_MAX))
}
