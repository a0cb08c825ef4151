//! The URNs that SCIM gives to schemas and messages (RFC 7643 §10, RFC 7644 §8.2).
//!
//! Constants only; comparing them without regard to case is the caller's business.

/// Core schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Core schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Enterprise extension of a user.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Schema of `/ServiceProviderConfig`.
pub const SERVICE_PROVIDER_CONFIG: &str =
    "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// Schema of `/ResourceTypes`.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// Schema of `/Schemas`.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// Answer to a query.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Query by POST to `.search`.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Body of a PATCH.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Body of a bulk request.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// Answer to a bulk request.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Body of an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What the URNs of SCIM's own core schemas begin with.
const CORE_PREFIX: &str = "urn:ietf:params:scim:schemas:core:";
/// What the URNs of SCIM's messages begin with.
const MESSAGE_PREFIX: &str = "urn:ietf:params:scim:api:";

/// Whether `text` has the form `urn:<nid>:<nss>` and only characters that may stand in a key or a
/// path.
pub(crate) fn is_urn(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let scheme = parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"));
    scheme
        && parts.next().is_some_and(|nid| !nid.is_empty())
        && parts.next().is_some_and(|nss| !nss.is_empty())
        && !text.ends_with(':')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"[]()\\,".contains(&byte))
}

/// Whether `text` can name an extension that we have no schema for: a URN that is none of SCIM's
/// own.
pub(crate) fn is_foreign(text: &str) -> bool {
    is_urn(text) && !has_prefix(text, CORE_PREFIX) && !has_prefix(text, MESSAGE_PREFIX)
}

/// `text` begins with `prefix`, letter case aside.
pub(crate) fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// What follows the URN of a schema of ours and a colon, letter case aside. Entra's jobs of 2018
/// put a dot there.
pub(crate) fn strip_known<'a>(text: &'a str, urn: &str) -> Option<&'a str> {
    if !has_prefix(text, urn) {
        return None;
    }
    text.get(urn.len()..)?.strip_prefix([':', '.']).filter(|rest| !rest.is_empty())
}

/// What follows `urn` and a colon at the start of `text`, letter case aside.
pub(crate) fn strip<'a>(text: &'a str, urn: &str) -> Option<&'a str> {
    if !has_prefix(text, urn) {
        return None;
    }
    text.get(urn.len()..)?.strip_prefix(':').filter(|rest| !rest.is_empty())
}
