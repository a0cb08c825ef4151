//! The tenant actor: routes the requests of one tenant.
//!
//! It never waits for the disk: it finds or starts the actor that a message is for, hands the
//! message on, and takes the next one. Creates are decided here, since there is no actor yet for
//! what does not exist; their commits are awaited in tasks of their own, so that a thousand
//! creates in flight share a few commits.
//!
//! It supervises: a child that fails is started again from the store by the next message for it,
//! after a back-off; the parent goes on. It passivates: children that were idle for a while, or
//! the longest idle ones where too many are live, are drained.

mod children;
mod couriers;
mod create;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use access::wave::later;
use access::{GroupId, UserId, WebhookId};
use jiff::Timestamp;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use scim::resource::Created;
use store::Record;

use self::children::{ChildKind, Children, Ended};
use self::couriers::Couriers;
use crate::error::ChangeError;
use crate::group::{GroupActor, GroupArguments, GroupMessage};
use crate::housekeeper::HousekeeperActor;
use crate::live::LiveChildren;
use crate::observe::{Cause, Kind, Observed};
use crate::reconciler::{ReconcilerActor, ReconcilerMessage};
use crate::recorder::RecorderActor;
use crate::reporter::{ReporterActor, ReporterMessage};
use crate::service::Limits;
use crate::shared::{Shared, WriteGuard};
use crate::user::{UserActor, UserArguments, UserMessage};

/// How often idle children are looked for.
const PASSIVATION_EVERY: Duration = Duration::from_secs(10);
/// How long a failed reconciler, reporter, recorder or housekeeper rests before it is started again, at first
/// and at most.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(30);

/// What a tenant actor can be told.
pub(crate) enum TenantMessage {
    /// Create a user. Replies with it as committed.
    CreateUser {
        /// The id that it was made with.
        id: UserId,
        /// The user.
        created: Box<Created>,
        /// The request; tells the wave.
        write: WriteGuard,
        /// Gets the user.
        reply_to: RpcReplyPort<Result<Record, ChangeError>>,
    },
    /// Create a group. Replies with it as committed.
    CreateGroup {
        /// The id that it was made with.
        id: GroupId,
        /// The group and its members.
        created: Box<Created>,
        /// The request; tells the wave.
        write: WriteGuard,
        /// Gets the group.
        reply_to: RpcReplyPort<Result<Record, ChangeError>>,
    },
    /// Hand a message to a user's actor.
    User(UserId, Box<UserMessage>),
    /// Hand a message to a group's actor.
    Group(GroupId, Box<GroupMessage>),
    /// Look for idle children. Sent by its own timer.
    Passivate,
    /// Start the reconciler again. Sent by its own timer.
    StartReconciler,
    /// Start the housekeeper again. Sent by its own timer.
    StartHousekeeper,
    /// Start the reporter again. Sent by its own timer.
    StartReporter,
    /// Start the recorder again. Sent by its own timer.
    StartRecorder,
    /// Start the couriers of all webhooks that have none.
    StartCouriers,
    /// Start a webhook's courier, unless there is one.
    StartCourier(WebhookId),
}

/// What a tenant actor is started with.
pub(crate) struct TenantArguments {
    pub(crate) shared: Arc<Shared>,
    pub(crate) limits: Limits,
    /// Live actors of the node.
    pub(crate) node_live: Arc<AtomicUsize>,
}

/// The actor; see the module.
pub(crate) struct TenantActor;

/// What it knows between messages.
pub(crate) struct TenantState {
    shared: Arc<Shared>,
    users: Children<Users>,
    groups: Children<Groups>,
    reconciler: Restarts,
    reporter: Restarts,
    housekeeper: Restarts,
    recorder: Restarts,
    couriers: Couriers,
}

/// When a helper that there is one of was started, and how long it rests when it fails.
struct Restarts {
    actor: Option<ActorId>,
    started_at: Timestamp,
    rest: Duration,
}

impl Actor for TenantActor {
    type Msg = TenantMessage;
    type State = TenantState;
    type Arguments = TenantArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<TenantMessage>,
        arguments: TenantArguments,
    ) -> Result<TenantState, ActorProcessingErr> {
        let TenantArguments { shared, limits, node_live } = arguments;
        let users = Users(Arc::clone(&shared));
        let groups = Groups(Arc::clone(&shared));
        let mut state = TenantState {
            users: Children::new(users, &limits, Arc::clone(&node_live)),
            groups: Children::new(groups, &limits, node_live),
            reconciler: Restarts::new(shared.clock.now()),
            reporter: Restarts::new(shared.clock.now()),
            housekeeper: Restarts::new(shared.clock.now()),
            recorder: Restarts::new(shared.clock.now()),
            couriers: Couriers::new(Arc::clone(&shared)),
            shared,
        };
        state.shared.tenant_observed.started();
        state.start_reconciler(&myself).await?;
        state.start_reporter(&myself).await?;
        state.start_housekeeper(&myself).await?;
        state.start_recorder(&myself).await?;
        // Its own mailbox is open by now.
        let _ = myself.cast(TenantMessage::StartCouriers);
        myself.send_interval(PASSIVATION_EVERY, || TenantMessage::Passivate);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<TenantMessage>,
        message: TenantMessage,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        state.shared.tenant_observed.begin(state.shared.clock.now());
        match message {
            TenantMessage::CreateUser { id, created, write, reply_to } => {
                create::user(&state.shared, id, *created, write, reply_to);
            }
            TenantMessage::CreateGroup { id, created, write, reply_to } => {
                create::group(&state.shared, id, *created, write, reply_to);
            }
            TenantMessage::User(id, message) => state.users.route(&myself, id, *message).await,
            TenantMessage::Group(id, message) => state.groups.route(&myself, id, *message).await,
            TenantMessage::Passivate => {
                state.users.passivate_idle();
                state.groups.passivate_idle();
            }
            TenantMessage::StartReconciler => {
                if state.start_reconciler(&myself).await.is_err() {
                    let rest = state.reconciler.rest(state.shared.clock.now());
                    myself.send_after(rest, || TenantMessage::StartReconciler);
                }
            }
            TenantMessage::StartHousekeeper => {
                if state.start_housekeeper(&myself).await.is_err() {
                    let rest = state.housekeeper.rest(state.shared.clock.now());
                    myself.send_after(rest, || TenantMessage::StartHousekeeper);
                }
            }
            TenantMessage::StartReporter => {
                if state.start_reporter(&myself).await.is_err() {
                    let rest = state.reporter.rest(state.shared.clock.now());
                    myself.send_after(rest, || TenantMessage::StartReporter);
                }
            }
            TenantMessage::StartRecorder => {
                if state.start_recorder(&myself).await.is_err() {
                    let rest = state.recorder.rest(state.shared.clock.now());
                    myself.send_after(rest, || TenantMessage::StartRecorder);
                }
            }
            TenantMessage::StartCouriers => state.couriers.start_all(&myself).await,
            TenantMessage::StartCourier(id) => state.couriers.start(&myself, id).await,
        }
        state.shared.tenant_observed.end();
        Ok(())
    }

    /// Children come and go; the parent stays. (The default would end it with its first child.)
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<TenantMessage>,
        event: SupervisionEvent,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, failure) = match event {
            SupervisionEvent::ActorTerminated(cell, ..) => (cell, None),
            SupervisionEvent::ActorFailed(cell, error) => {
                (cell, Some((error.to_string(), Cause::of(&error))))
            }
            _ => return Ok(()),
        };
        if let Some((error, _)) = &failure {
            tracing::error!(tenant.id = %state.shared.id, error, "an actor failed");
        }
        let failure = failure.as_ref().map(|(error, cause)| (error.as_str(), *cause));
        let id = cell.get_id();
        if let Some(Ended { id, held }) = state.users.ended(id, failure) {
            for message in held {
                state.users.route(&myself, id, message).await;
            }
        } else if let Some(Ended { id, held }) = state.groups.ended(id, failure) {
            for message in held {
                state.groups.route(&myself, id, message).await;
            }
        } else if state.couriers.ended(&myself, id, failure) {
            // It is started again after a rest, if it failed.
        } else if state.housekeeper.actor == Some(id) {
            state.shared.set_housekeeper(None);
            state.shared.housekeeper_observed.ended(failure);
            let rest = state.housekeeper.rest(state.shared.clock.now());
            myself.send_after(rest, || TenantMessage::StartHousekeeper);
        } else if state.recorder.actor == Some(id) {
            state.shared.recorder.set_actor(None);
            state.shared.recorder.observed.ended(failure);
            let rest = state.recorder.rest(state.shared.clock.now());
            myself.send_after(rest, || TenantMessage::StartRecorder);
        } else if state.reporter.actor == Some(id) {
            state.shared.set_reporter(None);
            state.shared.reporter_observed.ended(failure);
            let rest = state.reporter.rest(state.shared.clock.now());
            myself.send_after(rest, || TenantMessage::StartReporter);
        } else if state.reconciler.actor == Some(id) {
            state.shared.set_reconciler(None);
            state.shared.reconciler_observed.ended(failure);
            let rest = state.reconciler.rest(state.shared.clock.now());
            myself.send_after(rest, || TenantMessage::StartReconciler);
        }
        Ok(())
    }
}

impl TenantState {
    async fn start_reconciler(
        &mut self,
        myself: &ActorRef<TenantMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let arguments = (Arc::clone(&self.shared), myself.clone());
        let (reconciler, _) =
            ReconcilerActor::spawn_linked(None, ReconcilerActor, arguments, myself.get_cell())
                .await?;
        self.reconciler.started(reconciler.get_id(), self.shared.clock.now());
        self.shared.reconciler_observed.started();
        self.shared.set_reconciler(Some(reconciler));
        self.shared.tell_reconciler(ReconcilerMessage::Start);
        Ok(())
    }

    async fn start_housekeeper(
        &mut self,
        myself: &ActorRef<TenantMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let shared = Arc::clone(&self.shared);
        let (housekeeper, _) =
            HousekeeperActor::spawn_linked(None, HousekeeperActor, shared, myself.get_cell())
                .await?;
        self.housekeeper.started(housekeeper.get_id(), self.shared.clock.now());
        self.shared.housekeeper_observed.started();
        self.shared.set_housekeeper(Some(housekeeper));
        Ok(())
    }

    async fn start_recorder(
        &mut self,
        myself: &ActorRef<TenantMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let shared = Arc::clone(&self.shared);
        let (recorder, _) =
            RecorderActor::spawn_linked(None, RecorderActor, shared, myself.get_cell()).await?;
        self.recorder.started(recorder.get_id(), self.shared.clock.now());
        self.shared.recorder.observed.started();
        self.shared.recorder.set_actor(Some(recorder));
        Ok(())
    }

    async fn start_reporter(
        &mut self,
        myself: &ActorRef<TenantMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let shared = Arc::clone(&self.shared);
        let (reporter, _) =
            ReporterActor::spawn_linked(None, ReporterActor, shared, myself.get_cell()).await?;
        self.reporter.started(reporter.get_id(), self.shared.clock.now());
        self.shared.reporter_observed.started();
        self.shared.set_reporter(Some(reporter));
        self.shared.tell_reporter(ReporterMessage::Start);
        Ok(())
    }
}

impl Restarts {
    const fn new(now: Timestamp) -> Self {
        Self { actor: None, started_at: now, rest: REST_MIN }
    }

    fn started(&mut self, actor: ActorId, now: Timestamp) {
        (self.actor, self.started_at) = (Some(actor), now);
    }

    /// It failed. Answers how long it rests now.
    fn rest(&mut self, now: Timestamp) -> Duration {
        // One that worked for a while is given another quick start.
        if later(self.started_at, REST_MAX) <= now {
            self.rest = REST_MIN;
        }
        let rest = self.rest;
        self.rest = (rest * 2).min(REST_MAX);
        rest
    }
}

/// User actors as children.
struct Users(Arc<Shared>);

impl ChildKind for Users {
    type Id = UserId;
    type Message = UserMessage;

    const KIND: Kind = Kind::User;

    async fn spawn(
        &self,
        id: UserId,
        observed: Arc<Observed>,
        parent: &ActorRef<TenantMessage>,
    ) -> Result<ActorRef<UserMessage>, ractor::SpawnErr> {
        let arguments = UserArguments { id, shared: Arc::clone(&self.0), observed };
        let spawned = UserActor::spawn_linked(None, UserActor, arguments, parent.get_cell()).await;
        spawned.map(|(actor, _)| actor)
    }

    fn live(&self) -> &LiveChildren<UserId> {
        &self.0.users
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.clock.now().as_millisecond()).unwrap_or_default()
    }
}

/// Group actors as children.
struct Groups(Arc<Shared>);

impl ChildKind for Groups {
    type Id = GroupId;
    type Message = GroupMessage;

    const KIND: Kind = Kind::Group;

    async fn spawn(
        &self,
        id: GroupId,
        observed: Arc<Observed>,
        parent: &ActorRef<TenantMessage>,
    ) -> Result<ActorRef<GroupMessage>, ractor::SpawnErr> {
        let arguments = GroupArguments { id, shared: Arc::clone(&self.0), observed };
        let spawned =
            GroupActor::spawn_linked(None, GroupActor, arguments, parent.get_cell()).await;
        spawned.map(|(actor, _)| actor)
    }

    fn live(&self) -> &LiveChildren<GroupId> {
        &self.0.groups
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.clock.now().as_millisecond()).unwrap_or_default()
    }
}
