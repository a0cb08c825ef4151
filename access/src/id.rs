//! The names of things, as types that cannot be mixed up.
//!
//! An identifier from the client (`externalId`, a userName) is never one of these: there is no
//! conversion from one to the other, so a client cannot name its way into another resource.
//! Identifiers that we give are UUIDs of version 7: time-ordered, so that new rows land beside
//! each other on disk, and unguessable enough in their last 74 bits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes of an identifier's text.
pub const ID_BYTES: usize = uuid::fmt::Hyphenated::LENGTH;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh identifier, made at `now`.
            pub fn new(now: jiff::Timestamp) -> Self {
                let millisecond = u64::try_from(now.as_millisecond()).unwrap_or_default();
                let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
                let seconds = millisecond / 1_000;
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
            }

            /// The identifier with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The text of the identifier, in a buffer of its length.
            pub fn encode<'a>(&self, buffer: &'a mut [u8; ID_BYTES]) -> &'a str {
                self.0.as_hyphenated().encode_lower(buffer)
            }

            /// The 16 bytes, in an order that sorts by age.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the canonical form only: 36 lower-case characters with hyphens. Another
            /// spelling of the same number is not the identifier that was given out.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                let canonical = uuid.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
                if canonical { Ok(Self(uuid)) } else { Err(InvalidId) }
            }
        }
    };
}

uuid_id! {
    /// A SCIM user's `id`, and the id of its account.
    UserId
}
uuid_id! {
    /// A SCIM group's `id`.
    GroupId
}
uuid_id! {
    /// One sync wave of one tenant.
    WaveId
}
uuid_id! {
    /// One HTTP request: what `x-request-id` answers and logs hold.
    RequestId
}
uuid_id! {
    /// A mass change that waits for an operator.
    HoldId
}
uuid_id! {
    /// A receiver of a tenant's events.
    WebhookId
}
uuid_id! {
    /// The public half of a SCIM token: finds its record, and is no secret.
    TokenId
}

/// A text that is not an identifier of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier given by this service")]
pub struct InvalidId;

/// A tenant's id: 1 to 63 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

/// A text that cannot be a tenant's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id has 1 to 63 characters of a-z, 0-9 and '-'")]
pub struct InvalidTenantId;

impl TenantId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text can be a tenant's id.
    pub fn is_valid(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&text.len()) && text.bytes().all(allowed)
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, InvalidTenantId> {
        if Self::is_valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidTenantId) }
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: String) -> Result<Self, InvalidTenantId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_lower_case_letters_digits_and_hyphens() {
        assert!("acme-2".parse::<TenantId>().is_ok());
        for bad in ["", "Acme", "a b", "ä", "a/b", &"x".repeat(64)] {
            assert_eq!(bad.parse::<TenantId>(), Err(InvalidTenantId), "{bad:?}");
        }
    }

    #[test]
    fn only_the_spelling_that_was_given_out_names_a_user() {
        let id = UserId::new(jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<UserId>().is_err());
        assert!(id.to_string().replace('-', "").parse::<UserId>().is_err());
    }

    #[test]
    fn later_identifiers_sort_after_earlier_ones() {
        let early = UserId::new(jiff::Timestamp::from_millisecond(1_000).unwrap());
        let late = UserId::new(jiff::Timestamp::from_millisecond(1_001).unwrap());
        assert!(early < late);
    }
}
