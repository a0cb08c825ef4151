//! Percent-decoding of path segments.

use std::borrow::Cow;

/// Decodes `%XX`; none if it is not valid or not UTF-8.
pub(crate) fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(segment.into());
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::decode_segment;

    #[test]
    fn a_urn_in_a_path_is_decoded() {
        assert_eq!(decode_segment("urn%3Aietf%3aparams").as_deref(), Some("urn:ietf:params"));
        assert_eq!(decode_segment("%zz"), None);
        assert_eq!(decode_segment("%f"), None);
        assert_eq!(decode_segment("%ff"), None);
    }
}
