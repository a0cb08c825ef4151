//! Discovery documents.

use scim::discovery::{resource_type, resource_types, schema, schemas, service_provider_config};
use serde_json::{Value, json};

const BASE: &str = "https://x.example/scim/v2/acme/";

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(object) => object.values().any(has_null),
        _ => false,
    }
}

#[test]
fn the_configuration_announces_what_is_served() {
    let config = service_provider_config(BASE, Some(3600));
    for feature in ["patch", "bulk", "filter", "sort", "etag"] {
        assert_eq!(config[feature]["supported"], true, "{feature}");
    }
    assert_eq!(config["changePassword"]["supported"], false);
    assert_eq!(config["pagination"]["cursor"], true);
    assert_eq!(config["pagination"]["cursorTimeout"], 3600);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert_eq!(config["meta"]["location"], "https://x.example/scim/v2/acme/ServiceProviderConfig");
}

#[test]
fn schemas_are_complete_and_without_null() {
    let all = schemas(BASE);
    assert_eq!(all.len(), 3);
    assert!(!all.iter().any(has_null));
    assert!(!all.iter().any(|schema| schema.to_string().contains("\"password\"")));

    let user = schema(BASE, &scim::urn::USER.to_lowercase()).unwrap();
    assert_eq!(user["meta"]["resourceType"], "Schema");
    assert_eq!(
        user["attributes"][0],
        json!({
            "name": "userName",
            "type": "string",
            "multiValued": false,
            "description": "The name that the user signs in with, unique without regard to case.",
            "required": true,
            "caseExact": false,
            "mutability": "readWrite",
            "returned": "default",
            "uniqueness": "server",
        })
    );
    assert!(schema(BASE, "urn:example:nothing").is_none());
}

#[test]
fn resource_types_name_their_schemas() {
    assert_eq!(resource_types(BASE).len(), 2);
    let user = resource_type(BASE, "User").unwrap();
    assert_eq!(user["endpoint"], "/Users");
    assert_eq!(user["schemaExtensions"][0]["schema"], scim::urn::ENTERPRISE_USER);
    assert!(resource_type(BASE, "user").is_none());
    assert!(!resource_types(BASE).iter().any(has_null));
}
