//! OAuth 2.0 clients and their access tokens (RFC 6749 section 4.4), as kept and compared.
//!
//! A client's id is `{tenant}.{uuid}`, so that it finds its tenant without looking through all. An
//! access token is `swa_`, the client's and its own public id, `_`, and 256 random bits in hex. As
//! with [`crate::token`], only the SHA-256 of a secret is kept, comparison takes the same time
//! whatever differs, and what is not found is compared with a dummy.

use std::fmt;
use std::str::FromStr;

use access::{TenantId, TokenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Collection, Document, DocumentKey};
use crate::token::{NoRandomness, public_id, random_hex, same, sha256};

/// A client, as kept: its secret only as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthClient {
    /// The part of the client id that is its own.
    pub id: TokenId,
    /// What people call it.
    pub label: String,
    /// SHA-256 of its secret, 32 bytes.
    pub secret_sha256: [u8; 32],
    /// Since when.
    pub created_at: Timestamp,
    /// From when on it no longer counts, nor do its access tokens; never, if absent.
    pub expires_at: Option<Timestamp>,
}

/// An access token, as kept: its secret only as SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// Its client.
    pub client: TokenId,
    /// Its public half.
    pub id: TokenId,
    /// SHA-256 of its secret half, 32 bytes.
    pub secret_sha256: [u8; 32],
    /// From when on it no longer counts.
    pub expires_at: Timestamp,
}

/// A client id as clients present it: `{tenant}.{uuid}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientId {
    /// Whose client it is.
    pub tenant: TenantId,
    /// Which one.
    pub id: TokenId,
}

/// A text that is no client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client id given by this service")]
pub struct InvalidClientId;

/// An access token's parts, from its text.
pub struct PresentedAccess {
    ids: Option<(TokenId, TokenId)>,
    secret_sha256: [u8; 32],
}

impl Document for OAuthClient {
    const COLLECTION: Collection = Collection::OAuthClients;

    fn key(&self) -> DocumentKey {
        client_key(self.id)
    }
}

impl Document for AccessToken {
    const COLLECTION: Collection = Collection::AccessTokens;

    fn key(&self) -> DocumentKey {
        access_key(self.client, self.id)
    }
}

/// Where a client is kept.
pub fn client_key(client: TokenId) -> DocumentKey {
    DocumentKey::id(client.as_bytes())
}

/// Where an access token is kept: those of one client are beside each other, oldest first.
pub fn access_key(client: TokenId, token: TokenId) -> DocumentKey {
    client_key(client).then_id(token.as_bytes())
}

impl OAuthClient {
    /// Makes a client: its record, and the secret to show once.
    pub fn make(
        label: String,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(Self, String), NoRandomness> {
        let secret = random_hex()?;
        let secret_sha256 = sha256(&secret);
        let id = TokenId::new(now);
        Ok((Self { id, label, secret_sha256, created_at: now, expires_at }, secret))
    }

    /// Whether it counts at `now`.
    pub fn counts_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether `secret` is that of `client`, and the client counts at `now`.
    pub fn matches(client: Option<&Self>, secret: &str, now: Timestamp) -> bool {
        let kept = client.map_or(&[0; 32], |client| &client.secret_sha256);
        let same = same(kept, &sha256(secret));
        same && client.is_some_and(|client| client.counts_at(now))
    }
}

impl AccessToken {
    /// Makes an access token of a client: its record, and the text to answer with.
    pub fn make(
        client: TokenId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Self, String), NoRandomness> {
        let id = TokenId::new(now);
        let secret = random_hex()?;
        let token = Self { client, id, secret_sha256: sha256(&secret), expires_at };
        let public = format!("{client}{id}").replace('-', "");
        Ok((token, format!("swa_{public}_{secret}")))
    }
}

impl PresentedAccess {
    /// Takes an access token apart. A text that is none gives one that matches nothing.
    pub fn read(text: &str) -> Self {
        let halves = text.strip_prefix("swa_").and_then(|rest| rest.split_once('_'));
        let (public, secret) = halves.unwrap_or_default();
        let ids = public
            .split_at_checked(32)
            .and_then(|(client, token)| Some((public_id(client)?, public_id(token)?)));
        Self { ids, secret_sha256: sha256(secret) }
    }

    /// The ids of the client and of the token.
    pub const fn ids(&self) -> Option<(TokenId, TokenId)> {
        self.ids
    }

    /// Whether this is that token of that client, and both count at `now`.
    pub fn matches(
        &self,
        client: Option<&OAuthClient>,
        token: Option<&AccessToken>,
        now: Timestamp,
    ) -> bool {
        let kept = token.map_or(&[0; 32], |token| &token.secret_sha256);
        let same = same(kept, &self.secret_sha256);
        same && token.is_some_and(|token| now < token.expires_at)
            && client.is_some_and(|client| client.counts_at(now))
    }
}

impl FromStr for ClientId {
    type Err = InvalidClientId;

    fn from_str(text: &str) -> Result<Self, InvalidClientId> {
        let (tenant, id) = text.split_once('.').ok_or(InvalidClientId)?;
        let tenant = tenant.parse().map_err(|_| InvalidClientId)?;
        let id = id.parse().map_err(|_| InvalidClientId)?;
        Ok(Self { tenant, id })
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tenant, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_access_token_matches_its_record_until_it_or_its_client_expires() {
        let (client, _) = OAuthClient::make("entra".into(), at(0), Some(at(200))).unwrap();
        let (token, text) = AccessToken::make(client.id, at(0), at(100)).unwrap();
        let (late, late_text) = AccessToken::make(client.id, at(0), at(300)).unwrap();
        let presented = PresentedAccess::read(&text);

        assert_eq!(presented.ids(), Some((client.id, token.id)));
        assert!(presented.matches(Some(&client), Some(&token), at(99)));
        assert!(!presented.matches(Some(&client), Some(&token), at(100)));
        assert!(!PresentedAccess::read(&late_text).matches(Some(&client), Some(&late), at(200)));
        for wrong in [(None, Some(&token)), (Some(&client), None), (Some(&client), Some(&late))] {
            assert!(!presented.matches(wrong.0, wrong.1, at(1)));
        }
        for wrong in ["", "swa_", "swa__", &late_text, &text[1..], &text.to_uppercase(), "swa_ä_x"]
        {
            assert!(!PresentedAccess::read(wrong).matches(Some(&client), Some(&token), at(1)));
        }
    }

    #[test]
    fn a_client_is_known_by_its_secret_until_it_expires() {
        let (client, secret) = OAuthClient::make("entra".into(), at(0), Some(at(100))).unwrap();

        assert!(OAuthClient::matches(Some(&client), &secret, at(99)));
        assert!(!OAuthClient::matches(Some(&client), &secret, at(100)));
        assert!(!OAuthClient::matches(Some(&client), "", at(1)));
        assert!(!OAuthClient::matches(None, &secret, at(1)));
    }

    #[test]
    fn a_client_id_names_its_tenant() {
        let id = TokenId::new(at(0));
        let text = format!("acme-2.{id}");

        let read: ClientId = text.parse().unwrap();

        assert_eq!((read.tenant.as_str(), read.id), ("acme-2", id));
        assert_eq!(read.to_string(), text);
        for wrong in ["", "acme", "acme.", &format!(".{id}"), &format!("Acme.{id}"), "acme.1"] {
            assert_eq!(wrong.parse::<ClientId>(), Err(InvalidClientId), "{wrong}");
        }
    }
}
