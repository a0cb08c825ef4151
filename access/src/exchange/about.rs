//! What an exchange is about, read off its path and its bodies as far as that is cheap.
//!
//! Only redacted text is read, so nothing that is found can be secret. Bodies are searched for the
//! first key of a name: that is the resource's own, since our answers begin with it, and what a
//! client writes in another order is found by its id all the same.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use scim::schema::ResourceType;
use serde_json::Value;

use super::{Dialect, Exchange, name_hash};
use crate::id::ID_BYTES;
use crate::redact::Redactor;

/// Members of a group that an exchange is found by.
const MEMBERS_MAX: usize = 256;
/// Bytes of a name that is kept.
const NAME_BYTES_MAX: usize = 512;

/// A key of JSON, ready to be looked for.
type Name = LazyLock<Finder<'static>>;
static ID: Name = LazyLock::new(|| Finder::new("\"id\""));
static USER_NAME: Name = LazyLock::new(|| Finder::new("\"userName\""));
static DISPLAY_NAME: Name = LazyLock::new(|| Finder::new("\"displayName\""));
static EXTERNAL_ID: Name = LazyLock::new(|| Finder::new("\"externalId\""));
static OP: Name = LazyLock::new(|| Finder::new("\"op\""));
static VALUE: Name = LazyLock::new(|| Finder::new("\"value\""));

/// Adds what an exchange is about. `filter` is what its query asks for.
pub(super) fn complete(
    facts: &mut Exchange<'_>,
    (request, answer): (&str, &str),
    filter: Option<&str>,
    redactor: &Redactor,
) {
    let path = facts.path.clone();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let endpoint = segments.next().unwrap_or_default();
    let resource_type = ResourceType::from_endpoint(endpoint);
    let id = segments.next().filter(|id| *id != ".search");
    let is_error = facts.status.is_none_or(|status| status >= 400);
    if is_error {
        refusal(facts, answer);
    } else if endpoint == "Bulk" {
        facts.failed_operations = failed_operations(answer);
    }
    if let Some(resource_type) = resource_type {
        facts.resource_type = Some(resource_type.name().into());
        let name = match resource_type {
            ResourceType::User => &USER_NAME,
            ResourceType::Group => &DISPLAY_NAME,
        };
        if id.is_some() || facts.method == "POST" {
            let own = if is_error { "" } else { answer };
            let made = if facts.method == "POST" { text_of(own, &ID) } else { None };
            facts.resource = id.map(str::to_owned).or(made).map(Cow::Owned);
            facts.subject = text_of(own, name).or_else(|| text_of(request, name)).map(Cow::Owned);
            let external_id = text_of(own, &EXTERNAL_ID).or_else(|| text_of(request, &EXTERNAL_ID));
            facts.external_id = external_id.map(Cow::Owned);
        } else {
            facts.subject = filter.and_then(asked_for).map(|name| redactor.name(name).into());
        }
    }
    if facts.method == "PATCH" {
        facts.dialect = text_of(request, &OP).map(|op| {
            if op.starts_with(|c: char| c.is_ascii_uppercase()) {
                Dialect::Entra
            } else {
                Dialect::Rfc
            }
        });
    }
    if resource_type == Some(ResourceType::Group) || endpoint == "Bulk" {
        facts.members = members(request).collect();
        facts.members.sort_unstable();
        facts.members.dedup();
    }
}

/// What a refusal says.
fn refusal(facts: &mut Exchange<'_>, answer: &str) {
    let Ok(error) = serde_json::from_str::<Value>(answer) else { return };
    let text =
        |key: &str| error.get(key).and_then(Value::as_str).map(|text| text.to_owned().into());
    facts.scim_type = text("scimType");
    facts.detail = text("detail");
}

/// Operations of a Bulk that were refused.
fn failed_operations(answer: &str) -> u32 {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return 0 };
    let operations = answer.get("Operations").and_then(Value::as_array);
    let failed = operations.into_iter().flatten().filter(|operation| {
        let status = operation.get("status").and_then(Value::as_str);
        status.and_then(|status| status.parse().ok()).is_some_and(|status: u16| status >= 400)
    });
    u32::try_from(failed.count()).unwrap_or(u32::MAX)
}

/// What a filter compares with.
fn asked_for(filter: &str) -> Option<String> {
    let start = filter.find('"')?;
    json_text(filter.get(start..)?).filter(|name| name.len() <= NAME_BYTES_MAX)
}

/// The ids that a group's change, or a Bulk, names as members.
fn members(request: &str) -> impl Iterator<Item = u64> {
    let found = VALUE.find_iter(request.as_bytes());
    let values = found.filter_map(|at| string_behind(request.get(at + VALUE.needle().len()..)?));
    values.filter(|value| value.len() == ID_BYTES).take(MEMBERS_MAX).map(|value| name_hash(&value))
}

/// The text behind the first key of this name.
fn text_of(json: &str, key: &Finder<'_>) -> Option<String> {
    let at = key.find(json.as_bytes())?;
    string_behind(json.get(at + key.needle().len()..)?).filter(|text| text.len() <= NAME_BYTES_MAX)
}

/// The string that stands behind a key: colon, quotes.
fn string_behind(rest: &str) -> Option<String> {
    json_text(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The JSON string that a text begins with.
fn json_text(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?;
    let end = inner.find(['"', '\\'])?;
    if inner.as_bytes().get(end) == Some(&b'"') {
        return inner.get(..end).map(str::to_owned);
    }
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}
