//! What is too old goes, and so does the oldest where there is too much.

use std::ops::ControlFlow;

use jiff::SignedDuration;
use store::requests::BlockId;
use store::{Changeset, Operation};

use crate::error::ChangeError;
use crate::shared::Shared;

/// Blocks that go at once.
const PIECE: usize = 64;
/// The part of the bytes that are kept which may come before it is looked again: one in so many.
const LOOKED_PART: u64 = 16;

/// Looks whether there is too much, if a good part of it is new.
pub(super) async fn after_writing(shared: &Shared) -> Result<(), ChangeError> {
    let limit = shared.config().settings.retention.requests_bytes.get();
    let is_due = {
        let mut written = shared.recorder.writing.lock().await;
        let is_due = written.since_trim >= limit / LOOKED_PART;
        if is_due {
            written.since_trim = 0;
        }
        is_due
    };
    if is_due { trim(shared).await } else { Ok(()) }
}

/// Takes away what is too old or too much, piece by piece.
pub(super) async fn trim(shared: &Shared) -> Result<(), ChangeError> {
    while let Some(last) = last_to_go(shared)? {
        let trim = Operation::TrimRequests { last, blocks_max: PIECE };
        let change = Changeset::new(shared.key, shared.clock.now(), None).with(trim);
        match shared.commit(change).await {
            Ok(_) => {}
            Err(ChangeError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The last block of the next piece that goes; none if all may stay.
fn last_to_go(shared: &Shared) -> Result<Option<BlockId>, ChangeError> {
    let retention = &shared.config().settings.retention;
    let age = SignedDuration::try_from(retention.requests.get()).unwrap_or(SignedDuration::MAX);
    let oldest_stays = shared.clock.now().checked_sub(age).ok().map(BlockId::first_at);
    let snapshot = shared.snapshot()?;
    let Some(kept) = snapshot.requests_kept(shared.key)? else { return Ok(None) };
    let limit = retention.requests_bytes.get();
    let (mut last, mut seen) = (None, 0);
    snapshot.requests(shared.key, None, |block, facts| {
        let is_old = oldest_stays.is_some_and(|stays| block < stays);
        // What stays if this one does; the newest always does, however small the limit.
        let too_much = block != kept.newest
            && kept.written.saturating_sub(facts.written.saturating_sub(facts.own)) > limit;
        if seen >= PIECE || !(is_old || too_much) {
            return Ok(ControlFlow::Break(()));
        }
        (last, seen) = (Some(block), seen + 1);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last)
}
