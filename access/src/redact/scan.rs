//! Looking for words that name secrets, without parsing.

use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;

use super::WORDS;

/// Attributes whose values are names of people and things: a word in them is only a word.
const NAMES: [&str; 22] = [
    "username",
    "displayname",
    "externalid",
    "nickname",
    "formatted",
    "givenname",
    "familyname",
    "middlename",
    "display",
    "title",
    "department",
    "division",
    "organization",
    "costcenter",
    "emails",
    "addresses",
    "streetaddress",
    "locality",
    "region",
    "members",
    "groups",
    "manager",
];

/// Bytes that are written in lower case at once.
const WINDOW_BYTES: usize = 1 << 10;
/// Bytes that a window repeats of the one before: a word may stand across both.
const OVERLAP_BYTES: usize = {
    let (mut longest, mut at) = (0, 0);
    while at < WORDS.len() {
        if WORDS[at].len() > longest {
            longest = WORDS[at].len();
        }
        at += 1;
    }
    longest - 1
};

/// Finds the words in lower case, many bytes at once, where the processor can: to write everything in
/// lower case first and look at it so takes a fifth of the time that the other way takes.
static FAST: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(WORDS));

/// Finds the words byte by byte, on every processor.
static SCANNER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(WORDS).ok()
});

static ESCAPE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("\\u00"));

/// Whether one of the words stands anywhere in it.
pub(super) fn has_word(text: &[u8]) -> bool {
    let Some(fast) = FAST.as_ref() else { return has_word_anywhere(text) };
    let mut window = [0; WINDOW_BYTES];
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_at(rest.len().min(WINDOW_BYTES));
        let Some(lower) = window.get_mut(..part.len()) else { return true };
        lower.copy_from_slice(part);
        lower.make_ascii_lowercase();
        if fast.find(lower).is_some() {
            return true;
        }
        if behind.is_empty() {
            return false;
        }
        rest = rest.get(WINDOW_BYTES - OVERLAP_BYTES..).unwrap_or_default();
    }
}

/// The same, on every processor.
fn has_word_anywhere(text: &[u8]) -> bool {
    // Without a scanner everything is secret. The words are constants: there is one.
    SCANNER.as_ref().is_none_or(|scanner| scanner.is_match(text))
}

/// Whether JSON, or JSON within JSON, escapes a character that it need not escape: a letter, say.
pub(super) fn escapes_ascii(json: &[u8]) -> bool {
    ESCAPE.find_iter(json).any(|at| matches!(json.get(at + 4), Some(b'2'..=b'7')))
}

/// Whether an attribute, as a path names it, holds names.
pub(super) fn is_of_names(path: &str) -> bool {
    // A filter in a path may name anything.
    let path = path.split(['[', ' ']).next().unwrap_or_default();
    path.rsplit(':')
        .next()
        .unwrap_or_default()
        .split('.')
        .any(|part| NAMES.iter().any(|name| part.eq_ignore_ascii_case(name)))
}

/// Whether a text is a name at most: nothing in it sets one thing to another.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains(['{', '}', '=', ':', '"', '\\', '&', '%'])
}

/// Whether a filter compares names, and asks for nothing that is secret.
pub(super) fn is_filter_of_names(filter: &str) -> bool {
    if filter.contains('\\') {
        return false;
    }
    let (mut outside, mut inside) = (String::new(), true);
    for part in filter.split('"') {
        inside = !inside;
        if !inside {
            outside.push_str(part);
        } else if !is_plain(part) {
            return false;
        }
    }
    is_of_names(outside.trim_start()) && !has_word(outside.as_bytes())
}

/// Whether a path names a secret attribute and nothing else: the path itself is no secret then.
pub(super) fn is_plain_path(path: &str) -> bool {
    let last = path.rsplit([':', '.']).next().unwrap_or_default();
    is_plain(last) && last.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands_across_two_windows() {
        for word in WORDS {
            for before in (1..=2).flat_map(|n| n * WINDOW_BYTES - 4 * word.len()..=n * WINDOW_BYTES)
            {
                let text = format!("{}{word}{}", "-".repeat(before), "-".repeat(100));
                assert!(has_word(text.as_bytes()), "{word} behind {before} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn both_ways_find_the_same(
            before in "[ -~]{0,80}", far in 0_usize..2_200, word in 0_usize..WORDS.len(),
            upper in any::<u64>(), cut in 0_usize..3, after in "\\PC{0,40}")
        {
            let word = WORDS[word];
            let cased = word.char_indices().map(|(at, c)| {
                if upper >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c }
            });
            let cased: String = cased.collect();
            let kept = &cased[..word.len() - cut.min(1)];
            let text = format!("{}{before}{kept}{after}", "-".repeat(far));

            prop_assert_eq!(has_word(text.as_bytes()), has_word_anywhere(text.as_bytes()));
            prop_assert!(cut > 0 || has_word(text.as_bytes()));
        }
    }
}
