//! A resource as it is stored, read no further than is needed.
//!
//! Most changes touch one attribute of thirty. To make a tree of all of them, copy it, and write it
//! again costs more than everything else that a PATCH takes; so an attribute that nobody looks at
//! stays the text that it is.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{document, error::Error, patch::Patch, raw_object::RawObject, schema::ResourceType};

/// Names under which a resource keeps its attributes: those of the core schema, and the URNs of
/// extensions.
#[derive(Clone, Debug)]
pub struct AttributeNames(Option<Vec<&'static str>>);

/// A resource as [`Resource::to_bytes`](crate::resource::Resource::to_bytes) wrote it.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    resource_type: ResourceType,
    attributes: RawObject<'a>,
}

/// What a PATCH makes of a stored resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Revised {
    /// The attributes that were asked for, as they are now, but for `schemas`. There may be others
    /// beside them.
    pub excerpt: Map<String, Value>,
    /// The whole resource, to be stored.
    pub body: Vec<u8>,
}

/// Why a stored resource was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ReviseError {
    /// The protocol refuses the change.
    #[error(transparent)]
    Refused(#[from] Error),
    /// What is stored cannot be read.
    #[error("the stored resource cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl AttributeNames {
    /// Every attribute there is.
    pub const ALL: Self = Self(None);

    /// These.
    pub fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        let mut names: Vec<&'static str> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self(Some(names))
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: &Self) -> Self {
        match (self.0, &others.0) {
            (Some(names), Some(others)) => {
                Self::of(names.into_iter().chain(others.iter().copied()))
            }
            _ => Self::ALL,
        }
    }

    /// Whether one of these may be one of those.
    pub fn meets(&self, others: &Self) -> bool {
        match &self.0 {
            Some(names) => names.iter().any(|name| others.contains(name)),
            None => others.0.as_ref().is_none_or(|others| !others.is_empty()),
        }
    }

    fn contains(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(&name))
    }
}

impl<'a> Stored<'a> {
    /// Reads where attributes begin and end, and nothing within them.
    pub fn read(resource_type: ResourceType, bytes: &'a [u8]) -> serde_json::Result<Self> {
        Ok(Self { resource_type, attributes: serde_json::from_slice(bytes)? })
    }

    /// The attributes of these names that the resource has, in its order.
    pub fn excerpt(&self, names: &AttributeNames) -> serde_json::Result<Map<String, Value>> {
        let wanted = self.attributes.0.iter().filter(|(name, _)| names.contains(name));
        wanted
            .map(|(name, text)| Ok((name.clone().into_owned(), serde_json::from_str(text.get())?)))
            .collect()
    }

    /// Does what [`Patch::apply`] does, and gives an excerpt with the attributes `wanted`. None
    /// where nothing changes.
    pub fn revise(
        &self,
        patch: &Patch,
        wanted: &AttributeNames,
    ) -> Result<Option<Revised>, ReviseError> {
        let touched = patch.touched();
        let mut excerpt = self.excerpt(&touched.clone().and(wanted))?;
        let before = self.excerpt(&touched)?;
        patch.change(&mut excerpt)?;
        let same = |name: &str| before.get(name) == excerpt.get(name);
        let mut names = before.keys().chain(excerpt.keys().filter(|name| touched.contains(name)));
        if names.all(|name| same(name)) {
            return Ok(None);
        }
        let body = self.written(&touched, &excerpt)?;
        Ok(Some(Revised { excerpt, body }))
    }

    /// The resource with the touched attributes as `changed` has them, and with `schemas` in step.
    fn written(
        &self,
        touched: &AttributeNames,
        changed: &Map<String, Value>,
    ) -> serde_json::Result<Vec<u8>> {
        let stays = |name: &str| !touched.contains(name) || changed.contains_key(name);
        let is_new = |name: &str| touched.contains(name) && self.attributes.get(name).is_none();
        let kept = self.attributes.0.iter().filter(|(name, _)| stays(name));
        let new = changed.iter().filter(|(name, _)| is_new(name));
        let names =
            kept.clone().map(|(name, _)| &**name).chain(new.clone().map(|(name, _)| &**name));
        let schemas = document::schemas(names, self.resource_type);

        let length: usize =
            self.attributes.0.iter().map(|(name, text)| name.len() + text.get().len()).sum();
        let mut object = ObjectWriter::new(length + 256);
        for (name, text) in kept {
            match changed.get(&**name).filter(|_| touched.contains(name)) {
                _ if name == "schemas" => object.member(name, &schemas)?,
                Some(value) => object.member(name, value)?,
                None => object.member(name, text)?,
            }
        }
        for (name, value) in new {
            object.member(name, value)?;
        }
        Ok(object.end())
    }
}

/// Writes a JSON object, member by member.
struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(b'{');
        Self(bytes)
    }

    fn member(&mut self, name: &str, value: &impl Serialize) -> serde_json::Result<()> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        serde_json::to_writer(&mut self.0, name)?;
        self.0.push(b':');
        serde_json::to_writer(&mut self.0, value)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
