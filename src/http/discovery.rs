//! `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas` (RFC 7644 section 4).

use axum::http::{Method, StatusCode};
use scim::discovery;
use scim::list::list_response;
use serde_json::Value;

use super::ScimAnswer;
use super::error::Failure;
use super::request::ScimRequest;
use super::resource::to_bytes;
use crate::answer;

/// Answers a discovery request.
pub fn handle(request: &ScimRequest, path: &[&str]) -> Result<ScimAnswer, Failure> {
    // Before the body or its type is looked at: nothing can be written here.
    if request.parts.method != Method::GET && request.parts.method != Method::HEAD {
        return Err(Failure::method_not_allowed("GET"));
    }
    let asks_to_filter = form_urlencoded::parse(request.query().as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("filter"));
    if asks_to_filter {
        // RFC 7644 section 4: "If a filter is provided … SHALL respond with 403".
        let error = scim::error::Error::new(403, None, "discovery endpoints take no filter");
        return Err(error.into());
    }
    let base = &request.endpoint;
    let found = match path {
        ["ServiceProviderConfig"] => {
            Some(to_bytes(&discovery::service_provider_config(base, None)))
        }
        ["ResourceTypes"] => Some(list(&discovery::resource_types(base))),
        ["ResourceTypes", id] => discovery::resource_type(base, id).as_ref().map(to_bytes),
        ["Schemas"] => Some(list(&discovery::schemas(base))),
        ["Schemas", urn] => discovery::schema(base, urn).as_ref().map(to_bytes),
        _ => None,
    };
    let found = found.ok_or_else(|| Failure::not_found("there is nothing at this path"))?;
    Ok(answer::with_body(StatusCode::OK, scim::MEDIA_TYPE, found))
}

/// All of them, whatever paging was asked for (RFC 7644 section 4).
fn list(resources: &[Value]) -> Vec<u8> {
    let resources: Vec<Vec<u8>> = resources.iter().map(to_bytes).collect();
    list_response(resources.len(), Some(1), &resources, None, None)
}
