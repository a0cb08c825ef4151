//! The rows of a JSON array, one after the other, so that a list that is too long or wrong is let
//! go at that row.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{InvalidList, List, json_row};

/// Reads an array's rows into a list.
pub(super) struct Rows<'a>(pub(super) &'a mut List);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut line = 0;
        while let Some(row) = rows.next_element::<&RawValue>()? {
            line += 1;
            let taken = json_row(row.get(), line).and_then(|asset| self.0.take(line, asset));
            if let Err(InvalidList { line, column, reason }) = taken {
                self.0.refused = Some(InvalidList { line, column, reason });
                return Err(A::Error::custom("a row was refused"));
            }
        }
        Ok(())
    }
}
