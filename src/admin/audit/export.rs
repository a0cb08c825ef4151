//! The audit log as JSON lines, oldest first: up to what was the newest entry when it was asked
//! for. It is read in pieces, at the reader's pace, each in a snapshot of its own.

use std::io;
use std::ops::ControlFlow;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use store::{ReadError, TenantKey};

use super::{Wanted, number_of};
use crate::admin::Outcome;
use crate::admin::problem::Problem;
use crate::answer;
use crate::app::App;
use crate::streams::Seat;

/// What JSON lines are called.
const MEDIA_TYPES: [&str; 3] =
    ["application/jsonl", "application/x-ndjson", "application/x-jsonlines"];
/// Entries read at once.
const PIECE: usize = 128;

/// An export that goes on.
struct Export {
    app: App,
    tenant: TenantKey,
    wanted: Wanted,
    after: u64,
    last: u64,
    _seat: Seat,
}

/// The media type of an export, if one is asked for.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&'static str> {
    MEDIA_TYPES.into_iter().find(|media_type| answer::accepts(headers, media_type))
}

/// Starts an export of what follows the entry `after`.
pub(crate) fn start(
    app: &App,
    tenant: TenantKey,
    media_type: &'static str,
    after: u64,
    wanted: Wanted,
) -> Outcome {
    let seat = app.streams().take(tenant).ok_or_else(Problem::unavailable)?;
    let last = app.service().store().snapshot()?.counts(tenant)?.audit;
    let export = Export { app: app.clone(), tenant, wanted, after, last, _seat: seat };
    let pieces = stream::try_unfold(export, async |mut export: Export| {
        // A piece without a line that is wanted is no reason to send nothing for long.
        while export.after < export.last {
            if *export.app.stopping().borrow() {
                // Cut off, not ended: the reader is to notice.
                return Err(io::Error::other("the service is stopping"));
            }
            let lines = export.next_piece().map_err(io::Error::other)?;
            if !lines.is_empty() {
                return Ok(Some((Bytes::from(lines), export)));
            }
            tokio::task::yield_now().await;
        }
        Ok(None)
    });
    Ok(answer::with_body(StatusCode::OK, media_type, Body::from_stream(pieces)))
}

impl Export {
    fn next_piece(&mut self) -> Result<Vec<u8>, ReadError> {
        let (mut lines, mut looked_at) = (Vec::new(), 0);
        let mut looked_to = self.last;
        let snapshot = self.app.service().store().snapshot()?;
        snapshot.audit(self.tenant, self.after, |entry: Value| {
            let number = number_of(&entry).unwrap_or(u64::MAX);
            if number > self.last {
                return ControlFlow::Break(());
            }
            if looked_at >= PIECE {
                looked_to = number - 1;
                return ControlFlow::Break(());
            }
            looked_at += 1;
            if self.wanted.wants(&entry) {
                lines.extend_from_slice(entry.to_string().as_bytes());
                lines.push(b'\n');
            }
            ControlFlow::Continue(())
        })?;
        self.after = looked_to;
        Ok(lines)
    }
}
