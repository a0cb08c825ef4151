//! What actors are doing, as operators see it.
//!
//! Each actor keeps a small block of counters that anybody can read without waiting for its turn.
//! The depth of a mailbox is counted here too, since ractor does not tell it. What all actors of a
//! kind have done is counted beside that, for the metrics: a user's actor is gone after a while.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use ractor::ActorProcessingErr;
use serde::Serialize;
use store::ReadError;

use crate::error::ChangeError;

/// What an actor is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Finds, starts and supervises tenants.
    Directory,
    /// Routes the requests of one tenant.
    Tenant,
    /// Writes one user.
    User,
    /// Writes one group.
    Group,
    /// Runs passes.
    Reconciler,
    /// Takes away what is too old.
    Housekeeper,
    /// Tells of equipment.
    Reporter,
    /// Writes down what the directory sent.
    Recorder,
    /// Brings events to one webhook.
    Courier,
}

/// Messages that all actors of a kind have handled since the process started.
static HANDLED: [AtomicU64; Kind::ALL.len()] = [const { AtomicU64::new(0) }; Kind::ALL.len()];

impl Kind {
    /// All of them, in the order of the supervision tree.
    pub const ALL: [Self; 9] = [
        Self::Directory,
        Self::Tenant,
        Self::User,
        Self::Group,
        Self::Reconciler,
        Self::Housekeeper,
        Self::Reporter,
        Self::Recorder,
        Self::Courier,
    ];

    /// In one word, as metrics say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Group => "group",
            Self::Reconciler => "reconciler",
            Self::Housekeeper => "housekeeper",
            Self::Reporter => "reporter",
            Self::Recorder => "recorder",
            Self::Courier => "courier",
        }
    }

    /// Messages that all actors of this kind have handled since the process started.
    pub fn messages_handled(self) -> u64 {
        self.handled().load(Ordering::Relaxed)
    }

    const fn handled(self) -> &'static AtomicU64 {
        // One slot for each variant, in the order of their declaration.
        &HANDLED[self as usize]
    }
}

/// Why an actor failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It panicked.
    Panic,
    /// It ended itself with an error: what it works on could not be read or written.
    Error,
    /// It could not be started.
    Start,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Panic, Self::Error, Self::Start];

    /// In one word, as metrics say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Start => "start",
        }
    }

    /// What a supervisor was told of. Our own actors end with our own errors; what is none of
    /// these, ractor has made of a panic.
    pub(crate) fn of(error: &ActorProcessingErr) -> Self {
        let is_ours = error.is::<ChangeError>() || error.is::<ReadError>();
        if is_ours { Self::Error } else { Self::Panic }
    }
}

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Restarting,
    Stopped,
}

/// One actor's counters.
#[derive(Debug)]
pub struct Observed {
    kind: Kind,
    phase: AtomicU8,
    depth: AtomicU64,
    handled: AtomicU64,
    restarts: AtomicU64,
    last_error: Mutex<Option<String>>,
    /// Milliseconds since 1970; 0 before the first message.
    last_message_ms: AtomicU64,
    /// When the message came that is being worked on; 0 where there is none.
    busy_since_ms: AtomicU64,
}

/// A copy of an actor's counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorState {
    /// `starting`, `idle`, `working`, `restarting` (it failed and rests) or `stopped`.
    pub state: &'static str,
    /// Messages that wait, with the one being worked on.
    pub mailbox_depth: u64,
    /// Messages worked on since the actor's first start.
    pub messages_handled: u64,
    /// How often it failed and was started again.
    pub restarts: u64,
    /// The last failure, in words.
    pub last_error: Option<String>,
    /// When it last took a message.
    pub last_message_at: Option<Timestamp>,
    /// Since when it has been working on the message that it has.
    pub working_since: Option<Timestamp>,
}

impl Observed {
    /// Of an actor that is about to be started.
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            phase: AtomicU8::new(Phase::Starting as u8),
            depth: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            last_error: Mutex::new(None),
            last_message_ms: AtomicU64::new(0),
            busy_since_ms: AtomicU64::new(0),
        }
    }

    /// What the actor is there for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// It takes messages.
    pub(crate) fn started(&self) {
        self.enter(Phase::Running);
    }

    /// A message was put into the mailbox.
    pub(crate) fn sent(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
    }

    /// A message is being worked on.
    pub(crate) fn begin(&self, now: Timestamp) {
        let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
        self.busy_since_ms.store(now.max(1), Ordering::Relaxed);
        self.last_message_ms.store(now, Ordering::Relaxed);
        self.started();
    }

    /// The message is done.
    pub(crate) fn end(&self) {
        self.busy_since_ms.store(0, Ordering::Relaxed);
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.kind.handled().fetch_add(1, Ordering::Relaxed);
        self.taken();
    }

    /// A message left the mailbox without being worked on.
    pub(crate) fn taken(&self) {
        let less = |depth: u64| depth.checked_sub(1);
        // A timer's message was never counted in: nothing to take.
        let _ = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The actor failed, and is started again after a rest.
    pub(crate) fn failed(&self, error: &str, cause: Cause) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.restarting();
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
        let (kind, cause) = (self.kind.name(), cause.name());
        metrics::counter!("slackwater_actor_restarts_total", "kind" => kind, "cause" => cause)
            .increment(1);
    }

    /// The actor ended, or failed, and is started again after a rest.
    pub(crate) fn ended(&self, failure: Option<(&str, Cause)>) {
        match failure {
            Some((error, cause)) => self.failed(error, cause),
            None => self.restarting(),
        }
    }

    /// The actor ended, and is started again after a rest.
    pub(crate) fn restarting(&self) {
        self.depth.store(0, Ordering::Relaxed);
        self.busy_since_ms.store(0, Ordering::Relaxed);
        self.enter(Phase::Restarting);
    }

    /// The actor ended for good.
    pub(crate) fn stopped(&self) {
        self.restarting();
        self.enter(Phase::Stopped);
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Whether it failed, and rests before it is started again.
    pub fn is_resting(&self) -> bool {
        self.phase() == Phase::Restarting
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.depth() == 0
    }

    /// When the last message came, in milliseconds since 1970.
    pub(crate) fn last_message_ms(&self) -> u64 {
        self.last_message_ms.load(Ordering::Relaxed)
    }

    /// Messages that wait, with the one being worked on.
    pub fn depth(&self) -> u64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Since when it has been working on the message that it has.
    pub fn working_since(&self) -> Option<Timestamp> {
        timestamp(self.busy_since_ms.load(Ordering::Relaxed))
    }

    /// A copy of the counters.
    pub fn state(&self) -> ActorState {
        let (depth, working_since) = (self.depth(), self.working_since());
        let state = match self.phase() {
            Phase::Starting => "starting",
            Phase::Restarting => "restarting",
            Phase::Stopped => "stopped",
            Phase::Running if working_since.is_some() || depth > 0 => "working",
            Phase::Running => "idle",
        };
        ActorState {
            state,
            mailbox_depth: depth,
            messages_handled: self.handled.load(Ordering::Relaxed),
            restarts: self.restarts(),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            last_message_at: timestamp(self.last_message_ms()),
            working_since,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        let phase = self.phase.load(Ordering::Relaxed);
        let all = [Phase::Starting, Phase::Running, Phase::Restarting];
        all.into_iter().find(|known| *known as u8 == phase).unwrap_or(Phase::Stopped)
    }
}

fn timestamp(ms: u64) -> Option<Timestamp> {
    let ms = i64::try_from(ms).ok().filter(|ms| *ms > 0)?;
    Timestamp::from_millisecond(ms).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_counts_in_a_slot_of_its_own() {
        for (slot, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, slot, "{kind:?}");
        }
    }

    #[test]
    fn the_state_follows_an_actors_life() {
        let observed = Observed::new(Kind::Courier);
        let at = Timestamp::from_second(1_000).unwrap();
        assert_eq!(observed.state().state, "starting");
        observed.started();
        assert_eq!(observed.state().state, "idle");
        observed.sent();
        observed.begin(at);
        let working = observed.state();
        assert_eq!((working.state, working.mailbox_depth), ("working", 1));
        assert_eq!((working.working_since, working.last_message_at), (Some(at), Some(at)));
        observed.end();
        let idle = observed.state();
        assert_eq!((idle.state, idle.mailbox_depth, idle.working_since), ("idle", 0, None));
        observed.sent();
        observed.failed("it broke", Cause::Panic);
        let failed = observed.state();
        assert_eq!((failed.state, failed.mailbox_depth, failed.restarts), ("restarting", 0, 1));
        assert_eq!(failed.last_error.as_deref(), Some("it broke"));
        observed.started();
        assert_eq!(observed.state().state, "idle");
        observed.stopped();
        assert_eq!(observed.state().state, "stopped");
    }
}
