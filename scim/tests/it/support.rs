//! Helpers: resources and PATCH bodies from JSON.

use scim::{
    error::{Error, ScimType},
    patch::{MembershipOperation, Patch},
    resource::{self, Member, Replacement, Resource},
    schema::ResourceType,
};
use serde_json::{Map, Value, json};

pub(crate) const ENTERPRISE: &str = scim::urn::ENTERPRISE_USER;

/// A user with these attributes and, if there is none, a `userName`.
pub(crate) fn user(body: Value) -> Resource {
    let mut object = json!({ "userName": "ada@example.com" });
    if let Value::Object(body) = body {
        object.as_object_mut().unwrap().extend(body);
    }
    resource::create(ResourceType::User, "u1", object).unwrap().resource
}

/// A group.
pub(crate) fn group() -> Resource {
    let body = json!({ "displayName": "Tools", "externalId": "e1" });
    resource::create(ResourceType::Group, "g1", body).unwrap().resource
}

/// The resource after a PUT of this body, and its members if the body speaks of them.
pub(crate) fn replace(
    current: &Resource,
    body: Value,
) -> Result<(Resource, Option<Vec<Member>>), Error> {
    Replacement::read(current.resource_type(), current.id(), body)?.apply(current)
}

/// The attributes of a resource without `schemas`, `id` and `userName`.
pub(crate) fn rest(resource: &Resource) -> Value {
    let mut object: Map<String, Value> = resource.attributes().clone();
    for key in ["schemas", "id", "userName"] {
        object.remove(key);
    }
    Value::Object(object)
}

pub(crate) fn try_patch(resource: &Resource, operations: &Value) -> Result<Resource, Error> {
    let body = json!({ "schemas": [scim::urn::PATCH_OP], "Operations": operations });
    let patch = Patch::compile(resource.resource_type(), body)?;
    patch.apply(resource).map(|patched| patched.resource)
}

/// The resource after these operations.
pub(crate) fn patch(resource: &Resource, operations: &Value) -> Resource {
    try_patch(resource, operations).unwrap_or_else(|error| panic!("{error}: {operations}"))
}

/// The attributes after these operations, as [`rest`] gives them.
pub(crate) fn patched(before: Value, operations: &Value) -> Value {
    rest(&patch(&user(before), operations))
}

/// The keyword of the refusal of these operations.
pub(crate) fn refused(resource: &Resource, operations: &Value) -> ScimType {
    match try_patch(resource, operations) {
        Ok(resource) => panic!("accepted {operations}: {:?}", resource.attributes()),
        Err(error) => {
            assert_eq!(error.status, 400, "{error}");
            error.scim_type.unwrap()
        }
    }
}

/// What one operation does to the members of a group.
pub(crate) fn members(operation: &Value) -> Vec<MembershipOperation> {
    let body = json!({ "Operations": [operation] });
    let group = group();
    let patched = Patch::compile(ResourceType::Group, body)
        .and_then(|patch| patch.apply(&group))
        .unwrap_or_else(|error| panic!("{error}: {operation}"));
    assert_eq!(patched.resource, group, "the document is not touched");
    patched.members
}
