//! What a directory sends, as bytes: bodies as Entra writes them, so that no time of the load goes into
//! making trees of them.

/// The name of the user with this number.
pub(crate) fn user_name(number: usize) -> String {
    format!("user-{number:08}@example.com")
}

/// A user as Entra sends one with its default mapping: about a kilobyte.
pub(crate) fn user(number: usize) -> Vec<u8> {
    let name = user_name(number);
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"entra-{number:08}","userName":"{name}","active":true,"displayName":"User Number {number}","title":"Able Seaman","preferredLanguage":"en-GB","emails":[{{"primary":true,"type":"work","value":"{name}"}}],"meta":{{"resourceType":"User"}},"name":{{"formatted":"User Number {number}","familyName":"Number {number}","givenName":"User"}},"addresses":[{{"primary":true,"type":"work","formatted":"1 Quay Street, Bristol","streetAddress":"1 Quay Street","locality":"Bristol","region":"Avon","postalCode":"BS1 4RW","country":"GB"}}],"phoneNumbers":[{{"primary":true,"type":"work","value":"+44 117 496 0000"}},{{"type":"mobile","value":"+44 7700 900000"}},{{"type":"fax","value":"+44 117 496 0001"}}],"roles":[],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{number}","department":"Deck Department"}}}}"#
    )
    .into_bytes()
}

/// A change of one attribute, in Entra's dialect.
pub(crate) fn new_title(title: &str) -> Vec<u8> {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"Replace","path":"title","value":"{title}"}}]}}"#
    )
    .into_bytes()
}
