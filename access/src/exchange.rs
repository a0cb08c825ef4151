//! An exchange: one request of the directory, and what it got.
//!
//! [`Captured`] is the raw material, of which nothing may be kept or shown; it borrows what it is
//! made of, and a [`Batch`] holds many. [`Captured::redacted`] makes a [`Recorded`] of it, which may.
//! What it is about is read off the text where it stands instead of by parsing: there are thousands
//! a second.
//!
//! Not here: where records are kept (`store`), when they are written (`actors`).

mod about;
mod batch;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use scim::casefold::fold;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

pub use self::batch::Batch;
use crate::id::{ID_BYTES, RequestId, TokenId, WaveId};
use crate::redact::{Body, KeptBody, Omitted, Redactor, may_hold_secrets};

/// Bytes of a request's body that are kept. Users are far smaller; a group's change names some
/// hundred members.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of an answer's body that are kept.
pub const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Bytes of a body that is held until it is redacted; of a larger one, its beginning is.
const HELD_BYTES_MAX: usize = 256 << 10;
/// Bytes of other texts that are kept.
const PATH_BYTES_MAX: usize = 1 << 10;
const QUERY_BYTES_MAX: usize = 4 << 10;
const USER_AGENT_BYTES_MAX: usize = 256;
const LABEL_BYTES_MAX: usize = 256;
/// Bytes that an exchange takes beside its texts and bodies, about.
const OVERHEAD_BYTES: usize = 512;

/// A request and its answer, as they came and went. Holds secrets: it is neither kept nor shown.
#[derive(Clone)]
pub struct Captured<'a> {
    /// The request.
    pub id: RequestId,
    /// When it came.
    pub at: Timestamp,
    /// Its method.
    pub method: &'a str,
    /// Its path behind the tenant, as it was sent.
    pub path: &'a str,
    /// Its query.
    pub query: Option<&'a str>,
    /// Who it said that it is.
    pub user_agent: Option<&'a str>,
    /// The token that it came with.
    pub presented: &'a str,
    /// Which token that is, and what people call it.
    pub token: Option<(TokenId, &'a str)>,
    /// The wave that it belongs to.
    pub wave: Option<WaveId>,
    /// Its body, if it has one.
    pub request: Option<CapturedBody<'a>>,
    /// The status of the answer; none if there was no answer.
    pub status: Option<u16>,
    /// From its arrival to the answer.
    pub duration: Duration,
    /// The body of the answer, if it has one.
    pub answer: Option<CapturedBody<'a>>,
}

/// A body, or its beginning.
#[derive(Clone, Copy)]
pub struct CapturedBody<'a> {
    /// What is held of it; why nothing is, if nothing is.
    held: Result<&'a [u8], Omitted>,
    /// Bytes that it has, as far as is known.
    size: u64,
}

impl<'a> CapturedBody<'a> {
    /// A body of which `kept_max` bytes are going to be kept. A large one is not held as a whole; if
    /// a secret may be in it, it is not held at all, since what tells of a secret may stand behind it.
    pub fn of(body: &'a [u8], kept_max: usize) -> Self {
        let is_large = body.len() > HELD_BYTES_MAX;
        let start = body.get(..kept_max.min(body.len())).unwrap_or_default();
        let held = match is_large {
            true if may_hold_secrets(body) => Err(Omitted::TooLarge),
            true => Ok(start),
            false => Ok(body),
        };
        Self { held, size: body.len() as u64 }
    }

    /// A body that was refused before it was read.
    pub const fn unread(size: u64) -> Self {
        Self { held: Err(Omitted::NotRead), size }
    }

    fn held_bytes(&self) -> usize {
        self.held.map_or(0, <[u8]>::len)
    }
}

/// A request and its answer, as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<'a> {
    /// What is known of them.
    pub facts: Exchange<'a>,
    /// What is kept of the request's body.
    pub request: Cow<'a, str>,
    /// What is kept of the answer's body.
    pub answer: Cow<'a, str>,
}

impl Recorded<'_> {
    /// The same, with texts of its own.
    pub fn into_owned(self) -> Recorded<'static> {
        let Self { facts, request, answer } = self;
        Recorded { facts: facts.into_owned(), request: owned(request), answer: owned(answer) }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    text.into_owned().into()
}

/// What is known of a request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange<'a> {
    /// The request: `x-request-id`, and what the audit log calls it.
    pub id: RequestId,
    /// When it came.
    pub at: Timestamp,
    /// Its method.
    pub method: Cow<'a, str>,
    /// Its path behind the tenant, as it was sent.
    pub path: Cow<'a, str>,
    /// Its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Cow<'a, str>>,
    /// The status of the answer; none if there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From its arrival to the answer, in microseconds.
    pub duration_us: u64,
    /// Who it said that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Cow<'a, str>>,
    /// The token that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// What people call that token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_label: Option<Cow<'a, str>>,
    /// The wave that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveId>,
    /// `User` or `Group`, if it is about one or some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<Cow<'a, str>>,
    /// The resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Cow<'a, str>>,
    /// That resource's userName or displayName, or what a filter asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Cow<'a, str>>,
    /// That resource's externalId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Cow<'a, str>>,
    /// In whose way a PATCH is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// The keyword of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<Cow<'a, str>>,
    /// What a refusal says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    /// Operations of a Bulk that were refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_operations: u32,
    /// The request's body.
    #[serde(default, skip_serializing_if = "BodyFacts::is_none")]
    pub request: BodyFacts,
    /// The answer's body.
    #[serde(default, skip_serializing_if = "BodyFacts::is_none")]
    pub answer: BodyFacts,
    /// Hashes of the members that it names: see [`name_hash`]. In blocks of earlier versions those of
    /// all that it can be found by stand here.
    #[serde(default, rename = "names", skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<u64>,
}

/// In whose way a PATCH is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `"op": "Add"`, as Entra writes without the flag for SCIM compliance.
    Entra,
    /// `"op": "add"` (RFC 7644 section 3.5.2).
    Rfc,
}

/// What is known of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyFacts {
    /// Bytes that it has; 0 for none.
    pub size: u64,
    /// Bytes that are kept.
    pub kept: u32,
    /// Whether its end is missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_cut: bool,
    /// Whether something was taken out of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_redacted: bool,
    /// Why nothing of it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,
}

impl BodyFacts {
    /// Whether there is no body.
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for references")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What a text is found by, without regard to case.
pub fn name_hash(name: &str) -> u64 {
    let is_folded = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { xxh3_64(name.as_bytes()) } else { xxh3_64(fold(name).as_bytes()) }
}

impl Exchange<'_> {
    /// The same, with texts of its own.
    pub fn into_owned(self) -> Exchange<'static> {
        Exchange {
            id: self.id,
            at: self.at,
            method: owned(self.method),
            path: owned(self.path),
            query: self.query.map(owned),
            status: self.status,
            duration_us: self.duration_us,
            user_agent: self.user_agent.map(owned),
            token: self.token,
            token_label: self.token_label.map(owned),
            wave: self.wave,
            resource_type: self.resource_type.map(owned),
            resource: self.resource.map(owned),
            subject: self.subject.map(owned),
            external_id: self.external_id.map(owned),
            dialect: self.dialect,
            scim_type: self.scim_type.map(owned),
            detail: self.detail.map(owned),
            failed_operations: self.failed_operations,
            request: self.request,
            answer: self.answer,
            members: self.members,
        }
    }

    /// Whether it was refused, in whole or in part, or not answered.
    pub fn is_error(&self) -> bool {
        self.status.is_none_or(|status| status >= 400) || self.failed_operations > 0
    }

    /// Hashes of what it can be found by: see [`name_hash`].
    pub fn names(&self) -> impl Iterator<Item = u64> {
        let own = [&self.resource, &self.subject, &self.external_id];
        let wave = self.wave.map(|wave| name_hash(wave.encode(&mut [0; ID_BYTES])));
        let id = name_hash(self.id.encode(&mut [0; ID_BYTES]));
        let own = own.into_iter().flatten().map(|name| name_hash(name));
        own.chain(wave).chain([id]).chain(self.members.iter().copied())
    }

    /// Whether it can be found by one of these.
    pub fn has_one_of(&self, names: &[u64]) -> bool {
        self.names().any(|name| names.contains(&name))
    }
}

impl<'a> Captured<'a> {
    /// Bytes of it, about. Whatever a client chooses the length of counts: nothing is cut before it
    /// is redacted, since half a secret would not be found any more.
    pub fn bytes(&self) -> usize {
        let bodies = [&self.request, &self.answer].into_iter().flatten();
        let texts = [Some(self.method), Some(self.path), self.query, self.user_agent];
        let label = self.token.map_or(0, |(_, label)| label.len());
        OVERHEAD_BYTES
            + self.presented.len()
            + label
            + texts.into_iter().flatten().map(str::len).sum::<usize>()
            + bodies.map(CapturedBody::held_bytes).sum::<usize>()
    }

    /// What may be kept of it.
    pub fn redacted(&self, redactor: &mut Redactor) -> Recorded<'a> {
        redactor.begin(self.presented);
        // What was done had been understood as JSON; what was refused may be anything.
        let was_done = self.status.is_some_and(|status| status < 400);
        let (request, request_facts) = body(redactor, self.request, was_done, REQUEST_BYTES_MAX);
        let (answer, answer_facts) = body(redactor, self.answer, true, ANSWER_BYTES_MAX);
        let query = self.query.filter(|query| !query.is_empty());
        let (query, filter) = query
            .map(|query| redactor.query(query))
            .map(|query| (cut(query.text, QUERY_BYTES_MAX), query.filter))
            .unzip();
        let (token, token_label) = self.token.unzip();
        let mut facts = Exchange {
            id: self.id,
            at: self.at,
            method: cut(redactor.text(self.method), 32),
            path: cut(redactor.path(self.path), PATH_BYTES_MAX),
            query,
            status: self.status,
            duration_us: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
            user_agent: self
                .user_agent
                .map(|agent| cut(redactor.text(agent), USER_AGENT_BYTES_MAX)),
            token,
            token_label: token_label.map(|label| cut(label.into(), LABEL_BYTES_MAX)),
            wave: self.wave,
            resource_type: None,
            resource: None,
            subject: None,
            external_id: None,
            dialect: None,
            scim_type: None,
            detail: None,
            failed_operations: 0,
            request: request_facts,
            answer: answer_facts,
            members: Vec::new(),
        };
        about::complete(&mut facts, (&request, &answer), filter.flatten().as_deref(), redactor);
        Recorded { facts, request, answer }
    }
}

fn body<'a>(
    redactor: &mut Redactor,
    captured: Option<CapturedBody<'a>>,
    is_json: bool,
    bytes_max: usize,
) -> (Cow<'a, str>, BodyFacts) {
    let Some(CapturedBody { held, size }) = captured else { return Default::default() };
    let omitted =
        |why| (Cow::default(), BodyFacts { size, omitted: Some(why), ..BodyFacts::default() });
    let bytes = match held {
        Ok(bytes) => bytes,
        Err(why) => return omitted(why),
    };
    if bytes.is_empty() {
        return Default::default();
    }
    let is_whole = bytes.len() as u64 == size;
    match redactor.body(Body { bytes, is_whole, is_json }, bytes_max) {
        Ok(KeptBody { text, is_cut, is_redacted }) => {
            let kept = u32::try_from(text.len()).unwrap_or(u32::MAX);
            (text, BodyFacts { size, kept, is_cut, is_redacted, omitted: None })
        }
        Err(why) => omitted(why),
    }
}

fn cut(text: Cow<'_, str>, bytes_max: usize) -> Cow<'_, str> {
    let end = text.floor_char_boundary(bytes_max);
    match text {
        Cow::Borrowed(text) => text.get(..end).unwrap_or_default().into(),
        Cow::Owned(mut text) => {
            text.truncate(end);
            text.into()
        }
    }
}
