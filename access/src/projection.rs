//! The projection: what an account takes over from its SCIM user.

use std::collections::BTreeMap;

use scim::path::AttributePath;
use scim::schema::ResourceType;
use scim::stored::AttributeNames;
use serde_json::{Map, Value};

use crate::settings::Settings;

/// What the vendor's app sees of a user's attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// `userName`, as sent.
    pub user_name: String,
    /// `externalId`, as sent.
    pub external_id: Option<String>,
    /// `displayName`, else `name.formatted`, else given and family name, else `userName`.
    pub display_name: String,
    /// The primary address, else the first of type `work`, else the first.
    pub email: Option<String>,
    /// The attributes that `field_mappings` names; one that the user lacks is left out.
    pub fields: BTreeMap<String, Value>,
}

/// What else a profile is made of than mapped fields.
const ALWAYS_READ: [&str; 5] = ["userName", "externalId", "displayName", "name", "emails"];

/// A tenant's field mappings, read once.
#[derive(Debug, Clone)]
pub struct FieldPaths {
    paths: Vec<(String, AttributePath)>,
    reads: AttributeNames,
}

impl FieldPaths {
    /// The field mappings of settings that were validated.
    pub fn new(settings: &Settings) -> Self {
        let read = |(field, path): (&String, &String)| {
            let path = AttributePath::parse(ResourceType::User, path).ok()?;
            Some((field.clone(), path))
        };
        let paths: Vec<_> = settings.field_mappings.iter().filter_map(read).collect();
        let always = AttributeNames::of(ALWAYS_READ);
        let reads = paths.iter().fold(always, |all, (_, path)| all.and(&path.kept_under()));
        Self { paths, reads }
    }

    /// The attributes that a profile is made of.
    pub fn reads(&self) -> &AttributeNames {
        &self.reads
    }
}

impl Profile {
    /// The profile of a user with these attributes: all, or those that [`FieldPaths::reads`] names.
    pub fn of(attributes: &Map<String, Value>, fields: &FieldPaths) -> Self {
        let text = |name| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let user_name = text("userName").unwrap_or_default();
        let fields = fields.paths.iter().filter_map(|(field, path)| {
            let value = path.select(attributes).into_iter().find(|value| !value.is_null())?;
            Some((field.clone(), value.clone()))
        });
        Self {
            external_id: text("externalId"),
            display_name: display_name(attributes).unwrap_or_else(|| user_name.clone()),
            email: email(attributes),
            fields: fields.collect(),
            user_name,
        }
    }
}

fn display_name(attributes: &Map<String, Value>) -> Option<String> {
    let text = |value: Option<&Value>| {
        value.and_then(Value::as_str).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    };
    let name = attributes.get("name");
    let part = |key: &str| text(name.and_then(|name| name.get(key)));
    text(attributes.get("displayName")).or_else(|| part("formatted")).or_else(|| {
        let parts: Vec<String> =
            [part("givenName"), part("familyName")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

fn email(attributes: &Map<String, Value>) -> Option<String> {
    let emails = attributes.get("emails")?.as_array()?;
    let address = |email: &Value| email.get("value").and_then(Value::as_str).map(str::to_owned);
    let is_primary = |email: &&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
    let is_work = |email: &&Value| {
        let kind = email.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    let with_address = || emails.iter().filter(|email| address(email).is_some());
    let chosen = with_address()
        .find(is_primary)
        .or_else(|| with_address().find(is_work))
        .or_else(|| with_address().next());
    chosen.and_then(address)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(body: &Value) -> Profile {
        let created = scim::resource::create(ResourceType::User, "id", body.clone()).unwrap();
        Profile::of(created.resource.attributes(), &FieldPaths::new(&Settings::default()))
    }

    #[test]
    fn the_email_is_the_primary_then_the_work_then_the_first_one() {
        let email =
            |emails: Value| profile(&json!({"userName": "a", "emails": emails})).email.unwrap();
        let home = json!({"type": "home", "value": "home@x"});
        let work = json!({"type": "Work", "value": "work@x"});
        let primary = json!({"type": "other", "value": "primary@x", "primary": true});
        assert_eq!(email(json!([home, work, primary])), "primary@x");
        assert_eq!(email(json!([home, work])), "work@x");
        assert_eq!(email(json!([home])), "home@x");
        assert_eq!(profile(&json!({"userName": "a"})).email, None);
    }

    #[test]
    fn a_user_without_display_name_is_shown_by_its_name_or_user_name() {
        let name = json!({"givenName": "Ada", "familyName": "Lovelace"});
        assert_eq!(profile(&json!({"userName": "a", "name": name})).display_name, "Ada Lovelace");
        assert_eq!(profile(&json!({"userName": "a"})).display_name, "a");
        let both = json!({"userName": "a", "displayName": "Ada", "name": name});
        assert_eq!(profile(&both).display_name, "Ada");
    }

    /// Where a change is decided, nothing else of the user is read.
    #[test]
    fn what_a_profile_reads_is_all_it_takes() {
        let mappings = [
            ("department", format!("{}:department", scim::urn::ENTERPRISE_USER)),
            ("phone", "phoneNumbers[type eq \"work\"].value".to_owned()),
            ("given", "name.givenName".to_owned()),
        ];
        let foreign = ("badge", "urn:example:badges:number".to_owned());
        let body = json!({
            "userName": "ada", "externalId": "1", "title": "Mate", "active": true,
            "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"value": "home@x"}, {"type": "work", "value": "work@x"}],
            "phoneNumbers": [{"type": "work", "value": "1"}],
            "urn:example:badges": {"number": "7"},
            (scim::urn::ENTERPRISE_USER): {"department": "IT"},
        });
        let user = scim::resource::create(ResourceType::User, "id", body).unwrap().resource;
        let bytes = user.to_bytes();
        let stored = scim::stored::Stored::read(ResourceType::User, &bytes).unwrap();
        for more in [None, Some(foreign)] {
            let mut settings = Settings::default();
            let all = mappings.iter().cloned().chain(more);
            settings.field_mappings = all.map(|(field, path)| (field.to_owned(), path)).collect();
            let fields = FieldPaths::new(&settings);

            let of_all = Profile::of(user.attributes(), &fields);
            let excerpt = stored.excerpt(fields.reads()).unwrap();
            assert_eq!(Profile::of(&excerpt, &fields), of_all);
            assert_eq!(of_all.fields.len(), settings.field_mappings.len());
        }
    }

    #[test]
    fn mapped_fields_are_taken_by_attribute_path() {
        let enterprise = json!({"department": "IT"});
        let body = json!({"userName": "a", (scim::urn::ENTERPRISE_USER): enterprise});
        assert_eq!(profile(&body).fields, BTreeMap::from([("department".into(), json!("IT"))]));
        assert!(profile(&json!({"userName": "a"})).fields.is_empty());
    }
}
