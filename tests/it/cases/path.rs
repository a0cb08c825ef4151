//! Paths into an answer's JSON: `a.b[0].c`, `emails[type=work].value`, `/urn:x/department`.
//!
//! The second form is a JSON pointer (RFC 6901), for names that hold dots; its segments may be
//! `[key=value]` too. `[key=value]` picks the first element of an array whose key has that value
//! in any case.

use serde_json::Value;

use super::placeholder::written_out;

/// One step into a document.
#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    Match { key: String, value: String },
}

/// Finds what `path` names in `document`; `None` where there is nothing.
pub(super) fn resolve<'a>(document: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let segments = parse(path)?;
    Ok(segments.iter().try_fold(document, |current, segment| match segment {
        Segment::Key(key) => current.as_object()?.get(key),
        Segment::Index(index) => current.as_array()?.get(*index),
        Segment::Match { key, value } => current.as_array()?.iter().find(|element| {
            element
                .get(key)
                .is_some_and(|found| written_out(found).to_lowercase() == value.to_lowercase())
        }),
    }))
}

fn parse(path: &str) -> Result<Vec<Segment>, String> {
    if let Some(pointer) = path.strip_prefix('/') {
        return Ok(pointer.split('/').map(pointer_segment).collect());
    }
    let mut segments = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        if let Some(inner) = rest.strip_prefix('[')
            && let Some((bracket, after)) = inner.split_once(']')
        {
            segments.push(bracket_segment(bracket, path)?);
            rest = after;
        } else if ".[]".contains(first) {
            rest = &rest[1..];
        } else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
            segments.push(Segment::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Ok(segments)
}

fn bracket_segment(bracket: &str, path: &str) -> Result<Segment, String> {
    if let Some(index) = index(bracket) {
        return Ok(index);
    }
    let (key, value) = bracket
        .split_once('=')
        .ok_or_else(|| format!("[{bracket}] in {path} is not [key=value]"))?;
    Ok(Segment::Match { key: key.to_owned(), value: value.to_owned() })
}

fn pointer_segment(raw: &str) -> Segment {
    let segment = raw.replace("~1", "/").replace("~0", "~");
    let bracket = segment.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match bracket.and_then(|inner| inner.split_once('=')) {
        Some((key, value)) if !key.is_empty() && !key.contains(']') && !value.contains(']') => {
            Segment::Match { key: key.to_owned(), value: value.to_owned() }
        }
        _ => index(&segment).unwrap_or(Segment::Key(segment)),
    }
}

fn index(text: &str) -> Option<Segment> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().map(Segment::Index) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::resolve;

    fn user() -> Value {
        json!({
            "name": {"familyName": "Li"},
            "emails": [{"type": "home", "value": "h"}, {"type": "Work", "value": "w", "primary": true}],
            "urn:x:2.0:User": {"department": "IT", "a/b": 1},
            "7": "seven",
        })
    }

    #[test]
    fn dots_brackets_and_pointers_find_their_value() {
        for (path, expected) in [
            ("name.familyName", json!("Li")),
            ("emails[1].value", json!("w")),
            ("emails[type=work].value", json!("w")),
            ("emails[primary=true].type", json!("Work")),
            ("/urn:x:2.0:User/department", json!("IT")),
            ("/urn:x:2.0:User/a~1b", json!(1)),
            ("/emails/0/value", json!("h")),
            ("/emails/[type=WORK]/value", json!("w")),
        ] {
            assert_eq!(resolve(&user(), path), Ok(Some(&expected)), "{path}");
        }
        assert_eq!(resolve(&user(), ""), Ok(Some(&user())));
    }

    #[test]
    fn a_path_that_leads_nowhere_finds_nothing() {
        for path in
            ["nope", "name[0]", "emails[2]", "emails[type=other].value", "emails.type", "/7"]
        {
            assert_eq!(resolve(&user(), path), Ok(None), "{path}");
        }
    }

    #[test]
    fn a_bracket_without_a_value_is_refused() {
        assert!(resolve(&user(), "emails[work]").is_err());
    }
}
