//! The schemas themselves: RFC 7643 §3.1, §4.1, §4.2, §4.3, with the characteristics of §8.7.
//!
//! Three differences, each forced: `Group.displayName` is required and unique (Entra needs the
//! 409); `members.value` is `caseExact`, because it holds an `id`, which is; `addresses` has
//! `primary` (RFC 7643 §2.4 gives it to every multi-valued attribute, and Entra sends it).

use super::{Attribute, AttributeType, Mutability, Returned, Schema, Uniqueness};
use crate::urn;

const fn attribute(
    name: &'static str,
    kind: AttributeType,
    description: &'static str,
) -> Attribute {
    Attribute {
        name,
        kind,
        multi_valued: false,
        description,
        required: false,
        case_exact: false,
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        canonical_values: &[],
        reference_types: &[],
        sub_attributes: &[],
    }
}

const fn string(name: &'static str, description: &'static str) -> Attribute {
    attribute(name, AttributeType::String, description)
}

const fn reference(
    name: &'static str,
    types: &'static [&'static str],
    description: &'static str,
) -> Attribute {
    let mut reference = attribute(name, AttributeType::Reference, description);
    reference.reference_types = types;
    reference.case_exact = true;
    reference
}

const fn complex(
    name: &'static str,
    sub_attributes: &'static [Attribute],
    description: &'static str,
) -> Attribute {
    let mut complex = attribute(name, AttributeType::Complex, description);
    complex.sub_attributes = sub_attributes;
    complex
}

const fn multi(
    name: &'static str,
    sub_attributes: &'static [Attribute],
    description: &'static str,
) -> Attribute {
    let mut multi = complex(name, sub_attributes, description);
    multi.multi_valued = true;
    multi
}

impl Attribute {
    const fn required_and_unique(mut self) -> Self {
        self.required = true;
        self.uniqueness = Uniqueness::Server;
        self
    }

    const fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    const fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        self
    }

    const fn read_only(self) -> Self {
        self.mutability(Mutability::ReadOnly)
    }

    const fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    const fn suggests(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }
}

const DISPLAY: Attribute = string("display", "A name for the value, for display.");
const TYPE: Attribute = string("type", "A label for the kind of value, such as \"work\".");
const PRIMARY: Attribute = attribute(
    "primary",
    AttributeType::Boolean,
    "Whether this is the preferred value; true at most once.",
);

/// The attributes of every resource (RFC 7643 §3, §3.1). They belong to no schema.
pub static COMMON: &[Attribute] = &[
    {
        let mut schemas = string("schemas", "The schemas of the attributes that are present.")
            .read_only()
            .always();
        schemas.multi_valued = true;
        schemas
    },
    {
        let mut id = string("id", "The identifier, given by the service provider.")
            .exact()
            .read_only()
            .always();
        id.uniqueness = Uniqueness::Server;
        id
    },
    string("externalId", "The client's identifier of the resource.").exact(),
    complex(
        "meta",
        &[
            string("resourceType", "The name of the resource type.").exact().read_only(),
            attribute("created", AttributeType::DateTime, "When it was created.").read_only(),
            attribute("lastModified", AttributeType::DateTime, "When it was last changed.")
                .read_only(),
            reference("location", &["uri"], "The URI of the resource.").read_only(),
            string("version", "The version, the same as the ETag.").exact().read_only(),
        ],
        "What the service provider knows about the resource.",
    )
    .read_only(),
];

/// The core schema of a user (RFC 7643 §4.1).
pub static USER: Schema = Schema {
    id: urn::USER,
    name: "User",
    description: "User Account",
    attributes: &[
        string("userName", "The name that the user signs in with, unique without regard to case.")
            .required_and_unique(),
        complex(
            "name",
            &[
                string("formatted", "The full name, formatted for display."),
                string("familyName", "The family name, or last name."),
                string("givenName", "The given name, or first name."),
                string("middleName", "The middle names."),
                string("honorificPrefix", "What stands before the name, such as \"Ms.\"."),
                string("honorificSuffix", "What stands after the name, such as \"III\"."),
            ],
            "The components of the user's name.",
        ),
        string("displayName", "The name of the user, for display."),
        string("nickName", "The casual way to address the user."),
        reference("profileUrl", &["external"], "The URL of the user's online profile."),
        string("title", "The user's title, such as \"Vice President\"."),
        string("userType", "The relationship to the organization, such as \"Contractor\"."),
        string("preferredLanguage", "The preferred written or spoken language."),
        string("locale", "The location for formatting dates, numbers and currency."),
        string("timezone", "The time zone, such as \"America/Los_Angeles\"."),
        attribute("active", AttributeType::Boolean, "Whether the user may sign in."),
        multi(
            "emails",
            &[
                string("value", "The e-mail address."),
                DISPLAY,
                TYPE.suggests(&["work", "home", "other"]),
                PRIMARY,
            ],
            "E-mail addresses.",
        ),
        multi(
            "phoneNumbers",
            &[
                string("value", "The phone number."),
                DISPLAY,
                TYPE.suggests(&["work", "home", "mobile", "fax", "pager", "other"]),
                PRIMARY,
            ],
            "Phone numbers.",
        ),
        multi(
            "ims",
            &[
                string("value", "The instant messaging address."),
                DISPLAY,
                TYPE.suggests(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
                PRIMARY,
            ],
            "Instant messaging addresses.",
        ),
        multi(
            "photos",
            &[
                reference("value", &["external"], "The URL of the photo."),
                DISPLAY,
                TYPE.suggests(&["photo", "thumbnail"]),
                PRIMARY,
            ],
            "URLs of photos.",
        ),
        multi(
            "addresses",
            &[
                string("formatted", "The full address, formatted for display."),
                string("streetAddress", "The street, house number and apartment."),
                string("locality", "The city."),
                string("region", "The state or region."),
                string("postalCode", "The postal code."),
                string("country", "The country."),
                TYPE.suggests(&["work", "home", "other"]),
                PRIMARY,
            ],
            "Postal addresses.",
        ),
        multi(
            "groups",
            &[
                string("value", "The id of the group.").read_only(),
                reference("$ref", &["User", "Group"], "The URI of the group.").read_only(),
                string("display", "The name of the group, for display.").read_only(),
                string("type", "\"direct\" or \"indirect\".")
                    .read_only()
                    .suggests(&["direct", "indirect"]),
            ],
            "The groups that the user is in.",
        )
        .read_only(),
        multi(
            "entitlements",
            &[string("value", "The entitlement."), DISPLAY, TYPE, PRIMARY],
            "What the user is entitled to.",
        ),
        multi(
            "roles",
            &[string("value", "The role."), DISPLAY, TYPE, PRIMARY],
            "The user's roles, as the client names them.",
        ),
        multi(
            "x509Certificates",
            &[
                attribute("value", AttributeType::Binary, "The certificate, DER in base64.")
                    .exact(),
                DISPLAY,
                TYPE,
                PRIMARY,
            ],
            "Certificates issued to the user.",
        ),
    ],
};

/// The enterprise extension of a user (RFC 7643 §4.3).
pub static ENTERPRISE_USER: Schema = Schema {
    id: urn::ENTERPRISE_USER,
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        string("employeeNumber", "The identifier that the organization gave to the user."),
        string("costCenter", "The name of a cost center."),
        string("organization", "The name of an organization."),
        string("division", "The name of a division."),
        string("department", "The name of a department."),
        complex(
            "manager",
            &[
                string("value", "The id of the manager."),
                reference("$ref", &["User"], "The URI of the manager."),
                string("displayName", "The name of the manager, for display.").read_only(),
            ],
            "The user's manager.",
        ),
    ],
};

/// The core schema of a group (RFC 7643 §4.2).
pub static GROUP: Schema = Schema {
    id: urn::GROUP,
    name: "Group",
    description: "Group",
    attributes: &[
        string("displayName", "The name of the group, unique without regard to case.")
            .required_and_unique(),
        multi(
            "members",
            &[
                string("value", "The id of the member.").exact().mutability(Mutability::Immutable),
                reference("$ref", &["User", "Group"], "The URI of the member.")
                    .mutability(Mutability::Immutable),
                string("type", "\"User\" or \"Group\".")
                    .mutability(Mutability::Immutable)
                    .suggests(&["User", "Group"]),
            ],
            "The members of the group.",
        ),
    ],
};
