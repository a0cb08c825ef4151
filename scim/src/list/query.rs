//! What a client asks of a list.

use serde_json::Value;

use super::{COUNT_DEFAULT, COUNT_MAX};
use crate::error::Error;

/// The parameters of a query (RFC 7644 §3.4.2), as text where a schema is needed to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// See [`crate::filter::Filter::parse`].
    pub filter: Option<String>,
    /// A comma-separated list; see [`crate::projection::Projection::parse`].
    pub attributes: Option<String>,
    /// A comma-separated list; see [`crate::projection::Projection::parse`].
    pub excluded_attributes: Option<String>,
    /// See [`crate::path::AttributePath::parse`].
    pub sort_by: Option<String>,
    /// Whether `sortOrder` is `descending`.
    pub descending: bool,
    /// Which part of the list.
    pub paging: Paging,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By index (RFC 7644 §3.4.2.4).
    Index {
        /// From 1.
        start_index: usize,
        /// At most [`COUNT_MAX`]; 0 asks for `totalResults` alone.
        count: usize,
    },
    /// By cursor (RFC 9865 §2), asked for by naming `cursor` at all.
    Cursor {
        /// `None` for the first page.
        cursor: Option<String>,
        /// At most [`COUNT_MAX`].
        count: usize,
    },
}

/// The parameters before they are understood.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
}

impl Parameters {
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        let slots = [
            ("filter", &mut self.filter),
            ("attributes", &mut self.attributes),
            ("excludedAttributes", &mut self.excluded_attributes),
            ("sortBy", &mut self.sort_by),
            ("sortOrder", &mut self.sort_order),
            ("startIndex", &mut self.start_index),
            ("count", &mut self.count),
            ("cursor", &mut self.cursor),
        ];
        let mut slots = slots.into_iter();
        slots.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, slot)| slot)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let Some(slot) = self.slot(name) else { return Ok(()) };
        if slot.replace(value).is_some() {
            return Err(Error::invalid_value(format!("{name} is given twice")));
        }
        Ok(())
    }

    fn understand(self) -> Result<ListQuery, Error> {
        let non_empty = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let descending = match self.sort_order.as_deref() {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                let detail = "sortOrder: expected ascending or descending";
                return Err(Error::invalid_value(detail));
            }
        };
        let count =
            number("count", self.count)?.map_or(COUNT_DEFAULT, |count| count.min(COUNT_MAX));
        let start_index = number("startIndex", self.start_index)?.unwrap_or(1).max(1);
        let paging = match self.cursor {
            Some(cursor) => Paging::Cursor { cursor: non_empty(Some(cursor)), count },
            None => Paging::Index { start_index, count },
        };
        Ok(ListQuery {
            // An empty filter is one that was not understood, not one that matches everything.
            filter: self.filter,
            attributes: non_empty(self.attributes),
            excluded_attributes: non_empty(self.excluded_attributes),
            sort_by: non_empty(self.sort_by),
            descending,
            paging,
        })
    }
}

/// A whole number; below zero is zero, and what is too large is as large as can be.
fn number(name: &str, text: Option<String>) -> Result<Option<usize>, Error> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid_value(format!("{name}: expected a whole number")));
    }
    Ok(Some(if negative { 0 } else { digits.parse().unwrap_or(usize::MAX) }))
}

impl ListQuery {
    /// Reads a query string, without its `?`. Parameters that SCIM does not name are ignored, as
    /// Entra puts flags there; one that it names may stand only once.
    pub fn from_query_string(query: &str) -> Result<Self, Error> {
        let mut parameters = Parameters::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.set(&name, value.into_owned())?;
        }
        parameters.understand()
    }

    /// Reads a `SearchRequest` (RFC 7644 §3.4.3).
    pub fn from_search_request(body: &Value) -> Result<Self, Error> {
        let Value::Object(body) = body else {
            return Err(Error::invalid_syntax("the body is not a JSON object"));
        };
        let mut parameters = Parameters::default();
        for (name, value) in body {
            if parameters.slot(name).is_none() || value.is_null() {
                continue;
            }
            parameters.set(name, text_of(name, value)?)?;
        }
        parameters.understand()
    }
}

/// The value of a search request as it would stand in a query string.
fn text_of(name: &str, value: &Value) -> Result<String, Error> {
    let is_count = ["count", "startIndex"].iter().any(|count| count.eq_ignore_ascii_case(name));
    let is_list = name.to_ascii_lowercase().ends_with("attributes");
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if is_count => match number.as_f64() {
            // Beyond 64 bits a JSON number is read as a floating-point one.
            Some(float) if number.is_f64() && float.fract() == 0.0 => Ok(format!("{float:.0}")),
            _ => Ok(number.to_string()),
        },
        Value::Array(items) if is_list => {
            let names: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            names.map(|names| names.join(",")).ok_or_else(|| {
                Error::invalid_value(format!("{name}: expected an array of strings"))
            })
        }
        _ => Err(Error::invalid_value(format!("{name}: this type is not expected"))),
    }
}
