//! Filters of templates: how names, times and numbers are shown, everywhere the same.
//!
//! What a filter writes as markup is its own; what it was given is escaped.

#![expect(clippy::inline_always, missing_docs, reason = "what askama's attribute makes")]

use std::fmt::Display;
use std::time::Duration;

use askama::filters::{Html, Safe, escape};
use askama::{Result, Values};
use jiff::Timestamp;

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

/// A duration in the unit that people would choose.
pub fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.saturating_add(30) / 60),
        7_200..172_800 => format!("{} h", seconds.saturating_add(1_800) / 3_600),
        _ => format!("{} days", seconds.saturating_add(43_200) / 86_400),
    }
}

/// Digits in groups of three.
pub fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// Without control characters and marks that turn or hide text (those of Unicode's `Bidi_Control`, zero-width
/// and the like): in their place stands a sign that can be seen.
pub fn readable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// At most so many characters, with a sign that there was more.
pub fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;
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
    fn marks_that_turn_text_around_are_seen_and_do_nothing() {
        assert_eq!(
            readable("a\u{202e}b\u{2066}c\nd\u{200f}"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        assert_eq!(readable("Zoë 子 שלום"), "Zoë 子 שלום");
    }

    #[test]
    fn an_endless_name_is_cut() {
        let shown = Named { text: &"x".repeat(10_000) }.render().unwrap();

        assert!(shown.len() < 700, "{}", shown.len());
    }

    #[test]
    fn numbers_and_durations_read_well() {
        let numbers = ["0", "999", "1000", "1234567", "-1000", "1234.5"].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567", "-1,000", "1,234.5"]);
        let durations = [4, 2_500, 59_000, 720_000, 10_800_000, 259_200_000];
        let shown = durations.map(|ms| spoken(Duration::from_millis(ms)));
        assert_eq!(shown, ["4 ms", "2.5 s", "59 s", "12 min", "3 h", "3 days"]);
    }
}
