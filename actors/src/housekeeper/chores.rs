//! The chores of a round, piece by piece: what is old goes.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use access::wave::later;
use access::{Status, UserId, WaveId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::{Changeset, DocumentKey, Log, Operation};

use super::{PARKED_FOR, tokens};
use crate::error::ChangeError;
use crate::reporter::unread::Unread;
use crate::shared::Shared;
use crate::traffic;

/// Rows that one piece looks at, and takes away at most.
pub(super) const PIECE: usize = 512;
/// How much longer than retention says entries of the feed are kept for a reporter that has not
/// read them.
const UNREAD_FOR: Duration = Duration::from_hours(7 * 24);

/// Something to do in a round, and how far it has come.
#[derive(Debug)]
pub(super) enum Chore {
    /// Take memberships back that wait for too long. After this place.
    ExpireParked(Option<Vec<u8>>),
    /// Warn of tokens that are about to expire, and forget about those that are gone.
    WarnOfTokens,
    /// Delete expired access tokens. After this one.
    DeleteAccessTokens(Option<DocumentKey>),
    /// Take the oldest entries out of a log.
    Trim(Log),
    /// Forget old waves. Before this one.
    ForgetWaves(Option<WaveId>),
    /// Write what came, and that we serve.
    NoteTraffic,
    /// Forget old counts of traffic.
    ForgetTraffic,
    /// Forget accounts of users who were deleted long ago. After this one.
    ForgetAccounts(Option<UserId>),
}

impl Chore {
    /// All there is to do in a round.
    pub(super) fn all() -> VecDeque<Self> {
        VecDeque::from([
            Self::ExpireParked(None),
            Self::WarnOfTokens,
            Self::DeleteAccessTokens(None),
            Self::Trim(Log::Feed),
            Self::Trim(Log::Audit),
            Self::ForgetWaves(None),
            Self::NoteTraffic,
            Self::ForgetTraffic,
            Self::ForgetAccounts(None),
        ])
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::ExpireParked(_) => "expire parked memberships",
            Self::WarnOfTokens => "warn of tokens",
            Self::DeleteAccessTokens(_) => "delete access tokens",
            Self::Trim(Log::Feed) => "trim the feed",
            Self::Trim(Log::Audit) => "trim the audit log",
            Self::ForgetWaves(_) => "forget waves",
            Self::NoteTraffic => "note that we serve",
            Self::ForgetTraffic => "forget traffic",
            Self::ForgetAccounts(_) => "forget accounts",
        }
    }

    /// Does the next piece. Answers whether there is more to do.
    pub(super) async fn step(&mut self, shared: &Shared) -> Result<bool, ChangeError> {
        match self {
            Self::ExpireParked(after) => expire_parked(shared, after).await,
            Self::WarnOfTokens => tokens::warn(shared).await.map(|()| false),
            Self::DeleteAccessTokens(after) => tokens::delete_expired(shared, after).await,
            Self::Trim(log) => trim(shared, *log).await,
            Self::ForgetWaves(before) => forget_waves(shared, before).await,
            Self::NoteTraffic => traffic::write(shared, false).await.map(|()| false),
            Self::ForgetTraffic => traffic::forget_old(shared, PIECE).await,
            Self::ForgetAccounts(after) => forget_accounts(shared, after).await,
        }
    }
}

/// Commits these, if there are any.
pub(super) async fn commit(shared: &Shared, operations: Vec<Operation>) -> Result<(), ChangeError> {
    if operations.is_empty() {
        return Ok(());
    }
    let mut change = Changeset::new(shared.key, shared.clock.now(), None);
    change.operations = operations;
    shared.commit(change).await.map(drop)
}

async fn trim(shared: &Shared, log: Log) -> Result<bool, ChangeError> {
    let retention = shared.config().settings.retention.clone();
    let (last, more, unread) = {
        let snapshot = shared.snapshot()?;
        let counts = snapshot.counts(shared.key)?;
        let (trimmed, too_many, kept_for) = match log {
            Log::Feed => {
                let too_many = counts.feed.saturating_sub(retention.feed_entries.get());
                (counts.feed_trimmed, too_many, retention.feed.get())
            }
            Log::Audit => (counts.audit_trimmed, 0, retention.audit.get()),
        };
        let unread = match log {
            Log::Feed => Unread::of(&snapshot, shared.key)?,
            Log::Audit => None,
        };
        let now = shared.clock.now();
        let end = earlier(now, kept_for);
        let mut missed = false;
        let (mut last, mut looked_at, mut more) = (None, 0, false);
        let visit = |entry: Value| {
            if looked_at >= PIECE {
                more = true;
                return ControlFlow::Break(());
            }
            looked_at += 1;
            let number = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
            let is_needed = unread.as_ref().is_some_and(|unread| unread.needs(&entry));
            let goes = if is_needed {
                let is_one_too_many = number <= too_many;
                is_before(&entry, earlier(end, UNREAD_FOR))
                    || (is_one_too_many && is_before(&entry, earlier(now, UNREAD_FOR)))
            } else {
                number <= too_many || is_before(&entry, end)
            };
            if !goes {
                return ControlFlow::Break(());
            }
            missed |= is_needed;
            last = Some(number);
            ControlFlow::Continue(())
        };
        match log {
            Log::Feed => snapshot.feed(shared.key, trimmed, visit)?,
            Log::Audit => snapshot.audit(shared.key, trimmed, visit)?,
        }
        (last, more, (unread, missed))
    };
    let Some(last) = last else { return Ok(false) };
    let trim = Operation::Trim { log, last, rows_max: PIECE };
    let mut change = Changeset::new(shared.key, shared.clock.now(), None).with(trim);
    match unread {
        (_, true) => tracing::warn!(
            tenant.id = %shared.id,
            last,
            "entries of the feed go that the report has not read for a week",
        ),
        (Some(unread), false) => change = unread.pass_over(last, change)?,
        (None, false) => {}
    }
    shared.commit(change).await?;
    Ok(more)
}

fn is_before(entry: &Value, end: Timestamp) -> bool {
    let at = entry.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
    at.is_some_and(|at| at < end)
}

async fn forget_waves(shared: &Shared, before: &mut Option<WaveId>) -> Result<bool, ChangeError> {
    let kept_for = shared.config().settings.retention.waves.get();
    let end = earlier(shared.clock.now(), kept_for);
    // The live ones first: one that is done meanwhile is then found on disk.
    let live: Vec<WaveId> = shared.live_waves().iter().map(|wave| wave.id).collect();
    // Ids sort by when a wave began: all before this one are old enough, but for those that went
    // on for long.
    let newest = before.unwrap_or_else(|| WaveId::new(end));
    let waves = shared.snapshot()?.waves(shared.key, Some(newest), PIECE)?;
    let more = waves.len() >= PIECE;
    *before = waves.last().map(|wave| wave.id);
    let is_old = |ended_at: Option<Timestamp>| ended_at.is_none_or(|ended_at| ended_at < end);
    let forgotten = waves.iter().filter(|wave| !live.contains(&wave.id) && is_old(wave.ended_at));
    commit(shared, forgotten.map(|wave| Operation::ForgetWave(wave.id)).collect()).await?;
    Ok(more)
}

async fn forget_accounts(shared: &Shared, after: &mut Option<UserId>) -> Result<bool, ChangeError> {
    let kept_for = shared.config().settings.retention.deleted_accounts.get();
    let end = earlier(shared.clock.now(), kept_for);
    let accounts = shared.snapshot()?.readable_accounts(shared.key, *after, PIECE)?;
    let more = accounts.len() >= PIECE;
    *after = accounts.last().map(|(id, _)| *id);
    // One that cannot be read is nothing that retention decides about.
    let gone = accounts.into_iter().filter_map(|(id, account)| {
        let account = account.ok()?;
        let is_old = account.status == Status::Deleted && account.status_since < end;
        is_old.then_some(Operation::ForgetAccount(id))
    });
    commit(shared, gone.collect()).await?;
    Ok(more)
}

async fn expire_parked(shared: &Shared, after: &mut Option<Vec<u8>>) -> Result<bool, ChangeError> {
    let now = shared.clock.now();
    let parked = shared.snapshot()?.all_parked(shared.key, after.as_deref(), PIECE)?;
    let more = parked.len() >= PIECE;
    *after = parked.last().map(|parked| parked.place.clone());
    let expired: Vec<Operation> = parked
        .into_iter()
        .filter(|parked| later(parked.since, PARKED_FOR) <= now)
        .map(|parked| Operation::ExpireParked { group: parked.group, value: parked.value })
        .collect();
    let count = expired.len();
    commit(shared, expired).await?;
    if count > 0 {
        shared.parked_expired(count, now);
        let tenant = &shared.id;
        tracing::info!(tenant.id = %tenant, count, "memberships were taken back: nobody appeared");
    }
    Ok(more)
}

/// `at` less `by`, or the beginning of time.
fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
