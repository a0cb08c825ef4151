//! The rows of Entra's default attribute mapping (Microsoft, *Develop and plan provisioning for a
//! SCIM endpoint*), and what is missed where one is not sent.

use scim::schema::ResourceType;

use super::Severity;

/// A row of the mapping.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) resource_type: ResourceType,
    /// The attribute in Entra.
    pub(super) entra: &'static str,
    /// The attribute in SCIM, as Entra's mapping page has it.
    pub(super) scim: &'static str,
    /// The same as bodies name it; see [`super::sent`].
    pub(super) names: &'static [&'static str],
    pub(super) severity: Severity,
    /// What is missed where it is not sent.
    pub(super) breaks: &'static str,
}

impl Row {
    /// Whether every whole resource has it where the row is there. Entra makes a group without
    /// its members and adds them afterwards.
    pub(super) fn is_in_each(&self) -> bool {
        self.severity == Severity::Must && self.scim != MEMBERS
    }
}

const fn user(
    entra: &'static str,
    scim: &'static str,
    names: &'static [&'static str],
    severity: Severity,
    breaks: &'static str,
) -> Row {
    Row { resource_type: ResourceType::User, entra, scim, names, severity, breaks }
}

const fn group(
    entra: &'static str,
    scim: &'static str,
    names: &'static [&'static str],
    severity: Severity,
    breaks: &'static str,
) -> Row {
    Row { resource_type: ResourceType::Group, entra, scim, names, severity, breaks }
}

macro_rules! enterprise {
    ($name:literal) => {
        concat!("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:", $name)
    };
}

macro_rules! enterprise_shown {
    ($name:literal) => {
        concat!("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:", $name)
    };
}

/// The members of a group.
pub(super) const MEMBERS: &str = "members";

/// What is missed without a row that nothing depends on.
pub const NOTHING_HERE: &str = "Nothing here needs it.";

pub(super) const ROWS: &[Row] = &[
    user(
        "Switch([IsSoftDeleted], , \"False\", \"True\", \"True\", \"False\")",
        "active",
        &["active"],
        Severity::Must,
        "Users who are disabled in Entra, or no longer assigned, will not be noticed: they keep \
         their access.",
    ),
    user(
        "userPrincipalName",
        "userName",
        &["username"],
        Severity::Must,
        "No user can be made: SCIM asks for a userName.",
    ),
    user(
        "mailNickname",
        "externalId",
        &["externalid"],
        Severity::Should,
        "A user whose name changes, or who is made again, cannot be told from another, and \
         equipment and group members cannot be found by Entra's own id. Map objectId or \
         mailNickname to it.",
    ),
    user(
        "displayName",
        "displayName",
        &["displayname"],
        Severity::Should,
        "Accounts are shown by their given and family name, or by their userName.",
    ),
    user(
        "givenName",
        "name.givenName",
        &["name.givenname"],
        Severity::Optional,
        "The app gets no given names.",
    ),
    user(
        "surname",
        "name.familyName",
        &["name.familyname"],
        Severity::Optional,
        "The app gets no family names.",
    ),
    user(
        "mail",
        "emails[type eq \"work\"].value",
        &["emails[work].value", "emails[].value"],
        Severity::Should,
        "Accounts have no e-mail address, and holders of equipment are not found by theirs.",
    ),
    user(
        "manager",
        enterprise_shown!("manager"),
        &[enterprise!("manager"), "manager"],
        Severity::Should,
        "Reports of equipment that was not returned cannot name the manager.",
    ),
    user(
        "department",
        enterprise_shown!("department"),
        &[enterprise!("department"), "department"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "employeeId",
        enterprise_shown!("employeeNumber"),
        &[enterprise!("employeenumber"), "employeenumber"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user("jobTitle", "title", &["title"], Severity::Optional, NOTHING_HERE),
    user(
        "preferredLanguage",
        "preferredLanguage",
        &["preferredlanguage"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "proxyAddresses",
        "emails[type eq \"other\"].value",
        &["emails[other].value"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "telephoneNumber",
        "phoneNumbers[type eq \"work\"].value",
        &["phonenumbers[work].value"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "mobile",
        "phoneNumbers[type eq \"mobile\"].value",
        &["phonenumbers[mobile].value"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "facsimileTelephoneNumber",
        "phoneNumbers[type eq \"fax\"].value",
        &["phonenumbers[fax].value"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "streetAddress",
        "addresses[type eq \"work\"].streetAddress",
        &["addresses[work].streetaddress"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "postalCode",
        "addresses[type eq \"work\"].postalCode",
        &["addresses[work].postalcode"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "city",
        "addresses[type eq \"work\"].locality",
        &["addresses[work].locality"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "state",
        "addresses[type eq \"work\"].region",
        &["addresses[work].region"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "country",
        "addresses[type eq \"work\"].country",
        &["addresses[work].country"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    user(
        "physicalDeliveryOfficeName",
        "addresses[type eq \"other\"].formatted",
        &["addresses[other].formatted", "addresses[work].formatted"],
        Severity::Optional,
        NOTHING_HERE,
    ),
    group(
        "displayName",
        "displayName",
        &["displayname"],
        Severity::Must,
        "No group can be made: SCIM asks for a displayName, and role mappings find groups by it.",
    ),
    group(
        "members",
        MEMBERS,
        &[MEMBERS],
        Severity::Must,
        "Nobody is in any group, so no role mapping matches and everybody has the default role. \
         Or nobody is in these groups.",
    ),
    group(
        "objectId",
        "externalId",
        &["externalid"],
        Severity::Should,
        "A group that is made again cannot be told from another of its name.",
    ),
];
