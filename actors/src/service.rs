//! The service: what the faces (HTTP, command line) hold to change anything.
//!
//! A [`Service`] finds [`Tenant`]s; a tenant takes requests. Every request takes a permit of its
//! tenant and of the node before a message is sent, waits for one no longer than a moment, and
//! for its answer no longer than a fraction of the 60 s that Entra waits.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use access::{Account, Author, GroupId, TenantId, UserId};
use ractor::rpc::CallResult;
use ractor::{Actor, ActorId, ActorRef, RpcReplyPort};
use scim::patch::Patch;
use scim::resource::Created;
use serde_json::Value;
use store::tenant::Token;
use store::{Changeset, Operation, Record, Store, TenantKey};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::courier::egress::Outbound;
use crate::directory::{
    DirectoryActor, DirectoryArguments, DirectoryMessage, DirectorySeen, Tenants,
};
use crate::error::ChangeError;
use crate::group::GroupMessage;
use crate::mail::Mailer;
use crate::observe::ActorState;
use crate::reconciler::ReconcilerMessage;
pub use crate::reconciler::pass::{Held, Page, Report};
use crate::recorder;
use crate::shared::{Shared, WriteGuard};
use crate::tenant::TenantMessage;
use crate::user::UserMessage;
pub use crate::user::{ManualAct, RoleChange};
use crate::version::Precondition;
use crate::{token_uses, traffic};

mod holds;
mod oauth;
mod settings;
mod tokens;
pub mod webhooks;

/// Accounts that passes of all tenants have in flight. Each can take a place in the writer's queue, and
/// most of those are for requests.
const PASS_QUESTIONS_MAX: usize = 2_048;
/// How long a request may wait for its actor's answer. Entra gives up after 60 s.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a request waits for a permit before it is told to come again.
const PERMIT_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a reconciliation of a whole tenant may take while somebody waits for it.
const PASS_WAIT_MAX: Duration = Duration::from_secs(50);
/// Rows of a deleted tenant that go in one transaction.
const PURGED_AT_ONCE: usize = 1_000;
/// Tenants that are opened at once at the start.
const TENANTS_PER_PAGE: usize = 256;

/// How much may go on at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests of one tenant in flight.
    pub in_flight_per_tenant_max: usize,
    /// Requests in flight.
    pub in_flight_max: usize,
    /// Live user actors of one tenant, and likewise group actors.
    pub live_actors_per_tenant_max: usize,
    /// Live user and group actors.
    pub live_actors_max: usize,
    /// How long an actor is kept without a message.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_per_tenant_max: 1_024,
            in_flight_max: 8_192,
            live_actors_per_tenant_max: 5_000,
            live_actors_max: 50_000,
            idle: Duration::from_secs(30),
        }
    }
}

/// Everything that can be changed, behind actors.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    directory: ActorRef<DirectoryMessage>,
    tenants: Tenants,
    seen: Arc<DirectorySeen>,
}

/// One tenant, live.
#[derive(Clone)]
pub struct Tenant {
    shared: Arc<Shared>,
    actor: ActorRef<TenantMessage>,
    node_permits: Arc<Semaphore>,
}

impl Service {
    /// Starts the directory, without a way out for webhooks.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, ChangeError> {
        Self::start_mailing(store, clock, limits, None).await
    }

    /// The same, with somebody who sends e-mails.
    pub async fn start_mailing(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        mailer: Option<Arc<dyn Mailer>>,
    ) -> Result<Self, ChangeError> {
        Self::start_with(store, clock, limits, Outbound::none(), mailer).await
    }

    /// The same, with somebody who sends webhooks too.
    pub async fn start_with(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        outbound: Outbound,
        mailer: Option<Arc<dyn Mailer>>,
    ) -> Result<Self, ChangeError> {
        let tenants = Tenants::default();
        let seen = Arc::new(DirectorySeen::new());
        let arguments = DirectoryArguments {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            tenants: Arc::clone(&tenants),
            permits: Arc::new(Semaphore::new(limits.in_flight_max)),
            limits,
            outbound: Arc::new(outbound),
            mailer,
            pass_permits: Arc::new(Semaphore::new(PASS_QUESTIONS_MAX)),
            seen: Arc::clone(&seen),
        };
        let (directory, _) = DirectoryActor::spawn(None, DirectoryActor, arguments)
            .await
            .map_err(|error| ChangeError::unavailable(error.to_string()))?;
        Ok(Self { store, clock, directory, tenants, seen })
    }

    /// The store, to read from.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Opens every tenant and goes on purging deleted ones: what an earlier life left to do is
    /// taken up whether or not a request comes.
    pub async fn open_all(&self) -> Result<(), ChangeError> {
        let mut after: Option<TenantId> = None;
        loop {
            let page = self.store.snapshot()?.tenants(after.as_ref(), TENANTS_PER_PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for tenant in &page {
                // One that cannot be opened does not keep the others from their work; requests
                // for it will say why.
                if let Err(error) = self.tenant(tenant).await {
                    tracing::error!(tenant.id = %tenant.id, %error, "a tenant cannot be opened");
                }
            }
        }
        for key in self.store.snapshot()?.tenants_to_purge()? {
            self.purge(key).await?;
        }
        Ok(())
    }

    /// Finds or starts a tenant.
    pub async fn tenant(&self, tenant: &store::tenant::Tenant) -> Result<Tenant, ChangeError> {
        {
            let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(live) = tenants.get(&tenant.id).filter(|live| live.key() == tenant.key) {
                return Ok(live.clone());
            }
        }
        let tenant = tenant.clone();
        let message = |reply_to| DirectoryMessage::Open { tenant, reply_to };
        self.seen.observed.sent();
        answered(self.directory.call(message, Some(ANSWER_WAIT_MAX)).await)?
    }

    /// Stops all actors: what they had taken on is finished, for at most `wait` in all.
    pub async fn stop(&self, wait: Duration) {
        let deadline = tokio::time::Instant::now() + wait;
        // Half of the time at most: the actors have work of their own to finish.
        let tenants = self.live_tenants();
        let couriers = tenants.iter().map(|tenant| tenant.shared.stop_couriers(wait / 4));
        futures_util::future::join_all(couriers).await;
        tokio::join!(
            self.write_token_uses(wait / 4),
            self.write_requests(wait / 4),
            self.write_traffic(wait / 4),
        );
        for tenant in tenants {
            tenant.stop("the service is stopping");
        }
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        if self.directory.stop_and_wait(None, Some(left)).await.is_err() {
            tracing::warn!("actors were still at work when the service stopped");
        }
    }

    /// Writes down all uses of tokens that are not written yet, for at most `wait`.
    pub async fn write_token_uses(&self, wait: Duration) {
        let tenants = self.live_tenants();
        let uses = tenants.iter().map(|tenant| token_uses::write(tenant.shared(), true));
        if tokio::time::timeout(wait, futures_util::future::join_all(uses)).await.is_err() {
            tracing::warn!("the last uses of tokens were not written");
        }
    }

    /// Writes down all requests that are not written yet, for at most `wait`.
    pub async fn write_requests(&self, wait: Duration) {
        let tenants = self.live_tenants();
        let all = tenants.iter().map(|tenant| recorder::write(tenant.shared()));
        if tokio::time::timeout(wait, futures_util::future::join_all(all)).await.is_err() {
            tracing::warn!("the last requests were not written down");
        }
    }

    /// Writes down all that came and is not written yet, for at most `wait`.
    pub async fn write_traffic(&self, wait: Duration) {
        let tenants = self.live_tenants();
        let counts = tenants.iter().map(|tenant| traffic::write(tenant.shared(), true));
        if tokio::time::timeout(wait, futures_util::future::join_all(counts)).await.is_err() {
            tracing::warn!("the last counts of traffic were not written");
        }
    }

    /// The live tenants.
    pub fn live_tenants(&self) -> Vec<Tenant> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.values().cloned().collect()
    }

    /// The live tenant with this id, if there is one.
    pub fn live_tenant(&self, id: &str) -> Option<Tenant> {
        let id = id.parse().ok()?;
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(&id).cloned()
    }

    /// What the directory is doing.
    pub fn directory(&self) -> ActorState {
        self.seen.observed.state()
    }

    /// The tenants whose actors failed and are started again after a rest.
    pub fn resting_tenants(&self) -> Vec<(TenantId, ActorState)> {
        self.seen.resting()
    }

    /// Makes a tenant with its first token.
    pub async fn create_tenant(
        &self,
        id: TenantId,
        name: String,
        token: Token,
        author: Author,
    ) -> Result<(), ChangeError> {
        let token = Box::new(token);
        let create = Operation::CreateTenant { id, name, token };
        self.commit(TenantKey::SERVICE, create, author).await
    }

    /// Deletes a tenant: it is gone at once; its rows follow in the background.
    pub async fn delete_tenant(&self, id: &TenantId, author: Author) -> Result<(), ChangeError> {
        let tenant = self.store.snapshot()?.tenant(id)?.ok_or(ChangeError::NotFound)?;
        let delete = Operation::DeleteTenant { id: id.clone() };
        self.commit(TenantKey::SERVICE, delete, author).await?;
        let key = tenant.key;
        let message = |reply_to| DirectoryMessage::Close { id: id.clone(), key, reply_to };
        self.seen.observed.sent();
        answered(self.directory.call(message, Some(ANSWER_WAIT_MAX)).await)?;
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = service.purge(tenant.key).await {
                tracing::warn!(%error, "rows of a deleted tenant are left for the next start");
            }
        });
        Ok(())
    }

    async fn purge(&self, tenant: TenantKey) -> Result<(), ChangeError> {
        loop {
            let purge = Operation::Purge { tenant, rows_max: PURGED_AT_ONCE };
            let change = Changeset::new(TenantKey::SERVICE, self.clock.now(), None).with(purge);
            if !self.store.commit(change).wait().await?.more_to_purge {
                return Ok(());
            }
            // Between two pieces others get their turn at the writer.
            tokio::task::yield_now().await;
        }
    }

    async fn commit(
        &self,
        tenant: TenantKey,
        operation: Operation,
        author: Author,
    ) -> Result<(), ChangeError> {
        let change = Changeset::new(tenant, self.clock.now(), None).by(author).with(operation);
        self.wait_for(change).await
    }

    async fn wait_for(&self, change: Changeset) -> Result<(), ChangeError> {
        let committed = tokio::time::timeout(ANSWER_WAIT_MAX, self.store.commit(change).wait());
        match committed.await {
            Ok(answer) => Ok(answer.map(drop)?),
            Err(_) => Err(ChangeError::unknown("the disk did not answer in time")),
        }
    }
}

impl Tenant {
    pub(crate) fn new(
        shared: Arc<Shared>,
        actor: ActorRef<TenantMessage>,
        node_permits: Arc<Semaphore>,
    ) -> Self {
        Self { shared, actor, node_permits }
    }

    /// Its number in the store.
    pub fn key(&self) -> TenantKey {
        self.shared.key
    }

    /// What may be read of it without waiting.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn actor_id(&self) -> ActorId {
        self.actor.get_id()
    }

    pub(crate) fn stop(&self, reason: &str) {
        self.actor.stop(Some(reason.to_owned()));
        self.shared.close_feed();
    }

    // --- requests of the directory ---------------------------------------------------------------

    /// Creates a user.
    pub async fn create_user(
        &self,
        write: &WriteGuard,
        created: Created,
    ) -> Result<(UserId, Record), ChangeError> {
        let id = crate::group::user_id_of(&created.resource)
            .ok_or_else(|| ChangeError::unavailable("a user was made without an id of ours"))?;
        let (created, guard, write) = (Box::new(created), write, write.clone());
        let message = |reply_to| TenantMessage::CreateUser { id, created, write, reply_to };
        Ok((id, self.ask(Some(guard), message).await?))
    }

    /// Applies a PATCH to a user. Answers it as committed.
    pub async fn patch_user(
        &self,
        write: &WriteGuard,
        id: UserId,
        patch: Patch,
        precondition: Precondition,
    ) -> Result<Record, ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_user(Some(guard), id, |reply_to| UserMessage::Patch {
            patch,
            precondition,
            write,
            reply_to,
        })
        .await
    }

    /// Applies a PUT to a user. Answers it as committed.
    pub async fn replace_user(
        &self,
        write: &WriteGuard,
        id: UserId,
        body: Value,
        precondition: Precondition,
    ) -> Result<Record, ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_user(Some(guard), id, |reply_to| UserMessage::Replace {
            body,
            precondition,
            write,
            reply_to,
        })
        .await
    }

    /// Deletes a user.
    pub async fn delete_user(
        &self,
        write: &WriteGuard,
        id: UserId,
        precondition: Precondition,
    ) -> Result<(), ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_user(Some(guard), id, |reply_to| UserMessage::Delete {
            precondition,
            write,
            reply_to,
        })
        .await
    }

    /// Creates a group.
    pub async fn create_group(
        &self,
        write: &WriteGuard,
        created: Created,
    ) -> Result<(GroupId, Record), ChangeError> {
        let id = crate::group::id_of(&created.resource)
            .ok_or_else(|| ChangeError::unavailable("a group was made without an id of ours"))?;
        let (created, guard, write) = (Box::new(created), write, write.clone());
        let message = |reply_to| TenantMessage::CreateGroup { id, created, write, reply_to };
        Ok((id, self.ask(Some(guard), message).await?))
    }

    /// Applies a PATCH to a group. Answers its revision.
    pub async fn patch_group(
        &self,
        write: &WriteGuard,
        id: GroupId,
        patch: Patch,
        precondition: Precondition,
    ) -> Result<u64, ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_group(Some(guard), id, |reply_to| GroupMessage::Patch {
            patch,
            precondition,
            write,
            reply_to,
        })
        .await
    }

    /// Applies a PUT to a group. Answers its revision.
    pub async fn replace_group(
        &self,
        write: &WriteGuard,
        id: GroupId,
        body: Value,
        precondition: Precondition,
    ) -> Result<u64, ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_group(Some(guard), id, |reply_to| GroupMessage::Replace {
            body,
            precondition,
            write,
            reply_to,
        })
        .await
    }

    /// Deletes a group.
    pub async fn delete_group(
        &self,
        write: &WriteGuard,
        id: GroupId,
        precondition: Precondition,
    ) -> Result<u64, ChangeError> {
        let (guard, write) = (write, write.clone());
        self.ask_group(Some(guard), id, |reply_to| GroupMessage::Delete {
            precondition,
            write,
            reply_to,
        })
        .await
    }

    // --- acts of an operator ---------------------------------------------------------------------

    /// Locks, unlocks or sets a role, at once. Answers the account.
    pub async fn act(
        &self,
        id: UserId,
        act: ManualAct,
        author: Author,
    ) -> Result<Account, ChangeError> {
        if self.shared.snapshot()?.account(self.key(), id)?.is_none() {
            return Err(ChangeError::NotFound);
        }
        let span = tracing::Span::current();
        let message = |reply_to| UserMessage::Manual { act, author, span, reply_to };
        self.ask_user(None, id, message).await
    }

    /// Applies the rules to every account now, or tells what that would change.
    pub async fn reconcile(
        &self,
        dry_run: bool,
        page: Page,
        author: Author,
    ) -> Result<Report, ChangeError> {
        let message = |reply_to| ReconcilerMessage::Reconcile { dry_run, page, author, reply_to };
        self.ask_reconciler(message).await
    }

    // --- underneath ------------------------------------------------------------------------------

    async fn ask_user<T: Send + 'static>(
        &self,
        write: Option<&WriteGuard>,
        id: UserId,
        message: impl FnOnce(RpcReplyPort<Result<T, ChangeError>>) -> UserMessage,
    ) -> Result<T, ChangeError> {
        self.ask(write, |reply_to| TenantMessage::User(id, Box::new(message(reply_to)))).await
    }

    async fn ask_group<T: Send + 'static>(
        &self,
        write: Option<&WriteGuard>,
        id: GroupId,
        message: impl FnOnce(RpcReplyPort<Result<T, ChangeError>>) -> GroupMessage,
    ) -> Result<T, ChangeError> {
        self.ask(write, |reply_to| TenantMessage::Group(id, Box::new(message(reply_to)))).await
    }

    /// Sends a request when there is room for it. A write keeps its permits to its very end.
    async fn ask<T: Send + 'static>(
        &self,
        write: Option<&WriteGuard>,
        message: impl FnOnce(RpcReplyPort<Result<T, ChangeError>>) -> TenantMessage,
    ) -> Result<T, ChangeError> {
        let permits = self.permits().await?;
        if let Some(write) = write {
            write.keep(permits);
            return self.call(message).await;
        }
        let answer = self.call(message).await;
        drop(permits);
        answer
    }

    /// One permit of the tenant and one of the node.
    async fn permits(&self) -> Result<[OwnedSemaphorePermit; 2], ChangeError> {
        let (tenant, node) = (Arc::clone(&self.shared.permits), Arc::clone(&self.node_permits));
        let both = async { tokio::try_join!(tenant.acquire_owned(), node.acquire_owned()) };
        match tokio::time::timeout(PERMIT_WAIT_MAX, both).await {
            Ok(Ok((tenant, node))) => Ok([tenant, node]),
            Ok(Err(_)) => Err(ChangeError::unavailable("the service is stopping")),
            Err(_) => Err(ChangeError::Overloaded),
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<Result<T, ChangeError>>) -> TenantMessage,
    ) -> Result<T, ChangeError> {
        self.shared.tenant_observed.sent();
        answered(self.actor.call(message, Some(ANSWER_WAIT_MAX)).await)?
    }

    async fn ask_reconciler(
        &self,
        message: impl FnOnce(RpcReplyPort<Result<Report, ChangeError>>) -> ReconcilerMessage,
    ) -> Result<Report, ChangeError> {
        let reconciler = self
            .shared
            .reconciler()
            .ok_or_else(|| ChangeError::unavailable("the reconciler is being started again"))?;
        self.shared.reconciler_observed.sent();
        answered(reconciler.call(message, Some(PASS_WAIT_MAX)).await)?
    }
}

/// What a call came to. Only a message that was never delivered is known not to have had an
/// effect.
fn answered<T, M>(call: Result<CallResult<T>, ractor::MessagingErr<M>>) -> Result<T, ChangeError> {
    match call {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout) => Err(ChangeError::unknown("there was no answer in time")),
        Ok(CallResult::SenderError) => Err(ChangeError::unknown("an actor failed")),
        Err(_) => Err(ChangeError::unavailable("an actor has ended")),
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tenant({})", self.shared.id)
    }
}
