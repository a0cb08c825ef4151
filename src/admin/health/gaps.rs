//! What Entra is known never to send again (Microsoft, *Known issues for provisioning* and *How
//! provisioning works*), with what helps.
//!
//! Who came back without groups is found in the latest entries of the feed, so many and no more.
//! The others cannot be seen from here: what is not sent looks like what does not exist.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use access::{EventType, Status as AccountStatus, UserId};
use jiff::Timestamp;
use scim::casefold::fold;
use serde::Serialize;
use serde_json::Value;
use store::ReadError;
use utoipa::ToSchema;

use super::{Health, Looking, Status};

/// Entries of the feed that are looked at, the latest ones.
const ENTRIES_MAX: u64 = 2_000;
/// Accounts that are looked up, the latest ones.
const LOOKED_UP_MAX: usize = 200;
/// Accounts that are listed.
const LISTED_MAX: usize = 20;

/// Something that Entra is known never to send again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KnownGap {
    /// Which one.
    pub(crate) gap: &'static str,
    /// How many accounts it concerns, of those that changed lately; null where that cannot be
    /// seen from here.
    #[schema(required)]
    pub(crate) seen: Option<usize>,
    /// Whether there are more than are listed.
    pub(crate) more: bool,
    /// The accounts, the latest first.
    pub(crate) accounts: Vec<GapAccount>,
    /// What it is.
    pub(crate) words: &'static str,
    /// What helps.
    pub(crate) remedy: &'static str,
}

/// An account that a gap concerns.
#[derive(Debug, Serialize, ToSchema)]
#[schema(examples(json!({
    "account": "01990a5d-ac96-774b-bcce-b302099a8057", "user_name": "ada@example.com",
    "since": "2026-03-01T12:00:00Z"
})))]
pub(crate) struct GapAccount {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) account: UserId,
    /// Its `userName`.
    pub(crate) user_name: String,
    /// When it came back.
    pub(crate) since: Timestamp,
}

pub(super) fn known_gaps(looking: &Looking<'_>, health: &mut Health) -> Result<Status, ReadError> {
    let (accounts, more) = came_back_without_groups(looking)?;
    health.known_gaps = vec![
        KnownGap {
            gap: "memberships_after_restore",
            seen: Some(accounts.len()),
            more,
            accounts,
            words: "Somebody who is restored, or assigned again, is enabled again, but Entra does \
                    not send the group memberships again. We keep those that were not taken back.",
            remedy: "Take the person out of the group in Entra and put them back, or choose \
                     Restart provisioning.",
        },
        KnownGap::unseen(
            "members_in_scope_later",
            "A member of a group who was out of scope is not sent when they come into scope later.",
            "Choose Restart provisioning in Entra, or provision the group on demand with that \
             member.",
        ),
        KnownGap::unseen(
            "managers_in_scope_later",
            "A manager who was out of scope is not sent when they come into scope later: the \
             people they manage stay without a manager.",
            "Choose Restart provisioning in Entra, or provision those people on demand.",
        ),
        KnownGap::unseen(
            "cleared_attributes",
            "An attribute that is emptied in Entra is not sent: the account keeps its old value.",
            "Give it another value in Entra instead of none.",
        ),
    ];
    Ok(Status::Ok)
}

impl KnownGap {
    const fn unseen(gap: &'static str, words: &'static str, remedy: &'static str) -> Self {
        Self { gap, seen: None, more: false, accounts: Vec::new(), words, remedy }
    }
}

/// Who was enabled again, or made again after a deletion, and is in no group now.
fn came_back_without_groups(looking: &Looking<'_>) -> Result<(Vec<GapAccount>, bool), ReadError> {
    let Looking { shared, snapshot, .. } = looking;
    let counts = snapshot.counts(shared.key)?;
    if counts.groups == 0 {
        return Ok((Vec::new(), false));
    }
    let after = counts.feed.saturating_sub(ENTRIES_MAX).max(counts.feed_trimmed);
    let mut back = Back::default();
    snapshot.feed(shared.key, after, |entry| {
        back.take(&entry);
        ControlFlow::Continue(())
    })?;
    let mut latest: Vec<(UserId, Timestamp)> = back.accounts.into_iter().collect();
    latest.sort_by_key(|(_, since)| std::cmp::Reverse(*since));
    let mut found = Vec::new();
    for (id, since) in latest.into_iter().take(LOOKED_UP_MAX) {
        let Some(account) = snapshot.account(shared.key, id)? else { continue };
        let is_concerned = account.status == AccountStatus::Active
            && snapshot.groups_of(shared.key, id)?.is_empty();
        if is_concerned {
            found.push(GapAccount { account: id, user_name: account.user_name, since });
        }
    }
    let more = found.len() > LISTED_MAX;
    found.truncate(LISTED_MAX);
    Ok((found, more))
}

/// Who came back, as the feed tells it.
#[derive(Default)]
struct Back {
    accounts: BTreeMap<UserId, Timestamp>,
    deleted: HashSet<String>,
}

impl Back {
    fn take(&mut self, entry: &Value) {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let kind = text("type").and_then(EventType::from_name);
        let account = text("account").and_then(|id| id.parse::<UserId>().ok());
        let at = text("at").and_then(|at| at.parse::<Timestamp>().ok());
        let Some(((kind, account), at)) = kind.zip(account).zip(at) else { return };
        let name = || fold(text("user_name").unwrap_or_default());
        match kind {
            EventType::AccountEnabled => {
                self.accounts.insert(account, at);
            }
            EventType::AccountCreated if self.deleted.contains(&name()) => {
                self.accounts.insert(account, at);
            }
            EventType::AccountDeleted => {
                self.accounts.remove(&account);
                self.deleted.insert(name());
            }
            EventType::AccountDisabled => {
                self.accounts.remove(&account);
            }
            _ => {}
        }
    }
}
