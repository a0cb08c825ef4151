//! The attributes of a user that are provisioned: Entra's default mapping.
//!
//! Each says where it stands in a resource, and by which path Entra changes it. The manager is no
//! attribute in this sense: it is a reference, written later.

use std::borrow::Cow;

use serde_json::Value;

/// The schema of the Enterprise extension (RFC 7643 section 4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// An attribute of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are RFC 7643's own names")]
pub enum Attribute {
    UserName,
    ExternalId,
    DisplayName,
    GivenName,
    FamilyName,
    FormattedName,
    WorkEmail,
    Title,
    PreferredLanguage,
    Department,
    EmployeeNumber,
    WorkPhone,
    MobilePhone,
    Locality,
    Country,
}

/// Where an attribute stands in a resource.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// At the top.
    Top(&'static str),
    /// Below `name`.
    Name(&'static str),
    /// In the Enterprise extension.
    Enterprise(&'static str),
    /// In the element of a multi-valued attribute that has a type: attribute, type, sub-attribute.
    Typed(&'static str, &'static str, &'static str),
}

impl Attribute {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 15] = [
        Self::UserName,
        Self::ExternalId,
        Self::DisplayName,
        Self::GivenName,
        Self::FamilyName,
        Self::FormattedName,
        Self::WorkEmail,
        Self::Title,
        Self::PreferredLanguage,
        Self::Department,
        Self::EmployeeNumber,
        Self::WorkPhone,
        Self::MobilePhone,
        Self::Locality,
        Self::Country,
    ];

    /// Where it stands.
    pub const fn place(self) -> Place {
        match self {
            Self::UserName => Place::Top("userName"),
            Self::ExternalId => Place::Top("externalId"),
            Self::DisplayName => Place::Top("displayName"),
            Self::GivenName => Place::Name("givenName"),
            Self::FamilyName => Place::Name("familyName"),
            Self::FormattedName => Place::Name("formatted"),
            Self::WorkEmail => Place::Typed("emails", "work", "value"),
            Self::Title => Place::Top("title"),
            Self::PreferredLanguage => Place::Top("preferredLanguage"),
            Self::Department => Place::Enterprise("department"),
            Self::EmployeeNumber => Place::Enterprise("employeeNumber"),
            Self::WorkPhone => Place::Typed("phoneNumbers", "work", "value"),
            Self::MobilePhone => Place::Typed("phoneNumbers", "mobile", "value"),
            Self::Locality => Place::Typed("addresses", "work", "locality"),
            Self::Country => Place::Typed("addresses", "work", "country"),
        }
    }

    /// The path by which a PATCH names it.
    pub fn path(self) -> Cow<'static, str> {
        match self.place() {
            Place::Top(name) => Cow::Borrowed(name),
            Place::Name(name) => Cow::Owned(format!("name.{name}")),
            Place::Enterprise(name) => Cow::Owned(format!("{ENTERPRISE}:{name}")),
            Place::Typed(attribute, kind, sub) => {
                Cow::Owned(format!("{attribute}[type eq \"{kind}\"].{sub}"))
            }
        }
    }

    /// Its value in a resource, if it has one that is a string.
    pub fn read(self, resource: &Value) -> Option<&str> {
        let value = match self.place() {
            Place::Top(name) => resource.get(name),
            Place::Name(name) => resource.get("name")?.get(name),
            Place::Enterprise(name) => resource.get(ENTERPRISE)?.get(name),
            Place::Typed(attribute, kind, sub) => {
                let elements = resource.get(attribute)?.as_array()?;
                let of_kind =
                    |element: &&Value| element.get("type").and_then(Value::as_str) == Some(kind);
                elements.iter().find(of_kind)?.get(sub)
            }
        };
        value?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_attribute_has_its_own_path() {
        let mut paths: Vec<_> = Attribute::ALL.iter().map(|attribute| attribute.path()).collect();

        paths.sort();
        paths.dedup();

        assert_eq!(paths.len(), Attribute::COUNT);
    }

    #[test]
    fn attributes_stand_at_the_index_that_is_their_number() {
        for (position, attribute) in Attribute::ALL.into_iter().enumerate() {
            assert_eq!(attribute as usize, position);
        }
    }

    #[test]
    fn an_attribute_is_read_where_it_stands() {
        let resource = json!({
            "name": {"givenName": "Ada"},
            "phoneNumbers": [{"type": "work", "value": "1"}, {"type": "mobile", "value": "2"}],
            ENTERPRISE: {"department": "IT"},
        });

        assert_eq!(Attribute::GivenName.read(&resource), Some("Ada"));
        assert_eq!(Attribute::MobilePhone.read(&resource), Some("2"));
        assert_eq!(Attribute::Department.read(&resource), Some("IT"));
        assert_eq!(Attribute::Title.read(&resource), None);
    }
}
