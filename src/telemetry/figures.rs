//! Figures that are read when somebody asks for the metrics, rather than counted as they change.
//!
//! Counters of actors are read without waiting for anybody's turn. What is on disk is read in one
//! snapshot, a few rows for each tenant. All of that is done at most once a second, whoever asks how
//! often, on a thread that may take its time.

use std::collections::BTreeMap;
use std::time::Duration;

use access::webhook::{Position, Webhook};
use access::{Hold, HoldState};
use actors::live::Mailboxes;
use actors::observe::{ActorState, Kind, Observed};
use actors::service::webhooks::is_failing;
use actors::{Service, Tenant};
use jiff::Timestamp;
use metrics::{counter, gauge};
use serde_json::Value;
use store::{DocumentKey, Health, ReadError, Snapshot};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::App;

/// How old figures may be before they are read again.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Holds of a tenant that are looked at, newest first.
const HOLDS_MAX: usize = 64;
/// Webhooks of a tenant that are looked at; it has fewer.
const WEBHOOKS_MAX: usize = 64;

/// Reads the figures, unless that was done a moment ago. Whoever asks at the same time waits for it.
pub(crate) async fn read(app: &App) {
    static LAST: Mutex<Option<Instant>> = Mutex::const_new(None);
    let mut last = LAST.lock().await;
    if last.is_some_and(|at| at.elapsed() < READ_EVERY) {
        return;
    }
    let (service, is_stopping) = (app.service().clone(), *app.stopping().borrow());
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    gauge!("slackwater_runtime_tasks").set(float(tasks));
    let reading = tokio::task::spawn_blocking(move || {
        of_process();
        of_store(&service, is_stopping);
        let (tenants, now) = (service.live_tenants(), service.clock().now());
        of_actors(&service, &tenants, now);
        of_waves(&tenants, now);
        match service.store().snapshot().and_then(|snapshot| of_tenants(&snapshot, &tenants, now)) {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "some figures cannot be read"),
        }
    });
    // It does not panic; if it did, the figures would be those from before.
    let _ = reading.await;
    *last = Some(Instant::now());
}

fn of_process() {
    metrics_process::Collector::default().collect();
    gauge!("slackwater_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    counter!("slackwater_log_lines_left_out_total").absolute(super::lines_left_out());
}

fn of_store(service: &Service, is_stopping: bool) {
    let store = service.store();
    let is_ready = store.health() == Health::Ready;
    gauge!("slackwater_storage_ready").set(f64::from(u8::from(is_ready)));
    gauge!("slackwater_ready").set(f64::from(u8::from(is_ready && !is_stopping)));
    gauge!("slackwater_database_size_bytes").set(wide(store.size_bytes().unwrap_or_default()));
    let queue = store.queue();
    gauge!("slackwater_commit_queue_changes").set(float(queue.changes));
    gauge!("slackwater_commit_queue_oldest_seconds").set(queue.oldest.as_secs_f64());
}

/// What is known of all actors of one kind.
#[derive(Default)]
struct OfKind {
    live: usize,
    resting: usize,
    mailboxes: Mailboxes,
}

impl OfKind {
    fn add(&mut self, observed: &Observed) {
        if observed.is_resting() {
            self.resting += 1;
        } else {
            self.live += 1;
            self.mailboxes.add(observed);
        }
    }
}

fn of_actors(service: &Service, tenants: &[Tenant], now: Timestamp) {
    let mut kinds: BTreeMap<&'static str, OfKind> =
        Kind::ALL.into_iter().map(|kind| (kind.name(), OfKind::default())).collect();
    let mut of =
        |kind: Kind, look: &dyn Fn(&mut OfKind)| look(kinds.entry(kind.name()).or_default());
    let ActorState { mailbox_depth, working_since, .. } = service.directory();
    of(Kind::Directory, &|seen| {
        seen.live = 1;
        let (messages, deepest) = (mailbox_depth, mailbox_depth);
        seen.mailboxes = Mailboxes { messages, deepest, working_since };
    });
    of(Kind::Tenant, &|seen| seen.resting = service.resting_tenants().len());
    for tenant in tenants {
        let shared = tenant.shared();
        of(Kind::Tenant, &|seen| seen.add(&shared.tenant_observed));
        of(Kind::Reconciler, &|seen| seen.add(&shared.reconciler_observed));
        of(Kind::Housekeeper, &|seen| seen.add(&shared.housekeeper_observed));
        of(Kind::Reporter, &|seen| seen.add(&shared.reporter_observed));
        of(Kind::Recorder, &|seen| seen.add(&shared.recorder.observed));
        of(Kind::User, &|seen| {
            seen.live += shared.users.live();
            seen.resting += shared.users.resting();
            shared.users.add_to(&mut seen.mailboxes);
        });
        of(Kind::Group, &|seen| {
            seen.live += shared.groups.live();
            seen.resting += shared.groups.resting();
            shared.groups.add_to(&mut seen.mailboxes);
        });
        for (_, observed) in shared.couriers() {
            of(Kind::Courier, &|seen| seen.add(&observed));
        }
    }
    for kind in Kind::ALL {
        let name = kind.name();
        let seen = kinds.remove(name).unwrap_or_default();
        gauge!("slackwater_live_actors", "kind" => name).set(float(seen.live));
        gauge!("slackwater_resting_actors", "kind" => name).set(float(seen.resting));
        gauge!("slackwater_mailbox_messages", "kind" => name).set(wide(seen.mailboxes.messages));
        gauge!("slackwater_mailbox_deepest_messages", "kind" => name)
            .set(wide(seen.mailboxes.deepest));
        gauge!("slackwater_message_oldest_seconds", "kind" => name)
            .set(age(seen.mailboxes.working_since, now));
        counter!("slackwater_messages_handled_total", "kind" => name)
            .absolute(kind.messages_handled());
    }
}

fn of_waves(tenants: &[Tenant], now: Timestamp) {
    let (mut open, mut open_since, mut ended) = (0, None, None);
    for tenant in tenants {
        for wave in tenant.shared().live_waves() {
            match wave.ended_at {
                None => {
                    open += 1;
                    open_since = earlier(open_since, Some(wave.started_at));
                }
                Some(at) => ended = earlier(ended, Some(at)),
            }
        }
    }
    gauge!("slackwater_open_waves").set(float(open));
    gauge!("slackwater_open_wave_oldest_seconds").set(age(open_since, now));
    gauge!("slackwater_settled_wave_waiting_seconds").set(age(ended, now));
}

/// What is known of webhooks and holds, of all tenants.
#[derive(Default)]
struct OfTenants {
    holds: usize,
    active: usize,
    failing: usize,
    disabled: usize,
    behind: u64,
    waiting: usize,
    dead: usize,
    oldest: Option<Timestamp>,
}

fn of_tenants(snapshot: &Snapshot, tenants: &[Tenant], now: Timestamp) -> Result<(), ReadError> {
    let mut seen = OfTenants::default();
    for tenant in tenants {
        let all = DocumentKey::default();
        let holds: Vec<Hold> = snapshot.documents_reversed(tenant.key(), &all, None, HOLDS_MAX)?;
        seen.holds += holds.iter().filter(|hold| hold.state == HoldState::Open).count();
        let webhooks = snapshot.documents::<Webhook>(tenant.key(), None, WEBHOOKS_MAX)?;
        for webhook in webhooks.iter().filter(|webhook| !webhook.deleted) {
            seen.add(snapshot, tenant, webhook)?;
        }
    }
    gauge!("slackwater_holds_open").set(float(seen.holds));
    for (state, count) in
        [("active", seen.active), ("failing", seen.failing), ("disabled", seen.disabled)]
    {
        gauge!("slackwater_webhooks", "state" => state).set(float(count));
    }
    gauge!("slackwater_webhook_behind_events").set(wide(seen.behind));
    gauge!("slackwater_webhook_oldest_event_seconds").set(age(seen.oldest, now));
    gauge!("slackwater_webhook_waiting_events").set(float(seen.waiting));
    gauge!("slackwater_webhook_dead_events").set(float(seen.dead));
    Ok(())
}

impl OfTenants {
    fn add(
        &mut self,
        snapshot: &Snapshot,
        tenant: &Tenant,
        webhook: &Webhook,
    ) -> Result<(), ReadError> {
        let key = DocumentKey::webhook(webhook.id);
        let position = snapshot.document::<Position>(tenant.key(), &key)?;
        let position = position.map(|kept| kept.value);
        self.dead += position.as_ref().map_or(0, |position| position.dead);
        if webhook.disabled.is_some() {
            self.disabled += 1;
            return Ok(());
        }
        let fails = position.as_ref().is_some_and(is_failing);
        if fails {
            self.failing += 1;
        } else {
            self.active += 1;
        }
        let Some(position) = position else { return Ok(()) };
        self.waiting += position.waiting;
        if position.waiting > 0 {
            self.oldest = earlier(self.oldest, position.failing_since);
        }
        let last = *tenant.shared().feed().borrow();
        self.behind += last.saturating_sub(position.cursor);
        if last > position.cursor {
            let mut next = None;
            snapshot.feed(tenant.key(), position.cursor, |entry| {
                let at = entry.get("at").and_then(Value::as_str);
                next = at.and_then(|at| at.parse().ok());
                std::ops::ControlFlow::Break(())
            })?;
            self.oldest = earlier(self.oldest, next);
        }
        Ok(())
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Seconds since then; 0 if there is no then.
fn age(since: Option<Timestamp>, now: Timestamp) -> f64 {
    let since = since.map(|since| Duration::try_from(now.duration_since(since)));
    since.and_then(Result::ok).unwrap_or_default().as_secs_f64()
}

fn float(count: usize) -> f64 {
    wide(u64::try_from(count).unwrap_or(u64::MAX))
}

/// As a float, which is exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "nothing here comes near 2^53")]
const fn wide(count: u64) -> f64 {
    count as f64
}
