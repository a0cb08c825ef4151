//! Attribute paths (RFC 7644 §3.5.2, figure 7; §3.10): `userName`, `name.givenName`,
//! `emails[type eq "work"].value`, all of them with or without the URN of a schema before them.
//!
//! A path is resolved against the schemas when it is parsed, so one that names nothing is refused
//! with `invalidPath` before anything happens. Names are found in any case. A URN of an extension
//! that we have no schema for is kept as text; where in a resource it points is decided with the
//! resource at hand.

use std::fmt;

use serde_json::{Map, Value};

use crate::{
    document::{self, Foreign},
    error::Error,
    filter::{self, Filter},
    schema::{Attribute, Named, Place, ResourceType, Schema, resolve},
    stored::AttributeNames,
};

/// A parsed and resolved attribute path.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributePath {
    pub(crate) resource_type: ResourceType,
    pub(crate) target: Target,
}

/// What a path points to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// An attribute, some of its values, or a sub-attribute of those.
    Attribute { place: Place, filter: Option<Filter>, sub: Option<&'static Attribute> },
    /// The core schema, as the key around core attributes.
    Core,
    /// A whole extension.
    Extension(&'static Schema),
    /// `password`, accepted and never kept.
    Password,
    /// Within an extension that we have no schema for.
    Foreign(String),
}

impl AttributePath {
    /// Parses a path of a resource of this type.
    pub fn parse(resource_type: ResourceType, text: &str) -> Result<Self, Error> {
        if text.len() > filter::LENGTH_MAX {
            let max = filter::LENGTH_MAX;
            return Err(Error::invalid_path(format!("a path has at most {max} bytes")));
        }
        let (head, bracket) = match text.find('[') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let named = resolve(resource_type, head).map_err(Error::invalid_path)?;
        let target = match named {
            Named::Attribute(place, sub) if bracket.is_empty() => {
                Target::Attribute { place, filter: None, sub }
            }
            Named::Attribute(place, None) if place.attribute.is_complex() => {
                let (filter, rest) = Filter::parse_bracket(place.attribute, bracket)
                    .map_err(|error| Error::invalid_path(error.detail))?;
                let sub = sub_after(place.attribute, rest)?;
                Target::Attribute { place, filter: Some(filter), sub }
            }
            _ if !bracket.is_empty() => {
                let detail = format!("{head:?} cannot have a value filter");
                return Err(Error::invalid_path(detail));
            }
            Named::Attribute(place, sub) => Target::Attribute { place, filter: None, sub },
            Named::Core => Target::Core,
            Named::Extension(schema) => Target::Extension(schema),
            Named::Password => Target::Password,
            Named::Foreign(text) => Target::Foreign(text),
        };
        Ok(Self { resource_type, target })
    }

    /// The resource type that the path was parsed for.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// Under which names a resource keeps what the path can point to.
    pub fn kept_under(&self) -> AttributeNames {
        match &self.target {
            Target::Attribute { place, .. } => AttributeNames::of([place.kept_under()]),
            Target::Extension(schema) => AttributeNames::of([schema.id]),
            Target::Password => AttributeNames::of([]),
            Target::Core | Target::Foreign(_) => AttributeNames::ALL,
        }
    }

    /// The attribute whose values are compared: the sub-attribute, or `value` of a complex one.
    pub(crate) fn leaf(&self) -> Option<&'static Attribute> {
        match &self.target {
            Target::Attribute { place, sub, .. } => {
                Some(sub.or_else(|| place.attribute.value_attribute()).unwrap_or(place.attribute))
            }
            _ => None,
        }
    }

    /// The values that the path selects in a resource: for a complex attribute without a
    /// sub-attribute its `value`, where it has one.
    pub fn select<'a>(&self, resource: &'a Map<String, Value>) -> Vec<&'a Value> {
        self.elements(resource).into_iter().filter_map(|element| self.leaf_of(element)).collect()
    }

    /// The elements that the path selects, in their order.
    pub(crate) fn elements<'a>(&self, resource: &'a Map<String, Value>) -> Vec<&'a Value> {
        let (value, filter) = match &self.target {
            Target::Attribute { place, filter, .. } => {
                (document::get(resource, place), filter.as_ref())
            }
            Target::Foreign(text) => {
                (Foreign::locate(resource, text).and_then(|foreign| foreign.get(resource)), None)
            }
            Target::Core | Target::Extension(_) | Target::Password => (None, None),
        };
        let elements: Vec<&Value> = match value {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(value) => vec![value],
        };
        let Some(filter) = filter else { return elements };
        let matches = |element: &&Value| {
            element.as_object().is_some_and(|object| filter.matches_element(object))
        };
        elements.into_iter().filter(matches).collect()
    }

    /// The value within one element.
    pub(crate) fn leaf_of<'a>(&self, element: &'a Value) -> Option<&'a Value> {
        let Target::Attribute { place, sub, .. } = &self.target else { return Some(element) };
        match sub.or_else(|| place.attribute.value_attribute()) {
            Some(sub) => element.get(sub.name),
            None => Some(element),
        }
    }
}

/// The sub-attribute named by what follows the `]`.
fn sub_after(
    attribute: &'static Attribute,
    rest: &str,
) -> Result<Option<&'static Attribute>, Error> {
    if rest.is_empty() {
        return Ok(None);
    }
    let found = rest.strip_prefix('.').and_then(|name| attribute.sub_attribute(name));
    found.map(Some).ok_or_else(|| {
        let name = attribute.name;
        Error::invalid_path(format!("{rest:?} is not a sub-attribute of {name}"))
    })
}

impl fmt::Display for AttributePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Attribute { place, filter, sub } => {
                write!(formatter, "{place}")?;
                if let Some(filter) = filter {
                    write!(formatter, "[{filter}]")?;
                }
                sub.map_or(Ok(()), |sub| write!(formatter, ".{}", sub.name))
            }
            Target::Core => formatter.write_str(self.resource_type.core().id),
            Target::Extension(schema) => formatter.write_str(schema.id),
            Target::Password => formatter.write_str("password"),
            Target::Foreign(text) => formatter.write_str(text),
        }
    }
}
