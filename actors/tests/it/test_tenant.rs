//! A tenant to test with, in the words of those who use it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use access::wave::{Wave, WriteOutcome};
use access::{Account, Author, GroupId, Settings, TenantId, TokenId, UserId};
use actors::courier::egress::Outbound;
use actors::service::{ManualAct, Page, Report};
use actors::shared::WriteGuard;
use actors::{ChangeError, Limits, Precondition, Service, Tenant, TokioClock};
use jiff::Timestamp;
use scim::patch::Patch;
use scim::schema::ResourceType;
use serde_json::{Value, json};
use store::snapshot::Member;
use store::tenant::Token;
use store::{MemoryStore, Record, Snapshot, Store};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// Who acts by hand.
pub(crate) const OPERATOR: Author = Author::operator(None);

/// The silence after which a wave has settled, with a little to spare.
pub(crate) const SETTLED: Duration = Duration::from_secs(62);

pub(crate) type Done<T = ()> = Result<T, ChangeError>;

/// A tenant of a service of its own.
#[derive(Clone)]
pub(crate) struct TestTenant {
    pub(crate) service: Service,
    pub(crate) tenant: Tenant,
}

impl TestTenant {
    /// A new tenant, in memory.
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(MemoryStore::default()), Limits::default()).await
    }

    /// A new tenant in this store.
    pub(crate) async fn with(store: Arc<dyn Store>, limits: Limits) -> Self {
        let service = Service::start(store, Arc::new(TokioClock::start(START)), limits);
        Self::create(service.await.unwrap(), "acme").await
    }

    /// A new tenant of a service.
    pub(crate) async fn create(service: Service, id: &str) -> Self {
        let tenant_id: TenantId = id.parse().unwrap();
        let now = service.clock().now();
        let token = Token {
            id: TokenId::new(now),
            label: "test".into(),
            secret_sha256: [0; 32],
            created_at: now,
            expires_at: None,
        };
        service.create_tenant(tenant_id, id.into(), token, OPERATOR).await.unwrap();
        Self::find(service, id).await
    }

    /// The tenant as an earlier life of the service left it, taken up at `now`.
    pub(crate) async fn taken_up(store: Arc<dyn Store>, now: Timestamp) -> Self {
        let clock = Arc::new(TokioClock::start(now));
        let service = Service::start(store, clock, Limits::default()).await.unwrap();
        service.open_all().await.unwrap();
        Self::find(service, "acme").await
    }

    /// A new tenant whose webhooks go out by `outbound`.
    pub(crate) async fn sending(store: Arc<dyn Store>, outbound: Outbound) -> Self {
        Self::create(Self::service_sending(store, START, outbound).await, "acme").await
    }

    /// The same tenant in a later life of the service.
    pub(crate) async fn sending_again(
        store: Arc<dyn Store>,
        now: Timestamp,
        outbound: Outbound,
    ) -> Self {
        let service = Self::service_sending(store, now, outbound).await;
        service.open_all().await.unwrap();
        Self::find(service, "acme").await
    }

    async fn service_sending(store: Arc<dyn Store>, now: Timestamp, outbound: Outbound) -> Service {
        let clock = Arc::new(TokioClock::start(now));
        Service::start_with(store, clock, Limits::default(), outbound, None).await.unwrap()
    }

    async fn find(service: Service, id: &str) -> Self {
        let record = service.store().snapshot().unwrap().tenant(&id.parse().unwrap()).unwrap();
        let tenant = service.tenant(&record.unwrap()).await.unwrap();
        Self { service, tenant }
    }

    // --- time ------------------------------------------------------------------------------------

    /// Lets time pass, timers and all.
    pub(crate) async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    /// Lets the open wave settle and be reconciled.
    pub(crate) async fn settle(&self) {
        self.advance(SETTLED).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.service.clock().now()
    }

    // --- what the directory sends ----------------------------------------------------------------

    async fn write<T>(
        &self,
        outcome: WriteOutcome,
        request: impl AsyncFnOnce(&WriteGuard) -> Done<T>,
    ) -> Done<T> {
        let guard = self.tenant.shared().begin_write(Author::service());
        let answer = request(&guard).await;
        guard.done(if answer.is_ok() { outcome } else { WriteOutcome::Failed });
        answer
    }

    pub(crate) async fn try_create_user(&self, body: Value) -> Done<UserId> {
        let id = UserId::new(self.now());
        let created = scim::resource::create(ResourceType::User, &id.to_string(), body)?;
        self.write(WriteOutcome::Created, async |write| {
            Ok(self.tenant.create_user(write, created).await?.0)
        })
        .await
    }

    pub(crate) async fn create_user(&self, name: &str) -> UserId {
        self.try_create_user(json!({"userName": name})).await.unwrap()
    }

    pub(crate) async fn patch_user(&self, user: UserId, operations: Value) -> Done<Record> {
        let patch = Patch::compile(ResourceType::User, json!({"Operations": operations}))?;
        self.write(WriteOutcome::Updated, async |write| {
            self.tenant.patch_user(write, user, patch, Precondition::None).await
        })
        .await
    }

    pub(crate) async fn set(&self, user: UserId, attribute: &str, value: Value) -> Done<Record> {
        self.patch_user(user, json!([{"op": "replace", "path": attribute, "value": value}])).await
    }

    pub(crate) async fn disable(&self, user: UserId) {
        self.set(user, "active", json!(false)).await.unwrap();
    }

    pub(crate) async fn enable(&self, user: UserId) {
        self.set(user, "active", json!(true)).await.unwrap();
    }

    pub(crate) async fn delete(&self, user: UserId) {
        self.write(WriteOutcome::Deleted, async |write| {
            self.tenant.delete_user(write, user, Precondition::None).await
        })
        .await
        .unwrap();
    }

    /// A group with these members, by id or by externalId.
    pub(crate) async fn create_group(&self, name: &str, members: &[String]) -> GroupId {
        let id = GroupId::new(self.now());
        let members: Vec<Value> = members.iter().map(|value| json!({"value": value})).collect();
        let body = json!({"displayName": name, "members": members});
        let created = scim::resource::create(ResourceType::Group, &id.to_string(), body).unwrap();
        self.write(WriteOutcome::Created, async |write| {
            Ok(self.tenant.create_group(write, created).await?.0)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn patch_group(&self, group: GroupId, operation: Value) -> Done<u64> {
        let patch = Patch::compile(ResourceType::Group, json!({"Operations": [operation]}))?;
        self.write(WriteOutcome::Updated, async |write| {
            self.tenant.patch_group(write, group, patch, Precondition::None).await
        })
        .await
    }

    pub(crate) async fn add_member(&self, group: GroupId, user: UserId) {
        let value = json!([{"value": user}]);
        self.patch_group(group, json!({"op": "Add", "path": "members", "value": value}))
            .await
            .unwrap();
    }

    pub(crate) async fn remove_member(&self, group: GroupId, user: UserId) {
        let value = json!([{"value": user}]);
        self.patch_group(group, json!({"op": "Remove", "path": "members", "value": value}))
            .await
            .unwrap();
    }

    pub(crate) async fn rename_group(&self, group: GroupId, name: &str) {
        self.patch_group(group, json!({"op": "Replace", "path": "displayName", "value": name}))
            .await
            .unwrap();
    }

    pub(crate) async fn delete_group(&self, group: GroupId) {
        self.write(WriteOutcome::Deleted, async |write| {
            self.tenant.delete_group(write, group, Precondition::None).await
        })
        .await
        .unwrap();
    }

    // --- what operators do -----------------------------------------------------------------------

    pub(crate) async fn change_settings(&self, patch: Value) -> Settings {
        self.tenant.patch_settings(&patch, &OPERATOR).await.unwrap()
    }

    /// Maps each group, by name, to its role, in this order.
    pub(crate) async fn map(&self, mappings: &[(&str, &str)]) {
        let mappings = mappings.iter().map(|(group, role)| json!({"group": group, "role": role}));
        self.change_settings(json!({"role_mappings": mappings.collect::<Vec<_>>()})).await;
    }

    pub(crate) async fn lock(&self, user: UserId, role: Option<&str>) -> Done<Account> {
        self.lock_until(user, role, None).await
    }

    pub(crate) async fn lock_until(
        &self,
        user: UserId,
        role: Option<&str>,
        expires_at: Option<Timestamp>,
    ) -> Done<Account> {
        let (role, by) = (role.map(str::to_owned), "operator".to_owned());
        self.tenant
            .act(user, ManualAct::Lock { role, reason: None, expires_at, by }, OPERATOR)
            .await
    }

    pub(crate) async fn unlock(&self, user: UserId) -> Done<Account> {
        self.tenant.act(user, ManualAct::Unlock { by: "operator".into() }, OPERATOR).await
    }

    pub(crate) async fn set_role(&self, user: UserId, role: &str) -> Done<Account> {
        self.tenant.act(user, ManualAct::SetRole { role: role.into() }, OPERATOR).await
    }

    pub(crate) async fn dry_run(&self) -> Report {
        self.tenant.reconcile(true, Page::default(), OPERATOR).await.unwrap()
    }

    // --- what can be seen ------------------------------------------------------------------------

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.service.store().snapshot().unwrap()
    }

    pub(crate) fn account(&self, user: UserId) -> Account {
        self.snapshot().account(self.tenant.key(), user).unwrap().unwrap()
    }

    /// The role, or `none`.
    pub(crate) fn role_of(&self, user: UserId) -> String {
        self.account(user).role.unwrap_or_else(|| "none".into())
    }

    pub(crate) fn is_pending(&self, user: UserId) -> bool {
        let snapshot = self.snapshot();
        let groups = snapshot.groups_of(self.tenant.key(), user).unwrap();
        self.tenant.shared().is_pending(&snapshot, user, &groups).unwrap()
    }

    pub(crate) fn members(&self, group: GroupId) -> Vec<Member> {
        self.snapshot().members(self.tenant.key(), group, None, usize::MAX).unwrap()
    }

    pub(crate) fn feed(&self) -> Vec<Value> {
        let mut feed = Vec::new();
        let visit = |entry| {
            feed.push(entry);
            ControlFlow::Continue(())
        };
        self.snapshot().feed(self.tenant.key(), 0, visit).unwrap();
        feed
    }

    /// The changes of a user's role since its creation, as `from>to`.
    pub(crate) fn role_changes(&self, user: UserId) -> Vec<String> {
        let of_user = |entry: &Value| {
            entry["account"] == json!(user)
                && entry.get("to").is_some()
                && entry["from"].is_string()
        };
        let shown = |entry: &Value| {
            let role = |key: &str| entry[key].as_str().unwrap_or("none").to_owned();
            format!("{}>{}", role("from"), role("to"))
        };
        self.feed().iter().filter(|entry| of_user(entry)).map(shown).collect()
    }

    /// All waves, newest first.
    pub(crate) fn waves(&self) -> Vec<Wave> {
        self.snapshot().waves(self.tenant.key(), None, usize::MAX).unwrap()
    }
}

/// Seconds, minutes, hours.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}
