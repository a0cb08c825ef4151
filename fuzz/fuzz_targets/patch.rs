//! Any bytes as a PATCH body: refused, or applied so that what comes out can be read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim::{json, patch::Patch, resource, schema::ResourceType};
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = json::parse(bytes) else { return };
    let bodies = [
        (
            ResourceType::User,
            json!({"userName": "ada", "emails": [{"type": "work", "value": "a"}]}),
        ),
        (ResourceType::Group, json!({"displayName": "Tools"})),
    ];
    for (resource_type, start) in bodies {
        let Ok(created) = resource::create(resource_type, "x1", start) else { return };
        let Ok(patch) = Patch::compile(resource_type, body.clone()) else { continue };
        let Ok(patched) = patch.apply(&created.resource) else { continue };
        assert_eq!(patched.resource.id(), "x1");
        let full = Value::Object(patched.resource.attributes().clone());
        let again = resource::create(resource_type, "x1", full);
        assert_eq!(again.map(|again| again.resource), Ok(patched.resource));
    }
});
