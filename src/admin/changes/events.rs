//! The feed as Server-Sent Events: what is there, then what comes.
//!
//! A stream ends when the service stops, when its tenant is deleted, and when retention has
//! overtaken a reader who reads too slowly: connecting again, it hears that its place is gone.
//! While it waits it holds no snapshot; what a reader does not take is not read from the disk, and
//! one that takes nothing for too long loses its connection.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actors::Tenant;
use actors::shared::Shared;
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::watch;

use super::read::{Asked, read};
use crate::admin::Outcome;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::streams::Seat;

pub(super) const MEDIA_TYPE: &str = "text/event-stream";
/// How long nothing is sent before a comment is, so that nobody in between thinks it is dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Entries read at once, and looked at for those that are asked for.
const PIECE: usize = 32;
const LOOKED_AT_MAX: usize = 2_048;
/// Entries passed over before the reader is told how far it has come.
const PASSED_OVER_MAX: u64 = 256;

/// A reader who follows the feed.
struct Following {
    shared: Arc<Shared>,
    asked: Asked,
    /// Read, and not sent yet.
    read: VecDeque<Value>,
    /// The last entry that the reader knows of.
    told_to: u64,
    grown: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    _seat: Seat,
}

/// Starts a stream.
pub(super) fn follow(app: &App, tenant: &Tenant, asked: Asked) -> Outcome {
    let seat = app.streams().take(tenant.key()).ok_or_else(Problem::unavailable)?;
    let shared = Arc::clone(tenant.shared());
    // What cannot be read at all is an answer of its own.
    read(&shared, &asked, 0, 0)?;
    let (grown, stopping, told_to) = (shared.feed(), app.stopping(), asked.after);
    let read = VecDeque::new();
    let following = Following { shared, asked, read, told_to, grown, stopping, _seat: seat };
    let events = stream::unfold(following, async |mut following| {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    let mut answer = Sse::new(events).keep_alive(heartbeat).into_response();
    // Proxies hold back what they think is a page.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    answer.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    Ok(answer)
}

impl Following {
    /// The next event; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            if let Some(entry) = self.read.pop_front() {
                return Some(self.event(&entry));
            }
            // Marked before it is read: what comes after the reading wakes us.
            self.grown.mark_unchanged();
            let piece = read(&self.shared, &self.asked, PIECE, LOOKED_AT_MAX).ok()?;
            self.asked.after = piece.looked_to;
            self.read = piece.items.into();
            if !self.read.is_empty() {
                continue;
            }
            if piece.looked_to.saturating_sub(self.told_to) >= PASSED_OVER_MAX {
                // Without data it is no event, but a reader that comes again starts from here.
                self.told_to = piece.looked_to;
                return Some(Event::default().id(self.told_to.to_string()));
            }
            if piece.more {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                grown = self.grown.changed() => grown.ok()?,
                stopping = self.stopping.changed() => stopping.ok()?,
            }
        }
    }

    fn event(&mut self, entry: &Value) -> Event {
        self.told_to = entry.get("seq").and_then(Value::as_u64).unwrap_or(self.told_to);
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or_default();
        Event::default().id(self.told_to.to_string()).event(kind).data(entry.to_string())
    }
}
