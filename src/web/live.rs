//! How pages hear that something has changed: Server-Sent Events without content. The script then
//! asks for its page again, and swaps the parts that move; so there is one place that writes a
//! page, and nothing here can show what the page would not.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actors::Tenant;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use jiff::Timestamp;
use store::TenantKey;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::admit;
use super::page::Shown;
use super::sessions::Session;
use super::visitor::Visitor;
use crate::admin::open_tenant;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::streams::Seat;

/// How often it is looked whether something has changed.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// How long nothing is sent before a comment is. It is how we notice that a page was left: people
/// go on to the next one quickly, and each of them takes a seat.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Somebody who watches a page.
struct Watching {
    app: App,
    session: Arc<Session>,
    /// None: everything, which changes all the time.
    tenant: Option<Tenant>,
    seen: Option<Look>,
    ticks: Interval,
    _seat: Seat,
}

/// What tells whether a tenant's pages would look different.
#[derive(PartialEq, Eq)]
struct Look {
    feed: u64,
    requests: u64,
    waves: usize,
    is_due: bool,
    /// When the directory last logged in: Test Connection changes nothing else.
    token_used_at: Option<Timestamp>,
}

/// Tells of changes of one tenant.
pub(super) async fn tenant(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    watch(app, &visitor, Some(tenant))
}

/// Tells every second that time goes on: for pages about all tenants and actors.
pub(super) async fn node(State(app): State<App>, visitor: Visitor) -> Shown {
    watch(app, &visitor, None)
}

fn watch(app: App, visitor: &Visitor, tenant: Option<Tenant>) -> Shown {
    let key = tenant.as_ref().map_or(TenantKey::SERVICE, Tenant::key);
    let seat = app.web_streams().take(key).ok_or_else(Problem::unavailable)?;
    let session = Arc::clone(visitor.session());
    let mut ticks = interval(LOOKED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watching = Watching { app, session, tenant, seen: None, ticks, _seat: seat };
    let events = stream::unfold(watching, async |mut watching| {
        watching.changed().await.then(|| {
            // Without a line of data browsers take it for no event at all.
            let event = Event::default().event("changed").data("look again");
            (Ok::<_, Infallible>(event), watching)
        })
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let mut answer = Sse::new(events).keep_alive(heartbeat).into_response();
    // Proxies hold back what they think is a page.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    answer.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    Ok(answer)
}

impl Watching {
    /// Waits until something has changed; false when the stream is over: the service stops, the
    /// session has ended.
    async fn changed(&mut self) -> bool {
        let mut stopping = self.app.stopping();
        loop {
            tokio::select! {
                _ = self.ticks.tick() => {}
                _ = stopping.wait_for(|stopping| *stopping) => return false,
            }
            if !admit::still_counts(&self.app, &self.session).unwrap_or(false) {
                return false;
            }
            let state = self.tenant.as_ref().map(state);
            let same = state.is_some() && state == self.seen;
            self.seen = state;
            if !same {
                return true;
            }
        }
    }
}

fn state(tenant: &Tenant) -> Look {
    let shared = tenant.shared();
    let waves = shared.live_waves();
    let requests = waves.iter().map(|wave| wave.requests).sum();
    let is_due = shared.next_sweep().is_some_and(|at| at <= shared.clock.now());
    let token_used_at = shared.token_uses.newest();
    Look { feed: *shared.feed().borrow(), requests, waves: waves.len(), is_due, token_used_at }
}
