//! A SCIM request that was let in: whose it is, and how its answers are addressed.

use access::Author;
use actors::shared::WriteGuard;
use actors::{Precondition, Tenant};
use axum::body::Body;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use bytes::Bytes;
use scim::list::ListQuery;
use scim::projection::Projection;
use scim::schema::ResourceType;
use serde_json::Value;

use super::body;
use super::capture::Seen;
use super::error::Failure;
use crate::app::{App, bearer};

/// A request with its tenant.
pub struct ScimRequest {
    /// What all handlers share.
    pub app: App,
    /// Whose it is.
    pub tenant: Tenant,
    /// Who sent it: the token's holder.
    pub author: Author,
    /// The tenant's base address, for `meta.location`.
    pub endpoint: String,
    /// Method, address and headers.
    pub parts: Parts,
    /// The body; empty until [`ScimRequest::read`] has read it.
    pub body: Bytes,
    /// What the request record is told.
    pub(super) seen: Seen,
}

impl ScimRequest {
    /// It is a write: it opens a wave, or belongs to the open one.
    pub fn begin_write(&self) -> WriteGuard {
        let write = self.tenant.shared().begin_write(self.author.clone());
        self.seen.wave(write.wave());
        write
    }

    /// Notes which attributes a body names, for the mapping check.
    pub fn note_sent(&self, resource_type: ResourceType, body: &Value) {
        let (shared, now) = (self.tenant.shared(), self.app.service().clock().now());
        let token = bearer(&self.parts.headers).unwrap_or_default();
        shared.sent.body(now, resource_type, body, token);
    }

    /// Notes by which attribute something is looked for.
    pub fn note_filter(&self, resource_type: ResourceType, filter: Option<&str>) {
        let (shared, now) = (self.tenant.shared(), self.app.service().clock().now());
        if let Some(filter) = filter {
            let token = bearer(&self.parts.headers).unwrap_or_default();
            shared.sent.filter(now, resource_type, filter, token);
        }
    }

    /// Counts it as a look-up.
    pub fn look_up(&self) {
        if let Some(wave) = self.tenant.shared().look_up() {
            self.seen.wave(wave);
        }
    }

    /// The query string.
    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// Which attributes the answer is to hold (RFC 7644 section 3.9).
    pub fn projection(&self, resource_type: ResourceType) -> Result<Projection, Failure> {
        if self.query().is_empty() {
            return Ok(Projection::parse(resource_type, None, None)?);
        }
        let query = ListQuery::from_query_string(self.query())?;
        let (only, without) = (query.attributes.as_deref(), query.excluded_attributes.as_deref());
        Ok(Projection::parse(resource_type, only, without)?)
    }

    /// Whether the query asks for certain attributes.
    pub fn asks_for_attributes(&self) -> Result<bool, Failure> {
        Ok(ListQuery::from_query_string(self.query())?.attributes.is_some())
    }

    /// What `If-Match` demands.
    pub fn precondition(&self) -> Precondition {
        let tags = self.parts.headers.get_all(IF_MATCH).iter();
        let tags: Vec<Option<&str>> = tags.map(|value| value.to_str().ok()).collect();
        if tags.is_empty() {
            return Precondition::None;
        }
        match tags.into_iter().collect::<Option<Vec<_>>>() {
            Some(tags) => Precondition::from_header(Some(&tags.join(","))),
            // A demand that cannot be read is not met.
            None => Precondition::OneOf(Vec::new()),
        }
    }

    /// Whether `If-None-Match` says that the client has this version.
    pub fn has_version(&self, version: &str) -> bool {
        let header = self.parts.headers.get(IF_NONE_MATCH);
        let Some(tags) = header.and_then(|value| value.to_str().ok()) else { return false };
        let mut tags = tags.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || actors::version::same_version(tag, version))
    }

    /// Reads the body, if it is of a type that is taken.
    pub async fn read(&mut self, body: Body, bytes_max: usize) -> Result<(), Failure> {
        body::check_media_type(&self.parts.headers)?;
        self.body = body::read(body, bytes_max).await?;
        self.seen.body(&self.body);
        Ok(())
    }

    /// The body, parsed.
    pub fn json(&self) -> Result<Value, Failure> {
        Ok(scim::json::parse(&self.body)?)
    }
}
