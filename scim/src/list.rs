//! Queries and their answers (RFC 7644 §3.4.2, §3.4.3; RFC 9865).
//!
//! [`ListQuery`] is what a client asks, from a query string or from a `.search` body; [`SortKey`]
//! is what resources are sorted by; [`list_response`] is the answer. Not here: which resources
//! there are, and what a cursor means.

mod query;
mod sort;

use serde_json::{Map, Value};

pub use self::{
    query::{ListQuery, Paging},
    sort::{SortKey, sort_key},
};
use crate::urn;

/// The most resources in one answer. More is not refused, only not given.
pub const COUNT_MAX: usize = 200;
/// How many resources are in an answer when the client does not say.
pub const COUNT_DEFAULT: usize = 100;

/// A ListResponse. `start_index` is left out of a page by cursor; `itemsPerPage` is the number of
/// resources given.
pub fn list_response(
    total: usize,
    start_index: Option<usize>,
    resources: Vec<Value>,
    next_cursor: Option<&str>,
    previous_cursor: Option<&str>,
) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("schemas", vec![Value::from(urn::LIST_RESPONSE)].into());
    put("totalResults", total.into());
    if let Some(start_index) = start_index {
        put("startIndex", start_index.into());
    }
    put("itemsPerPage", resources.len().into());
    if let Some(cursor) = previous_cursor {
        put("previousCursor", cursor.into());
    }
    if let Some(cursor) = next_cursor {
        put("nextCursor", cursor.into());
    }
    put("Resources", Value::Array(resources));
    Value::Object(body)
}
