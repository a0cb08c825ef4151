//! Letter case, for attributes that are not `caseExact` (RFC 7643 §2.2).
//!
//! [`fold`] maps two strings that differ only in case to the same string; filters, sorting and the
//! unique indexes of the store all use it, so they agree on what "the same name" is. Folding goes
//! through upper case, so that `ß`, `SS` and `ss` are one. What is stored and returned is never
//! folded. Unicode normalisation is not done here.

/// The folded form of `text`.
pub fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { fold_chars(text).collect() }
}

/// The characters of the folded form, without building it.
pub(crate) fn fold_chars(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Whether the folded form of `text` is `folded`.
pub(crate) fn equals_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        text.eq_ignore_ascii_case(folded)
    } else {
        fold_chars(text).eq(folded.chars())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_fold_to_one() {
        for (a, b) in [("Bob", "bOB"), ("straße", "STRASSE"), ("ÜNÏ", "ünï"), ("ΣΑΣ", "σας")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
            assert!(equals_folded(a, &fold(b)));
        }
        assert_ne!(fold("bob"), fold("bobby"));
    }
}
