//! The SCIM resource behind an account, as a GET of the directory would answer it.

use access::UserId;
use actors::Tenant;
use scim::projection::Projection;
use scim::schema::ResourceType;
use serde_json::Value;

use crate::admin::problem::Problem;
use crate::http::resource::Renderer;
use crate::web::filters;

/// Characters of it that are shown.
const CHARS_MAX: usize = 40_000;

/// The resource, written for people; none where the user was deleted.
pub(super) fn read(
    tenant: &Tenant,
    user: UserId,
    endpoint: &str,
) -> Result<Option<String>, Problem> {
    let shared = tenant.shared();
    let snapshot = shared.snapshot()?;
    let Some(record) = snapshot.user(shared.key, user)? else { return Ok(None) };
    let projection = Projection::parse(ResourceType::User, None, None);
    let projection = projection.map_err(|_| Problem::unavailable())?;
    let renderer = Renderer { shared, snapshot: &snapshot, endpoint };
    let body = renderer.user(user, &record, &projection)?.body;
    let value: Value = serde_json::from_slice(&body).map_err(|_| Problem::unavailable())?;
    Ok(Some(written(&value)))
}

/// JSON on many lines. What nobody would see is written as JSON's escapes for it.
fn written(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut shown = String::with_capacity(text.len());
    for c in filters::shortened(&text, CHARS_MAX).chars() {
        if c == '\n' || filters::readable(c.encode_utf8(&mut [0; 4])) != "\u{fffd}" {
            shown.push(c);
        } else {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            shown.extend(units.map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_that_nobody_sees_are_written_out_and_mean_the_same() {
        let value = json!({"displayName": "a\u{202e}b\u{e0041}\nc", "n": [1]});
        let shown = written(&value);

        assert!(shown.contains("a\\u202eb\\udb40\\udc41\\nc"), "{shown}");
        assert!(shown.lines().count() > 3, "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }

    #[test]
    fn an_endless_resource_is_cut() {
        let shown = written(&json!({"a": "x".repeat(1_000_000)}));
        assert!(shown.len() < 50_000, "{}", shown.len());
    }
}
