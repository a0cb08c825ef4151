//! Reading the feed: a piece at a time, in a snapshot of its own.

use std::ops::ControlFlow;

use access::EventType;
use actors::shared::Shared;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::admin::page::Parameters;
use crate::admin::problem::Problem;

/// What a reader wants.
pub(super) struct Asked {
    /// What follows this entry.
    pub(super) after: u64,
    /// Of these types; none means all.
    types: Vec<EventType>,
}

/// A piece of the feed.
pub(super) struct Piece {
    pub(super) items: Vec<Value>,
    /// The last entry that was looked at.
    pub(super) looked_to: u64,
    /// Whether there are more.
    pub(super) more: bool,
}

/// How a reader whose place is gone starts over.
#[derive(Serialize)]
struct StartOver {
    /// Read these first, all pages.
    read: String,
    /// Then follow the feed after this entry.
    after: u64,
}

impl Asked {
    pub(super) fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let after = match parameters.parse("after", "the number of an entry")? {
            Some(after) => after,
            None => parameters.cursor()?.unwrap_or_default(),
        };
        Ok(Self { after, types: read_types(parameters.get("type"))? })
    }

    /// The same, after the event that the reader saw last. A browser that connects again sends
    /// the address it was given first, so the header counts for more.
    pub(super) fn resumed(self, headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(last) = headers.get("last-event-id") else { return Ok(self) };
        let after = last.to_str().ok().and_then(|last| last.trim().parse().ok());
        let refused = || Problem::bad_request("Last-Event-ID: expected the number of an entry");
        Ok(Self { after: after.ok_or_else(refused)?, ..self })
    }

    fn wants(&self, name: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|kind| kind.as_str() == name)
    }
}

/// Reads at most `limit` entries, and looks at no more than `looked_at_max` for them.
pub(super) fn read(
    shared: &Shared,
    asked: &Asked,
    limit: usize,
    looked_at_max: usize,
) -> Result<Piece, Problem> {
    let mut piece = Piece { items: Vec::new(), looked_to: asked.after, more: false };
    let mut looked_at = 0;
    let snapshot = shared.snapshot()?;
    if snapshot.config(shared.key)?.is_none() {
        return Err(Problem::not_found("there is no such tenant"));
    }
    let counts = snapshot.counts(shared.key)?;
    let (trimmed, latest) = (counts.feed_trimmed, counts.feed);
    if asked.after < trimmed {
        let detail = format!("entries up to {trimmed} have been taken away");
        return Err(gone(shared, &detail, trimmed, latest));
    }
    if asked.after > latest {
        // To wait would be to pass over what gets these numbers a second time.
        let asked = asked.after;
        let detail = format!(
            "the feed ends with {latest} and is younger than {asked}, which was asked for, as it \
             is after a restore from a backup"
        );
        return Err(gone(shared, &detail, trimmed, latest));
    }
    let wants = |name: &str| asked.wants(name);
    snapshot.feed_of(shared.key, asked.after, wants, |number, entry| {
        if piece.items.len() >= limit || looked_at >= looked_at_max {
            piece.more = true;
            return ControlFlow::Break(());
        }
        looked_at += 1;
        piece.looked_to = number;
        piece.items.extend(entry);
        ControlFlow::Continue(())
    })?;
    Ok(piece)
}

/// 410: what follows the reader's place is not what the reader thinks.
fn gone(shared: &Shared, why: &str, trimmed: u64, latest: u64) -> Problem {
    let detail = format!("{why}: read all accounts, then follow the feed after {latest}");
    let read = format!("/admin/v1/tenants/{}/accounts", shared.id);
    let start_over = StartOver { read, after: latest };
    Problem::new(StatusCode::GONE, detail)
        // None, if there is no entry left.
        .with("oldest", (trimmed < latest).then_some(trimmed.saturating_add(1)))
        .with("latest", latest)
        .with("start_over", serde_json::to_value(start_over).unwrap_or_default())
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
