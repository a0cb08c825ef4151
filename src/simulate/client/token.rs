//! A tenant's token: it is sent in a header, and shown nowhere.

use reqwest::header::HeaderValue;

/// A token that does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The header that carries it; none if no header can.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The text, without the token wherever it occurs.
    pub(super) fn strike(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "…") }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_itself_nowhere() {
        let token = Token::new("secret");

        assert_eq!(format!("{token:?}"), "Token");
        assert!(!format!("{:?}", token.header().unwrap()).contains("secret"));
        assert_eq!(token.strike("token secret is unknown"), "token … is unknown");
    }
}
