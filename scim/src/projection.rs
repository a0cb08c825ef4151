//! Which attributes are returned (RFC 7644 §3.9): `attributes` and `excludedAttributes`.
//!
//! `id` and `schemas` are returned whatever is asked (RFC 7643 §2.2, `always`). Names that no
//! schema knows are ignored. Asking for both lists at once is refused, since one would have to be
//! ignored.

use serde_json::{Map, Value};

use crate::{
    error::Error,
    schema::{COMMON, Named, ResourceType, Returned, find, resolve},
    urn,
};

/// A parsed projection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    mode: Mode,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Mode {
    /// Everything that is returned by default, which is everything there is.
    #[default]
    Default,
    /// These and what is always returned.
    Only(Vec<Selected>),
    /// All but these.
    Except(Vec<Selected>),
}

/// One name of the list.
#[derive(Clone, Debug, PartialEq)]
enum Selected {
    /// An attribute or a known extension, as the key at the top; then what is meant below it.
    Known(&'static str, Vec<&'static str>),
    /// Within an extension that we have no schema for. Where its URN ends shows only in a resource
    /// that has it.
    Foreign(String),
}

impl Selected {
    /// What is meant below the key `key` of a resource; nothing below means all of it.
    fn below<'a>(&'a self, key: &str) -> Option<Vec<&'a str>> {
        match self {
            Self::Known(name, below) => (*name == key).then(|| below.clone()),
            Self::Foreign(text) if text.eq_ignore_ascii_case(key) => Some(Vec::new()),
            Self::Foreign(text) => urn::strip(text, key).map(|rest| rest.split('.').collect()),
        }
    }
}

impl Projection {
    /// Parses the comma-separated lists of a query.
    pub fn parse(
        resource_type: ResourceType,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, Error> {
        let split = |text: Option<&str>| -> Vec<String> {
            let names = text.unwrap_or_default().split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Self::from_lists(resource_type, &split(attributes), &split(excluded))
    }

    /// Takes the lists of a search request (RFC 7644 §3.4.3). An empty list is none.
    pub fn from_lists(
        resource_type: ResourceType,
        attributes: &[String],
        excluded: &[String],
    ) -> Result<Self, Error> {
        let select = |names: &[String]| -> Vec<Selected> {
            names.iter().filter_map(|name| selected(resource_type, name)).collect()
        };
        let mode = match (attributes.is_empty(), excluded.is_empty()) {
            (true, true) => Mode::Default,
            (false, true) => Mode::Only(select(attributes)),
            (true, false) => Mode::Except(select(excluded)),
            (false, false) => {
                let detail = "attributes and excludedAttributes exclude each other";
                return Err(Error::invalid_value(detail));
            }
        };
        Ok(Self { mode })
    }

    /// Whether everything is returned.
    pub fn is_default(&self) -> bool {
        self.mode == Mode::Default
    }

    /// Whether everything is returned but the attribute with this canonical name, as in Entra's
    /// `excludedAttributes=members`.
    pub fn is_all_but(&self, attribute: &str) -> bool {
        match &self.mode {
            Mode::Except(selected) => {
                let is_it =
                    |name: &Selected| name.below(attribute).is_some_and(|below| below.is_empty());
                !is_always(attribute) && !selected.is_empty() && selected.iter().all(is_it)
            }
            Mode::Default | Mode::Only(_) => false,
        }
    }

    /// Whether the attribute with this canonical name, or a part of it, is returned if it has a
    /// value: `groups` and `members` need not be read otherwise.
    pub fn wants(&self, attribute: &str) -> bool {
        match &self.mode {
            Mode::Default => true,
            Mode::Only(selected) => {
                is_always(attribute) || selected.iter().any(|name| name.below(attribute).is_some())
            }
            Mode::Except(selected) => {
                is_always(attribute)
                    || !selected
                        .iter()
                        .any(|name| name.below(attribute).is_some_and(|below| below.is_empty()))
            }
        }
    }

    /// Leaves what is to be returned.
    #[must_use]
    pub fn apply(&self, mut resource: Map<String, Value>) -> Map<String, Value> {
        match &self.mode {
            Mode::Default => {}
            Mode::Only(selected) => resource.retain(|key, value| {
                let below: Vec<Vec<&str>> =
                    selected.iter().filter_map(|name| name.below(key)).collect();
                let below: Vec<&[&str]> = below.iter().map(Vec::as_slice).collect();
                is_always(key) || keep_only(value, &below)
            }),
            Mode::Except(selected) => resource.retain(|key, value| {
                is_always(key)
                    || selected
                        .iter()
                        .filter_map(|name| name.below(key))
                        .all(|below| keep_except(value, &below))
            }),
        }
        resource
    }
}

fn is_always(name: &str) -> bool {
    find(COMMON, name).is_some_and(|a| a.returned == Returned::Always)
}

fn selected(resource_type: ResourceType, name: &str) -> Option<Selected> {
    match resolve(resource_type, name).ok()? {
        Named::Attribute(place, sub) => {
            let name = place.attribute.name;
            let sub = sub.map(|sub| sub.name);
            Some(match place.extension {
                Some(schema) => {
                    Selected::Known(schema.id, [Some(name), sub].into_iter().flatten().collect())
                }
                None => Selected::Known(name, sub.into_iter().collect()),
            })
        }
        Named::Extension(schema) => Some(Selected::Known(schema.id, Vec::new())),
        Named::Foreign(text) => Some(Selected::Foreign(text)),
        Named::Core | Named::Password => None,
    }
}

/// Leaves only these paths in a value; whether anything is left.
fn keep_only(value: &mut Value, paths: &[&[&str]]) -> bool {
    if paths.iter().any(|path| path.is_empty()) {
        return true;
    }
    if paths.is_empty() {
        return false;
    }
    match value {
        Value::Array(items) => {
            items.retain_mut(|item| keep_only(item, paths));
            !items.is_empty()
        }
        Value::Object(object) => {
            object.retain(|key, value| {
                let below: Vec<&[&str]> = paths
                    .iter()
                    .filter_map(|path| path.split_first())
                    .filter(|(first, _)| first.eq_ignore_ascii_case(key))
                    .map(|(_, rest)| rest)
                    .collect();
                keep_only(value, &below)
            });
            !object.is_empty()
        }
        _ => false,
    }
}

/// Takes one path out of a value; whether anything is left.
fn keep_except(value: &mut Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match value {
        Value::Array(items) => {
            items.retain_mut(|item| keep_except(item, path));
            !items.is_empty()
        }
        Value::Object(object) => {
            object
                .retain(|key, value| !first.eq_ignore_ascii_case(key) || keep_except(value, rest));
            !object.is_empty()
        }
        _ => true,
    }
}
