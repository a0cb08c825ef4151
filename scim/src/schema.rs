//! Schemas and attribute characteristics (RFC 7643 §2.2, §7, §8.7).
//!
//! The tables of [`tables`] are the only list of what a resource may hold: bodies,
//! paths, filters, projection and discovery all read them. Names are found without regard to case
//! (RFC 7643 §2.1). `password` has no entry: it is accepted and dropped, so nothing can return it.
//!
//! Not here: values (see `values`), paths with filters (see [`crate::path`]), the JSON of
//! `/Schemas` (see [`crate::discovery`]).

mod tables;

pub use self::tables::{COMMON, ENTERPRISE_USER, GROUP, USER};
use crate::urn;

/// The resource types that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// A user.
    User,
    /// A group.
    Group,
}

impl ResourceType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The value of `meta.resourceType`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The endpoint, relative to the base URL.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The resource type of the path segment `Users` or `Groups`, exactly.
    pub fn from_endpoint(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.endpoint().strip_prefix('/') == Some(segment))
    }

    /// The core schema.
    pub fn core(self) -> &'static Schema {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// The extensions that we have a schema for.
    pub fn extensions(self) -> &'static [&'static Schema] {
        static OF_USER: [&Schema; 1] = [&ENTERPRISE_USER];
        match self {
            Self::User => &OF_USER,
            Self::Group => &[],
        }
    }

    /// The extension with this URN, letter case aside.
    pub fn extension(self, urn: &str) -> Option<&'static Schema> {
        self.extensions().iter().copied().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// A common or core attribute by name, letter case aside.
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        find(COMMON, name).or_else(|| self.core().attribute(name))
    }
}

/// The data types of RFC 7643 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// §2.3.1
    String,
    /// §2.3.2
    Boolean,
    /// §2.3.3
    Decimal,
    /// §2.3.4
    Integer,
    /// §2.3.5
    DateTime,
    /// §2.3.6
    Binary,
    /// §2.3.7
    Reference,
    /// §2.3.8
    Complex,
}

impl AttributeType {
    /// The name in a schema definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may change an attribute (RFC 7643 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// The service provider alone.
    ReadOnly,
    /// The client too.
    ReadWrite,
    /// The client, once.
    Immutable,
}

impl Mutability {
    /// The name in a schema definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
        }
    }
}

/// When an attribute is returned (RFC 7643 §2.2). `never` and `request` are not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Whatever the client asks for.
    Always,
    /// Unless the client asks otherwise.
    Default,
}

impl Returned {
    /// The name in a schema definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Default => "default",
        }
    }
}

/// Whether a value may stand twice (RFC 7643 §2.2). `global` is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// It may.
    None,
    /// Not within one service provider, which here is one tenant.
    Server,
}

impl Uniqueness {
    /// The name in a schema definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
        }
    }
}

/// One attribute and all its characteristics (RFC 7643 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name, in its canonical case.
    pub name: &'static str,
    /// The data type.
    pub kind: AttributeType,
    /// More than one value.
    pub multi_valued: bool,
    /// What it is, for a human.
    pub description: &'static str,
    /// Has to have a value.
    pub required: bool,
    /// Values differ when their letter case does.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// Whether a value may stand twice.
    pub uniqueness: Uniqueness,
    /// Suggested values; others are accepted.
    pub canonical_values: &'static [&'static str],
    /// What a reference may point to.
    pub reference_types: &'static [&'static str],
    /// The sub-attributes of a complex attribute.
    pub sub_attributes: &'static [Attribute],
}

impl Attribute {
    /// A sub-attribute by name, letter case aside.
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }

    /// The sub-attribute that stands for the whole where a single value is expected.
    pub fn value_attribute(&self) -> Option<&'static Attribute> {
        self.sub_attribute("value")
    }

    /// Whether the values are objects.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }
}

/// A schema (RFC 7643 §7).
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: &'static str,
    /// The short name.
    pub name: &'static str,
    /// What it describes, for a human.
    pub description: &'static str,
    /// Its attributes, the common ones aside.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// An attribute by name, letter case aside.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }
}

/// An attribute by name, letter case aside (RFC 7643 §2.1).
pub fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Where an attribute stands in a resource: at the top, or within an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) extension: Option<&'static Schema>,
    pub(crate) attribute: &'static Attribute,
}

impl Place {
    /// Under which name a resource keeps what the attribute is in.
    pub(crate) fn kept_under(&self) -> &'static str {
        self.extension.map_or(self.attribute.name, |schema| schema.id)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = self.extension {
            write!(formatter, "{}:", schema.id)?;
        }
        formatter.write_str(self.attribute.name)
    }
}

/// What an attribute name without a filter refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// An attribute, or one of its sub-attributes.
    Attribute(Place, Option<&'static Attribute>),
    /// The core schema itself.
    Core,
    /// A whole extension.
    Extension(&'static Schema),
    /// `password`, which is accepted and never kept.
    Password,
    /// Something in an extension that we have no schema for.
    Foreign(String),
}

/// Finds what `name` refers to: `attribute[.sub]`, with or without the URN of its schema before
/// it (RFC 7644 §3.10). An unqualified name that the core schema lacks is looked for in the
/// extensions, as Entra sends `manager` and `department` bare. The error is a detail text.
pub(crate) fn resolve(resource_type: ResourceType, name: &str) -> Result<Named, String> {
    let unknown = || format!("{name:?} is not an attribute of a {}", resource_type.name());
    if urn::has_prefix(name, "urn:") {
        let core = resource_type.core();
        if core.id.eq_ignore_ascii_case(name) {
            return Ok(Named::Core);
        }
        if let Some(rest) = urn::strip_known(name, core.id) {
            return resolve_in(resource_type, None, rest).ok_or_else(unknown);
        }
        for &extension in resource_type.extensions() {
            if extension.id.eq_ignore_ascii_case(name) {
                return Ok(Named::Extension(extension));
            }
            if let Some(rest) = urn::strip_known(name, extension.id) {
                return resolve_in(resource_type, Some(extension), rest).ok_or_else(unknown);
            }
        }
        if !urn::is_foreign(name) {
            return Err(unknown());
        }
        return Ok(Named::Foreign(name.to_owned()));
    }
    resolve_in(resource_type, None, name)
        .or_else(|| {
            let mut extensions = resource_type.extensions().iter();
            extensions.find_map(|extension| resolve_in(resource_type, Some(extension), name))
        })
        .ok_or_else(unknown)
}

/// Finds `attribute[.sub]` in the core schema, or in the given extension.
fn resolve_in(
    resource_type: ResourceType,
    extension: Option<&'static Schema>,
    name: &str,
) -> Option<Named> {
    let (head, sub) = match name.split_once('.') {
        Some((head, sub)) => (head, Some(sub)),
        None => (name, None),
    };
    let attribute = match extension {
        Some(schema) => schema.attribute(head),
        None => resource_type.attribute(head),
    };
    let Some(attribute) = attribute else {
        let is_password = resource_type == ResourceType::User
            && extension.is_none()
            && name.eq_ignore_ascii_case("password");
        return is_password.then_some(Named::Password);
    };
    let sub = match sub {
        Some(sub) => Some(attribute.sub_attribute(sub)?),
        None => None,
    };
    Some(Named::Attribute(Place { extension, attribute }, sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        match resolve(ResourceType::User, name) {
            Ok(Named::Attribute(place, Some(sub))) => format!("{place}.{}", sub.name),
            Ok(Named::Attribute(place, None)) => place.to_string(),
            Ok(other) => format!("{other:?}").chars().take(8).collect(),
            Err(_) => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_name_is_found_in_any_case_with_or_without_its_schema() {
        let enterprise = |name: &str| format!("{}:{name}", urn::ENTERPRISE_USER);
        for (name, found) in [
            ("USERNAME", "userName".to_owned()),
            ("emails.Value", "emails.value".to_owned()),
            ("urn:ietf:params:scim:schemas:core:2.0:user:name.givenname", "name.givenName".into()),
            ("manager", enterprise("manager")),
            ("manager.value", enterprise("manager.value")),
            (&enterprise("DEPARTMENT"), enterprise("department")),
            (&format!("{}.division", urn::ENTERPRISE_USER), enterprise("division")),
            ("password", "Password".to_owned()),
            ("urn:example:x:1.0:User:tag", "Foreign(".to_owned()),
        ] {
            assert_eq!(named(name), found, "{name}");
        }
    }

    #[test]
    fn what_no_schema_names_is_unknown() {
        for name in [
            "",
            ".",
            "userName.",
            "name.nope",
            "userName.x",
            "__proto__",
            "tenantId",
            "emails.value.x",
            "urn:",
            "urn:ietf:params:scim:schemas:core:2.0:Group:members",
            "urn:ietf:params:scim:schemas:core:2.0:User:nope",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:nope",
            "urn:ietf:params:scim:api:messages:2.0:PatchOp",
        ] {
            assert_eq!(named(name), "unknown", "{name}");
        }
    }
}
