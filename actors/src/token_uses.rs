//! When tokens were last used, and from where.
//!
//! A use is noted in memory and written later, by the housekeeper, so that no request waits for
//! it: at most once a minute for each token, and when the service stops. A crash forgets the last
//! minute. OAuth clients count as tokens: a use of an access token is one of its client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use access::TokenId;
use access::wave::later;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Changeset, Collection, Document, DocumentKey, Operation};

use crate::error::ChangeError;
use crate::shared::Shared;

/// Tokens whose uses are remembered at once. Those of one tenant are fewer: see the limits on how
/// many it may have.
const REMEMBERED_MAX: usize = 1_024;
/// How often a token's use is written.
const WRITTEN_EVERY: Duration = Duration::from_mins(1);

/// The last use of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// The token, or the OAuth client.
    pub token: TokenId,
    /// When.
    pub at: Timestamp,
    /// The address it came from; none if that is not known.
    pub from: Option<IpAddr>,
}

impl Document for TokenUse {
    const COLLECTION: Collection = Collection::TokenUses;

    fn key(&self) -> DocumentKey {
        DocumentKey::id(self.token.as_bytes())
    }
}

/// The uses of one tenant's tokens that this life of the service has seen.
#[derive(Debug, Default)]
pub struct TokenUses(Mutex<HashMap<TokenId, Seen>>);

#[derive(Debug)]
struct Seen {
    last: TokenUse,
    /// When a use was last written; none: not yet.
    written: Option<Timestamp>,
    is_written: bool,
}

impl TokenUses {
    /// A token was used.
    pub fn used(&self, token: TokenId, at: Timestamp, from: Option<IpAddr>) {
        let mut seen = self.seen();
        let last = TokenUse { token, at, from };
        if let Some(known) = seen.get_mut(&token) {
            known.last = last;
            known.is_written = false;
        } else if seen.len() < REMEMBERED_MAX {
            seen.insert(token, Seen { last, written: None, is_written: false });
        }
    }

    /// The last use of a token in this life of the service.
    pub fn last(&self, token: TokenId) -> Option<TokenUse> {
        self.seen().get(&token).map(|seen| seen.last.clone())
    }

    /// When any token was last used in this life of the service.
    pub fn newest(&self) -> Option<Timestamp> {
        self.seen().values().map(|seen| seen.last.at).max()
    }

    /// Forgets a token that was deleted.
    pub fn forget(&self, token: TokenId) {
        self.seen().remove(&token);
    }

    /// The uses that are to be written at `now`; at the end, all that were not.
    pub(crate) fn to_write(&self, now: Timestamp, at_the_end: bool) -> Vec<TokenUse> {
        let mut due = Vec::new();
        for seen in self.seen().values_mut().filter(|seen| !seen.is_written) {
            let rested = seen.written.is_none_or(|at| later(at, WRITTEN_EVERY) <= now);
            if rested || at_the_end {
                seen.written = Some(now);
                seen.is_written = true;
                due.push(seen.last.clone());
            }
        }
        due
    }

    /// Uses that could not be written are written next time.
    pub(crate) fn not_written(&self, uses: &[TokenUse]) {
        let mut seen = self.seen();
        for unwritten in uses {
            if let Some(seen) = seen.get_mut(&unwritten.token) {
                seen.is_written = false;
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<TokenId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the uses that are to be written; at the end, all that were not.
pub(crate) async fn write(shared: &Shared, at_the_end: bool) -> Result<(), ChangeError> {
    let now = shared.clock.now();
    let uses = shared.token_uses.to_write(now, at_the_end);
    if uses.is_empty() {
        return Ok(());
    }
    let mut change = Changeset::new(shared.key, now, None);
    for seen in &uses {
        change.operations.push(Operation::put(seen)?);
    }
    let written = shared.commit(change).await;
    if written.is_err() {
        shared.token_uses.not_written(&uses);
    }
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [i64; 0] = [];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_use_is_written_at_most_once_a_minute_and_at_the_end() {
        let (uses, token) = (TokenUses::default(), TokenId::from_bytes([1; 16]));
        let written = |second, end| -> Vec<i64> {
            let uses = uses.to_write(at(second), end);
            uses.iter().map(|written| written.at.as_second()).collect()
        };

        uses.used(token, at(0), None);
        assert_eq!(written(1, false), [0]);
        assert_eq!(written(2, false), NONE);
        uses.used(token, at(30), None);
        uses.used(token, at(40), None);
        assert_eq!(written(60, false), NONE);
        assert_eq!(written(61, false), [40]);
        uses.used(token, at(61), None);
        assert_eq!(written(62, false), NONE);
        assert_eq!(written(62, true), [61]);
    }

    #[test]
    fn what_could_not_be_written_is_written_next_time() {
        let (uses, token) = (TokenUses::default(), TokenId::from_bytes([1; 16]));
        uses.used(token, at(0), None);
        let unwritten = uses.to_write(at(0), false);

        uses.not_written(&unwritten);

        assert_eq!(uses.to_write(at(60), false), unwritten);
    }
}
