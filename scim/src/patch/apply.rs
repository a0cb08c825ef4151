//! Applying typed changes to a copy of a resource.

use serde_json::{Map, Value};

use super::{Change, Kind, Patched};
use crate::{
    document::{self, Foreign, is_unassigned},
    error::Error,
    filter::Filter,
    resource::Resource,
    schema::Place,
    stored::AttributeNames,
    values,
};

/// Applies all changes in order. The copy is dropped at the first that fails.
pub(super) fn all(changes: &[Change], current: &Resource) -> Result<Patched, Error> {
    let resource_type = current.resource_type();
    let mut attributes = current.clone().into_attributes();
    document(changes, &mut attributes)?;
    document::refresh_schemas(&mut attributes, resource_type);
    let members = changes.iter().filter_map(|change| match &change.kind {
        Kind::Members(operation) => Some(operation.clone()),
        _ => None,
    });
    let members = members.collect();
    Ok(Patched { resource: Resource::from_stored(resource_type, attributes), members })
}

/// Applies all changes of attributes in order. Where one fails the document is spoilt.
pub(super) fn document(changes: &[Change], document: &mut Map<String, Value>) -> Result<(), Error> {
    changes.iter().try_for_each(|change| {
        one(&change.kind, document)
            .map_err(|error| error.at(format_args!("operation {}", change.operation)))
    })
}

/// Under which names a resource keeps what the changes can touch.
pub(super) fn touched(changes: &[Change]) -> AttributeNames {
    let mut names = Vec::new();
    for change in changes {
        let name = match &change.kind {
            Kind::CheckId(_) => "id",
            Kind::Set(place, _)
            | Kind::Merge(place, ..)
            | Kind::Clear(place, _)
            | Kind::Append(place, _)
            | Kind::Replace(place, _)
            | Kind::RemoveListed(place, _) => place.kept_under(),
            Kind::ClearExtension(schema) => schema.id,
            // Which extension is meant depends on those that there are.
            Kind::Foreign(..) | Kind::ForeignMerge(..) => return AttributeNames::ALL,
            Kind::Members(_) => continue,
        };
        // There are thousands of changes at most, and some thirty names.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    AttributeNames::of(names)
}

fn one(kind: &Kind, document: &mut Map<String, Value>) -> Result<(), Error> {
    match kind {
        Kind::CheckId(id) => {
            if document.get("id") != Some(id) {
                return Err(Error::mutability("id is readOnly"));
            }
        }
        Kind::Set(place, Some(value)) => document::put(document, place, value.clone()),
        Kind::Merge(place, filter, merged) => {
            return edit(document, place, |elements| {
                merge(place, filter.as_ref(), merged, elements)
            });
        }
        Kind::Set(place, None) | Kind::Clear(place, None) => {
            document::take(document, place);
        }
        Kind::Clear(place, Some(filter)) => {
            return edit(document, place, |elements| {
                elements.retain(|element| !selects(Some(filter), element));
                Ok(())
            });
        }
        Kind::Append(place, added) => {
            return edit(document, place, |elements| {
                append(elements, added);
                Ok(())
            });
        }
        Kind::Replace(place, elements) => {
            let mut elements: Vec<Value> = elements.iter().cloned().map(Value::Object).collect();
            let first = elements.iter().position(values::is_primary);
            values::keep_primary(&mut elements, first);
            return edit(document, place, |current| {
                *current = elements;
                Ok(())
            });
        }
        Kind::RemoveListed(place, listed) => {
            return edit(document, place, |elements| {
                elements.retain(|element| !listed.iter().any(|listed| has_all(element, listed)));
                Ok(())
            });
        }
        Kind::ClearExtension(schema) => {
            document.shift_remove(schema.id);
        }
        Kind::Foreign(text, value) => foreign(document, text, value.clone())?,
        Kind::ForeignMerge(text, object) => foreign_merge(document, text, object)?,
        Kind::Members(_) => {}
    }
    Ok(())
}

/// Lets `change` work on the values of a complex attribute as a list, whether it is multi-valued
/// or not, and writes back what is left. Where it fails the document is spoilt, and dropped.
fn edit(
    document: &mut Map<String, Value>,
    place: &Place,
    change: impl FnOnce(&mut Vec<Value>) -> Result<(), Error>,
) -> Result<(), Error> {
    let attribute = place.attribute;
    let mut elements = match document::lift(document, place) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(value) => vec![value],
    };
    change(&mut elements)?;
    values::check_count(attribute, elements.len())?;
    elements.retain(|element| !is_unassigned(element));
    if !attribute.multi_valued {
        // A reference without its `value` (a manager) refers to nothing.
        let needs = attribute.value_attribute();
        elements.retain(|element| needs.is_none_or(|value| element.get(value.name).is_some()));
    }
    let value = match elements.pop() {
        None => {
            document::take(document, place);
            return Ok(());
        }
        Some(last) if attribute.multi_valued => {
            elements.push(last);
            Value::Array(elements)
        }
        Some(only) => only,
    };
    document::put(document, place, value);
    Ok(())
}

fn selects(filter: Option<&Filter>, element: &Value) -> bool {
    filter.is_none_or(|filter| {
        element.as_object().is_some_and(|element| filter.matches_element(element))
    })
}

/// Merges sub-attributes into the selected elements. Where none is selected, the element that the
/// filter describes is made: the RFC says `noTarget` (§3.5.2.3), and Entra would send the same
/// PATCH for ever. Clearing something that is not there is fine.
fn merge(
    place: &Place,
    filter: Option<&Filter>,
    merged: &Map<String, Value>,
    elements: &mut Vec<Value>,
) -> Result<(), Error> {
    let single_reference =
        !place.attribute.multi_valued && place.attribute.value_attribute().is_some();
    let sets_something = merged.values().any(|value| !value.is_null());
    let described = filter.and_then(Filter::described_element);
    let mut primary = None;
    let mut found = false;
    let mut index = 0;
    while let Some(element) = elements.get_mut(index) {
        if !selects(filter, element) {
            index += 1;
            continue;
        }
        found = true;
        if let Value::Object(element) = element {
            if single_reference
                && merged.get("value").is_some_and(|v| element.get("value") != Some(v))
            {
                // Another manager: what was known of the last one goes.
                element.clear();
            }
            let cleared = merge_into(element, merged);
            if cleared && says_nothing(element, described.as_ref()) {
                elements.remove(index);
                continue;
            }
        }
        if merged.get("primary") == Some(&Value::Bool(true)) {
            primary = primary.or(Some(index));
        }
        index += 1;
    }
    if !found && sets_something {
        let mut element = match (filter, described) {
            (None, _) => Map::new(),
            (Some(_), Some(described)) => described,
            (Some(filter), None) => {
                let name = place.attribute.name;
                let detail = format!("no value of {name} matches, and {filter} names no new one");
                return Err(Error::no_target(detail));
            }
        };
        merge_into(&mut element, merged);
        let element = Value::Object(element);
        if values::is_primary(&element) {
            primary = Some(elements.len());
        }
        elements.push(element);
    }
    if primary.is_some() {
        values::keep_primary(elements, primary);
    }
    Ok(())
}

/// Sets what `merged` gives and clears what it gives as `null`. Whether something was cleared.
fn merge_into(element: &mut Map<String, Value>, merged: &Map<String, Value>) -> bool {
    let mut cleared = false;
    for (name, value) in merged {
        if value.is_null() {
            cleared |= element.shift_remove(name).is_some();
        } else {
            element.insert(name.clone(), value.clone());
        }
    }
    cleared
}

/// Whether nothing is left but what labels a value: `type`, `primary`, and what selected it.
fn says_nothing(element: &Map<String, Value>, described: Option<&Map<String, Value>>) -> bool {
    element.keys().all(|key| {
        key == "type"
            || key == "primary"
            || described.is_some_and(|described| described.contains_key(key))
    })
}

/// Adds values; one whose `type` and `value` are there already is merged into that one.
fn append(elements: &mut Vec<Value>, added: &[Map<String, Value>]) {
    let mut primary = None;
    for added in added {
        let same = |element: &Value| {
            added.contains_key("value")
                && ["value", "type"].iter().all(|key| element.get(key) == added.get(*key))
        };
        let known =
            elements.iter().position(|element| same(element) || has_exactly(element, added));
        let at = known.unwrap_or(elements.len());
        match elements.get_mut(at) {
            Some(Value::Object(element)) => {
                merge_into(element, added);
            }
            _ => elements.push(Value::Object(added.clone())),
        }
        if added.get("primary") == Some(&Value::Bool(true)) {
            primary = primary.or(Some(at));
        }
    }
    if primary.is_some() {
        values::keep_primary(elements, primary);
    }
}

fn has_exactly(element: &Value, other: &Map<String, Value>) -> bool {
    element.as_object() == Some(other)
}

fn has_all(element: &Value, listed: &Map<String, Value>) -> bool {
    !listed.is_empty() && listed.iter().all(|(name, value)| element.get(name) == Some(value))
}

fn foreign(
    document: &mut Map<String, Value>,
    text: &str,
    value: Option<Value>,
) -> Result<(), Error> {
    let Some(place) = Foreign::locate(document, text) else {
        if value.is_none() {
            return Ok(());
        }
        return Err(Error::invalid_path(format!("{text:?} names no attribute of an extension")));
    };
    if place.names.is_empty() && value.is_some() {
        let detail = format!("{text}: expected an object, as it is an extension");
        return Err(Error::invalid_value(detail));
    }
    place.set(document, value)
}

/// An object is the attributes of the extension that `text` names, unless `text` goes on after an
/// extension that the document has: then it is the value of that attribute.
fn foreign_merge(
    document: &mut Map<String, Value>,
    text: &str,
    object: &Map<String, Value>,
) -> Result<(), Error> {
    if let Some(place) = Foreign::locate(document, text)
        && !place.names.is_empty()
        && document.contains_key(&place.extension)
    {
        return place.set(document, Some(Value::Object(object.clone())));
    }
    for (name, value) in object {
        let place = Foreign { extension: text.to_owned(), names: vec![name] };
        place.set(document, (!is_unassigned(value)).then(|| value.clone()))?;
    }
    Ok(())
}
