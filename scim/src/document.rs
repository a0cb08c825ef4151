//! Reading and writing attributes in a resource's JSON object.
//!
//! A [`Place`] says whether an attribute stands at the top or within its extension's object. An
//! extension that loses its last attribute disappears, and [`refresh_schemas`] keeps `schemas` in
//! step. Attributes of extensions that we have no schema for are addressed by text: see
//! [`Foreign`].

use serde_json::{Map, Value};

use crate::{
    error::Error,
    schema::{Place, ResourceType},
    urn,
};

/// The most attributes of an extension that we have no schema for, and the most such extensions.
/// Their names are searched one by one.
const FOREIGN_MAX: usize = 500;

/// The value of an attribute.
pub(crate) fn get<'a>(document: &'a Map<String, Value>, place: &Place) -> Option<&'a Value> {
    let container = match place.extension {
        Some(schema) => document.get(schema.id)?.as_object()?,
        None => document,
    };
    container.get(place.attribute.name)
}

/// Takes the value of an attribute out of its place, which is to be put back or taken away.
pub(crate) fn lift(document: &mut Map<String, Value>, place: &Place) -> Option<Value> {
    let container = match place.extension {
        Some(schema) => document.get_mut(schema.id)?.as_object_mut()?,
        None => document,
    };
    container.get_mut(place.attribute.name).map(Value::take)
}

/// Sets an attribute.
pub(crate) fn put(document: &mut Map<String, Value>, place: &Place, value: Value) {
    put_named(document, place, place.attribute.name.to_owned(), value);
}

/// Sets an attribute of which the canonical `name` is at hand.
pub(crate) fn put_named(
    document: &mut Map<String, Value>,
    place: &Place,
    name: String,
    value: Value,
) {
    let container = match place.extension {
        Some(schema) => object_at(document, schema.id),
        None => document,
    };
    container.insert(name, value);
}

/// Takes an attribute out, and its extension with it if that was the last one.
pub(crate) fn take(document: &mut Map<String, Value>, place: &Place) -> Option<Value> {
    let Some(schema) = place.extension else {
        return document.shift_remove(place.attribute.name);
    };
    let extension = document.get_mut(schema.id)?.as_object_mut()?;
    let taken = extension.shift_remove(place.attribute.name);
    if extension.is_empty() {
        document.shift_remove(schema.id);
    }
    taken
}

/// The object at `key`, made if there is none.
fn object_at<'a>(document: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = document.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("made an object just now"),
    }
}

/// Rewrites `schemas`; see [`schemas`].
pub(crate) fn refresh_schemas(document: &mut Map<String, Value>, resource_type: ResourceType) {
    let schemas = schemas(document.keys().map(String::as_str), resource_type);
    match document.get_mut("schemas") {
        Some(known) => *known = schemas,
        None => {
            document.insert("schemas".to_owned(), schemas);
        }
    }
}

/// What `schemas` says of a resource with attributes of these names: the core schema, then every
/// extension with data (RFC 7643 §3).
pub(crate) fn schemas<'a>(
    names: impl Iterator<Item = &'a str>,
    resource_type: ResourceType,
) -> Value {
    let extensions = names.filter(|name| is_extension_key(name)).map(Value::from);
    Value::Array(std::iter::once(Value::from(resource_type.core().id)).chain(extensions).collect())
}

/// Attribute names have no colon; the URN of an extension has.
fn is_extension_key(key: &str) -> bool {
    key.contains(':')
}

/// Whether a value counts as unassigned (RFC 7643 §2.5). An empty string does too: Entra clears a
/// single value by sending one.
pub(crate) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Where in a document a foreign name points: the extension's key, and the names below it. No
/// names at all mean the whole extension.
#[derive(Debug)]
pub(crate) struct Foreign<'a> {
    pub(crate) extension: String,
    pub(crate) names: Vec<&'a str>,
}

impl<'a> Foreign<'a> {
    /// Splits `text` into extension and attribute. The longest URN of an extension that the document
    /// has wins, in whatever order it has them; without one the last colon decides, since nothing
    /// else tells where a URN ends.
    pub(crate) fn locate(document: &Map<String, Value>, text: &'a str) -> Option<Self> {
        let known = document.keys().filter(|key| is_extension_key(key));
        let meant =
            known.filter(|key| key.eq_ignore_ascii_case(text) || urn::strip(text, key).is_some());
        if let Some(key) = meant.max_by_key(|key| key.len()) {
            let names = match urn::strip(text, key) {
                Some(rest) => attribute_names(rest)?,
                None => Vec::new(),
            };
            return Some(Self { extension: key.clone(), names });
        }
        let (extension, rest) = text.rsplit_once(':')?;
        if !urn::is_foreign(extension) {
            return None;
        }
        Some(Self { extension: extension.to_owned(), names: attribute_names(rest)? })
    }

    /// The value there.
    pub(crate) fn get<'d>(&self, document: &'d Map<String, Value>) -> Option<&'d Value> {
        let mut value = document.get(&self.extension)?;
        for name in &self.names {
            let object = value.as_object()?;
            value = object.get(*name).or_else(|| {
                object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
            })?;
        }
        Some(value)
    }

    /// Sets the value there, or clears it with `None`. Objects left empty disappear.
    pub(crate) fn set(
        &self,
        document: &mut Map<String, Value>,
        value: Option<Value>,
    ) -> Result<(), Error> {
        set_below(document, &self.extension, &self.names, value)
    }
}

fn set_below(
    object: &mut Map<String, Value>,
    key: &str,
    names: &[&str],
    value: Option<Value>,
) -> Result<(), Error> {
    let known = object.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
    if known.is_none() && object.len() >= FOREIGN_MAX {
        let detail = format!("{key}: an extension has at most {FOREIGN_MAX} attributes");
        return Err(Error::invalid_value(detail));
    }
    let key = known.as_deref().unwrap_or(key);
    match (names.split_first(), value) {
        (None, None) => {
            object.shift_remove(key);
        }
        (None, Some(value)) => {
            object.insert(key.to_owned(), value);
        }
        (Some((name, rest)), None) => {
            if let Some(Value::Object(inner)) = object.get_mut(key) {
                set_below(inner, name, rest, None)?;
                if inner.is_empty() {
                    object.shift_remove(key);
                }
            }
        }
        (Some((name, rest)), value) => {
            return set_below(object_at(object, key), name, rest, value);
        }
    }
    Ok(())
}

/// `attribute[.sub]`, with names that RFC 7643 §2.1 allows.
fn attribute_names(text: &str) -> Option<Vec<&str>> {
    let names: Vec<&str> = text.split('.').collect();
    let valid = |name: &&str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '$')
            && name.chars().skip(1).all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    (names.len() <= 2 && names.iter().all(valid)).then_some(names)
}
