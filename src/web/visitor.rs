//! Whoever looks at a page, as handlers see them.

use std::sync::Arc;

use access::{Author, RequestId, TenantId};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;

use super::page::see_other;
use super::sessions::{Notice, Session, Who};
use crate::admin::problem::Problem;
use crate::answer::Answer;

/// Whoever looks at a page. Only routes with an audience have one.
#[derive(Clone)]
pub struct Visitor {
    session: Arc<Session>,
    path: String,
    looks_again: bool,
    request: Option<RequestId>,
}

impl Visitor {
    pub(super) fn new(session: Arc<Session>, request: &Request, looks_again: bool) -> Self {
        Self { session, path: request.uri().path().to_owned(), looks_again, request: None }
    }

    /// Whether it is an operator.
    pub fn is_operator(&self) -> bool {
        self.session.who == Who::Operator
    }

    /// The tenant that a setup link opened, and no other.
    pub fn bound_to(&self) -> Option<&TenantId> {
        match &self.session.who {
            Who::Operator => None,
            Who::Setup { tenant, .. } => Some(tenant),
        }
    }

    /// In whose name this request changes something.
    pub fn author(&self) -> Author {
        match &self.session.who {
            Who::Operator => Author::operator(self.request),
            Who::Setup { link, label, .. } => Author::setup_link(*link, label, self.request),
        }
    }

    /// What forms must send with them, as `csrf`.
    pub fn csrf(&self) -> &str {
        &self.session.csrf
    }

    /// The path of this page.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// After something was done: on to this page, which says so. The path is one of ours.
    pub fn done(&self, path: &str, text: impl Into<String>) -> Answer {
        self.session.notify(Notice { is_error: false, text: text.into() });
        see_other(path)
    }

    pub(super) fn take_notice(&self) -> Option<Notice> {
        // What is to be said is said on the page that somebody is sent to.
        if self.looks_again { None } else { self.session.take_notice() }
    }

    /// The session, for what goes on after the answer has begun.
    pub(crate) const fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let visitor = parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)?;
        let request = parts.extensions.get::<RequestId>().copied();
        Ok(Self { request, ..visitor })
    }
}
