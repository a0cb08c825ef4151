//! What resources are sorted by (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    casefold::fold,
    path::AttributePath,
    schema::{AttributeType, ResourceType},
    values,
};

/// A key to sort by. Resources without the attribute come last in ascending order and first in
/// descending order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// `false` before `true`.
    Boolean(bool),
    /// By value.
    Number(TotalNumber),
    /// Dates as dates.
    Instant(Timestamp),
    /// Text, folded unless the attribute is `caseExact`.
    Text(String),
    /// No value.
    Missing,
}

/// A number with a total order.
#[derive(Clone, Copy, Debug)]
pub struct TotalNumber(f64);

impl PartialEq for TotalNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TotalNumber {}

impl PartialOrd for TotalNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TotalNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The key of a full representation. A multi-valued attribute is sorted by its primary value, or
/// else by its first.
pub fn sort_key(
    resource_type: ResourceType,
    path: &AttributePath,
    resource: &Map<String, Value>,
) -> SortKey {
    debug_assert_eq!(path.resource_type(), resource_type, "the path was parsed for another type");
    let elements = path.elements(resource);
    let primary = elements.iter().find(|element| values::is_primary(element));
    let value = primary.or_else(|| elements.first()).and_then(|element| path.leaf_of(element));
    let kind = path.leaf().map(|attribute| attribute.kind);
    let case_exact = path.leaf().is_some_and(|attribute| attribute.case_exact);
    match value {
        Some(Value::Bool(value)) => SortKey::Boolean(*value),
        Some(Value::Number(number)) => {
            number.as_f64().map_or(SortKey::Missing, |number| SortKey::Number(TotalNumber(number)))
        }
        Some(Value::String(text)) if kind == Some(AttributeType::DateTime) => {
            values::instant(text).map_or(SortKey::Missing, SortKey::Instant)
        }
        Some(Value::String(text)) if case_exact => SortKey::Text(text.clone()),
        Some(Value::String(text)) => SortKey::Text(fold(text)),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => SortKey::Missing,
    }
}
