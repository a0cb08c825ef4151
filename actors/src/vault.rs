//! The vault: keeps secrets unreadable on disk.
//!
//! XChaCha20-Poly1305 with a key from the configuration. What a secret belongs to (tenant and
//! webhook) is sealed with it, so that a sealed text that is moved elsewhere does not open. Without
//! a key, secrets are kept as they are; once there is one, they are encrypted at their next write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// In front of a secret that is not encrypted.
const PLAIN: &str = "plain:";
/// In front of one that is.
const SEALED: &str = "xchacha20poly1305:";
const NONCE_BYTES: usize = 24;

/// The key, as 32 bytes.
pub type VaultKey = [u8; 32];

/// Seals secrets and opens them again.
#[derive(Clone, Default)]
pub struct Vault(Option<XChaCha20Poly1305>);

/// Why a secret cannot be sealed or opened. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// It was encrypted, and there is no key.
    #[error("the secret is encrypted, and no secret key is configured")]
    NoKey,
    /// It was encrypted with another key, or altered.
    #[error("the secret was encrypted with another key, or is damaged")]
    WrongKey,
    /// The system gave no randomness, or the text is none of ours.
    #[error("the secret could not be sealed or read")]
    Failed,
}

impl Vault {
    /// A vault with this key; without one it keeps secrets as they are.
    pub fn new(key: Option<&VaultKey>) -> Self {
        Self(key.map(|key| XChaCha20Poly1305::new(key.into())))
    }

    /// Whether there is a key.
    pub const fn has_key(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a sealed text would be better sealed again: it is plain, and there is a key.
    pub fn should_reseal(&self, sealed: &str) -> bool {
        self.has_key() && sealed.starts_with(PLAIN)
    }

    /// Seals a secret of `owner`.
    pub fn seal(&self, secret: &[u8], owner: &str) -> Result<String, VaultError> {
        let Some(cipher) = &self.0 else {
            return Ok(format!("{PLAIN}{}", BASE64.encode(secret)));
        };
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Failed)?;
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let mut sealed = nonce.to_vec();
        let nonce = XNonce::from(nonce);
        sealed.extend(cipher.encrypt(&nonce, payload).map_err(|_| VaultError::Failed)?);
        Ok(format!("{SEALED}{}", BASE64.encode(sealed)))
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, sealed: &str, owner: &str) -> Result<Vec<u8>, VaultError> {
        let decode = |text: &str| BASE64.decode(text).map_err(|_| VaultError::Failed);
        if let Some(plain) = sealed.strip_prefix(PLAIN) {
            return decode(plain);
        }
        let bytes = decode(sealed.strip_prefix(SEALED).ok_or(VaultError::Failed)?)?;
        let cipher = self.0.as_ref().ok_or(VaultError::NoKey)?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::WrongKey)?;
        let payload = Payload { msg: text, aad: owner.as_bytes() };
        cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::WrongKey)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", if self.has_key() { "with a key" } else { "without a key" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"the secret of a webhook, 32 byte";

    #[test]
    fn a_sealed_secret_opens_for_its_owner_with_its_key_alone() {
        let vault = Vault::new(Some(&[7; 32]));
        let sealed = vault.seal(SECRET, "acme/1").unwrap();

        assert!(!sealed.contains(&BASE64.encode(SECRET)));
        assert_eq!(vault.open(&sealed, "acme/1").unwrap(), SECRET);
        assert_eq!(vault.open(&sealed, "globex/1"), Err(VaultError::WrongKey));
        let other = Vault::new(Some(&[8; 32]));
        assert_eq!(other.open(&sealed, "acme/1"), Err(VaultError::WrongKey));
        assert_eq!(Vault::default().open(&sealed, "acme/1"), Err(VaultError::NoKey));
        assert_ne!(vault.seal(SECRET, "acme/1").unwrap(), sealed, "each has a nonce of its own");
    }

    #[test]
    fn a_secret_kept_without_a_key_opens_and_is_to_be_sealed_once_there_is_one() {
        let kept = Vault::default().seal(SECRET, "acme/1").unwrap();
        let vault = Vault::new(Some(&[7; 32]));

        assert_eq!(vault.open(&kept, "acme/1").unwrap(), SECRET);
        assert!(vault.should_reseal(&kept));
        assert!(!Vault::default().should_reseal(&kept));
    }

    #[test]
    fn what_is_no_sealed_text_does_not_open() {
        let vault = Vault::new(Some(&[7; 32]));
        for bad in ["", "plain:*", "xchacha20poly1305:", "xchacha20poly1305:AAAA", "other:AAAA"] {
            assert!(vault.open(bad, "acme/1").is_err(), "{bad}");
        }
    }
}
