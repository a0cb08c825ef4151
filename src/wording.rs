//! How times, numbers and strangers' words are written for people, wherever that is.
//!
//! Plain text: who puts it into markup escapes it there.

use std::time::Duration;

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

/// Milliseconds in the unit and with the digits that people would choose: `0.42 ms`, `312 ms`,
/// `2.53 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        10.0..100.0 => format!("{ms:.1} ms"),
        100.0..1_000.0 => format!("{ms:.0} ms"),
        1_000.0..10_000.0 => format!("{:.2} s", ms / 1_000.0),
        _ => spoken(Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(Duration::MAX)),
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
    use super::*;

    #[test]
    fn marks_that_turn_text_around_are_seen_and_do_nothing() {
        assert_eq!(
            readable("a\u{202e}b\u{2066}c\nd\u{200f}"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        assert_eq!(readable("Zoë 子 שלום"), "Zoë 子 שלום");
    }

    #[test]
    fn numbers_and_durations_read_well() {
        let numbers = ["0", "999", "1000", "1234567", "-1000", "1234.5"].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567", "-1,000", "1,234.5"]);
        let durations = [4, 2_500, 59_000, 720_000, 10_800_000, 259_200_000];
        let shown = durations.map(|ms| spoken(Duration::from_millis(ms)));
        assert_eq!(shown, ["4 ms", "2.5 s", "59 s", "12 min", "3 h", "3 days"]);
    }

    #[test]
    fn milliseconds_have_as_many_digits_as_mean_something() {
        let shown = [0.423, 31.26, 312.4, 2_534.0, 61_000.0, 600_000.0].map(milliseconds);
        assert_eq!(shown, ["0.42 ms", "31.3 ms", "312 ms", "2.53 s", "61 s", "10 min"]);
    }
}
