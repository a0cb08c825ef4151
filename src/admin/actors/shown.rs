//! What is shown of actors. It is read from counters; nobody waits for an actor's turn.

use std::time::Duration;

use access::wave::Wave;
use access::{TenantId, WebhookId};
use actors::Tenant;
use actors::observe::{ActorState, Observed};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schemas;

/// Who works on one message for so long is called slow.
pub(crate) const SLOW_FROM: Duration = Duration::from_secs(5);
/// Users, and groups, of a tenant that are shown one by one.
const BUSIEST_MAX: usize = 50;

/// What one actor is doing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(examples(json!({
    "state": "idle", "mailbox_depth": 0, "messages_handled": 12, "restarts": 0, "last_error": null,
    "last_message_at": "2026-03-01T12:00:00Z", "working_for_ms": null, "slow": false
})))]
pub(crate) struct Actor {
    /// `starting`, `idle`, `working`, `restarting` (it failed and rests) or `stopped`.
    pub(crate) state: &'static str,
    /// Messages that wait, with the one being worked on.
    pub(crate) mailbox_depth: u64,
    /// Messages worked on since its first start.
    pub(crate) messages_handled: u64,
    /// How often it failed and was started again.
    pub(crate) restarts: u64,
    /// The last failure, in words.
    #[schema(required)]
    pub(crate) last_error: Option<String>,
    /// When it last took a message.
    #[schema(required)]
    pub(crate) last_message_at: Option<Timestamp>,
    /// For how long it has been working on the message that it has.
    #[schema(required)]
    pub(crate) working_for_ms: Option<u64>,
    /// Whether that is for 5 s or longer.
    pub(crate) slow: bool,
    /// For a user's or a group's actor: the user or the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, nullable = false)]
    pub(crate) id: Option<String>,
    /// For a courier: its webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, nullable = false)]
    pub(crate) webhook: Option<WebhookId>,
}

/// What a tenant's actors are doing: the tenant's own, and those beneath it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(examples(json!({
    "state": "idle", "mailbox_depth": 0, "messages_handled": 12, "restarts": 0, "last_error": null,
    "last_message_at": "2026-03-01T12:00:00Z", "working_for_ms": null, "slow": false,
    "tenant": "acme", "wave": null, "next_sweep": "2026-03-01T12:30:00Z",
    "live_users": 3, "live_groups": 1, "resting_users": 0, "resting_groups": 0,
    "passivated_users": 40, "passivated_groups": 2,
    "reconciler": {"state": "idle", "mailbox_depth": 0, "messages_handled": 2, "restarts": 0,
                   "last_error": null, "last_message_at": "2026-03-01T12:00:00Z",
                   "working_for_ms": null, "slow": false},
    "housekeeper": {"state": "idle", "mailbox_depth": 0, "messages_handled": 1, "restarts": 0,
                    "last_error": null, "last_message_at": "2026-03-01T12:00:00Z",
                    "working_for_ms": null, "slow": false},
    "reporter": {"state": "idle", "mailbox_depth": 0, "messages_handled": 1, "restarts": 0,
                 "last_error": null, "last_message_at": "2026-03-01T12:00:00Z",
                 "working_for_ms": null, "slow": false},
    "recorder": {"state": "idle", "mailbox_depth": 0, "messages_handled": 1, "restarts": 0,
                 "last_error": null, "last_message_at": "2026-03-01T12:00:00Z",
                 "working_for_ms": null, "slow": false},
    "couriers": []
})))]
pub(crate) struct TenantActors {
    /// `starting`, `idle`, `working`, `restarting` (it failed and rests) or `stopped`.
    pub(crate) state: &'static str,
    /// Messages that wait, with the one being worked on.
    pub(crate) mailbox_depth: u64,
    /// Messages worked on since its first start.
    pub(crate) messages_handled: u64,
    /// How often it failed and was started again.
    pub(crate) restarts: u64,
    /// The last failure, in words.
    #[schema(required)]
    pub(crate) last_error: Option<String>,
    /// When it last took a message.
    #[schema(required)]
    pub(crate) last_message_at: Option<Timestamp>,
    /// For how long it has been working on the message that it has.
    #[schema(required)]
    pub(crate) working_for_ms: Option<u64>,
    /// Whether that is for 5 s or longer.
    pub(crate) slow: bool,
    /// The tenant's id.
    pub(crate) tenant: String,
    /// The open wave.
    #[schema(value_type = Option<schemas::Wave>, required)]
    pub(crate) wave: Option<Wave>,
    /// When the tenant is swept next.
    #[schema(required)]
    pub(crate) next_sweep: Option<Timestamp>,
    /// Users with a live actor.
    pub(crate) live_users: usize,
    /// Groups with a live actor.
    pub(crate) live_groups: usize,
    /// Users whose actor failed and rests.
    pub(crate) resting_users: usize,
    /// Groups whose actor failed and rests.
    pub(crate) resting_groups: usize,
    /// Users' actors that were ended since the tenant started, because they were idle or to make
    /// room. The next message starts another.
    pub(crate) passivated_users: u64,
    /// The same of groups.
    pub(crate) passivated_groups: u64,
    /// The tenant's reconciler.
    pub(crate) reconciler: Actor,
    /// Who takes away what is too old, and warns of what ends soon.
    pub(crate) housekeeper: Actor,
    /// Who tells of equipment.
    pub(crate) reporter: Actor,
    /// Who writes down what the directory sends.
    pub(crate) recorder: Actor,
    /// Who delivers to the webhooks.
    pub(crate) couriers: Vec<Actor>,
    /// Users' actors, at most 50: those first that failed and rest, then by the depth of their
    /// mailboxes. Only where one tenant was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) busiest_users: Option<Vec<Actor>>,
    /// The same of groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) busiest_groups: Option<Vec<Actor>>,
}

/// What the actors of the whole service are doing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeActors {
    /// Who finds, starts and supervises the tenants.
    pub(crate) directory: Actor,
    /// A page of tenants: those that are live, and those whose actor failed and rests.
    pub(crate) items: Vec<TenantActors>,
    /// The `cursor` of the next page; null on the last.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

impl Actor {
    pub(crate) fn new(state: ActorState, now: Timestamp) -> Self {
        let ActorState {
            state,
            mailbox_depth,
            messages_handled,
            restarts,
            last_error,
            last_message_at,
            working_since,
        } = state;
        let working_for = working_since.map(|since| {
            // A message that came this very millisecond.
            Duration::try_from(now.duration_since(since)).unwrap_or_default()
        });
        Self {
            state,
            mailbox_depth,
            messages_handled,
            restarts,
            last_error,
            last_message_at,
            working_for_ms: working_for
                .map(|working| u64::try_from(working.as_millis()).unwrap_or(u64::MAX)),
            slow: working_for.is_some_and(|working| working >= SLOW_FROM),
            id: None,
            webhook: None,
        }
    }

    fn of(observed: &Observed, now: Timestamp) -> Self {
        Self::new(observed.state(), now)
    }

    /// The same, of this user or group.
    pub(crate) fn named(self, id: &impl ToString) -> Self {
        Self { id: Some(id.to_string()), ..self }
    }

    /// One that ended with its supervisor.
    fn ended() -> Self {
        Self {
            state: "stopped",
            mailbox_depth: 0,
            messages_handled: 0,
            restarts: 0,
            last_error: None,
            last_message_at: None,
            working_for_ms: None,
            slow: false,
            id: None,
            webhook: None,
        }
    }
}

impl TenantActors {
    /// Of a live tenant.
    pub(crate) fn of(tenant: &Tenant, now: Timestamp) -> Self {
        let shared = tenant.shared();
        let courier = |(id, observed): (WebhookId, std::sync::Arc<Observed>)| {
            let actor = Actor::of(&observed, now);
            Actor { webhook: Some(id), ..actor }
        };
        Self {
            wave: shared.open_wave(),
            next_sweep: shared.next_sweep(),
            live_users: shared.users.live(),
            live_groups: shared.groups.live(),
            resting_users: shared.users.resting(),
            resting_groups: shared.groups.resting(),
            passivated_users: shared.users.passivated_total(),
            passivated_groups: shared.groups.passivated_total(),
            reconciler: Actor::of(&shared.reconciler_observed, now),
            housekeeper: Actor::of(&shared.housekeeper_observed, now),
            reporter: Actor::of(&shared.reporter_observed, now),
            recorder: Actor::of(&shared.recorder.observed, now),
            couriers: shared.couriers().into_iter().map(courier).collect(),
            ..Self::resting(&shared.id, shared.tenant_observed.state(), now)
        }
    }

    /// The tenant's own actor.
    pub(crate) fn own(&self) -> Actor {
        Actor {
            state: self.state,
            mailbox_depth: self.mailbox_depth,
            messages_handled: self.messages_handled,
            restarts: self.restarts,
            last_error: self.last_error.clone(),
            last_message_at: self.last_message_at,
            working_for_ms: self.working_for_ms,
            slow: self.slow,
            id: None,
            webhook: None,
        }
    }

    /// The same, with its busiest users and groups.
    pub(crate) fn in_full(tenant: &Tenant, now: Timestamp) -> Self {
        let shared = tenant.shared();
        let users = shared.users.busiest(BUSIEST_MAX).into_iter();
        let groups = shared.groups.busiest(BUSIEST_MAX).into_iter();
        Self {
            busiest_users: Some(users.map(|(id, of)| Actor::new(of, now).named(&id)).collect()),
            busiest_groups: Some(groups.map(|(id, of)| Actor::new(of, now).named(&id)).collect()),
            ..Self::of(tenant, now)
        }
    }

    /// Of a tenant whose actor failed and rests; what was beneath it has ended with it.
    pub(crate) fn resting(id: &TenantId, state: ActorState, now: Timestamp) -> Self {
        let actor = Actor::new(state, now);
        Self {
            state: actor.state,
            mailbox_depth: actor.mailbox_depth,
            messages_handled: actor.messages_handled,
            restarts: actor.restarts,
            last_error: actor.last_error,
            last_message_at: actor.last_message_at,
            working_for_ms: actor.working_for_ms,
            slow: actor.slow,
            tenant: id.to_string(),
            wave: None,
            next_sweep: None,
            live_users: 0,
            live_groups: 0,
            resting_users: 0,
            resting_groups: 0,
            passivated_users: 0,
            passivated_groups: 0,
            reconciler: Actor::ended(),
            housekeeper: Actor::ended(),
            reporter: Actor::ended(),
            recorder: Actor::ended(),
            couriers: Vec::new(),
            busiest_users: None,
            busiest_groups: None,
        }
    }
}
