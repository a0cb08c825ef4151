//! The refusals of the protocol (RFC 7644 §3.12).
//!
//! An [`Error`] is what the client reads: status, `scimType` and a detail that names the attribute
//! and what was expected. It never carries another error's text, and nothing here logs.

use serde_json::{Value, json};

use crate::urn;

/// How much of a detail is told.
const DETAIL_BYTES_MAX: usize = 500;

/// The detail error keywords of RFC 7644 table 9, and those of RFC 9865 for cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScimType {
    /// The filter is malformed, or compares what cannot be compared.
    InvalidFilter,
    /// More was asked for than the service provider will do at once.
    TooMany,
    /// Another resource holds this value already.
    Uniqueness,
    /// The attribute cannot be changed in this way.
    Mutability,
    /// The body is not what its schema says.
    InvalidSyntax,
    /// The attribute path is malformed or names no attribute.
    InvalidPath,
    /// The path selects nothing that could be changed.
    NoTarget,
    /// A required value is missing, or a value has the wrong type.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request would expose what must not stand in a URL.
    Sensitive,
    /// The cursor is none of ours (RFC 9865 §2.1).
    InvalidCursor,
    /// The cursor is too old (RFC 9865 §2.1).
    ExpiredCursor,
    /// The count changed in an impossible way between pages (RFC 9865 §2.1).
    InvalidCount,
}

impl ScimType {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
        Self::InvalidCursor,
        Self::ExpiredCursor,
        Self::InvalidCount,
    ];

    /// The keyword as it stands in an error body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// The HTTP status.
    pub status: u16,
    /// The keyword, where RFC 7644 names one.
    pub scim_type: Option<ScimType>,
    /// What is wrong, for a human.
    pub detail: String,
}

impl Error {
    /// A refusal with any status. The detail may quote the client, so it is cut where it is long.
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        Self { status, scim_type, detail }
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidValue), detail)
    }

    /// 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidSyntax), detail)
    }

    /// 400 `invalidFilter`.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidFilter), detail)
    }

    /// 400 `invalidPath`.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidPath), detail)
    }

    /// 400 `noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::NoTarget), detail)
    }

    /// 400 `mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::Mutability), detail)
    }

    /// 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, Some(ScimType::Uniqueness), detail)
    }

    /// 413 `tooMany`: the request asks for more than is done at once.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::new(413, Some(ScimType::TooMany), detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, None, detail)
    }

    /// 412: the resource is not at the version that the client named (RFC 7644 §3.14).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(412, None, detail)
    }

    /// The error body (RFC 7644 §3.12). `status` is a string there.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "schemas": [urn::ERROR], "status": self.status.to_string() });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.as_str().into();
        }
        body["detail"] = self.detail.as_str().into();
        body
    }

    /// The same refusal, saying where in the request it arose.
    pub(crate) fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.detail = format!("{place}: {}", self.detail);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_status_as_a_string() {
        let body = Error::uniqueness("userName is taken").to_json();

        assert_eq!(
            body,
            json!({
                "schemas": [urn::ERROR],
                "status": "409",
                "scimType": "uniqueness",
                "detail": "userName is taken",
            })
        );
        assert!(Error::not_found("gone").to_json().get("scimType").is_none());
    }
}
