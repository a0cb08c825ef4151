//! The attributes in the body of a POST or PUT.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Member;
use crate::{
    document::{self, Foreign, is_unassigned},
    error::Error,
    schema::{Mutability, Named, Place, ResourceType, Schema, resolve},
    urn, values,
};

/// What a body says.
pub(super) struct Read {
    /// The attributes to keep, with `schemas` and `id`.
    pub(super) attributes: Map<String, Value>,
    /// The members, if the body speaks of them.
    pub(super) members: Option<Vec<Member>>,
    /// What stood for `active`, if that is there but unassigned.
    pub(super) active_unassigned: Option<Unassigned>,
}

/// A value that stands there and yet is none.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unassigned {
    /// `null`.
    Null,
    /// Anything else: `""`, `[]`.
    Empty,
}

/// Reads a body.
pub(super) fn read(resource_type: ResourceType, id: &str, body: Value) -> Result<Read, Error> {
    let Value::Object(object) = body else {
        return Err(Error::invalid_syntax("the body is not a JSON object"));
    };
    let mut attributes = Map::with_capacity(object.len() + 2);
    attributes.insert("schemas".to_owned(), Value::Null);
    attributes.insert("id".to_owned(), id.into());
    let mut read = Read { attributes, members: None, active_unassigned: None };
    for (key, value) in object {
        match resolve(resource_type, &key) {
            Ok(Named::Attribute(place, None)) => read.attribute(&place, key, value)?,
            Ok(Named::Extension(schema)) => read.extension(schema, value)?,
            Ok(Named::Foreign(text)) => read.foreign(&text, value)?,
            // A sub-attribute is no key of a body; `password` is dropped; the rest is ignored.
            Ok(Named::Attribute(_, Some(_)) | Named::Core | Named::Password) | Err(_) => {}
        }
    }
    document::refresh_schemas(&mut read.attributes, resource_type);
    Ok(read)
}

impl Read {
    fn attribute(&mut self, place: &Place, key: String, value: Value) -> Result<(), Error> {
        let attribute = place.attribute;
        // RFC 7644 §3.3: readOnly attributes in a body are ignored.
        if attribute.mutability == Mutability::ReadOnly {
            return Ok(());
        }
        if attribute.name == "members" {
            self.members = members(value)?;
            return Ok(());
        }
        let unassigned = if value.is_null() { Unassigned::Null } else { Unassigned::Empty };
        let value_kept = if attribute.multi_valued {
            let elements = values::elements(attribute, value)?;
            let mut elements: Vec<Value> = elements.into_iter().map(Value::Object).collect();
            let first = elements.iter().position(values::is_primary);
            values::keep_primary(&mut elements, first);
            (!elements.is_empty()).then_some(Value::Array(elements))
        } else if attribute.is_complex() {
            let object = values::complex(attribute, value)?.map(values::assigned);
            let needs = attribute.value_attribute();
            object
                .filter(|object| !object.is_empty())
                .filter(|object| needs.is_none_or(|value| object.contains_key(value.name)))
                .map(Value::Object)
        } else {
            values::simple(None, attribute, value)?
        };
        if let Some(kept) = value_kept {
            let name = if key == attribute.name { key } else { attribute.name.to_owned() };
            document::put_named(&mut self.attributes, place, name, kept);
        } else if attribute.name == "active" {
            self.active_unassigned = Some(unassigned);
        }
        Ok(())
    }

    fn extension(&mut self, schema: &'static Schema, value: Value) -> Result<(), Error> {
        let object = match value {
            Value::Object(object) => object,
            value if is_unassigned(&value) => return Ok(()),
            _ => {
                let id = schema.id;
                return Err(Error::invalid_value(format!("{id}: expected an object")));
            }
        };
        for (key, value) in object {
            if let Some(attribute) = schema.attribute(&key) {
                self.attribute(&Place { extension: Some(schema), attribute }, key, value)?;
            }
        }
        Ok(())
    }

    /// An object is a whole extension, anything else one attribute of it.
    fn foreign(&mut self, text: &str, value: Value) -> Result<(), Error> {
        if let Value::Object(object) = value {
            for (key, value) in object {
                if !is_unassigned(&value) {
                    let place = Foreign { extension: text.to_owned(), names: vec![key.as_str()] };
                    place.set(&mut self.attributes, Some(value))?;
                }
            }
        } else if let Some(place) = Foreign::locate(&self.attributes, text)
            && !place.names.is_empty()
            && !is_unassigned(&value)
            && urn::is_foreign(&place.extension)
        {
            place.set(&mut self.attributes, Some(value))?;
        }
        Ok(())
    }
}

/// The members that a value names; `None` when it is `null`, which counts as not sent.
fn members(value: Value) -> Result<Option<Vec<Member>>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    let members = member_values(value)?.into_iter().map(|value| Member { value }).collect();
    Ok(Some(members))
}

/// The ids in a value of `members`, each once: a list or a single one, as objects or as bare
/// strings (all of these have been seen from Entra).
pub(crate) fn member_values(value: Value) -> Result<Vec<String>, Error> {
    let items = match value {
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut members = items.into_iter().map(member_value).collect::<Result<Vec<_>, _>>()?;
    if members.len() < 2 {
        return Ok(members);
    }
    let mut seen = HashSet::with_capacity(members.len());
    let is_first: Vec<bool> = members.iter().map(|member| seen.insert(member.as_str())).collect();
    let mut is_first = is_first.into_iter();
    members.retain(|_| is_first.next().unwrap_or_default());
    Ok(members)
}

/// The id in one value of `members`.
fn member_value(item: Value) -> Result<String, Error> {
    let value = match item {
        Value::Object(object) => object
            .into_iter()
            .find_map(|(key, value)| key.eq_ignore_ascii_case("value").then_some(value)),
        item => Some(item),
    };
    match value {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err(Error::invalid_value(
            "members: expected objects with a `value`, the id of the member as a string",
        )),
    }
}
