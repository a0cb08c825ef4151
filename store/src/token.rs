//! Tokens: how they are made, read and compared.
//!
//! A token is `sw_`, a public id that finds the record, `_`, and 256 random bits in hex. Only the
//! SHA-256 of the secret half is kept: with that much randomness nothing slower is needed, and a
//! stolen database opens nothing. Comparison takes the same time whatever differs, and a token
//! that is not found is compared with a dummy, so that time tells nothing either.

use access::TokenId;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::tenant::Token;

const SECRET_BYTES: usize = 32;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// A token's two halves, from its text.
pub struct Presented {
    id: Option<TokenId>,
    secret_sha256: [u8; 32],
}

/// Makes a token: its record, and the text to show once.
pub fn make(
    label: String,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<(Token, String), NoRandomness> {
    let id = TokenId::new(now);
    let secret = random_hex()?;
    let token = Token { id, label, secret_sha256: sha256(&secret), created_at: now, expires_at };
    let public = id.to_string().replace('-', "");
    Ok((token, format!("sw_{public}_{secret}")))
}

/// 256 random bits, in hex.
pub fn random_hex() -> Result<String, NoRandomness> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    let hex = |half: u8| char::from_digit(u32::from(half), 16);
    Ok(bytes.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).flatten().collect())
}

/// SHA-256 of a secret's text.
pub fn sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    // By numbers: what hides from the compiler that it may stop early is paid for each comparison.
    let (one, _) = one.as_chunks();
    let (other, _) = other.as_chunks();
    let number = |bytes: &[u8; 16]| u128::from_ne_bytes(*bytes);
    let same = one.iter().zip(other).map(|(a, b)| number(a).ct_eq(&number(b)));
    same.fold(Choice::from(1), |all, same| all & same).into()
}

impl Presented {
    /// Takes a token apart. A text that is no token gives one that matches nothing.
    pub fn read(text: &str) -> Self {
        let halves = text.strip_prefix("sw_").and_then(|rest| rest.split_once('_'));
        let (id, secret) = halves.unwrap_or_default();
        Self { id: public_id(id), secret_sha256: sha256(secret) }
    }

    /// The id that finds the record.
    pub const fn id(&self) -> Option<TokenId> {
        self.id
    }

    /// Whether this is that token, and it counts at `now`.
    pub fn matches(&self, token: Option<&Token>, now: Timestamp) -> bool {
        let dummy = [0; 32];
        let kept = token.map_or(&dummy, |token| &token.secret_sha256);
        let same = same(kept, &self.secret_sha256);
        same && token.is_some_and(|token| token.expires_at.is_none_or(|end| now < end))
    }
}

pub(crate) fn public_id(text: &str) -> Option<TokenId> {
    let canonical =
        text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let number = canonical.then(|| u128::from_str_radix(text, 16).ok())??;
    Some(TokenId::from_bytes(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_matches_its_record_until_it_expires() {
        let (record, text) = make("entra".into(), at(0), Some(at(100))).unwrap();
        let presented = Presented::read(&text);
        assert_eq!(presented.id(), Some(record.id));
        assert!(presented.matches(Some(&record), at(99)));
        assert!(!presented.matches(Some(&record), at(100)));
    }

    #[test]
    fn every_byte_of_a_hash_counts() {
        let hash = sha256("a secret");
        assert!(same(&hash, &hash));
        for at in 0..hash.len() {
            let mut other = hash;
            other[at] ^= 1;
            assert!(!same(&hash, &other), "byte {at}");
        }
    }

    #[test]
    fn nothing_else_matches() {
        let (record, text) = make("entra".into(), at(0), None).unwrap();
        let (_, other) = make("entra".into(), at(0), None).unwrap();
        let swapped = format!("{}{}", &text[..36], &other[36..]);
        for wrong in [
            "",
            "sw_",
            "sw__",
            "Bearer x",
            &other,
            &swapped,
            &text[..text.len() - 1],
            &text.to_uppercase(),
        ] {
            assert!(!Presented::read(wrong).matches(Some(&record), at(1)), "{wrong}");
        }
        assert!(!Presented::read(&text).matches(None, at(1)));
    }
}
