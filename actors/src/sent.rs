//! Which attributes the directory sends, noted for the mapping check: names and days, no values.
//!
//! Every write is looked at, so this must cost next to nothing once a day's names are known: a
//! body's names are hashed, and found among those that were noted today. What is new is written
//! with the counts of traffic, every ten seconds, and read before that from memory. A kill loses
//! what was noted since; it will be sent again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use access::mapping_check::{NAMES_MAX, SeenIn, Sent, WHOLE_FOR_ALL, day_of, sent};
use jiff::Timestamp;
use scim::schema::ResourceType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Collection, Document, DocumentKey, Operation, ReadError, Snapshot};

use crate::shared::Shared;

/// What is kept of what the directory sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct SentNames(Sent);

impl Document for SentNames {
    const COLLECTION: Collection = Collection::SentNames;

    fn key(&self) -> DocumentKey {
        key()
    }
}

fn key() -> DocumentKey {
    DocumentKey::text("sent")
}

/// What was noted in this life of the service.
#[derive(Debug, Default)]
pub struct SentLog {
    hasher: RandomState,
    today: RwLock<Today>,
    fresh: Mutex<Fresh>,
}

/// The names that were noted today.
#[derive(Debug, Default)]
struct Today {
    day: i64,
    /// The hashes of the names, in order: they are few, and found sooner so than in a set.
    names: Vec<u64>,
    whole_users: u32,
    whole_groups: u32,
}

/// What is not written yet.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fresh {
    names: Vec<(SeenIn, String, i64)>,
    whole_users: u32,
    whole_groups: u32,
}

/// Whether a name, which is in lower case, has a token in it.
fn holds(name: &str, token: &str) -> bool {
    !token.is_empty() && name.contains(&token.to_ascii_lowercase())
}

impl SentLog {
    /// A body came that was taken, or would have been but for what it asks for. The token that it
    /// came with is no name, wherever a client may put it.
    pub fn body(&self, at: Timestamp, resource_type: ResourceType, body: &Value, token: &str) {
        let (day, seen_in) = (day_of(at), SeenIn::body(resource_type));
        let mut unknown: Vec<(SeenIn, String)> = Vec::new();
        let (is_whole, enough) = {
            let today = self.today.read().unwrap_or_else(PoisonError::into_inner);
            let is_whole = sent::names(resource_type, body, &mut |name| {
                let known = today.knows(day, self.hash(seen_in, name));
                if !known && unknown.len() < NAMES_MAX && !holds(name, token) {
                    unknown.push((seen_in, name.to_owned()));
                }
            });
            (is_whole, today.whole(resource_type) >= WHOLE_FOR_ALL)
        };
        let counts = is_whole && !enough;
        if counts || !unknown.is_empty() {
            self.note(day, unknown, counts.then_some(resource_type));
        }
    }

    /// The directory looked something up by a filter.
    pub fn filter(&self, at: Timestamp, resource_type: ResourceType, filter: &str, token: &str) {
        let Some(name) = sent::of_filter(resource_type, filter) else { return };
        let (day, seen_in) = (day_of(at), SeenIn::filter(resource_type));
        let known = {
            let today = self.today.read().unwrap_or_else(PoisonError::into_inner);
            today.knows(day, self.hash(seen_in, &name))
        };
        if !known && !holds(&name, token) {
            self.note(day, vec![(seen_in, name)], None);
        }
    }

    fn note(&self, day: i64, names: Vec<(SeenIn, String)>, whole: Option<ResourceType>) {
        let mut today = self.today.write().unwrap_or_else(PoisonError::into_inner);
        if today.day != day {
            today.day = day;
            today.names.clear();
        }
        let mut fresh = self.fresh();
        for (seen_in, name) in names {
            let is_new = today.remember(self.hash(seen_in, &name));
            if is_new && fresh.names.len() < NAMES_MAX {
                fresh.names.push((seen_in, name, day));
            }
        }
        if let Some(resource_type) = whole {
            let (counted, unwritten) = match resource_type {
                ResourceType::User => (&mut today.whole_users, &mut fresh.whole_users),
                ResourceType::Group => (&mut today.whole_groups, &mut fresh.whole_groups),
            };
            *counted = counted.saturating_add(1);
            *unwritten = unwritten.saturating_add(1).min(WHOLE_FOR_ALL);
        }
    }

    /// Takes what is not written yet, if there is anything.
    pub(crate) fn to_write(&self) -> Option<Fresh> {
        let mut fresh = self.fresh();
        (!fresh.is_empty()).then(|| std::mem::take(&mut *fresh))
    }

    /// What could not be written is written next time. (To write it twice does no harm.)
    pub(crate) fn not_written(&self, unwritten: Fresh) {
        let mut fresh = self.fresh();
        let left = NAMES_MAX.saturating_sub(fresh.names.len());
        fresh.names.extend(unwritten.names.into_iter().take(left));
        fresh.whole_users = fresh.whole_users.saturating_add(unwritten.whole_users);
        fresh.whole_groups = fresh.whole_groups.saturating_add(unwritten.whole_groups);
    }

    fn hash(&self, seen_in: SeenIn, name: &str) -> u64 {
        self.hasher.hash_one((seen_in, name))
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Today {
    fn knows(&self, day: i64, hash: u64) -> bool {
        self.day == day && self.names.binary_search(&hash).is_ok()
    }

    /// Remembers a name. Whether it was new, and there was room for it: names beyond that are
    /// neither noted nor remembered, but looked at again.
    fn remember(&mut self, hash: u64) -> bool {
        match self.names.binary_search(&hash) {
            Err(at) if self.names.len() < NAMES_MAX => {
                self.names.insert(at, hash);
                true
            }
            _ => false,
        }
    }

    const fn whole(&self, resource_type: ResourceType) -> u32 {
        match resource_type {
            ResourceType::User => self.whole_users,
            ResourceType::Group => self.whole_groups,
        }
    }
}

impl Fresh {
    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.whole_users == 0 && self.whole_groups == 0
    }

    /// The operation that writes this with what is kept.
    pub(crate) fn operation(&self, shared: &Shared) -> Result<Operation, ReadError> {
        let mut kept = kept(shared, &shared.snapshot()?)?;
        self.add_to(&mut kept);
        Operation::put(&SentNames(kept))
    }

    fn add_to(&self, sent: &mut Sent) {
        for (seen_in, name, day) in &self.names {
            sent.note(*seen_in, name, *day);
        }
        sent.note_whole(ResourceType::User, self.whole_users);
        sent.note_whole(ResourceType::Group, self.whole_groups);
    }
}

fn kept(shared: &Shared, snapshot: &Snapshot) -> Result<Sent, ReadError> {
    let kept = snapshot.document::<SentNames>(shared.key, &key())?;
    Ok(kept.map(|kept| kept.value.0).unwrap_or_default())
}

impl Shared {
    /// What the directory sent, up to now.
    pub fn sent_names(&self, snapshot: &Snapshot) -> Result<Sent, ReadError> {
        let fresh = self.sent.fresh().clone();
        let mut sent = kept(self, snapshot)?;
        fresh.add_to(&mut sent);
        Ok(sent)
    }
}
