//! What the actors of one tenant share, and what may be read of them from outside.
//!
//! Nothing here waits: the configuration is swapped whole, the wave is a few counters behind a
//! lock held for nanoseconds, and permits are counted by semaphores.

mod couriers;
mod waves;
mod write_guard;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use access::{GroupId, RequestId, TenantId, UserId, WebhookId};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use ractor::ActorRef;
use store::{
    Changeset, CommitError, Committed, Mark, Marked, ReadError, Refusal, Snapshot, Store, TenantKey,
};
use tokio::sync::{Semaphore, watch};

pub(crate) use self::couriers::LiveCourier;
use self::waves::TrackedWave;
pub use self::write_guard::WriteGuard;
use crate::cadence::Lessons;
use crate::clock::Clock;
use crate::config::ActiveConfig;
use crate::courier::egress::Outbound;
use crate::error::ChangeError;
use crate::housekeeper::{ExpiredParked, HousekeeperMessage};
use crate::live::LiveChildren;
use crate::mail::Mailer;
use crate::observe::{Kind, Observed};
use crate::reconciler::ReconcilerMessage;
use crate::recorder::Recorder;
use crate::reporter::ReporterMessage;
use crate::sent::SentLog;
use crate::token_uses::TokenUses;
use crate::traffic::{Answered, TrafficLog};

/// How long a change may wait for the disk.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(15);

/// What the actors of one tenant share.
pub struct Shared {
    /// The tenant's number in the store.
    pub key: TenantKey,
    /// Its id.
    pub id: TenantId,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    config: ArcSwap<ActiveConfig>,
    wave: Mutex<TrackedWave>,
    feed: watch::Sender<u64>,
    reconciler: Mutex<Option<ActorRef<ReconcilerMessage>>>,
    pub(crate) permits: Arc<Semaphore>,
    /// The tenant actor's counters.
    pub tenant_observed: Arc<Observed>,
    /// The reconciler's counters.
    pub reconciler_observed: Observed,
    /// The housekeeper's counters.
    pub housekeeper_observed: Observed,
    /// When tokens were last used.
    pub token_uses: TokenUses,
    /// What came.
    pub(crate) traffic: TrafficLog,
    /// Which attributes came.
    pub sent: SentLog,
    pub(crate) lessons: Lessons,
    housekeeper: Mutex<Option<ActorRef<HousekeeperMessage>>>,
    parked_expired: Mutex<Option<ExpiredParked>>,
    reporter: Mutex<Option<ActorRef<ReporterMessage>>>,
    /// The reporter's counters.
    pub reporter_observed: Observed,
    /// One for each account that a pass of any tenant has asked and not heard of yet.
    pub(crate) pass_permits: Arc<Semaphore>,
    /// Sends e-mails, if that is configured.
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    /// Held by whoever writes a list of equipment, or removes rows of one.
    pub(crate) equipment: Arc<tokio::sync::Mutex<()>>,
    /// The actors of users.
    pub users: LiveChildren<UserId>,
    /// The actors of groups.
    pub groups: LiveChildren<GroupId>,
    next_sweep: Mutex<Option<Timestamp>>,
    last_protected: Mutex<BTreeSet<UserId>>,
    /// The way out for couriers.
    pub(crate) outbound: Arc<Outbound>,
    couriers: RwLock<HashMap<WebhookId, LiveCourier>>,
    /// Couriers that failed and rest.
    resting_couriers: RwLock<HashMap<WebhookId, Arc<Observed>>>,
    /// Held while the tenant's webhooks are changed.
    pub(crate) webhooks: tokio::sync::Mutex<()>,
    /// What the directory sent and got, on its way to the disk.
    pub recorder: Recorder,
}

impl Shared {
    pub(crate) fn new(
        tenant: &store::tenant::Tenant,
        config: ActiveConfig,
        feed: u64,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        permits: usize,
        outbound: Arc<Outbound>,
    ) -> Self {
        let opened_at = clock.now();
        Self {
            key: tenant.key,
            id: tenant.id.clone(),
            store,
            clock,
            config: ArcSwap::from_pointee(config),
            wave: Mutex::default(),
            feed: watch::Sender::new(feed),
            reconciler: Mutex::default(),
            permits: Arc::new(Semaphore::new(permits)),
            tenant_observed: Arc::new(Observed::new(Kind::Tenant)),
            reconciler_observed: Observed::new(Kind::Reconciler),
            housekeeper_observed: Observed::new(Kind::Housekeeper),
            token_uses: TokenUses::default(),
            traffic: TrafficLog::new(opened_at),
            sent: SentLog::default(),
            lessons: Lessons::default(),
            housekeeper: Mutex::default(),
            parked_expired: Mutex::default(),
            reporter: Mutex::default(),
            reporter_observed: Observed::new(Kind::Reporter),
            mailer: None,
            pass_permits: Arc::new(Semaphore::new(permits)),
            equipment: Arc::default(),
            users: LiveChildren::default(),
            groups: LiveChildren::default(),
            next_sweep: Mutex::default(),
            last_protected: Mutex::default(),
            outbound,
            couriers: RwLock::default(),
            resting_couriers: RwLock::default(),
            webhooks: tokio::sync::Mutex::default(),
            recorder: Recorder::default(),
        }
    }

    /// The same, with somebody who sends e-mails.
    pub(crate) fn mailing(self, mailer: Option<Arc<dyn Mailer>>) -> Self {
        Self { mailer, ..self }
    }

    /// The same, whose passes ask accounts with permits that all tenants share.
    pub(crate) fn asking_with(self, pass_permits: Arc<Semaphore>) -> Self {
        Self { pass_permits, ..self }
    }

    /// The same, going on with the counters of an actor that failed.
    pub(crate) fn observed_as(self, tenant_observed: Option<Arc<Observed>>) -> Self {
        Self { tenant_observed: tenant_observed.unwrap_or(self.tenant_observed), ..self }
    }

    // --- configuration ---------------------------------------------------------------------------

    /// The configuration now.
    pub fn config(&self) -> Arc<ActiveConfig> {
        self.config.load_full()
    }

    /// Reads the configuration again, after it was changed.
    pub(crate) fn reload_config(&self) -> Result<Arc<ActiveConfig>, ChangeError> {
        let config = self.store.snapshot()?.config(self.key)?.ok_or(ChangeError::NotFound)?;
        let fresh = Arc::new(ActiveConfig::from(config));
        // Two that reload at once must not put the older one last.
        self.config.rcu(|current| {
            let stale =
                (current.revision, current.group_names) > (fresh.revision, fresh.group_names);
            Arc::clone(if stale { current } else { &fresh })
        });
        Ok(self.config())
    }

    // --- the store -------------------------------------------------------------------------------

    /// A consistent view of the store.
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.store.snapshot()
    }

    /// Commits a change and wakes those who wait for the feed.
    pub(crate) async fn commit(&self, change: Changeset) -> Result<Committed, ChangeError> {
        self.wait_for(self.store.commit(change)).await
    }

    /// Waits for a change that was handed in.
    pub(crate) async fn wait_for(&self, reply: store::Reply) -> Result<Committed, ChangeError> {
        Ok(self.wait_or_moved(reply).await??)
    }

    /// Waits for a change that was handed in. The inner error says that what it was decided on
    /// has moved meanwhile, so that it is to be decided again.
    pub(crate) async fn wait_or_moved(
        &self,
        reply: store::Reply,
    ) -> Result<Result<Committed, Refusal>, ChangeError> {
        let answer = tokio::time::timeout(COMMIT_WAIT_MAX, reply.wait())
            .await
            .map_err(|_| ChangeError::unknown("the disk did not answer in time"))?;
        match answer {
            Ok(committed) => {
                self.told(committed.feed);
                if committed.rebound
                    && let Err(error) = self.reload_config()
                {
                    // The change stands. The first decision on the old bindings is refused, and
                    // reads them anew.
                    tracing::warn!(tenant.id = %self.id, %error, "bindings could not be read");
                }
                Ok(Ok(committed))
            }
            Err(error) => {
                // The wave's row may have been part of it.
                self.save_wave_again();
                self.refusal(error)
            }
        }
    }

    fn refusal(&self, error: CommitError) -> Result<Result<Committed, Refusal>, ChangeError> {
        match error {
            CommitError::Refused(Refusal::ConfigMoved) => {
                self.reload_config()?;
                Ok(Err(Refusal::ConfigMoved))
            }
            CommitError::Refused(
                moved @ (Refusal::RevisionMoved
                | Refusal::MarkMoved
                | Refusal::RoleMoved
                | Refusal::DocumentMoved),
            ) => Ok(Err(moved)),
            error => Err(error.into()),
        }
    }

    /// The feed has grown.
    fn told(&self, last: Option<u64>) {
        let Some(last) = last else { return };
        self.feed.send_if_modified(|known| {
            let newer = last > *known;
            *known = last.max(*known);
            newer
        });
    }

    /// Wakes those who wait for the feed: it will not grow any more.
    pub(crate) fn close_feed(&self) {
        self.feed.send_modify(|_| {});
    }

    /// Tells of the feed's last number.
    pub fn feed(&self) -> watch::Receiver<u64> {
        self.feed.subscribe()
    }

    // --- the reconciler --------------------------------------------------------------------------

    pub(crate) fn set_reconciler(&self, reconciler: Option<ActorRef<ReconcilerMessage>>) {
        *lock(&self.reconciler) = reconciler;
    }

    pub(crate) fn reconciler(&self) -> Option<ActorRef<ReconcilerMessage>> {
        lock(&self.reconciler).clone()
    }

    pub(crate) fn tell_reconciler(&self, message: ReconcilerMessage) {
        if let Some(reconciler) = self.reconciler() {
            self.reconciler_observed.sent();
            if reconciler.cast(message).is_err() {
                // It is being started again, and looks for work itself when it has.
                self.reconciler_observed.taken();
            }
        }
    }

    pub(crate) fn set_next_sweep(&self, at: Timestamp) {
        *lock(&self.next_sweep) = Some(at);
    }

    /// A pass kept these accounts in protected roles, since nobody else has them; if it met `all`
    /// accounts, these only.
    pub(crate) fn kept_in_protected_roles(
        &self,
        accounts: impl IntoIterator<Item = UserId>,
        all: bool,
    ) {
        let mut known = lock(&self.last_protected);
        if all {
            known.clear();
        }
        known.extend(accounts);
    }

    /// Accounts that the latest passes kept in protected roles; at most a thousand for each pass.
    /// Nothing is known between a start and the first pass.
    pub fn last_protected(&self) -> Vec<UserId> {
        lock(&self.last_protected).iter().copied().collect()
    }

    /// When the next sweep is due.
    pub fn next_sweep(&self) -> Option<Timestamp> {
        *lock(&self.next_sweep)
    }

    // --- the housekeeper -------------------------------------------------------------------------

    pub(crate) fn set_housekeeper(&self, housekeeper: Option<ActorRef<HousekeeperMessage>>) {
        *lock(&self.housekeeper) = housekeeper;
    }

    /// Settings changed: what is kept for how long, perhaps. One that is being started again goes
    /// its round soon anyway.
    pub(crate) fn housekeeper_goes_round(&self) {
        self.recorder.trim_soon();
        if let Some(housekeeper) = lock(&self.housekeeper).as_ref() {
            let _ = housekeeper.cast(HousekeeperMessage::GoRound);
        }
    }

    /// A request was answered.
    pub fn answered(&self, request: Answered) {
        if self.traffic.answered(self.clock.now(), request) {
            self.traffic_came();
        }
    }

    /// A request came with a token that does not count, or does not any more.
    pub fn refused(&self, expired: bool) {
        if self.traffic.refused(self.clock.now(), expired) {
            self.traffic_came();
        }
    }

    /// One that is being started again writes with its first round.
    fn traffic_came(&self) {
        if let Some(housekeeper) = lock(&self.housekeeper).as_ref() {
            let _ = housekeeper.cast(HousekeeperMessage::TrafficCame);
        }
    }

    pub(crate) fn parked_expired(&self, count: usize, now: Timestamp) {
        let mut expired = lock(&self.parked_expired);
        let before = expired.map_or(0, |before| before.count);
        let count = before.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        *expired = Some(ExpiredParked { count, last_at: now });
    }

    /// Memberships that were taken back since the service started because nobody appeared.
    pub fn expired_parked(&self) -> Option<ExpiredParked> {
        *lock(&self.parked_expired)
    }

    // --- the reporter ----------------------------------------------------------------------------

    pub(crate) fn set_reporter(&self, reporter: Option<ActorRef<ReporterMessage>>) {
        *lock(&self.reporter) = reporter;
    }

    pub(crate) fn tell_reporter(&self, message: ReporterMessage) {
        let reporter = lock(&self.reporter).clone();
        if let Some(reporter) = reporter {
            self.reporter_observed.sent();
            if reporter.cast(message).is_err() {
                // It is being started again, and looks for work itself when it has.
                self.reporter_observed.taken();
            }
        }
    }

    // --- live actors -----------------------------------------------------------------------------

    /// A live user actor's counters; also of one that failed and rests.
    pub fn live_user(&self, user: UserId) -> Option<Arc<Observed>> {
        self.users.observed(user)
    }

    /// How many user actors are live.
    pub fn live_users(&self) -> usize {
        self.users.live()
    }

    /// How many group actors are live.
    pub fn live_groups(&self) -> usize {
        self.groups.live()
    }

    // --- reading ---------------------------------------------------------------------------------

    /// Whether an account waits for a reconciliation: it was touched, or changed settings have
    /// not reached it yet.
    pub fn is_pending(
        &self,
        snapshot: &Snapshot,
        user: UserId,
        groups: &[GroupId],
    ) -> Result<bool, ReadError> {
        let changing = snapshot.mark(self.key, Marked::Tenant)?.is_some();
        Ok(changing || self.is_touched(snapshot, user, groups)?)
    }

    /// Whether an account, or one of its groups, is marked.
    pub(crate) fn is_touched(
        &self,
        snapshot: &Snapshot,
        user: UserId,
        groups: &[GroupId],
    ) -> Result<bool, ReadError> {
        let users = std::iter::once(Marked::User(user));
        for marked in users.chain(groups.iter().copied().map(Marked::Group)) {
            if snapshot.mark(self.key, marked)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The request that touched an account with this mark of its own, or one of its groups.
    pub(crate) fn touched_by(
        &self,
        snapshot: &Snapshot,
        own: Option<Mark>,
        groups: &[GroupId],
    ) -> Result<Option<RequestId>, ReadError> {
        if let Some(mark) = own {
            return Ok(mark.request);
        }
        for group in groups {
            if let Some(mark) = snapshot.mark(self.key, Marked::Group(*group))? {
                return Ok(mark.request);
            }
        }
        Ok(None)
    }

    /// Whether the open wave has touched one of an account's groups itself: what that means for
    /// the account is left to the wave. Only right for a snapshot that was taken before.
    pub(crate) fn awaits_open_wave(
        &self,
        snapshot: &Snapshot,
        groups: &[GroupId],
    ) -> Result<bool, ReadError> {
        let Some(open) = self.open_wave().map(|wave| wave.id) else { return Ok(false) };
        for group in groups {
            let mark = snapshot.mark(self.key, Marked::Group(*group))?;
            if mark.is_some_and(|mark| mark.wave == Some(open)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The groups that hold a user, with their names as sent.
    pub fn groups_with_names(
        &self,
        snapshot: &Snapshot,
        user: UserId,
    ) -> Result<Vec<(GroupId, String)>, ReadError> {
        let mut named = Vec::new();
        for group in snapshot.groups_of(self.key, user)? {
            if let Some(record) = snapshot.group(self.key, group)? {
                named.push((group, record.name));
            }
        }
        Ok(named)
    }
}

/// Decides a change again while what it was decided on keeps moving, so many times at most. The
/// expression is a future of `Result<Result<T, Refusal>, ChangeError>`; the inner error says that
/// something moved. (A function taking an async closure would do, if such a closure's future could
/// be known to be `Send`.)
macro_rules! attempt {
    ($attempts_max:expr, $decide:expr) => {{
        let mut attempts_left: usize = $attempts_max;
        loop {
            attempts_left -= 1;
            match $decide.await? {
                Ok(done) => break Ok(done),
                Err(moved) if attempts_left == 0 => {
                    break Err($crate::error::ChangeError::from(moved));
                }
                Err(_) => {}
            }
        }
    }};
}
pub(crate) use attempt;

/// A poisoned lock guards values that are whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
