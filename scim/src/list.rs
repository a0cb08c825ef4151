//! Queries and their answers (RFC 7644 §3.4.2, §3.4.3; RFC 9865).
//!
//! [`ListQuery`] is what a client asks, from a query string or from a `.search` body; [`SortKey`]
//! is what resources are sorted by; [`list_response`] is the answer. Not here: which resources
//! there are, and what a cursor means.

mod query;
mod sort;

use std::io::Write as _;

use serde_json::Value;

pub use self::{
    query::{ListQuery, Paging},
    sort::{SortKey, sort_key},
};
use crate::urn;

/// The most resources in one answer. More is not refused, only not given.
pub const COUNT_MAX: usize = 200;
/// How many resources are in an answer when the client does not say.
pub const COUNT_DEFAULT: usize = 100;

/// A ListResponse, as JSON. `start_index` is left out of a page by cursor; `itemsPerPage` is the
/// number of resources given. Each of `resources` is JSON already: a page is put together without
/// looking into them.
pub fn list_response(
    total: usize,
    start_index: Option<usize>,
    resources: &[impl AsRef<[u8]>],
    next_cursor: Option<&str>,
    previous_cursor: Option<&str>,
) -> Vec<u8> {
    let bytes: usize = resources.iter().map(|resource| resource.as_ref().len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + 256);
    let schema = urn::LIST_RESPONSE;
    // Writing to memory does not fail.
    let _ = write!(body, "{{\"schemas\":[\"{schema}\"],\"totalResults\":{total}");
    if let Some(start_index) = start_index {
        let _ = write!(body, ",\"startIndex\":{start_index}");
    }
    let _ = write!(body, ",\"itemsPerPage\":{}", resources.len());
    let cursors = [("previousCursor", previous_cursor), ("nextCursor", next_cursor)];
    for (name, cursor) in cursors {
        if let Some(cursor) = cursor {
            let _ = write!(body, ",\"{name}\":{}", Value::from(cursor));
        }
    }
    body.extend_from_slice(b",\"Resources\":[");
    for (place, resource) in resources.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(resource.as_ref());
    }
    body.extend_from_slice(b"]}");
    body
}
