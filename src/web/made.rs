//! The page that shows a secret, once.

use askama::Template;

use super::page::{Layout, Shown, render};
use crate::web::filters;

/// Something that was just made.
#[derive(Template)]
#[template(path = "made.html")]
pub(super) struct MadePage {
    pub(super) layout: Layout,
    /// What was made, and for whom.
    pub(super) heading: String,
    /// What to do with it.
    pub(super) advice: &'static str,
    /// What is shown: what it is called, and what it is.
    pub(super) parts: Vec<(&'static str, String)>,
    /// Where to go on.
    pub(super) next: String,
    pub(super) next_text: &'static str,
}

impl MadePage {
    pub(super) fn shown(&self) -> Shown {
        render(self)
    }
}
