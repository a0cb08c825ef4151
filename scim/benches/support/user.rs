//! A user of a kilobyte, as Entra's default mapping makes one.

use scim::resource::{self, Resource};
use scim::schema::ResourceType;
use scim::urn::{ENTERPRISE_USER, USER};
use serde_json::{Value, json};

/// The id of the user.
pub(crate) const ID: &str = "01990000-0000-7000-8000-000000000000";

/// What Entra sends to create the user.
pub(crate) fn body() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE_USER],
        "externalId": "00aa00aa-bb11-cc22-dd33-44ee44ee44ee",
        "userName": "ada@example.com",
        "active": true,
        "displayName": "Ada Lovelace",
        "title": "Analyst",
        "preferredLanguage": "en-GB",
        "emails": [{"primary": true, "type": "work", "value": "ada@example.com"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        "addresses": [{
            "primary": true, "type": "work", "formatted": "12 St James's Square, London",
            "streetAddress": "12 St James's Square", "locality": "London", "region": "London",
            "postalCode": "SW1Y 4JH", "country": "GB",
        }],
        "phoneNumbers": [
            {"primary": true, "type": "work", "value": "+44 20 7946 0000"},
            {"type": "mobile", "value": "+44 7700 900000"},
            {"type": "fax", "value": "+44 20 7946 0001"},
        ],
        "roles": [],
        ENTERPRISE_USER: {
            "employeeNumber": "1815", "department": "Engines", "manager": {"value": "a manager"},
        },
    })
}

/// The user.
pub(crate) fn resource() -> Resource {
    resource::create(ResourceType::User, ID, body()).unwrap().resource
}
