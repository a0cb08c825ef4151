//! Filters of templates: how names, times and numbers are shown, everywhere the same.
//!
//! What a filter writes as markup is its own; what it was given is escaped.

#![expect(clippy::inline_always, missing_docs, reason = "what askama's attribute makes")]

use std::fmt::Display;
use std::time::Duration;

use askama::filters::{Html, Safe, escape};
use askama::{Result, Values};
use jiff::Timestamp;

pub use crate::wording::{grouped, readable, shortened, spoken};

/// Characters of a name that are written out; the `title` has as many again. Longer ones are cut
/// by the stylesheet, where there is no room, and here, where nobody would read them.
const NAME_CHARS_MAX: usize = 256;

/// Something from outside, such as a user's name: apart from the text around it (`<bdi>`), without
/// characters that nobody sees, and cut where it is endless.
#[askama::filter_fn]
pub fn name(text: impl Display, _: &dyn Values) -> Result<Safe<String>> {
    let text = text.to_string();
    let shown = shortened(&readable(&text), NAME_CHARS_MAX);
    let title = escape(&shown, Html)?.to_string();
    Ok(Safe(format!("<bdi class=\"name\" title=\"{title}\">{title}</bdi>")))
}

/// The same without markup: for `title`s, labels of fields, and sentences read by machines.
#[askama::filter_fn]
pub fn plain(text: impl Display, _: &dyn Values) -> Result<String> {
    Ok(shortened(&readable(&text.to_string()), NAME_CHARS_MAX))
}

/// A moment: in UTC, which the script puts into the reader's time zone.
#[askama::filter_fn]
pub fn when(at: &Timestamp, _: &dyn Values) -> Result<Safe<String>> {
    let shown = at.strftime("%Y-%m-%d %H:%M:%S");
    Ok(Safe(format!("<time datetime=\"{at}\">{shown} UTC</time>")))
}

/// A moment that may not have come: `never` where it has not.
#[askama::filter_fn]
pub fn when_or(at: &Option<Timestamp>, values: &dyn Values, never: &str) -> Result<Safe<String>> {
    match at {
        Some(at) => when::default().execute(at, values),
        None => Ok(Safe(escape(never, Html)?.to_string())),
    }
}

/// A number in groups of three: 12,345.
#[askama::filter_fn]
pub fn number(number: impl Display, _: &dyn Values) -> Result<String> {
    Ok(grouped(&number.to_string()))
}

/// The name of an attribute without what all of Microsoft's extensions begin with.
#[askama::filter_fn]
pub fn without_urn(name: &str, _: &dyn Values) -> Result<String> {
    Ok(name.replace("urn:ietf:params:scim:schemas:extension:", "…:"))
}

/// What an event of an account is called.
#[askama::filter_fn]
pub fn what(kind: &str, _: &dyn Values) -> Result<&'static str> {
    Ok(match kind {
        "account.created" => "created",
        "account.updated" => "updated",
        "account.role_changed" => "role changed",
        "account.disabled" => "disabled",
        "account.enabled" => "enabled again",
        "account.deleted" => "deleted",
        "account.locked" => "locked",
        "account.unlocked" => "unlocked",
        _ => "changed",
    })
}

/// A time that something took, or takes: `4 ms`, `2.5 s`, `12 min`, `3 h`.
#[askama::filter_fn]
pub fn lasting(duration: &Duration, _: &dyn Values) -> Result<String> {
    Ok(spoken(*duration))
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use crate::web::filters;

    #[derive(Template)]
    #[template(source = "{{ text|name }}", ext = "html")]
    struct Named<'a> {
        text: &'a str,
    }

    #[test]
    fn a_name_with_markup_is_text() {
        let shown = Named { text: "<script>alert(1)</script>\"'" }.render().unwrap();

        assert!(!shown.contains("<script"), "{shown}");
        assert_eq!(shown.matches('<').count(), 2, "{shown}");
        assert_eq!(shown.matches('"').count(), 4, "{shown}");
    }

    #[test]
    fn an_endless_name_is_cut() {
        let shown = Named { text: &"x".repeat(10_000) }.render().unwrap();

        assert!(shown.len() < 700, "{}", shown.len());
    }
}
