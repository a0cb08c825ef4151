//! Setup links: an address that opens one tenant's web pages for whoever holds it, until it ends
//! or is revoked.
//!
//! A link's text is `sws_`, the tenant, `.`, a public id that finds the record, `_`, and 256
//! random bits in hex. As with [`crate::token`], only the SHA-256 of the secret is kept,
//! comparison takes the same time whatever differs, and what is not found is compared with a dummy.

use access::{TenantId, TokenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Collection, Document, DocumentKey};
use crate::token::{NoRandomness, public_id, random_hex, same, sha256};

/// A setup link, as kept: its secret only as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLink {
    /// Its public half.
    pub id: TokenId,
    /// What operators call it.
    pub label: String,
    /// SHA-256 of its secret half, 32 bytes.
    pub secret_sha256: [u8; 32],
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it opens nothing, nor do the sessions that it opened.
    pub expires_at: Timestamp,
}

/// A link's parts, from its text.
pub struct PresentedLink {
    tenant: Option<TenantId>,
    id: Option<TokenId>,
    secret_sha256: [u8; 32],
}

impl Document for SetupLink {
    const COLLECTION: Collection = Collection::SetupLinks;

    fn key(&self) -> DocumentKey {
        setup_link_key(self.id)
    }
}

/// Where a link is kept.
pub fn setup_link_key(link: TokenId) -> DocumentKey {
    DocumentKey::id(link.as_bytes())
}

impl SetupLink {
    /// Makes a link: its record, and the text to show once.
    pub fn make(
        tenant: &TenantId,
        label: String,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Self, String), NoRandomness> {
        let (id, secret) = (TokenId::new(now), random_hex()?);
        let public = id.to_string().replace('-', "");
        let text = format!("sws_{tenant}.{public}_{secret}");
        let secret_sha256 = sha256(&secret);
        Ok((Self { id, label, secret_sha256, created_at: now, expires_at }, text))
    }

    /// Whether it opens anything at `now`.
    pub fn counts_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

impl PresentedLink {
    /// Takes a link's text apart. A text that is none gives one that matches nothing.
    pub fn read(text: &str) -> Self {
        let rest = text.strip_prefix("sws_").and_then(|rest| rest.split_once('.'));
        let (tenant, rest) = rest.unwrap_or_default();
        let (public, secret) = rest.split_once('_').unwrap_or_default();
        Self { tenant: tenant.parse().ok(), id: public_id(public), secret_sha256: sha256(secret) }
    }

    /// Whose pages it is for.
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// The id that finds the record.
    pub const fn id(&self) -> Option<TokenId> {
        self.id
    }

    /// Whether this is that link, and it counts at `now`.
    pub fn matches(&self, link: Option<&SetupLink>, now: Timestamp) -> bool {
        let kept = link.map_or(&[0; 32], |link| &link.secret_sha256);
        let same = same(kept, &self.secret_sha256);
        same && link.is_some_and(|link| link.counts_at(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_link_names_its_tenant_and_matches_its_record_until_it_ends() {
        let acme: TenantId = "acme".parse().unwrap();
        let (record, text) = SetupLink::make(&acme, "Ada".into(), at(0), at(100)).unwrap();
        let (other, _) = SetupLink::make(&acme, "Ada".into(), at(0), at(100)).unwrap();

        let presented = PresentedLink::read(&text);

        assert_eq!((presented.tenant(), presented.id()), (Some(&acme), Some(record.id)));
        assert!(presented.matches(Some(&record), at(99)));
        assert!(!presented.matches(Some(&record), at(100)));
        assert!(!presented.matches(Some(&other), at(99)));
        assert!(!presented.matches(None, at(99)));
    }

    #[test]
    fn a_text_that_is_no_link_matches_nothing() {
        for text in ["", "sws_", "sws_acme", "sws_acme._", "sw_acme.00_00", "sws_A B.x_y"] {
            let presented = PresentedLink::read(text);
            assert_eq!(presented.id(), None, "{text}");
            assert!(!presented.matches(None, at(0)), "{text}");
        }
    }
}
