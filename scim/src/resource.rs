//! A resource as the service provider keeps it, and how a POST or PUT body becomes one
//! (RFC 7644 §3.3, §3.5.1).
//!
//! A [`Resource`] holds canonical names, typed values, `id`, and a `schemas` that lists the core
//! schema and every extension with data. It never holds `meta`, `groups`, `members` or `password`:
//! the first three are put together on read, and the last is dropped wherever it is sent.
//!
//! What a body may say beyond the RFC: see [`create`]. Uniqueness is not checked here.

pub(crate) mod body;

use serde_json::{Map, Value};

use self::body::Unassigned;
use crate::{
    document,
    error::Error,
    schema::{Place, ResourceType},
};

/// A resource's attributes as kept by the service provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    resource_type: ResourceType,
    attributes: Map<String, Value>,
}

/// A member of a group, as a client names it. The `display`, `type` and `$ref` that it may send are
/// accepted and not kept: the service provider derives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The id of the member, or what the client takes for it.
    pub value: String,
}

/// What a POST makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// The resource.
    pub resource: Resource,
    /// The members of a new group, each once, in the order sent.
    pub members: Vec<Member>,
}

/// Reads the body of a POST (RFC 7644 §3.3); `id` is given by the caller.
///
/// `schemas` may be missing, and is derived rather than believed. Unknown attributes and
/// sub-attributes are ignored; so are `id`, `meta`, `groups` and `password`. Attributes of
/// extensions that we have no schema for are kept as they are. Unassigned is absent: `null`, `[]`
/// and `""`. Where two values of an attribute are `primary`, the first is (RFC 7643 §2.4 allows
/// one), since Entra would send a refused body again in every cycle. `active` is the one attribute
/// that has to be readable if it is sent at all.
pub fn create(resource_type: ResourceType, id: &str, body: Value) -> Result<Created, Error> {
    let read = body::read(resource_type, id, body)?;
    if read.active_unassigned == Some(Unassigned::Empty) {
        return Err(unreadable_active());
    }
    let resource = Resource { resource_type, attributes: read.attributes };
    resource.check_required()?;
    Ok(Created { resource, members: read.members.unwrap_or_default() })
}

/// What the body of a PUT says (RFC 7644 §3.5.1), by the rules of [`create`].
///
/// What is not sent is cleared, with two exceptions. `active` not sent keeps its value, since no
/// one shall be let in again by an omission. `members` not sent, or `null`, leaves the membership
/// as it is.
#[derive(Clone, Debug)]
pub struct Replacement {
    attributes: Map<String, Value>,
    members: Option<Vec<Member>>,
}

impl Replacement {
    /// Reads a body.
    pub fn read(resource_type: ResourceType, id: &str, body: Value) -> Result<Self, Error> {
        let read = body::read(resource_type, id, body)?;
        if read.active_unassigned.is_some() {
            return Err(unreadable_active());
        }
        Ok(Self { attributes: read.attributes, members: read.members })
    }

    /// What becomes of a resource, and its members if the body speaks of them.
    pub fn apply(&self, current: &Resource) -> Result<(Resource, Option<Vec<Member>>), Error> {
        let mut attributes = self.attributes.clone();
        if current.resource_type == ResourceType::User
            && let Some(active) = current.attributes.get("active")
        {
            attributes.entry("active").or_insert_with(|| active.clone());
        }
        let resource = Resource { resource_type: current.resource_type, attributes };
        resource.check_required()?;
        Ok((resource, self.members.clone()))
    }
}

/// No one is enabled or disabled by a value that has to be guessed.
pub(crate) fn unreadable_active() -> Error {
    Error::invalid_value("active: expected true or false")
}

impl Resource {
    /// A resource from where [`Resource::to_bytes`] put it. Trusted, not checked.
    pub fn from_stored(resource_type: ResourceType, attributes: Map<String, Value>) -> Self {
        Self { resource_type, attributes }
    }

    /// The resource type.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The `id`.
    pub fn id(&self) -> &str {
        self.text("id").unwrap_or_default()
    }

    /// All attributes: `schemas`, `id`, `externalId` and the rest.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The attributes as a JSON object, `schemas` and `id` first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        #[expect(clippy::expect_used, reason = "a map with text keys always becomes JSON")]
        serde_json::to_writer(&mut bytes, &self.attributes).expect("writing to memory");
        bytes
    }

    /// The `userName` of a user.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// The `displayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// The `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// What the client said of a user's `active`; none if it said nothing.
    pub fn active(&self) -> Option<bool> {
        self.attributes.get("active").and_then(Value::as_bool)
    }

    pub(crate) fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }

    /// Refuses a resource that lacks a required attribute.
    fn check_required(&self) -> Result<(), Error> {
        for attribute in self.resource_type.core().attributes.iter().filter(|a| a.required) {
            let place = Place { extension: None, attribute };
            if document::get(&self.attributes, &place).is_none_or(document::is_unassigned) {
                let name = attribute.name;
                return Err(Error::invalid_value(format!("{name} is required, and not empty")));
            }
        }
        Ok(())
    }
}
