//! The directory actor: finds or starts tenants, and supervises them.
//!
//! A tenant whose actor fails is started again after a back-off, whether or not anybody asks for
//! it: its sweeps must go on.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use access::wave::{Wave, WaveState};
use access::{TenantId, WaveId};
use jiff::Timestamp;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use store::{Marked, ReadError, Snapshot, Store, TenantKey};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::ActiveConfig;
use crate::courier::egress::Outbound;
use crate::error::ChangeError;
use crate::mail::Mailer;
use crate::observe::{ActorState, Cause, Kind, Observed};
use crate::service::{Limits, Tenant};
use crate::shared::Shared;
use crate::tenant::{TenantActor, TenantArguments};
use crate::{recorder, traffic};

/// How long a failed tenant rests before it is started again, at first and at most.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(30);

/// How long is tried to write down what a failed tenant had not written yet. Less than until the
/// next life of the tenant writes such things.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// The live tenants, for all who look one up.
pub(crate) type Tenants = Arc<RwLock<HashMap<TenantId, Tenant>>>;

/// What the directory is doing, for all who want to know.
pub(crate) struct DirectorySeen {
    /// Its counters.
    pub(crate) observed: Observed,
    /// The counters of tenants' actors that failed and rest.
    resting: RwLock<BTreeMap<TenantId, Arc<Observed>>>,
}

impl DirectorySeen {
    pub(crate) const fn new() -> Self {
        Self { observed: Observed::new(Kind::Directory), resting: RwLock::new(BTreeMap::new()) }
    }

    /// The tenants whose actors failed and rest.
    pub(crate) fn resting(&self) -> Vec<(TenantId, ActorState)> {
        let resting = self.resting.read().unwrap_or_else(PoisonError::into_inner);
        resting.iter().map(|(id, observed)| (id.clone(), observed.state())).collect()
    }

    fn rests(&self, id: &TenantId, observed: Arc<Observed>) {
        let mut resting = self.resting.write().unwrap_or_else(PoisonError::into_inner);
        resting.insert(id.clone(), observed);
    }

    /// Takes a tenant off the list of those that rest.
    fn rested(&self, id: &TenantId) -> Option<Arc<Observed>> {
        self.resting.write().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

/// What the directory can be told.
#[derive(Debug)]
pub(crate) enum DirectoryMessage {
    /// Find or start a tenant.
    Open {
        /// Which one.
        tenant: store::tenant::Tenant,
        /// Gets it.
        reply_to: RpcReplyPort<Result<Tenant, ChangeError>>,
    },
    /// Stop a tenant that was deleted.
    Close {
        /// Its id.
        id: TenantId,
        /// Its number: another tenant may have the id by now.
        key: TenantKey,
        /// Told when it no longer takes messages.
        reply_to: RpcReplyPort<()>,
    },
    /// Start a tenant again. Sent by a timer.
    Reopen(TenantId),
}

/// What the directory is started with.
pub(crate) struct DirectoryArguments {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) tenants: Tenants,
    pub(crate) permits: Arc<Semaphore>,
    /// Sends webhooks.
    pub(crate) outbound: Arc<Outbound>,
    /// Sends e-mails, if that is configured.
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    /// One for each account that a pass of any tenant has asked and not heard of yet.
    pub(crate) pass_permits: Arc<Semaphore>,
    pub(crate) seen: Arc<DirectorySeen>,
}

/// The actor; see the module.
pub(crate) struct DirectoryActor;

/// What it knows between messages.
pub(crate) struct DirectoryState {
    arguments: DirectoryArguments,
    node_live: Arc<AtomicUsize>,
    ids: HashMap<ActorId, TenantId>,
    failures: HashMap<TenantId, u32>,
}

impl Actor for DirectoryActor {
    type Msg = DirectoryMessage;
    type State = DirectoryState;
    type Arguments = DirectoryArguments;

    async fn pre_start(
        &self,
        _: ActorRef<DirectoryMessage>,
        arguments: DirectoryArguments,
    ) -> Result<DirectoryState, ActorProcessingErr> {
        arguments.seen.observed.started();
        Ok(DirectoryState {
            arguments,
            node_live: Arc::default(),
            ids: HashMap::new(),
            failures: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<DirectoryMessage>,
        message: DirectoryMessage,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        let seen = Arc::clone(&state.arguments.seen);
        seen.observed.begin(state.arguments.clock.now());
        match message {
            DirectoryMessage::Open { tenant, reply_to } => {
                // The requester may have timed out; the tenant is there for the next one.
                let _ = reply_to.send(state.open(&myself, &tenant).await);
            }
            DirectoryMessage::Close { id, key, reply_to } => {
                state.close(&id, key);
                let _ = reply_to.send(());
            }
            DirectoryMessage::Reopen(id) => {
                if let Err(error) = state.reopen(&myself, &id).await {
                    tracing::error!(tenant.id = %id, %error, "a tenant could not be started");
                    state.reopen_later(&myself, id);
                }
            }
        }
        seen.observed.end();
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<DirectoryMessage>,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        state.arguments.seen.observed.stopped();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<DirectoryMessage>,
        event: SupervisionEvent,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, failure) = match event {
            SupervisionEvent::ActorTerminated(cell, ..) => (cell, None),
            SupervisionEvent::ActorFailed(cell, error) => {
                (cell, Some((error.to_string(), Cause::of(&error))))
            }
            _ => return Ok(()),
        };
        let Some(id) = state.ids.remove(&cell.get_id()) else { return Ok(()) };
        let was_live = state.forget(&id, cell.get_id());
        if let Some((error, _)) = &failure {
            tracing::error!(tenant.id = %id, error, "a tenant's actor failed");
        }
        if let Some(ended) = was_live {
            let observed = Arc::clone(&ended.shared().tenant_observed);
            observed.ended(failure.as_ref().map(|(error, cause)| (error.as_str(), *cause)));
            state.arguments.seen.rests(&id, observed);
            if failure.is_some() {
                tokio::spawn(tokio::time::timeout(LAST_WORDS_WITHIN, write_last(ended)));
            }
            state.reopen_later(&myself, id);
        }
        Ok(())
    }
}

impl DirectoryState {
    async fn open(
        &mut self,
        myself: &ActorRef<DirectoryMessage>,
        tenant: &store::tenant::Tenant,
    ) -> Result<Tenant, ChangeError> {
        if let Some(live) = self.live(&tenant.id, tenant.key) {
            return Ok(live);
        }
        let DirectoryArguments { store, clock, limits, permits, outbound, .. } = &self.arguments;
        let snapshot = store.snapshot()?;
        let config = snapshot.config(tenant.key)?.ok_or(ChangeError::NotFound)?;
        let feed = snapshot.counts(tenant.key)?.feed;
        let open = wave_to_resume(&snapshot, tenant.key, clock.now())?;
        drop(snapshot);
        let shared = Shared::new(
            tenant,
            ActiveConfig::from(config),
            feed,
            Arc::clone(store),
            Arc::clone(clock),
            limits.in_flight_per_tenant_max,
            Arc::clone(outbound),
        );
        let seen = &self.arguments.seen;
        let shared = shared.observed_as(seen.rested(&tenant.id));
        let shared = shared.mailing(self.arguments.mailer.clone());
        let shared = Arc::new(shared.asking_with(Arc::clone(&self.arguments.pass_permits)));
        // Taken up before any request can come, so that requests belong to it.
        if let Some(open) = open {
            shared.resume_wave(open, clock.now());
        }
        let arguments = TenantArguments {
            shared: Arc::clone(&shared),
            limits: limits.clone(),
            node_live: Arc::clone(&self.node_live),
        };
        let spawned =
            TenantActor::spawn_linked(None, TenantActor, arguments, myself.get_cell()).await;
        let (actor, _) = spawned.map_err(|error| {
            let observed = Arc::clone(&shared.tenant_observed);
            observed.failed(&error.to_string(), Cause::Start);
            seen.rests(&tenant.id, observed);
            ChangeError::unavailable(error.to_string())
        })?;
        self.ids.insert(actor.get_id(), tenant.id.clone());
        let opened = Tenant::new(shared, actor, Arc::clone(permits));
        let mut tenants = self.arguments.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let before = tenants.insert(tenant.id.clone(), opened.clone());
        drop(tenants);
        if let Some(deleted) = before {
            // It had the same id, and its end is still to be told of.
            deleted.stop("the tenant was deleted");
        }
        Ok(opened)
    }

    async fn reopen(
        &mut self,
        myself: &ActorRef<DirectoryMessage>,
        id: &TenantId,
    ) -> Result<(), ChangeError> {
        let tenant = self.arguments.store.snapshot()?.tenant(id)?;
        let Some(tenant) = tenant else {
            // Deleted meanwhile.
            self.arguments.seen.rested(id);
            return Ok(());
        };
        self.open(myself, &tenant).await.map(drop)
    }

    fn live(&self, id: &TenantId, key: TenantKey) -> Option<Tenant> {
        let tenants = self.arguments.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(id).filter(|tenant| tenant.key() == key).cloned()
    }

    fn close(&mut self, id: &TenantId, key: TenantKey) {
        if let Some(tenant) = self.live(id, key) {
            self.forget(id, tenant.actor_id());
            tenant.stop("the tenant was deleted");
            self.failures.remove(id);
        }
        self.arguments.seen.rested(id);
    }

    /// Takes an ended actor off the list. Answers it if it was the live one of its tenant.
    fn forget(&mut self, id: &TenantId, actor: ActorId) -> Option<Tenant> {
        let mut tenants = self.arguments.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let was_live = tenants.get(id).is_some_and(|tenant| tenant.actor_id() == actor);
        if was_live { tenants.remove(id) } else { None }
    }

    fn reopen_later(&mut self, myself: &ActorRef<DirectoryMessage>, id: TenantId) {
        let failures = self.failures.entry(id.clone()).or_default();
        *failures = failures.saturating_add(1);
        let rest = REST_MIN.saturating_mul(1 << (*failures).min(16)).min(REST_MAX);
        myself.send_after(rest, || DirectoryMessage::Reopen(id));
    }
}

/// Writes down what came to a tenant that failed, and was only counted and held.
async fn write_last(ended: Tenant) {
    let shared = ended.shared();
    let (requests, counts) = tokio::join!(recorder::write(shared), traffic::write(shared, true));
    if let Err(error) = requests.and(counts) {
        tracing::warn!(tenant.id = %shared.id, %error, "a failed tenant's last requests were lost");
    }
}

/// The wave that an earlier life of the service left open. Where its row was not written any more,
/// its marks tell of it: whom they are on must not be decided before the directory is quiet.
fn wave_to_resume(
    snapshot: &Snapshot,
    tenant: TenantKey,
    now: Timestamp,
) -> Result<Option<Wave>, ReadError> {
    let newest = snapshot.waves(tenant, None, 1)?.pop();
    if let Some(open) = newest.filter(|wave| wave.state == WaveState::Open) {
        return Ok(Some(open));
    }
    // The mark of changed settings comes before all others, and belongs to no wave.
    let mark = snapshot.marks(tenant, Some(Marked::Tenant), 1)?.pop();
    Ok(mark.map(|(_, mark)| {
        Wave::begun(mark.wave.unwrap_or_else(|| WaveId::new(now)), mark.first_touched)
    }))
}
