//! Typed values (RFC 7643 §2.3): from what a client sent to what is kept.
//!
//! A value is checked against its attribute and otherwise left alone: strings stay as sent. What
//! Entra sends beside the RFC is understood here, and only here: `"True"` for a boolean, a single
//! value in an array, `manager` as a bare string, a role as a JSON document in a string.
//! Unassigned (`null`, `[]`, `""`) comes out as `None`; what that means is the caller's business.

use serde_json::{Map, Value};

use crate::{
    document::is_unassigned,
    error::Error,
    schema::{Attribute, AttributeType},
};

/// The most values of one multi-valued attribute. They are compared with one another.
const VALUES_MAX: usize = 500;

/// An attribute for an error text: `emails.value`.
pub(crate) fn label(parent: Option<&Attribute>, attribute: &Attribute) -> String {
    match parent {
        Some(parent) => format!("{}.{}", parent.name, attribute.name),
        None => attribute.name.to_owned(),
    }
}

fn wrong_type(parent: Option<&Attribute>, attribute: &Attribute, got: &Value) -> Error {
    let expected = match attribute.kind {
        AttributeType::Boolean => "true or false",
        AttributeType::Integer => "an integer",
        AttributeType::Decimal => "a number",
        AttributeType::DateTime => "a dateTime such as 2026-01-31T12:00:00Z",
        AttributeType::Complex if attribute.multi_valued => "an array of objects",
        AttributeType::Complex => "an object",
        AttributeType::String | AttributeType::Binary | AttributeType::Reference => "a string",
    };
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "another string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let label = label(parent, attribute);
    Error::invalid_value(format!("{label}: expected {expected}, got {got}"))
}

/// A single value of a simple attribute.
pub(crate) fn simple(
    parent: Option<&Attribute>,
    attribute: &Attribute,
    value: Value,
) -> Result<Option<Value>, Error> {
    let value = match value {
        Value::Array(items) => match <[Value; 1]>::try_from(items) {
            Ok([item]) => unwrap_reference(item),
            Err(items) if items.is_empty() => return Ok(None),
            Err(items) => return Err(wrong_type(parent, attribute, &Value::Array(items))),
        },
        value => value,
    };
    let is_right = match (attribute.kind, &value) {
        (_, Value::Null) => return Ok(None),
        (_, Value::String(text)) if text.is_empty() => return Ok(None),
        (AttributeType::Boolean, value) => match boolean(value) {
            Some(value) => return Ok(Some(Value::Bool(value))),
            None => false,
        },
        (AttributeType::DateTime, Value::String(text)) => instant(text).is_some(),
        (AttributeType::Integer, Value::Number(number)) => !number.is_f64(),
        (AttributeType::Decimal, Value::Number(_))
        | (
            AttributeType::String | AttributeType::Reference | AttributeType::Binary,
            Value::String(_),
        ) => true,
        _ => false,
    };
    if !is_right {
        return Err(wrong_type(parent, attribute, &value));
    }
    Ok(Some(value))
}

/// The `x` of `{"value": x, "$ref": null}`, a form of Entra's older reference code.
fn unwrap_reference(mut item: Value) -> Value {
    let Value::Object(object) = &mut item else { return item };
    let mut inner = None;
    for (key, value) in object {
        if key.eq_ignore_ascii_case("value") {
            inner = Some(value);
        } else if !(key.eq_ignore_ascii_case("$ref") && value.is_null()) {
            return item;
        }
    }
    match inner {
        Some(value) => value.take(),
        None => item,
    }
}

/// A boolean, or a string that spells one in any case (Entra sends `"False"`).
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The instant that a dateTime names; without an offset it is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// The sub-attributes of one value of a complex attribute, `null` where one is cleared. `None`
/// when the whole value is.
pub(crate) fn complex(
    attribute: &'static Attribute,
    value: Value,
) -> Result<Option<Map<String, Value>>, Error> {
    let value = match value {
        Value::Array(items) if !attribute.multi_valued => match <[Value; 1]>::try_from(items) {
            Ok([item]) if !item.is_array() => item,
            Ok([array]) => return Err(wrong_type(None, attribute, &array)),
            Err(items) if items.is_empty() => return Ok(None),
            Err(items) => return Err(wrong_type(None, attribute, &Value::Array(items))),
        },
        value => value,
    };
    match value {
        value if is_unassigned(&value) => Ok(None),
        Value::Object(object) => sub_attributes(attribute, object).map(Some),
        // `manager` as a bare string stands for its `value`.
        Value::String(text) if !attribute.multi_valued && attribute.value_attribute().is_some() => {
            Ok(Some(Map::from_iter([("value".to_owned(), Value::String(text))])))
        }
        value => Err(wrong_type(None, attribute, &value)),
    }
}

/// Unknown sub-attributes are left out (RFC 7644 §3.3 lets a service provider ignore them).
fn sub_attributes(
    attribute: &'static Attribute,
    mut object: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let mut display_name = None;
    let mut is_canonical = true;
    for (key, value) in &mut object {
        if let Some(sub) = attribute.sub_attribute(key) {
            *value = simple(Some(attribute), sub, value.take())?.unwrap_or(Value::Null);
            is_canonical &= key == sub.name;
        } else {
            if key.eq_ignore_ascii_case("displayName") {
                display_name = Some(value.take());
            }
            is_canonical = false;
        }
    }
    // Most objects have canonical names and no others, and need not be made anew.
    let mut kept = if is_canonical { object } else { with_canonical_names(attribute, object) };
    if let Some(text @ Value::String(_)) = display_name
        && !is_unassigned(&text)
        && attribute.name == "roles"
        && kept.get("display").is_none_or(Value::is_null)
    {
        // Entra's `AppRoleAssignmentsComplex` says `displayName`.
        kept.insert("display".to_owned(), text);
    }
    expand_role(attribute, &mut kept);
    Ok(kept)
}

/// Only the sub-attributes that the schema knows, under the names that it gives them.
fn with_canonical_names(attribute: &Attribute, object: Map<String, Value>) -> Map<String, Value> {
    let known = |(key, value): (String, Value)| {
        attribute.sub_attribute(&key).map(|sub| (sub.name.to_owned(), value))
    };
    object.into_iter().filter_map(known).collect()
}

/// Entra's `SingleAppRoleAssignment` sends a role as a JSON document in the string `value`.
pub(crate) fn expand_role(attribute: &Attribute, role: &mut Map<String, Value>) {
    if attribute.name != "roles" {
        return;
    }
    let Some(Value::String(text)) = role.get("value") else { return };
    if !text.starts_with('{') {
        return;
    }
    let Ok(Value::Object(document)) = crate::json::parse(text.as_bytes()) else { return };
    let text_at = |key| document.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(value) = text_at("value") else { return };
    if let Some(display) = text_at("displayName")
        && role.get("display").is_none_or(Value::is_null)
    {
        role.insert("display".to_owned(), display.into());
    }
    role.insert("value".to_owned(), value.into());
}

/// The values of a multi-valued complex attribute. A single object stands for an array of one;
/// values without any sub-attribute are left out, and so is a value that stands there twice.
pub(crate) fn elements(
    attribute: &'static Attribute,
    value: Value,
) -> Result<Vec<Map<String, Value>>, Error> {
    let items = match value {
        value if is_unassigned(&value) => return Ok(Vec::new()),
        Value::Array(items) => items,
        value @ Value::Object(_) => vec![value],
        value => return Err(wrong_type(None, attribute, &value)),
    };
    check_count(attribute, items.len())?;
    let mut elements: Vec<Map<String, Value>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(element) = complex(attribute, item)? else { continue };
        let element = assigned(element);
        if !element.is_empty() && !elements.contains(&element) {
            elements.push(element);
        }
    }
    Ok(elements)
}

/// Refuses more than [`VALUES_MAX`] values.
pub(crate) fn check_count(attribute: &Attribute, count: usize) -> Result<(), Error> {
    if count > VALUES_MAX {
        let name = attribute.name;
        return Err(Error::invalid_value(format!("{name}: at most {VALUES_MAX} values")));
    }
    Ok(())
}

/// Only the sub-attributes that have a value.
pub(crate) fn assigned(mut element: Map<String, Value>) -> Map<String, Value> {
    element.retain(|_, value| !is_unassigned(value));
    element
}

/// Whether an element is the primary one.
pub(crate) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Lets only the element at `keep` be primary (RFC 7643 §2.4); the others say `false`.
pub(crate) fn keep_primary(elements: &mut [Value], keep: Option<usize>) {
    for (index, element) in elements.iter_mut().enumerate() {
        if Some(index) != keep && is_primary(element) {
            element["primary"] = Value::Bool(false);
        }
    }
}
