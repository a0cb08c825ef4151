//! The full representation of a resource: what is kept, and what is put together on read.
//!
//! [`representation`] makes the object that filters, projection and sorting work on; [`splice`]
//! makes the same as bytes without parsing what is stored, for reading by id. Neither leaves out
//! anything: that is [`crate::projection`]'s.

use serde_json::{Map, Value};

use crate::{resource::Resource, schema::ResourceType};

/// What `meta` says (RFC 7643 §3.1).
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    /// The resource type.
    pub resource_type: ResourceType,
    /// When it was created, as a dateTime.
    pub created: &'a str,
    /// When it was last changed, as a dateTime.
    pub last_modified: &'a str,
    /// The version, the same as the `ETag`: `W/"…"`.
    pub version: &'a str,
    /// The URI.
    pub location: &'a str,
}

impl Meta<'_> {
    fn members(&self) -> [(&'static str, &str); 5] {
        [
            ("resourceType", self.resource_type.name()),
            ("created", self.created),
            ("lastModified", self.last_modified),
            ("location", self.location),
            ("version", self.version),
        ]
    }

    /// `meta` as a JSON object.
    pub fn to_json(&self) -> Value {
        let members = self.members().into_iter();
        Value::Object(members.map(|(name, text)| (name.to_owned(), text.into())).collect())
    }
}

/// The full representation. `extra` is `groups` of a user or `members` of a group; an empty array
/// is left out.
pub fn representation(
    resource: &Resource,
    meta: &Meta<'_>,
    extra: Option<(&str, Value)>,
) -> Map<String, Value> {
    let mut object = resource.attributes().clone();
    if let Some((name, value)) = extra
        && value.as_array().is_none_or(|items| !items.is_empty())
    {
        object.insert(name.to_owned(), value);
    }
    object.insert("meta".to_owned(), meta.to_json());
    object
}

/// The full representation as bytes, from [`Resource::to_bytes`] as stored. `extra` is already
/// JSON; an empty array is left out.
pub fn splice(stored: &[u8], meta: &Meta<'_>, extra: Option<(&str, &[u8])>) -> Vec<u8> {
    let extra = extra.filter(|(_, json)| *json != b"[]");
    let texts: usize = meta.members().iter().map(|(name, text)| name.len() + text.len() + 8).sum();
    let extras = extra.map_or(0, |(name, json)| name.len() + json.len() + 4);
    let mut bytes = Vec::with_capacity(stored.len() + texts + extras + 16);
    let body = stored.strip_suffix(b"}").unwrap_or(stored);
    bytes.extend_from_slice(body);
    if let Some((name, json)) = extra {
        separate(&mut bytes);
        write_text(&mut bytes, name);
        bytes.push(b':');
        bytes.extend_from_slice(json);
    }
    separate(&mut bytes);
    bytes.extend_from_slice(b"\"meta\":{");
    for (name, text) in meta.members() {
        separate(&mut bytes);
        write_text(&mut bytes, name);
        bytes.push(b':');
        write_text(&mut bytes, text);
    }
    bytes.extend_from_slice(b"}}");
    bytes
}

/// A comma, unless an object has just been opened.
fn separate(bytes: &mut Vec<u8>) {
    if bytes.last() != Some(&b'{') {
        bytes.push(b',');
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(bytes, text);
}
