//! The children of a tenant actor: started on demand, drained when idle, never two for one id.
//!
//! A child that is being drained still works off its mailbox. Messages that come for it meanwhile
//! are held here and go to its successor once it has ended, so one id never has two writers. What
//! is held is bounded by the permits that requests take before they send.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ractor::{ActorId, ActorRef, Message, MessagingErr};

use super::TenantMessage;
use crate::live::LiveChildren;
use crate::observe::{Cause, Kind, Observed};
use crate::service::Limits;

/// How many are drained at once where too many are live.
const DRAINED_AT_ONCE: usize = 64;
/// How long a child that failed rests before it is started again, at first and at most.
const REST_MS_MIN: u64 = 50;
const REST_MS_MAX: u64 = 30_000;

/// A kind of child: how it is started.
pub(super) trait ChildKind {
    type Id: Copy + Ord + Hash;
    type Message: Message;

    /// What its children are there for.
    const KIND: Kind;

    async fn spawn(
        &self,
        id: Self::Id,
        observed: Arc<Observed>,
        parent: &ActorRef<TenantMessage>,
    ) -> Result<ActorRef<Self::Message>, ractor::SpawnErr>;

    /// Where it is written down who is live.
    fn live(&self) -> &LiveChildren<Self::Id>;

    fn now_ms(&self) -> u64;
}

pub(super) struct Children<K: ChildKind> {
    kind: K,
    live: HashMap<K::Id, Child<K::Message>>,
    /// Being drained, with what came for them meanwhile.
    draining: HashMap<K::Id, Draining<K::Message>>,
    /// Failed lately: not started again before they have rested.
    resting: HashMap<K::Id, Resting>,
    ids: HashMap<ActorId, K::Id>,
    live_max: usize,
    idle_ms: u64,
    node_live: Arc<AtomicUsize>,
    node_live_max: usize,
}

struct Child<M> {
    actor: ActorRef<M>,
    observed: Arc<Observed>,
}

struct Draining<M> {
    actor: ActorId,
    held: Vec<M>,
}

struct Resting {
    observed: Arc<Observed>,
    until_ms: u64,
}

/// A child has ended.
pub(super) struct Ended<K: ChildKind> {
    pub(super) id: K::Id,
    /// What came for it while it was drained.
    pub(super) held: Vec<K::Message>,
}

impl<K: ChildKind> Children<K> {
    pub(super) fn new(kind: K, limits: &Limits, node_live: Arc<AtomicUsize>) -> Self {
        Self {
            kind,
            live: HashMap::new(),
            draining: HashMap::new(),
            resting: HashMap::new(),
            ids: HashMap::new(),
            live_max: limits.live_actors_per_tenant_max,
            idle_ms: u64::try_from(limits.idle.as_millis()).unwrap_or(u64::MAX),
            node_live,
            node_live_max: limits.live_actors_max,
        }
    }

    /// Hands a message to the child `id`, which is started if need be. A message that cannot be
    /// handed on is dropped: its requester hears at once that there is no answer.
    pub(super) async fn route(
        &mut self,
        parent: &ActorRef<TenantMessage>,
        id: K::Id,
        mut message: K::Message,
    ) {
        if let Some(draining) = self.draining.get_mut(&id) {
            draining.held.push(message);
            return;
        }
        if let Some(child) = self.live.get(&id) {
            child.observed.sent();
            match child.actor.send_message(message) {
                // It ended by itself a moment ago; the supervision event follows.
                Err(MessagingErr::SendErr(unsent)) => message = unsent,
                Ok(()) | Err(_) => return,
            }
            self.forget(id);
        }
        let observed = match self.resting.remove(&id) {
            Some(resting) if self.kind.now_ms() < resting.until_ms => {
                self.resting.insert(id, resting);
                return;
            }
            Some(resting) => resting.observed,
            None => Arc::new(Observed::new(K::KIND)),
        };
        self.make_room();
        match self.kind.spawn(id, Arc::clone(&observed), parent).await {
            Ok(actor) => {
                self.kind.live().started(id, Arc::clone(&observed));
                observed.sent();
                self.ids.insert(actor.get_id(), id);
                // A fresh child takes messages.
                let _ = actor.send_message(message);
                self.live.insert(id, Child { actor, observed });
                self.node_live.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tracing::error!(%error, "an actor could not be started"),
        }
    }

    /// A child of this kind has ended; `failure` says why, if it failed.
    pub(super) fn ended(
        &mut self,
        actor: ActorId,
        failure: Option<(&str, Cause)>,
    ) -> Option<Ended<K>> {
        let id = self.ids.remove(&actor)?;
        if let Some(child) = self.live.get(&id).filter(|child| child.actor.get_id() == actor) {
            if let Some((error, cause)) = failure {
                let observed = Arc::clone(&child.observed);
                observed.failed(error, cause);
                self.kind.live().rests(id, Arc::clone(&observed));
                let doublings = u32::try_from(observed.restarts()).unwrap_or(u32::MAX).min(16);
                let rest_ms = (REST_MS_MIN << doublings).min(REST_MS_MAX);
                let until_ms = self.kind.now_ms() + rest_ms;
                self.resting.insert(id, Resting { observed, until_ms });
            }
            self.forget(id);
        }
        let was_drained = self.draining.get(&id).is_some_and(|child| child.actor == actor);
        let drained = if was_drained { self.draining.remove(&id) } else { None };
        Some(Ended { id, held: drained.map(|drained| drained.held).unwrap_or_default() })
    }

    /// Drains the children that had no message for a while.
    pub(super) fn passivate_idle(&mut self) {
        let before = self.kind.now_ms().saturating_sub(self.idle_ms);
        let idle: Vec<K::Id> =
            self.quiet().filter(|(ms, _)| *ms <= before).map(|(_, id)| id).collect();
        for id in idle {
            self.drain(id, "idle");
        }
        // Where all were busy when another was needed, there are too many.
        if self.live.len() > self.live_max {
            self.make_room();
        }
        let now = self.kind.now_ms();
        // Those who have rested long after their time are forgiven.
        let live = self.kind.live();
        self.resting.retain(|id, resting| {
            let is_kept = now < resting.until_ms.saturating_add(REST_MS_MAX);
            if !is_kept {
                live.rested(*id);
            }
            is_kept
        });
    }

    /// Drains the longest idle children where too many are live.
    fn make_room(&mut self) {
        let node_is_full = self.node_live.load(Ordering::Relaxed) >= self.node_live_max;
        if self.live.len() < self.live_max && !node_is_full {
            return;
        }
        let mut quiet = Vec::with_capacity(self.live.len());
        quiet.extend(self.quiet());
        // There are thousands, of which a few are wanted: the others need no order.
        if quiet.len() > DRAINED_AT_ONCE {
            quiet.select_nth_unstable_by_key(DRAINED_AT_ONCE, |(last_message_ms, _)| {
                *last_message_ms
            });
            quiet.truncate(DRAINED_AT_ONCE);
        }
        for (_, id) in quiet {
            self.drain(id, "room");
        }
    }

    fn quiet(&self) -> impl Iterator<Item = (u64, K::Id)> + '_ {
        let quiet = self.live.iter().filter(|(_, child)| child.observed.is_quiet());
        quiet.map(|(id, child)| (child.observed.last_message_ms(), *id))
    }

    fn drain(&mut self, id: K::Id, reason: &'static str) {
        let Some(child) = self.live.get(&id) else { return };
        // One that has ended already is told of by its supervision event.
        if child.actor.drain().is_ok() {
            self.kind.live().passivated();
            let kind = K::KIND.name();
            metrics::counter!("slackwater_actors_passivated_total", "kind" => kind, "reason" => reason)
                .increment(1);
            self.draining.insert(id, Draining { actor: child.actor.get_id(), held: Vec::new() });
        }
        self.forget(id);
    }

    fn forget(&mut self, id: K::Id) {
        if self.live.remove(&id).is_some() {
            self.node_live.fetch_sub(1, Ordering::Relaxed);
            self.kind.live().ended(id);
        }
    }
}
