//! The SCIM 2.0 protocol (RFC 7643, RFC 7644, RFC 9865), as a service provider speaks it to
//! Microsoft Entra ID.
//!
//! Everything here is a pure function of its arguments: a body goes in, a [`Resource`], a
//! [`Filter`], a compiled [`Patch`] or an [`Error`] comes out. Where the RFC and what Entra sends
//! cannot both be obeyed, Entra is served, and the code says so beside the rule.
//!
//! Deliberately not here: I/O, `async`, a clock, tenants, storage, HTTP. Uniqueness is decided by
//! whoever holds all resources, membership of a group by whoever holds its rows.
//!
//! [`Resource`]: resource::Resource
//! [`Filter`]: filter::Filter
//! [`Patch`]: patch::Patch
//! [`Error`]: error::Error

pub mod bulk;
pub mod casefold;
pub mod discovery;
mod document;
pub mod error;
pub mod filter;
pub mod json;
pub mod list;
pub mod patch;
pub mod path;
pub mod projection;
pub mod raw_object;
pub mod render;
pub mod resource;
pub mod schema;
pub mod stored;
pub mod urn;
mod values;

/// The media type of every SCIM request and answer (RFC 7644 §3.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
