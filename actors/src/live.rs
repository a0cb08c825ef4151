//! The live user and group actors of a tenant, for all who want to know what they are doing.
//!
//! The tenant actor writes down here who is live, who failed and rests, and how many it has
//! passivated. Nobody who reads waits for an actor's turn.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use crate::observe::{ActorState, Observed};

/// The live actors of one kind.
#[derive(Debug)]
pub struct LiveChildren<Id> {
    live: RwLock<HashMap<Id, Arc<Observed>>>,
    /// Those that failed and rest; started again by their next message after that.
    resting: RwLock<HashMap<Id, Arc<Observed>>>,
    passivated: AtomicU64,
}

/// What the mailboxes of some actors hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mailboxes {
    /// Messages in all of them.
    pub messages: u64,
    /// Messages in the fullest.
    pub deepest: u64,
    /// Since when the longest has been working on one message.
    pub working_since: Option<Timestamp>,
}

impl Mailboxes {
    /// Takes another actor in.
    pub fn add(&mut self, observed: &Observed) {
        let depth = observed.depth();
        self.messages = self.messages.saturating_add(depth);
        self.deepest = self.deepest.max(depth);
        let since = observed.working_since();
        self.working_since = self.working_since.into_iter().chain(since).min();
    }
}

impl<Id> Default for LiveChildren<Id> {
    fn default() -> Self {
        Self { live: RwLock::default(), resting: RwLock::default(), passivated: AtomicU64::new(0) }
    }
}

impl<Id: Copy + Ord + Hash> LiveChildren<Id> {
    pub(crate) fn started(&self, id: Id, observed: Arc<Observed>) {
        observed.started();
        write(&self.live).insert(id, observed);
        self.rested(id);
    }

    pub(crate) fn ended(&self, id: Id) {
        write(&self.live).remove(&id);
    }

    /// It failed, and is not started again for a while.
    pub(crate) fn rests(&self, id: Id, observed: Arc<Observed>) {
        write(&self.resting).insert(id, observed);
    }

    /// It may be started again.
    pub(crate) fn rested(&self, id: Id) {
        write(&self.resting).remove(&id);
    }

    pub(crate) fn passivated(&self) {
        self.passivated.fetch_add(1, Ordering::Relaxed);
    }

    /// How many are live.
    pub fn live(&self) -> usize {
        read(&self.live).len()
    }

    /// How many failed and rest.
    pub fn resting(&self) -> usize {
        read(&self.resting).len()
    }

    /// How many were drained because they were idle, or to make room, since the tenant started.
    pub fn passivated_total(&self) -> u64 {
        self.passivated.load(Ordering::Relaxed)
    }

    /// The counters of one that is live, or rests.
    pub fn observed(&self, id: Id) -> Option<Arc<Observed>> {
        let live = read(&self.live).get(&id).cloned();
        live.or_else(|| read(&self.resting).get(&id).cloned())
    }

    /// What the mailboxes of those that are live hold.
    pub fn add_to(&self, mailboxes: &mut Mailboxes) {
        read(&self.live).values().for_each(|observed| mailboxes.add(observed));
    }

    /// At most `limit` of them, those first that somebody should look at: who failed and rests,
    /// then by the depth of their mailboxes.
    pub fn busiest(&self, limit: usize) -> Vec<(Id, ActorState)> {
        let mut resting: Vec<_> =
            read(&self.resting).iter().map(|(id, seen)| (*id, Arc::clone(seen))).collect();
        resting.sort_unstable_by_key(|(id, _)| *id);
        let mut live: Vec<_> = read(&self.live)
            .iter()
            .map(|(id, seen)| (seen.depth(), *id, Arc::clone(seen)))
            .collect();
        // The older id first where depths are the same, so that a list does not jump about.
        live.sort_unstable_by(|(one, id, _), (other, other_id, _)| {
            other.cmp(one).then_with(|| id.cmp(other_id))
        });
        let live = live.into_iter().map(|(_, id, seen)| (id, seen));
        let all = resting.into_iter().chain(live).take(limit);
        all.map(|(id, seen)| (id, seen.state())).collect()
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Cause, Kind};

    #[test]
    fn the_busiest_are_those_that_failed_and_then_those_with_most_to_do() {
        let children = LiveChildren::<u8>::default();
        for (id, depth) in [(1, 0), (2, 3), (3, 1)] {
            let observed = Arc::new(Observed::new(Kind::User));
            (0..depth).for_each(|_| observed.sent());
            children.started(id, observed);
        }
        let failed = Arc::new(Observed::new(Kind::User));
        failed.failed("it broke", Cause::Error);
        children.rests(9, failed);

        let ids: Vec<u8> = children.busiest(3).into_iter().map(|(id, _)| id).collect();

        assert_eq!(ids, [9, 2, 3]);
        let mut mailboxes = Mailboxes::default();
        children.add_to(&mut mailboxes);
        assert_eq!((mailboxes.messages, mailboxes.deepest), (4, 3));
    }
}
