//! Counting requests: how many, what they ask for, and which of them fail.
//!
//! A request counts once, when it is answered or given up. One that is given up (the client hung
//! up, or the time was over) has failed: Entra sees no answer.

use std::sync::Arc;

use actors::Tenant;
use actors::shared::Shared;
use actors::traffic::Answered;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use scim::schema::ResourceType;

use super::ScimAnswer;
use super::error::Failure;

/// A request that is being answered.
pub(super) struct Counting {
    shared: Arc<Shared>,
    answered: Answered,
}

/// Marks the answer to a request that was about nothing but references.
#[derive(Clone, Copy)]
pub(super) struct OfReference;

impl Counting {
    /// A request of this tenant, which was let in.
    pub(super) fn of(tenant: &Tenant, parts: &Parts) -> Self {
        let is_delete = parts.method == Method::DELETE;
        let is_search = || parts.uri.path().trim_end_matches('/').ends_with("/.search");
        let is_write = is_delete
            || [Method::PUT, Method::PATCH].contains(&parts.method)
            || (parts.method == Method::POST && !is_search());
        let status = StatusCode::REQUEST_TIMEOUT.as_u16();
        let answered = Answered { status, is_write, is_delete, is_reference: false };
        Self { shared: Arc::clone(tenant.shared()), answered }
    }

    /// It is answered.
    pub(super) fn done(mut self, answer: ScimAnswer) -> ScimAnswer {
        self.answered.status = answer.status().as_u16();
        self.answered.is_reference = answer.extensions().get::<OfReference>().is_some();
        answer
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.shared.answered(self.answered);
    }
}

impl Failure {
    /// A write that was refused: what it was about is looked up now, since few are.
    pub(super) fn to(self, resource_type: ResourceType, method: &Method, sent: &Bytes) -> Self {
        let is_reference = *method == Method::PATCH
            && scim::json::parse(sent).is_ok_and(|body| {
                access::mapping_check::sent::is_about_references(resource_type, &body)
            });
        if is_reference { self.of_reference() } else { self }
    }
}
