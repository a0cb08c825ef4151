//! PATCH (RFC 7644 §3.5.2), in the RFC's form and in both of Entra's dialects.
//!
//! A body is compiled against the schemas into a list of typed changes, and those are applied to a
//! copy: all of them or none. Nothing but attributes that a schema lets a client change can be
//! reached, whatever the path says. The changes of a group's `members` never touch the document;
//! they come out as [`MembershipOperation`]s, so that a PATCH costs the same in a large group.
//!
//! Where Entra and the RFC differ, Entra is served: `remove` of `members` with a value removes
//! those members and not all; a value path that matches nothing makes the element that it
//! describes; `""` clears; `Operations: []` changes nothing; keys of a `value` without a path are
//! read as paths.
//!
//! What is stored is changed in the same way without being read whole: see [`crate::stored`].
//!
//! Uniqueness is not checked here, nor whether a member exists.

mod apply;
mod compile;

use serde_json::{Map, Value};

use crate::{
    error::Error,
    filter::Filter,
    resource::Resource,
    schema::{Place, ResourceType, Schema},
    stored::AttributeNames,
};

/// The most operations in one request.
pub const OPERATIONS_MAX: usize = 1000;

/// A compiled PATCH body.
#[derive(Clone, Debug)]
pub struct Patch {
    resource_type: ResourceType,
    changes: Vec<Change>,
}

/// What a PATCH makes of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    /// The resource after it; equal to the one before where nothing changed.
    pub resource: Resource,
    /// What happens to the members of a group, in this order.
    pub members: Vec<MembershipOperation>,
}

/// A change of a group's members. The lists name each member once.
#[derive(Clone, Debug, PartialEq)]
pub enum MembershipOperation {
    /// These become members, if they are not already.
    Add(Vec<String>),
    /// These are no longer members, if they were.
    Remove(Vec<String>),
    /// All that match are no longer members; see [`Filter::matches_element`].
    RemoveWhere(Filter),
    /// These and no others are members.
    Replace(Vec<String>),
    /// Nobody is a member.
    RemoveAll,
}

/// One typed change, with the number of the operation it came from.
#[derive(Clone, Debug)]
struct Change {
    operation: usize,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The `id` in a value without a path, which may only be the resource's own.
    CheckId(Value),
    /// Sets a simple attribute, or clears it.
    Set(Place, Option<Value>),
    /// Sets sub-attributes (`null` clears) of the values that the filter selects, or of all.
    Merge(Place, Option<Filter>, Map<String, Value>),
    /// Clears the values that the filter selects, or all.
    Clear(Place, Option<Filter>),
    /// Adds values to a multi-valued attribute.
    Append(Place, Vec<Map<String, Value>>),
    /// Replaces all values of a multi-valued attribute.
    Replace(Place, Vec<Map<String, Value>>),
    /// Removes the values that have all these sub-attributes.
    RemoveListed(Place, Vec<Map<String, Value>>),
    /// Clears a whole extension.
    ClearExtension(&'static Schema),
    /// Sets or clears what a foreign name points to.
    Foreign(String, Option<Value>),
    /// Sets attributes of a foreign extension (`null` clears).
    ForeignMerge(String, Map<String, Value>),
    /// Changes the members.
    Members(MembershipOperation),
}

impl Patch {
    /// Reads a PATCH body for a resource of this type.
    pub fn compile(resource_type: ResourceType, body: Value) -> Result<Self, Error> {
        let changes = compile::changes(resource_type, body)?;
        Ok(Self { resource_type, changes })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The resource type that it was compiled for.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// Applies all of it, or fails and changes nothing.
    pub fn apply(&self, current: &Resource) -> Result<Patched, Error> {
        apply::all(&self.changes, current)
    }

    /// The same, on attributes that hold all that it can touch. On an error they are spoilt.
    pub(crate) fn change(&self, attributes: &mut Map<String, Value>) -> Result<(), Error> {
        apply::document(&self.changes, attributes)
    }

    /// Under which names a resource keeps what it can touch.
    pub fn touched(&self) -> AttributeNames {
        apply::touched(&self.changes)
    }
}
