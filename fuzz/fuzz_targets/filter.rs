//! Any text as a filter: parsed or refused, printed and parsed again, and matched.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{filter::Filter, path::AttributePath, schema::ResourceType};
use serde_json::json;

fuzz_target!(|text: &str| {
    let resource = json!({
        "id": "u1",
        "userName": "ada@example.com",
        "displayName": "Ada",
        "active": true,
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
        "members": [{"value": "u1", "type": "User"}],
        "meta": {"created": "2026-01-01T00:00:00Z"},
    });
    let Some(resource) = resource.as_object() else { return };
    for resource_type in ResourceType::ALL {
        if let Ok(filter) = Filter::parse(resource_type, text) {
            let matches = filter.matches(resource);
            // Printing a path with a filter after its bracket nests deeper than its text did.
            if let Ok(again) = Filter::parse(resource_type, &filter.to_string()) {
                assert_eq!(again, filter);
                assert_eq!(again.matches(resource), matches);
            }
            let _ = (filter.lookup(), filter.member_use());
        }
        if let Ok(path) = AttributePath::parse(resource_type, text) {
            let _ = path.select(resource);
        }
    }
});
