//! Reading a body as JSON, more strictly than JSON asks.
//!
//! Two parsers that disagree about a body are a way in, so what could be read in two ways is
//! refused: a key that stands twice, also in two letter cases, because attribute names have no case
//! (RFC 7643 §2.1); data after the document; invalid UTF-8; nesting deeper than [`DEPTH_MAX`].
//! The depth is counted before descending. How large a body may be is the caller's business.

use std::{collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::Error;

/// How many objects and arrays may be open at once.
pub const DEPTH_MAX: usize = 32;

/// From this many keys on, an object's keys are looked up in a set instead of one by one.
const KEYS_SCANNED_MAX: usize = 16;

/// Room for the keys of a resource, so that a body's object need not grow on the way. Objects
/// within it start small, as there may be very many.
const KEYS_EXPECTED: usize = 14;

/// Parses a request body.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Depth(0).deserialize(&mut deserializer);
    value
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Error::invalid_syntax(format!("the body is not acceptable JSON: {error}")))
}

/// A value inside this many open objects and arrays.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.0 >= DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::with_capacity(if self.0 == 0 { KEYS_EXPECTED } else { 0 });
        let mut seen = None;
        while let Some(key) = entries.next_key::<String>()? {
            if is_duplicate(&object, &mut seen, &key) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands twice")));
            }
            let value = entries.next_value_seed(deeper)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Whether `object` has `key` in any case. Few keys are scanned; `seen` is made once there are many.
fn is_duplicate(
    object: &Map<String, Value>,
    seen: &mut Option<HashSet<String>>,
    key: &str,
) -> bool {
    if object.len() < KEYS_SCANNED_MAX {
        return object.keys().any(|known| known.eq_ignore_ascii_case(key));
    }
    let seen =
        seen.get_or_insert_with(|| object.keys().map(|known| known.to_ascii_lowercase()).collect());
    !seen.insert(key.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_ordinary_body_is_read() {
        let body = parse(br#"{"a":[1,-2,1.5,"x",true,null],"b":{}}"#).unwrap();
        assert_eq!(body, json!({"a": [1, -2, 1.5, "x", true, null], "b": {}}));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let many = (0..40).map(|n| format!("\"k{n}\":1,")).collect::<Vec<_>>().concat();
        for body in [
            &b"{\"active\":true,\"active\":false}"[..],
            b"{\"active\":true,\"Active\":false}",
            b"{\"a\":{\"x\":1,\"X\":2}}",
            format!("{{{many}\"K7\":1}}").as_bytes(),
            b"{} {}",
            b"{}x",
            b"\"\xff\"",
            b"{\"a\":\"\\ud800\"}",
            b"",
            b"{",
        ] {
            let error = parse(body).unwrap_err();
            assert_eq!(error.scim_type, Some(crate::error::ScimType::InvalidSyntax), "{body:?}");
        }
    }

    #[test]
    fn nesting_is_limited_before_descending() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);

        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
