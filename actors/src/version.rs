//! Versions: what stands in `meta.version` and in the `ETag` header (RFC 7644 section 3.14).
//!
//! A resource's version is made of its revision. A user's representation also shows its groups,
//! which change without the user's revision, so their ids and names are hashed into it: a
//! representation that differs has another version.

use std::fmt::Write as _;

use access::GroupId;

/// What a request demands of a resource's version (`If-Match`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// That it exists: `*`.
    Exists,
    /// That it is one of these.
    OneOf(Vec<String>),
}

impl Precondition {
    /// Reads an `If-Match` header.
    pub fn from_header(value: Option<&str>) -> Self {
        match value.map(str::trim) {
            None => Self::None,
            Some("*") => Self::Exists,
            Some(list) => Self::OneOf(list.split(',').map(|tag| tag.trim().to_owned()).collect()),
        }
    }

    /// Whether `version` will do. Compared weakly, as our tags are weak.
    pub fn accepts(&self, version: &str) -> bool {
        match self {
            Self::None | Self::Exists => true,
            Self::OneOf(tags) => tags.iter().any(|tag| same_version(tag, version)),
        }
    }

    /// Whether there is anything to check.
    pub fn is_some(&self) -> bool {
        matches!(self, Self::OneOf(_))
    }
}

/// Whether two entity tags are the same in a weak comparison (RFC 9110 section 8.8.3.2).
pub fn same_version(one: &str, other: &str) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    opaque(one) == opaque(other)
}

/// A group's version.
pub fn of_group(revision: u64) -> String {
    format!("W/\"{revision}\"")
}

/// Bytes of a version, at most.
const VERSION_BYTES_MAX: usize = "W/\"18446744073709551615-0123456789abcdef\"".len();

/// A user's version, from its revision and its groups with their names.
pub fn of_user(revision: u64, groups: &[(GroupId, String)]) -> String {
    let mut version = String::with_capacity(VERSION_BYTES_MAX);
    // Writing to a String cannot fail.
    let _ = write!(version, "W/\"{revision}");
    if !groups.is_empty() {
        let mut hash = Fnv::default();
        for (group, name) in groups {
            hash.add(group.as_bytes());
            hash.add(name.as_bytes());
            hash.add(&[0]);
        }
        let _ = write!(version, "-{:016x}", hash.0);
    }
    version.push('"');
    version
}

/// FNV-1a: stable over releases, which the standard library's hasher is not.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_changes_with_the_groups_that_are_shown() {
        let group = |n: u8, name: &str| (GroupId::from_bytes([n; 16]), name.to_owned());
        let none = of_user(3, &[]);
        assert_eq!(none, "W/\"3\"");
        let staff = of_user(3, &[group(1, "Staff")]);
        assert_ne!(staff, none);
        assert_ne!(staff, of_user(3, &[group(1, "Renamed")]));
        assert_ne!(staff, of_user(3, &[group(1, "Staff"), group(2, "IT")]));
    }

    #[test]
    fn if_match_compares_weakly_and_takes_a_list() {
        let wants = Precondition::from_header(Some("\"2\", W/\"3\""));
        assert!(wants.accepts("W/\"3\"") && wants.accepts("W/\"2\""));
        assert!(!wants.accepts("W/\"33\""));
        assert!(Precondition::from_header(Some("*")).accepts("W/\"1\""));
        assert!(Precondition::from_header(None).accepts("W/\"1\""));
    }
}
