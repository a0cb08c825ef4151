//! A JSON object that is read no further than to where its members begin and end.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, each value as text.
#[derive(Clone, Debug, Default)]
pub struct RawObject<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// Room for the attributes of most resources, so that it need not grow on the way.
const MEMBERS_EXPECTED: usize = 16;

impl<'a> RawObject<'a> {
    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Leaves out what stands in both with the same text. What the same program wrote is the same
    /// text where it is the same value.
    pub fn keep_differences(&mut self, other: &mut Self) {
        let others = std::mem::take(&mut other.0);
        let mut is_same = vec![false; others.len()];
        // Mostly both have the same order: then nothing is looked up.
        let mut places: Option<HashMap<&str, usize>> = None;
        let mut next = 0;
        self.0.retain(|(name, value)| {
            let at = if others.get(next).is_some_and(|(known, _)| known == name) {
                Some(next)
            } else {
                let index =
                    || others.iter().zip(0..).map(|((name, _), at)| (&**name, at)).collect();
                places.get_or_insert_with(index).get(&**name).copied()
            };
            let Some(at) = at else { return true };
            next = at + 1;
            let same = others.get(at).is_some_and(|(_, other)| other.get() == value.get());
            if let Some(is_same) = is_same.get_mut(at) {
                *is_same = same;
            }
            !same
        });
        other.0 =
            others.into_iter().zip(is_same).filter(|(_, same)| !same).map(|(m, _)| m).collect();
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A text that is copied only where JSON escapes something in it.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = RawObject<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject<'de>, A::Error> {
        let mut members = Vec::with_capacity(MEMBERS_EXPECTED);
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(RawObject(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences<'a>(before: &'a str, after: &'a str) -> (String, String) {
        let mut before: RawObject<'_> = serde_json::from_str(before).unwrap();
        let mut after: RawObject<'_> = serde_json::from_str(after).unwrap();
        before.keep_differences(&mut after);
        let text = |object: &RawObject<'_>| serde_json::to_string(object).unwrap();
        (text(&before), text(&after))
    }

    #[test]
    fn what_differs_is_left_on_both_sides_whatever_the_order() {
        for (before, after, left) in [
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#, ("{}", "{}")),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, ("{}", "{}")),
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"c":3}"#, (r#"{"b":2}"#, "{}")),
            (r#"{"a":1,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#, ("{}", r#"{"b":2}"#)),
            (r#"{"c":3,"a":1}"#, r#"{"a":2,"b":2,"c":3}"#, (r#"{"a":1}"#, r#"{"a":2,"b":2}"#)),
            ("{}", r#"{"a":[{"b":null}]}"#, ("{}", r#"{"a":[{"b":null}]}"#)),
        ] {
            assert_eq!(differences(before, after), (left.0.to_owned(), left.1.to_owned()));
        }
    }

    #[test]
    fn a_name_that_json_escapes_is_compared_and_written_like_any_other() {
        let left = differences(r#"{"a\"b":1,"c\u00e9":[2],"d":4}"#, r#"{"a\"b":1,"c\u00e9":[3]}"#);
        assert_eq!(left, ("{\"c\u{e9}\":[2],\"d\":4}".into(), "{\"c\u{e9}\":[3]}".into()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "1", "null", "", "{\"a\":}", "{\"a\":1"] {
            assert!(serde_json::from_str::<RawObject<'_>>(text).is_err(), "{text}");
        }
    }
}
