//! From a PATCH body to typed changes.

use serde_json::{Map, Value};

use super::{Change, Kind, MembershipOperation, OPERATIONS_MAX};
use crate::{
    document::is_unassigned,
    error::Error,
    filter::Filter,
    path::{AttributePath, Target},
    resource::{body::member_values, unreadable_active},
    schema::{Attribute, Mutability, Place, ResourceType, Schema},
    values,
};

/// The `op` of an operation, in any case: Entra capitalises it.
#[derive(Clone, Copy, PartialEq)]
enum Op {
    Add,
    Remove,
    Replace,
}

/// Takes the value of a key in any case.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let mut entries = object.iter_mut();
    entries.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.take())
}

/// Compiles a body.
pub(super) fn changes(resource_type: ResourceType, mut body: Value) -> Result<Vec<Change>, Error> {
    let Some(Value::Array(operations)) =
        body.as_object_mut().and_then(|body| take(body, "Operations"))
    else {
        return Err(Error::invalid_syntax("expected an object with an array `Operations`"));
    };
    if operations.len() > OPERATIONS_MAX {
        let detail = format!("a PATCH has at most {OPERATIONS_MAX} operations");
        return Err(Error::too_many(detail));
    }
    let mut changes = Vec::with_capacity(operations.len());
    for (operation, value) in operations.into_iter().enumerate() {
        let mut compiler = Compiler { resource_type, operation, changes: &mut changes };
        compiler
            .operation(value)
            .map_err(|error| error.at(format_args!("operation {operation}")))?;
    }
    Ok(changes)
}

struct Compiler<'c> {
    resource_type: ResourceType,
    operation: usize,
    changes: &'c mut Vec<Change>,
}

impl Compiler<'_> {
    fn push(&mut self, kind: Kind) {
        self.changes.push(Change { operation: self.operation, kind });
    }

    fn operation(&mut self, operation: Value) -> Result<(), Error> {
        let Value::Object(mut operation) = operation else {
            return Err(Error::invalid_syntax("expected an object"));
        };
        let op = match take(&mut operation, "op").as_ref().and_then(Value::as_str) {
            Some(op) if op.eq_ignore_ascii_case("add") => Op::Add,
            Some(op) if op.eq_ignore_ascii_case("remove") => Op::Remove,
            Some(op) if op.eq_ignore_ascii_case("replace") => Op::Replace,
            _ => return Err(Error::invalid_syntax("op: expected add, remove or replace")),
        };
        let path = match take(&mut operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.is_empty() => None,
            Some(Value::String(path)) => Some(path),
            Some(_) => return Err(Error::invalid_path("path: expected a string")),
        };
        let value = take(&mut operation, "value");
        match (op, path, value) {
            (Op::Remove, None, _) => Err(Error::no_target("remove needs a path")),
            (Op::Remove, Some(path), value) => {
                let path = AttributePath::parse(self.resource_type, &path)?;
                self.remove(path.target, value.filter(|value| !value.is_null()))
            }
            (_, _, None) => Err(Error::invalid_value("value: add and replace need one")),
            (op, Some(path), Some(value)) => {
                let path = AttributePath::parse(self.resource_type, &path)?;
                self.set(op, path.target, value)
            }
            (op, None, Some(Value::Object(object))) => self.without_path(op, object),
            (_, None, Some(_)) => {
                Err(Error::invalid_value("value: expected an object, as there is no path"))
            }
        }
    }

    /// A value without a path: its keys are paths, plain ones and those that Entra makes of
    /// several operations (`name.givenName`, URNs, `emails[type eq "work"].value`).
    fn without_path(&mut self, op: Op, object: Map<String, Value>) -> Result<(), Error> {
        for (key, value) in object {
            if key.eq_ignore_ascii_case("id") {
                self.push(Kind::CheckId(value));
                continue;
            }
            let target = AttributePath::parse(self.resource_type, &key)?.target;
            self.set(op, target, value)?;
        }
        Ok(())
    }

    /// `add` and `replace` (RFC 7644 §3.5.2.1, §3.5.2.3).
    fn set(&mut self, op: Op, target: Target, value: Value) -> Result<(), Error> {
        let (place, filter, sub) = match target {
            Target::Password => return Ok(()),
            Target::Core => {
                let Value::Object(object) = value else {
                    let id = self.resource_type.core().id;
                    return Err(Error::invalid_value(format!("{id}: expected an object")));
                };
                return self.without_path(op, object);
            }
            Target::Extension(schema) => return self.extension(op, schema, value),
            Target::Foreign(text) => {
                self.push(match value {
                    Value::Object(object) if !object.is_empty() => Kind::ForeignMerge(text, object),
                    value => Kind::Foreign(text, (!is_unassigned(&value)).then_some(value)),
                });
                return Ok(());
            }
            Target::Attribute { place, filter, sub } => (place, filter, sub),
        };
        let attribute = place.attribute;
        if attribute.name == "schemas" {
            // Derived from the attributes, whatever a client makes of it.
            return Ok(());
        }
        check_mutable(&place, sub)?;
        if attribute.name == "members" {
            return self.set_members(op, filter.as_ref(), sub, value);
        }
        self.push(if let Some(sub) = sub {
            let value = values::simple(Some(attribute), sub, value)?.unwrap_or(Value::Null);
            let mut merged = Map::new();
            merged.insert(sub.name.to_owned(), value);
            values::expand_role(attribute, &mut merged);
            Kind::Merge(place, filter, merged)
        } else if filter.is_some() {
            merge_selected(place, filter, value)?
        } else if attribute.multi_valued {
            let elements = values::elements(attribute, value)?;
            if op == Op::Add {
                Kind::Append(place, elements)
            } else {
                Kind::Replace(place, elements)
            }
        } else if attribute.is_complex() {
            match values::complex(attribute, value)? {
                Some(merged) => Kind::Merge(place, None, merged),
                None => Kind::Clear(place, None),
            }
        } else {
            let value = values::simple(None, attribute, value)?;
            check_clearable(attribute, value.as_ref())?;
            Kind::Set(place, value)
        });
        Ok(())
    }

    fn extension(&mut self, op: Op, schema: &'static Schema, value: Value) -> Result<(), Error> {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (key, value) in object {
                    // Some clients repeat `schemas` here; it is derived, whatever they make of it.
                    if key.eq_ignore_ascii_case("schemas") {
                        continue;
                    }
                    let qualified = format!("{}:{key}", schema.id);
                    let target = AttributePath::parse(self.resource_type, &qualified)?.target;
                    self.set(op, target, value)?;
                }
            }
            value if is_unassigned(&value) => {
                if op == Op::Replace {
                    self.push(Kind::ClearExtension(schema));
                }
            }
            _ => {
                let id = schema.id;
                return Err(Error::invalid_value(format!("{id}: expected an object")));
            }
        }
        Ok(())
    }

    /// `remove` (RFC 7644 §3.5.2.2).
    fn remove(&mut self, target: Target, value: Option<Value>) -> Result<(), Error> {
        let (place, filter, sub) = match target {
            Target::Password => return Ok(()),
            Target::Core => return Err(Error::mutability("the core schema cannot be removed")),
            Target::Extension(schema) => {
                self.push(Kind::ClearExtension(schema));
                return Ok(());
            }
            Target::Foreign(text) => {
                self.push(Kind::Foreign(text, None));
                return Ok(());
            }
            Target::Attribute { place, filter, sub } => (place, filter, sub),
        };
        let attribute = place.attribute;
        if attribute.name == "schemas" {
            return Ok(());
        }
        check_mutable(&place, sub)?;
        if attribute.name == "members" {
            return self.remove_members(filter, sub, value);
        }
        if attribute.required {
            let name = attribute.name;
            return Err(Error::mutability(format!("{name} is required and cannot be removed")));
        }
        // `active` may be removed like any other attribute. That says nothing about the user, who
        // stays enabled or disabled: whoever keeps the account sees to that.
        self.push(if let Some(sub) = sub {
            let mut merged = Map::new();
            merged.insert(sub.name.to_owned(), Value::Null);
            Kind::Merge(place, filter, merged)
        } else {
            match value {
                Some(value) if attribute.multi_valued && filter.is_none() => {
                    Kind::RemoveListed(place, listed(attribute, value)?)
                }
                _ => Kind::Clear(place, filter),
            }
        });
        Ok(())
    }

    fn set_members(
        &mut self,
        op: Op,
        filter: Option<&Filter>,
        sub: Option<&'static Attribute>,
        value: Value,
    ) -> Result<(), Error> {
        let operation = match (filter, sub) {
            (None, None) if value.is_null() && op == Op::Replace => {
                MembershipOperation::Replace(Vec::new())
            }
            (None, None) => {
                let values = member_values(value)?;
                if op == Op::Replace {
                    MembershipOperation::Replace(values)
                } else if values.is_empty() {
                    return Ok(());
                } else {
                    MembershipOperation::Add(values)
                }
            }
            // `members[value eq "x"]` names the member to add.
            (Some(filter), None) if op == Op::Add => match filter.listed_values() {
                Some(values) => MembershipOperation::Add(values),
                None => return Err(Error::no_target("members: the filter names no member")),
            },
            _ => return Err(immutable_member()),
        };
        self.push(Kind::Members(operation));
        Ok(())
    }

    /// With a value, only the members that it lists are removed. The RFC has no such form and
    /// would empty the group; Entra has sent it for years and means it.
    fn remove_members(
        &mut self,
        filter: Option<Filter>,
        sub: Option<&'static Attribute>,
        value: Option<Value>,
    ) -> Result<(), Error> {
        if sub.is_some() {
            return Err(immutable_member());
        }
        let operation = match (filter, value) {
            (Some(filter), _) => match filter.listed_values() {
                Some(values) => MembershipOperation::Remove(values),
                None => MembershipOperation::RemoveWhere(filter),
            },
            (None, Some(value)) => match member_values(value)? {
                values if values.is_empty() => return Ok(()),
                values => MembershipOperation::Remove(values),
            },
            (None, None) => MembershipOperation::RemoveAll,
        };
        self.push(Kind::Members(operation));
        Ok(())
    }
}

fn immutable_member() -> Error {
    Error::mutability("members: a member is immutable; remove it and add another")
}

/// An object through a filter is merged into what the filter selects; a string stands for `value`.
fn merge_selected(place: Place, filter: Option<Filter>, value: Value) -> Result<Kind, Error> {
    let attribute = place.attribute;
    let value = match value {
        Value::Array(items) => match <[Value; 1]>::try_from(items) {
            Ok([item]) => item,
            Err(items) => Value::Array(items),
        },
        value => value,
    };
    if is_unassigned(&value) {
        return Ok(Kind::Clear(place, filter));
    }
    if let Value::String(_) = value
        && let Some(sub) = attribute.value_attribute()
    {
        let value = values::simple(Some(attribute), sub, value)?.unwrap_or(Value::Null);
        let merged = Map::from_iter([(sub.name.to_owned(), value)]);
        return Ok(Kind::Merge(place, filter, merged));
    }
    Ok(match values::complex(attribute, value)? {
        Some(merged) => Kind::Merge(place, filter, merged),
        None => Kind::Clear(place, filter),
    })
}

/// What a `remove` with a value lists: objects, or bare strings for their `value`.
fn listed(attribute: &'static Attribute, value: Value) -> Result<Vec<Map<String, Value>>, Error> {
    let items = match value {
        Value::Array(items) => items,
        item => vec![item],
    };
    let mut listed = Vec::with_capacity(items.len());
    for item in items {
        match (item, attribute.value_attribute()) {
            (Value::String(text), Some(sub)) => {
                listed.push(Map::from_iter([(sub.name.to_owned(), Value::String(text))]));
            }
            (item, _) => listed.extend(values::elements(attribute, item)?),
        }
    }
    Ok(listed)
}

/// Refuses what only the service provider may change (RFC 7644 §3.5.2).
fn check_mutable(place: &Place, sub: Option<&'static Attribute>) -> Result<(), Error> {
    let attribute = place.attribute;
    let read_only = |attribute: &Attribute| attribute.mutability == Mutability::ReadOnly;
    if read_only(attribute) || sub.is_some_and(read_only) {
        let name = match sub {
            Some(sub) => values::label(Some(attribute), sub),
            None => attribute.name.to_owned(),
        };
        return Err(Error::mutability(format!("{name} is readOnly")));
    }
    Ok(())
}

/// Refuses to clear a required attribute, and `active`, which has to be readable.
fn check_clearable(attribute: &Attribute, value: Option<&Value>) -> Result<(), Error> {
    if value.is_some() {
        return Ok(());
    }
    if attribute.name == "active" {
        return Err(unreadable_active());
    }
    if attribute.required {
        let name = attribute.name;
        return Err(Error::invalid_value(format!("{name} is required, and not empty")));
    }
    Ok(())
}
