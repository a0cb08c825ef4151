//! Who makes a change: what the audit log names.

use serde::{Deserialize, Serialize};

use crate::id::{RequestId, TokenId};

/// In whose name a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The directory, with a SCIM token.
    Token,
    /// Somebody with the operator token.
    Operator,
    /// Somebody who opened a setup link: the customer's own administrator.
    SetupLink,
    /// The rules, by a pass of the reconciler.
    Reconciler,
    /// The service itself: deliveries, retention, what an earlier life left.
    Service,
}

/// Who makes a change, and by which request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// In whose name.
    pub kind: AuthorKind,
    /// For [`AuthorKind::Token`] and [`AuthorKind::SetupLink`]: what people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// For [`AuthorKind::Token`] and [`AuthorKind::SetupLink`]: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The request that asked for it; none for what nobody asked for.
    #[serde(skip)]
    pub request: Option<RequestId>,
}

impl Author {
    /// The directory.
    pub fn token(id: TokenId, label: impl Into<String>, request: Option<RequestId>) -> Self {
        let (label, token) = (Some(label.into()), Some(id));
        Self { kind: AuthorKind::Token, label, token, request }
    }

    /// An operator.
    pub const fn operator(request: Option<RequestId>) -> Self {
        Self { kind: AuthorKind::Operator, label: None, token: None, request }
    }

    /// Somebody who opened a setup link.
    pub fn setup_link(id: TokenId, label: &str, request: Option<RequestId>) -> Self {
        Self { kind: AuthorKind::SetupLink, ..Self::token(id, label, request) }
    }

    /// The rules; `request` is the one that made them be looked at, if there is one.
    pub const fn reconciler(request: Option<RequestId>) -> Self {
        Self { kind: AuthorKind::Reconciler, label: None, token: None, request }
    }

    /// The service itself.
    pub const fn service() -> Self {
        Self { kind: AuthorKind::Service, label: None, token: None, request: None }
    }
}
