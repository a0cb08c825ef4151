//! `/tenants/{t}/changes`: the change feed, ordered and gapless, with a long poll, or as Server-Sent
//! Events.
//!
//! Retention takes the oldest entries away. A reader who asks for what follows an entry that is no
//! longer followed by all there was hears that it is gone (410), and how to start over.

mod events;
mod read;

use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use self::read::{Asked, read};
use super::accounts::read_wait;
use super::page::Parameters;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// The longest wait for the first entry.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// Entries that are looked through for those of the asked types before an answer is given.
const LOOKED_AT_MAX: usize = 50_000;

/// A page of the feed.
#[derive(Serialize)]
struct ChangesPage {
    items: Vec<Value>,
    /// Set if there are more.
    next_cursor: Option<String>,
    /// What to ask for next, also where nothing came.
    next_after: u64,
}

/// GET: entries after `after`.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let mut asked = Asked::read(&parameters)?;
    if answer::accepts(&headers, events::MEDIA_TYPE) {
        return events::follow(&app, &tenant, asked.resumed(&headers)?);
    }
    let limit = parameters.limit()?;
    let wait = read_wait(&parameters)?.map_or(Duration::ZERO, |wait| wait.get().min(WAIT_MAX));
    let deadline = Instant::now() + wait;
    let mut grown = tenant.shared().feed();
    let mut stopping = app.stopping();
    loop {
        // Marked before it is read: what comes after the reading wakes us.
        grown.mark_unchanged();
        let read = read(tenant.shared(), &asked, limit, LOOKED_AT_MAX)?;
        asked.after = read.looked_to;
        let wait_more = read.items.is_empty() && !read.more && !*stopping.borrow();
        if !wait_more || Instant::now() >= deadline {
            let next_cursor = read.more.then(|| asked.after.to_string());
            let page = ChangesPage { items: read.items, next_cursor, next_after: asked.after };
            return Ok(answer::json(StatusCode::OK, JSON, &page));
        }
        tokio::select! {
            // Or the tenant was deleted, as the next reading finds.
            _ = grown.changed() => {}
            _ = stopping.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}
