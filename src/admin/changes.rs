//! `/tenants/{t}/changes`: the change feed, ordered and gapless, with a long poll, or as Server-Sent
//! Events.
//!
//! Retention takes the oldest entries away. A reader who asks for what follows an entry that is no
//! longer followed by all there was hears that it is gone (410), and how to start over.

mod events;
mod read;

use std::time::Duration;

use actors::shared::Shared;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use self::read::{Asked, Piece, read};
use super::accounts::read_wait;
use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::events::FeedEntry;

/// The longest wait for the first entry.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// Entries that are looked through at once for those of the asked types, before others get their
/// turn; and how often, before an answer is given.
const PIECE: usize = 2_000;
const PIECES_MAX: usize = 25;

/// A page of the change feed.
#[derive(Serialize, ToSchema)]
struct FeedPage {
    #[schema(value_type = Vec<FeedEntry>)]
    items: Vec<Value>,
    /// The `cursor` of the next page; null where no more entries are there yet.
    #[schema(required)]
    next_cursor: Option<String>,
    /// What to ask for next, as `after`; it has passed over the entries of other types.
    next_after: u64,
}

/// Which entries are asked for.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct FeedQuery {
    /// The number of the last entry that is known already.
    #[param(minimum = 0, nullable = false)]
    after: Option<u64>,
    /// How long to wait for the first entry, such as `30s`; at most 50 s.
    #[param(pattern = "^[0-9]+(ms|s|m|h|d)$", nullable = false, example = "0s")]
    wait: Option<String>,
    /// Event types, separated by commas; all where it is missing.
    #[param(nullable = false, example = "account.role_changed")]
    r#type: Option<String>,
}

/// Entries of the change feed after `after`.
///
/// As Server-Sent Events, if `Accept` names them: what is there, then what comes. `Last-Event-ID`
/// then counts for more than `after`.
#[utoipa::path(
    get, path = "/tenants/{tenant}/changes", tag = "changes", params(Paging, FeedQuery),
    responses(
        (status = 200, description = "Entries, in order", content(
            (FeedPage = "application/json"), (String = "text/event-stream"),
        )),
        (status = 410, description = "entries up to 7 have been taken away: read all accounts, \
                                      then follow the feed after 9"),
    )
)]
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
        let read = read_on(tenant.shared(), &mut asked, limit).await?;
        let wait_more = read.items.is_empty() && !read.more && !*stopping.borrow();
        if !wait_more || Instant::now() >= deadline {
            let next_cursor = read.more.then(|| asked.after.to_string());
            let page = FeedPage { items: read.items, next_cursor, next_after: asked.after };
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

/// Reads on from where the reader is, piece by piece.
async fn read_on(shared: &Shared, asked: &mut Asked, limit: usize) -> Result<Piece, Problem> {
    let mut whole = read(shared, asked, limit, PIECE)?;
    asked.after = whole.looked_to;
    for _ in 1..PIECES_MAX {
        if !whole.more || whole.items.len() >= limit {
            break;
        }
        tokio::task::yield_now().await;
        let next = read(shared, asked, limit - whole.items.len(), PIECE)?;
        asked.after = next.looked_to;
        whole.items.extend(next.items);
        whole.looked_to = next.looked_to;
        whole.more = next.more;
    }
    Ok(whole)
}
