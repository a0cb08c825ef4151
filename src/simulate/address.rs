//! How names and ids are written into addresses and filters. An id is the target's own, and may hold
//! any character.

use std::fmt::Write as _;

use form_urlencoded::byte_serialize;

/// A string of a filter (RFC 7644 section 3.4.2.2: as JSON writes it).
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value of a query.
pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// A segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The path of a resource.
pub(super) fn resource(endpoint: &str, id: &str) -> String {
    format!("{endpoint}/{}", segment(id))
}

/// The filter that finds a user or a group by its name, as a path.
pub(super) fn look_up(endpoint: &str, attribute: &str, name: &str) -> String {
    let filter = encoded(&format!("{attribute} eq {}", quoted(name)));
    match endpoint {
        // As Entra asks for groups: their members may be many.
        "/Groups" => format!("{endpoint}?excludedAttributes=members&filter={filter}"),
        _ => format!("{endpoint}?filter={filter}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotation_marks_stays_one_string_in_a_filter() {
        assert_eq!(quoted("R&D \"x\" \\ y"), r#""R&D \"x\" \\ y""#);
        assert_eq!(encoded("a eq \"b\"&c"), "a+eq+%22b%22%26c");
    }

    #[test]
    fn an_id_stays_one_segment_of_a_path() {
        assert_eq!(resource("/Users", "01990a5d-b9a0"), "/Users/01990a5d-b9a0");
        assert_eq!(resource("/Users", "a/b?c d#é"), "/Users/a%2Fb%3Fc%20d%23%C3%A9");
    }
}
