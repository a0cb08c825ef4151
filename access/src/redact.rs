//! Redaction: what a directory sent, less its secrets, before any of it is kept.
//!
//! A value goes when its attribute's name has one of [`WORDS`] in it, whatever the case, whether
//! the name is a key, the `path` of a PATCH operation, or the `type` or `name` beside a `value`. So
//! does a text that has such a word in it, since it may be a document, a form or a filter that
//! names one; but not where people's and groups' names stand, so that a group "Password reset" can
//! be found. What went once, and the token that the request came with, goes wherever else it
//! stands. What is no JSON cannot be looked through and is not kept at all.
//!
//! Nearly no body has any of this in it. One scan tells, and the others are kept as they are
//! without being parsed. Escapes could hide a word from the scan: a body that escapes a letter is
//! parsed.
//!
//! Not here: a secret in an attribute whose name does not say so. Nobody can tell it from a name.

mod json;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memmem::Finder;
use serde_json::Value;

use self::scan::{escapes_ascii, has_word, is_plain};

/// What stands in place of a secret.
pub const REDACTED: &str = "(redacted)";

/// An attribute with one of these in its name, in any case, is secret.
pub const WORDS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "apikey",
    "api_key",
    "api-key",
    "private_key",
    "private-key",
    "privatekey",
];

/// Bytes of JSON that are parsed in order to be redacted.
const PARSED_BYTES_MAX: usize = 1 << 20;
/// Secrets that are remembered in order to be found elsewhere in the exchange.
const KNOWN_MAX: usize = 32;
/// Bytes of a secret that is looked for elsewhere: a shorter one stands in every other word.
const KNOWN_BYTES_MIN: usize = 4;

/// Why a body is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Omitted {
    /// It is no JSON, so nobody can tell what is secret in it.
    NotJson,
    /// It is too large to be looked through.
    TooLarge,
    /// It was refused before it was read.
    NotRead,
}

/// Whether a secret may be in JSON, or something that the scan does not see through.
pub(crate) fn may_hold_secrets(json: &[u8]) -> bool {
    has_word(json) || escapes_ascii(json)
}

/// A body as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody<'a> {
    /// The text; empty if nothing is kept.
    pub text: Cow<'a, str>,
    /// Whether its end is missing.
    pub is_cut: bool,
    /// Whether something was taken out of it.
    pub is_redacted: bool,
}

/// A query less its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptQuery<'a> {
    /// The text, encoded as it was sent.
    pub text: Cow<'a, str>,
    /// The value of its first `filter`, decoded from that text.
    pub filter: Option<Cow<'a, str>>,
}

/// A body as it came.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// The body, or its beginning.
    pub bytes: &'a [u8],
    /// Whether these are all of it.
    pub is_whole: bool,
    /// Whether somebody has parsed the whole of it as JSON before.
    pub is_json: bool,
}

/// Takes the secrets out of one request and its answer, and then of the next; of each, the request
/// comes first.
#[derive(Default)]
pub struct Redactor {
    /// What must not be seen anywhere.
    known: Vec<Known>,
}

/// A secret, ready to be looked for.
struct Known {
    finder: Finder<'static>,
    /// Whether JSON writes it as it is, and in no other way.
    is_plain: bool,
}

impl Redactor {
    /// For a request that came with this token.
    pub fn new(presented: Option<&str>) -> Self {
        let mut redactor = Self::default();
        redactor.begin(presented.unwrap_or_default());
        redactor
    }

    /// Forgets the request before, and begins with one that came with this token: mostly the same
    /// one, since a directory has one.
    pub(crate) fn begin(&mut self, presented: &str) {
        self.known.truncate(1);
        if self.known.first().is_none_or(|known| known.finder.needle() != presented.as_bytes()) {
            self.known.clear();
            self.learn(presented);
        }
    }

    /// A body, at most `bytes_max` of it.
    pub fn body<'a>(&mut self, body: Body<'a>, bytes_max: usize) -> Result<KeptBody<'a>, Omitted> {
        let Body { bytes, is_whole, is_json } = body;
        let start = bytes.get(..bytes_max).unwrap_or(bytes);
        // All of it is judged: the word may come after the value that it tells of.
        if is_json && !may_hold_secrets(bytes) && !self.may_hold_known(bytes) {
            let text = match std::str::from_utf8(start) {
                Ok(text) => text,
                // Cut within a character.
                Err(error) => std::str::from_utf8(start.get(..error.valid_up_to()).unwrap_or(&[]))
                    .map_err(|_| Omitted::NotJson)?,
            };
            let is_cut = !is_whole || text.len() < bytes.len();
            // What is known may begin where the rest was cut off.
            let hidden = if is_whole { 0 } else { self.longest_known().saturating_sub(1) };
            let end = text.len().min(bytes.len().saturating_sub(hidden));
            let text = text.get(..text.floor_char_boundary(end)).unwrap_or_default();
            return Ok(KeptBody { text: text.into(), is_cut, is_redacted: false });
        }
        if !is_whole || bytes.len() > PARSED_BYTES_MAX {
            return Err(Omitted::TooLarge);
        }
        let mut value: Value = serde_json::from_slice(bytes).map_err(|_| Omitted::NotJson)?;
        let is_redacted = self.json(&mut value);
        let mut text = if is_redacted {
            serde_json::to_string(&value).map_err(|_| Omitted::NotJson)?
        } else {
            String::from_utf8(bytes.to_vec()).map_err(|_| Omitted::NotJson)?
        };
        let is_cut = text.len() > bytes_max;
        text.truncate(text.floor_char_boundary(bytes_max));
        Ok(KeptBody { text: text.into(), is_cut, is_redacted })
    }

    /// A query string.
    pub fn query<'a>(&self, query: &'a str) -> KeptQuery<'a> {
        let may_be_secret = |part: &str| {
            has_word(part.as_bytes()) || self.holds_known(part) || escapes_ascii(part.as_bytes())
        };
        // Nearly no query has any of this in it, and then it is decoded once and kept as it is.
        let mut filter = None;
        let has_secret = form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
            let is_secret = may_be_secret(&name) || may_be_secret(&value);
            if filter.is_none() && is_filter(&name) {
                filter = Some(value);
            }
            is_secret
        });
        if !has_secret {
            return KeptQuery { text: query.into(), filter };
        }
        let kept = query.split('&').map(|pair| {
            let Some((name, value)) = form_urlencoded::parse(pair.as_bytes()).next() else {
                return pair.to_owned();
            };
            if self.holds_known(&name) {
                REDACTED.to_owned()
            } else if has_word(name.as_bytes())
                || self.holds_known(&value)
                || (has_word(value.as_bytes()) && !scan::is_filter_of_names(&value))
                || escapes_ascii(value.as_bytes())
            {
                let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
                format!("{name}={REDACTED}")
            } else {
                pair.to_owned()
            }
        });
        let text = kept.collect::<Vec<_>>().join("&");
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        let filter = pairs.find(|(name, _)| is_filter(name));
        let filter = filter.map(|(_, value)| value.into_owned().into());
        KeptQuery { text: text.into(), filter }
    }

    /// A path as it was sent, in which escapes may hide something.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        // What is not escaped stands there as it is.
        if !path.contains(['%', '+']) {
            return self.text(path);
        }
        let decoded = form_urlencoded::parse(path.as_bytes()).next();
        let hides = decoded.is_some_and(|(name, value)| {
            [name, value].iter().any(|part| has_word(part.as_bytes()) || self.holds_known(part))
        });
        if hides { REDACTED.into() } else { self.text(path) }
    }

    /// A text that is no JSON: all of it, or nothing.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let is_secret = has_word(text.as_bytes()) || self.holds_known(text);
        if is_secret { REDACTED.into() } else { text.into() }
    }

    /// A name of somebody or something.
    pub fn name(&self, name: String) -> String {
        let is_secret = self.holds_known(&name) || (has_word(name.as_bytes()) && !is_plain(&name));
        if is_secret { REDACTED.to_owned() } else { name }
    }

    /// Remembers a secret.
    fn learn(&mut self, secret: &str) {
        if secret.len() >= KNOWN_BYTES_MIN
            && self.known.len() < KNOWN_MAX
            && !self.known.iter().any(|known| known.finder.needle() == secret.as_bytes())
        {
            let is_plain =
                secret.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\/".contains(&byte));
            self.known.push(Known { finder: Finder::new(secret).into_owned(), is_plain });
        }
    }

    fn longest_known(&self) -> usize {
        self.known.iter().map(|known| known.finder.needle().len()).max().unwrap_or(0)
    }

    fn holds_known(&self, text: &str) -> bool {
        self.known.iter().any(|known| known.finder.find(text.as_bytes()).is_some())
    }

    /// Whether JSON may have a secret in it that is known, also as JSON would write it.
    fn may_hold_known(&self, json: &[u8]) -> bool {
        self.known.iter().any(|known| !known.is_plain || known.finder.find(json).is_some())
    }
}

/// Whether a parameter of a query is the filter: names are taken in any case.
fn is_filter(name: &str) -> bool {
    name.eq_ignore_ascii_case("filter")
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.known.len())
    }
}
