//! `/tenants/{t}/changes`: the change feed, ordered and gapless, with a long poll.

use std::ops::ControlFlow;
use std::time::Duration;

use access::EventType;
use actors::shared::Shared;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::accounts::read_wait;
use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;
use crate::openapi::events::FeedEntry;

/// The longest wait for the first entry.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// Entries that are looked through for those of the asked types before an answer is given.
const LOOKED_AT_MAX: usize = 50_000;

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
#[utoipa::path(
    get, path = "/tenants/{tenant}/changes", tag = "changes", params(Paging, FeedQuery),
    responses((status = 200, description = "Entries, in order", body = FeedPage))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let limit = parameters.limit()?;
    let expected = "the number of an entry";
    let mut after: u64 = match parameters.parse("after", expected)? {
        Some(after) => after,
        None => parameters.cursor()?.unwrap_or_default(),
    };
    let types = read_types(parameters.get("type"))?;
    let wait = read_wait(&parameters)?.map_or(Duration::ZERO, |wait| wait.get().min(WAIT_MAX));
    let deadline = Instant::now() + wait;
    let mut grown = tenant.shared().feed();
    let mut stopping = app.stopping();
    loop {
        // Marked before it is read: what comes after the reading wakes us.
        grown.mark_unchanged();
        let read = read(tenant.shared(), after, limit, &types)?;
        after = read.looked_to;
        let wait_more = read.items.is_empty() && !read.more && !*stopping.borrow();
        if !wait_more || Instant::now() >= deadline {
            let next_cursor = read.more.then(|| after.to_string());
            let body = FeedPage { items: read.items, next_cursor, next_after: after };
            return Ok(answer::json(StatusCode::OK, JSON, &body));
        }
        tokio::select! {
            // Or the tenant was deleted, as the next reading finds.
            _ = grown.changed() => {}
            _ = stopping.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

struct ReadFeed {
    items: Vec<Value>,
    /// The last entry that was looked at.
    looked_to: u64,
    /// Whether there are more.
    more: bool,
}

fn read(
    shared: &Shared,
    after: u64,
    limit: usize,
    types: &[EventType],
) -> Result<ReadFeed, Problem> {
    let mut read = ReadFeed { items: Vec::new(), looked_to: after, more: false };
    let mut looked_at = 0;
    let snapshot = shared.snapshot()?;
    if snapshot.config(shared.key)?.is_none() {
        return Err(Problem::not_found("there is no such tenant"));
    }
    snapshot.feed(shared.key, after, |entry| {
        if read.items.len() >= limit || looked_at >= LOOKED_AT_MAX {
            read.more = true;
            return ControlFlow::Break(());
        }
        looked_at += 1;
        read.looked_to = entry["seq"].as_u64().unwrap_or(read.looked_to);
        let name = entry["type"].as_str().unwrap_or_default();
        if types.is_empty() || types.iter().any(|kind| kind.as_str() == name) {
            read.items.push(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(read)
}

/// Types, separated by commas; none means all.
fn read_types(text: Option<&str>) -> Result<Vec<EventType>, Problem> {
    let names = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let read = |name: &str| {
        let refused = || Problem::bad_request(format!("type: there is no event type {name:?}"));
        EventType::from_name(name).ok_or_else(refused)
    };
    names.map(read).collect()
}
