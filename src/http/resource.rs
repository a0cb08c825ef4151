//! Resources as answers: put together from their rows, with `meta`, `groups` and `members`.

use std::fmt::Write as _;

use access::{GroupId, UserId};
use actors::shared::Shared;
use actors::version;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use scim::projection::Projection;
use scim::render::{self, Meta};
use scim::resource::Resource;
use scim::schema::ResourceType;
use serde_json::{Map, Value, json};
use store::snapshot::Member;
use store::{ReadError, Record, Snapshot};

use super::ScimAnswer;
use crate::answer;

/// A resource, ready to answer with.
pub struct Rendered {
    /// `meta.location`.
    pub location: String,
    /// `meta.version`.
    pub version: String,
    /// The body.
    pub body: Vec<u8>,
    /// Groups or members that stand in it.
    pub listed: usize,
}

/// Puts resources of one tenant together.
pub struct Renderer<'a> {
    /// The tenant.
    pub shared: &'a Shared,
    /// What is read from.
    pub snapshot: &'a Snapshot,
    /// The tenant's base address.
    pub endpoint: &'a str,
}

impl Rendered {
    /// The answer to a request about this resource.
    pub fn into_answer(self, status: StatusCode) -> ScimAnswer {
        let mut made = answer::with_body(status, scim::MEDIA_TYPE, self.body);
        put_header(&mut made, ETAG, self.version);
        if status == StatusCode::CREATED {
            put_header(&mut made, LOCATION, self.location);
        }
        made
    }
}

/// Sets a header whose value we made ourselves.
pub fn put_header<B>(answer: &mut Response<B>, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        answer.headers_mut().insert(name, value);
    }
}

impl Renderer<'_> {
    /// A user, as bytes: spliced from what is kept, unless only some attributes are wanted.
    pub fn user(
        &self,
        id: UserId,
        record: &Record,
        projection: &Projection,
    ) -> Result<Rendered, ReadError> {
        let named = self.shared.groups_with_names(self.snapshot, id)?;
        self.user_in(&named, id, record, projection)
    }

    /// A user for a list, where its version shows in `meta` alone: its groups are read only if they
    /// or `meta` are wanted.
    pub fn listed_user(
        &self,
        id: UserId,
        record: &Record,
        projection: &Projection,
    ) -> Result<Rendered, ReadError> {
        if projection.wants("groups") || projection.wants("meta") {
            return self.user(id, record, projection);
        }
        self.user_in(&[], id, record, projection)
    }

    fn user_in(
        &self,
        named: &[(GroupId, String)],
        id: UserId,
        record: &Record,
        projection: &Projection,
    ) -> Result<Rendered, ReadError> {
        let version = version::of_user(record.revision, named);
        let groups = self.groups_json(named);
        self.rendered(ResourceType::User, &id.to_string(), record, version, groups, projection)
    }

    /// A group, as bytes; its members are read only if they are wanted.
    pub fn group(
        &self,
        id: GroupId,
        record: &Record,
        projection: &Projection,
    ) -> Result<Rendered, ReadError> {
        let version = version::of_group(record.revision);
        let members = if projection.wants("members") {
            self.members_json(&self.snapshot.members(self.shared.key, id, None, usize::MAX)?)
        } else {
            Vec::new()
        };
        self.rendered(ResourceType::Group, &id.to_string(), record, version, members, projection)
    }

    /// A user in full, for filters and sorting. Its groups are read only if they are wanted, for
    /// themselves or for the version in `meta`.
    pub fn full_user(
        &self,
        id: UserId,
        record: &Record,
        (with_groups, with_meta): (bool, bool),
    ) -> Result<Map<String, Value>, ReadError> {
        let named = if with_groups || with_meta {
            self.shared.groups_with_names(self.snapshot, id)?
        } else {
            Vec::new()
        };
        let version = version::of_user(record.revision, &named);
        let groups = if with_groups { self.groups_json(&named) } else { Vec::new() };
        self.full(ResourceType::User, &id.to_string(), record, &version, groups)
    }

    /// A group in full with these members, for filters and sorting.
    pub fn full_group(
        &self,
        id: GroupId,
        record: &Record,
        members: &[Member],
    ) -> Result<Map<String, Value>, ReadError> {
        let version = version::of_group(record.revision);
        let members = self.members_json(members);
        self.full(ResourceType::Group, &id.to_string(), record, &version, members)
    }

    fn rendered(
        &self,
        resource_type: ResourceType,
        id: &str,
        record: &Record,
        version: String,
        extra: Vec<Value>,
        projection: &Projection,
    ) -> Result<Rendered, ReadError> {
        let (location, listed) = (self.location(resource_type, id), extra.len());
        let extra_name = extra_name(resource_type);
        // What is made of rows is not in the body: to leave it out takes no more than that.
        let body = if projection.is_default() || projection.is_all_but(extra_name) {
            let (created, modified) = (date_time(record.created), date_time(record.modified));
            let meta = meta(resource_type, &created, &modified, &version, &location);
            let wanted = !extra.is_empty() && projection.is_default();
            let extra = wanted.then(|| to_bytes(&Value::Array(extra)));
            let extra = extra.as_deref().map(|json| (extra_name, json));
            render::splice(&record.body, &meta, extra)
        } else {
            let full = self.full(resource_type, id, record, &version, extra)?;
            to_bytes(&Value::Object(projection.apply(full)))
        };
        Ok(Rendered { location, version, body, listed })
    }

    fn full(
        &self,
        resource_type: ResourceType,
        id: &str,
        record: &Record,
        version: &str,
        extra: Vec<Value>,
    ) -> Result<Map<String, Value>, ReadError> {
        let attributes = serde_json::from_slice(&record.body)
            .map_err(|_| ReadError::Unavailable("a resource's body cannot be read".into()))?;
        let resource = Resource::from_stored(resource_type, attributes);
        let location = self.location(resource_type, id);
        let (created, modified) = (date_time(record.created), date_time(record.modified));
        let meta = meta(resource_type, &created, &modified, version, &location);
        let extra = (extra_name(resource_type), Value::Array(extra));
        Ok(render::representation(&resource, &meta, Some(extra)))
    }

    fn groups_json(&self, groups: &[(GroupId, String)]) -> Vec<Value> {
        let group = |(id, name): &(GroupId, String)| {
            let location = self.location(ResourceType::Group, &id.to_string());
            json!({"value": id, "$ref": location, "display": name, "type": "direct"})
        };
        groups.iter().map(group).collect()
    }

    fn members_json(&self, members: &[Member]) -> Vec<Value> {
        let member = |member: &Member| {
            let (resource_type, id) = match member {
                Member::User(user) => (ResourceType::User, user.to_string()),
                Member::Group(group) => (ResourceType::Group, group.to_string()),
            };
            let location = self.location(resource_type, &id);
            json!({"value": id, "$ref": location, "type": resource_type.name()})
        };
        members.iter().map(member).collect()
    }

    /// A resource's address.
    pub fn location(&self, resource_type: ResourceType, id: &str) -> String {
        [self.endpoint, resource_type.endpoint(), "/", id].concat()
    }
}

/// The attribute that is made of rows of its own.
const fn extra_name(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::User => "groups",
        ResourceType::Group => "members",
    }
}

const fn meta<'a>(
    resource_type: ResourceType,
    created: &'a str,
    last_modified: &'a str,
    version: &'a str,
    location: &'a str,
) -> Meta<'a> {
    Meta { resource_type, created, last_modified, version, location }
}

/// Bytes of such a dateTime, of this age.
const DATE_TIME_BYTES: usize = "2026-01-01T00:00:00.000Z".len();

/// A dateTime, always with milliseconds: of two, the later is also the greater text.
fn date_time(at: Timestamp) -> String {
    let mut text = String::with_capacity(DATE_TIME_BYTES);
    // Writing to a String cannot fail.
    let _ = write!(text, "{at:.3}");
    text
}

/// A `Value` can always be written.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
