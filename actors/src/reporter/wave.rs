//! Following the feed: from one settled wave to the next.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use access::{EventType, UserId};
use serde_json::Value;
use store::{ReadError, Snapshot, TenantKey};

use super::post::PendingMail;
use super::tell::{LOOKED_AT_MAX, TOLD_PER_COMMIT, Told};
use super::{Desk, InWave, Position, ReporterState, read, rematch};
use crate::error::ChangeError;
use crate::shared::Shared;

/// Accounts of one wave that are kept in mind. A larger wave is told of in parts.
const ACCOUNTS_MAX: usize = 100_000;
/// Accounts that a mail names.
pub(super) const MAIL_ACCOUNTS_MAX: usize = 500;

/// A part of the feed, up to the end of a wave.
pub(crate) struct Range {
    /// It begins after this entry,
    from: u64,
    /// and ends with this one.
    until: u64,
    /// Accounts by whom a holder may be known who was not before.
    touched: BTreeSet<UserId>,
    /// Accounts that were disabled or deleted.
    gone: BTreeSet<UserId>,
}

impl Range {
    /// The next range after an entry; none if no wave has settled since.
    fn after(snapshot: &Snapshot, tenant: TenantKey, from: u64) -> Result<Option<Self>, ReadError> {
        let mut range = Self { from, until: from, touched: BTreeSet::new(), gone: BTreeSet::new() };
        let mut whole = false;
        snapshot.feed(tenant, from, |entry| {
            range.until = entry["seq"].as_u64().unwrap_or(range.until);
            whole = range.take(&entry);
            if whole { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(whole.then_some(range))
    }

    /// The part between two entries, whether or not a wave has settled there.
    pub(crate) fn between(
        snapshot: &Snapshot,
        tenant: TenantKey,
        from: u64,
        until: u64,
    ) -> Result<Self, ReadError> {
        let mut range = Self { from, until, touched: BTreeSet::new(), gone: BTreeSet::new() };
        snapshot.feed(tenant, from, |entry| {
            if entry["seq"].as_u64().is_none_or(|seq| seq > until) {
                return ControlFlow::Break(());
            }
            range.take(&entry);
            ControlFlow::Continue(())
        })?;
        Ok(range)
    }

    /// The end of the last wave that had settled by an entry; 0 if none had.
    pub(super) fn last_settled(
        snapshot: &Snapshot,
        tenant: TenantKey,
        until: u64,
    ) -> Result<u64, ReadError> {
        let mut settled = 0;
        snapshot.feed(tenant, 0, |entry| {
            let seq = entry["seq"].as_u64().unwrap_or(u64::MAX);
            if seq > until {
                return ControlFlow::Break(());
            }
            if entry["type"] == EventType::WaveSettled.as_str() {
                settled = seq;
            }
            ControlFlow::Continue(())
        })?;
        Ok(settled)
    }

    /// Takes an entry in. Answers whether the range ends with it.
    fn take(&mut self, entry: &Value) -> bool {
        let kind = entry["type"].as_str().and_then(EventType::from_name);
        let account = || entry["account"].as_str().and_then(|id| id.parse::<UserId>().ok());
        match kind {
            Some(EventType::AccountCreated | EventType::AccountUpdated) => {
                self.touched.extend(account());
            }
            Some(EventType::AccountDisabled) => {
                // A new user that is disabled has no other entry to be known by.
                self.touched.extend(account());
                self.gone.extend(account());
            }
            Some(EventType::AccountDeleted) => self.gone.extend(account()),
            Some(EventType::WaveSettled) => return true,
            _ => {}
        }
        self.touched.len() + self.gone.len() >= ACCOUNTS_MAX
    }

    pub(crate) fn touched(&self) -> &BTreeSet<UserId> {
        &self.touched
    }
}

impl ReporterState {
    /// Tells of the next accounts of the next wave. Answers whether there may be more.
    pub(super) async fn follow_feed(&mut self, desk: &Desk) -> Result<bool, ChangeError> {
        let from = desk.position.feed;
        let known = self.range.take_if(|range| range.from == from);
        let range = if let Some(range) = known {
            range
        } else {
            let range = read(&self.shared, move |shared| {
                Range::after(&shared.snapshot()?, shared.key, from)
            });
            let Some(range) = range.await? else { return Ok(false) };
            // Before anybody is told of: what they hold may be found only now.
            rematch::rematch(&self.shared, desk, range.touched().clone()).await?;
            Arc::new(range)
        };
        self.range = Some(Arc::clone(&range));
        let begun = desk.position.wave.clone().filter(|wave| wave.until == range.until);
        let mut wave = begun.unwrap_or(InWave {
            until: range.until,
            after: crate::equipment::NOBODY,
            told: Vec::new(),
            told_count: 0,
        });
        let (after, generation) = (wave.after, desk.list.value.generation);
        let piece = read(&self.shared, move |shared| piece(shared, &range, after, generation));
        let Piece { told, looked_to, done } = piece.await?;
        wave.after = looked_to;
        for told in &told {
            if wave.told.len() < MAIL_ACCOUNTS_MAX {
                wave.told.push(told.account);
            }
            wave.told_count += 1;
        }
        let mut position = Position { wave: None, ..desk.position.clone() };
        if done {
            position.feed = wave.until;
            if wave.told_count > 0 && self.mails_reports() {
                position.queue(PendingMail::of_wave(wave.until, wave.told, desk.now));
            }
        } else {
            position.wave = Some(wave);
        }
        let mut change = desk.move_to(&self.shared, &position)?;
        for told in told {
            change = told.add_to(change)?;
        }
        self.shared.commit(change).await?;
        Ok(true)
    }

    /// Looks for holders of a new list among the accounts that came while it was uploaded.
    pub(super) async fn look_for_holders(&mut self, desk: &Desk) -> Result<(), ChangeError> {
        let list = &desk.list.value;
        let (from, until) = (list.feed, desk.position.feed);
        if from < until {
            let range = read(&self.shared, move |shared| {
                Range::between(&shared.snapshot()?, shared.key, from, until)
            });
            let range = range.await?;
            rematch::rematch(&self.shared, desk, range.touched).await?;
        }
        let position = Position { generation: list.generation, ..desk.position.clone() };
        let change = desk.move_to(&self.shared, &position)?;
        self.shared.commit(change).await.map(drop)
    }
}

/// Some accounts of a range.
struct Piece {
    told: Vec<Told>,
    looked_to: UserId,
    /// Whether there are no more of them.
    done: bool,
}

fn piece(
    shared: &Shared,
    range: &Range,
    after: UserId,
    generation: u64,
) -> Result<Piece, ReadError> {
    let (snapshot, now) = (shared.snapshot()?, shared.clock.now());
    let mut piece = Piece { told: Vec::new(), looked_to: after, done: true };
    let rest = range.gone.range((Bound::Excluded(after), Bound::Unbounded));
    for (looked_at, account) in rest.enumerate() {
        if looked_at >= LOOKED_AT_MAX || piece.told.len() >= TOLD_PER_COMMIT {
            piece.done = false;
            break;
        }
        piece.looked_to = *account;
        piece.told.extend(Told::of(&snapshot, shared.key, generation, *account, now, false)?);
    }
    Ok(piece)
}
