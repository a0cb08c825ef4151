//! Discovery (RFC 7644 §4; RFC 7643 §5, §6, §7): what the service provider can do.
//!
//! Written from the tables of [`crate::schema`] and the limits of the other modules, so it cannot
//! promise something else than they do. Characteristics are spelled in camelCase and nothing is
//! `null`, as Entra's schema reader wants it.

use serde_json::{Map, Value, json};

use crate::{
    bulk, list,
    schema::{Attribute, ENTERPRISE_USER, GROUP, ResourceType, Schema, USER},
    urn,
};

/// The schemas of `/Schemas`.
static SCHEMAS: [&Schema; 3] = [&USER, &GROUP, &ENTERPRISE_USER];

/// `/ServiceProviderConfig` (RFC 7643 §5, RFC 9865 §4). `cursor_timeout_s` is how long a cursor
/// stays good, if that is limited.
pub fn service_provider_config(base_url: &str, cursor_timeout_s: Option<u32>) -> Value {
    let mut pagination = json!({
        "cursor": true,
        "index": true,
        "defaultPaginationMethod": "index",
        "defaultPageSize": list::COUNT_DEFAULT,
        "maxPageSize": list::COUNT_MAX,
    });
    if let Some(seconds) = cursor_timeout_s {
        pagination["cursorTimeout"] = seconds.into();
    }
    json!({
        "schemas": [urn::SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": {
            "supported": true,
            "maxOperations": bulk::OPERATIONS_MAX,
            "maxPayloadSize": bulk::PAYLOAD_BYTES_MAX,
        },
        "filter": { "supported": true, "maxResults": list::COUNT_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "pagination": pagination,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A bearer token in the Authorization header, one or more a tenant.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", trimmed(base_url)),
        },
    })
}

/// The resources of `/ResourceTypes` (RFC 7643 §6).
pub fn resource_types(base_url: &str) -> Vec<Value> {
    ResourceType::ALL.into_iter().map(|kind| one_resource_type(base_url, kind)).collect()
}

/// `/ResourceTypes/{id}`.
pub fn resource_type(base_url: &str, id: &str) -> Option<Value> {
    let kind = ResourceType::ALL.into_iter().find(|kind| kind.name() == id)?;
    Some(one_resource_type(base_url, kind))
}

fn one_resource_type(base_url: &str, kind: ResourceType) -> Value {
    let core = kind.core();
    let extensions: Vec<Value> = kind
        .extensions()
        .iter()
        .map(|schema| json!({ "schema": schema.id, "required": false }))
        .collect();
    let mut body = json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": kind.name(),
        "name": kind.name(),
        "description": core.description,
        "endpoint": kind.endpoint(),
        "schema": core.id,
    });
    if !extensions.is_empty() {
        body["schemaExtensions"] = extensions.into();
    }
    body["meta"] = json!({
        "resourceType": "ResourceType",
        "location": format!("{}/ResourceTypes/{}", trimmed(base_url), kind.name()),
    });
    body
}

/// The resources of `/Schemas` (RFC 7643 §7).
pub fn schemas(base_url: &str) -> Vec<Value> {
    SCHEMAS.iter().map(|schema| one_schema(base_url, schema)).collect()
}

/// `/Schemas/{urn}`, letter case aside.
pub fn schema(base_url: &str, urn: &str) -> Option<Value> {
    let schema = SCHEMAS.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))?;
    Some(one_schema(base_url, schema))
}

fn one_schema(base_url: &str, schema: &Schema) -> Value {
    json!({
        "schemas": [urn::SCHEMA],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "meta": {
            "resourceType": "Schema",
            "location": format!("{}/Schemas/{}", trimmed(base_url), schema.id),
        },
    })
}

fn attribute(attribute: &Attribute) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("name", attribute.name.into());
    put("type", attribute.kind.as_str().into());
    if attribute.is_complex() {
        put("subAttributes", attribute.sub_attributes.iter().map(self::attribute).collect());
    }
    put("multiValued", attribute.multi_valued.into());
    put("description", attribute.description.into());
    put("required", attribute.required.into());
    put("caseExact", attribute.case_exact.into());
    put("mutability", attribute.mutability.as_str().into());
    put("returned", attribute.returned.as_str().into());
    put("uniqueness", attribute.uniqueness.as_str().into());
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", attribute.canonical_values.iter().copied().collect());
    }
    if !attribute.reference_types.is_empty() {
        put("referenceTypes", attribute.reference_types.iter().copied().collect());
    }
    Value::Object(body)
}

fn trimmed(base_url: &str) -> &str {
    base_url.trim_end_matches('/')
}
