//! The recorder: writes down what the directory sent and what it got.
//!
//! Whoever answers a request leaves it here and goes on: nothing waits for the disk, and nothing is
//! written for a single request. What is left is held for a second, or until there are some blocks
//! of it; then the recorder takes out what is secret, packs it, and writes it in one transaction
//! beside all others: a transaction of its own costs more than what is written in it. A kill loses
//! what was held, which is about a second's requests, and never a change. A stop writes all of it.
//!
//! What is held is bounded. Where more comes than can be written, the newest are dropped and
//! counted; the requests themselves do not notice. Of requests that were refused because they came
//! too fast, some are written each second: a directory that does not slow down would fill the record
//! with them.
//!
//! The recorder also takes away what is too old or too much; see [`trim`].

mod pack;
mod trim;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use access::exchange::{Batch, Captured};
use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use store::requests::{BlockId, SealedBlock};
use store::{Changeset, Operation};
use tokio::task::AbortHandle;

use self::pack::{Packing, pack};
use crate::error::ChangeError;
use crate::observe::{Kind, Observed};
use crate::shared::Shared;

/// How long a request is held before it is written.
const HELD_FOR: Duration = Duration::from_secs(1);
/// Requests in one block, and bytes of them: a reader unpacks a block as a whole.
const BLOCK_RECORDS_MAX: usize = 512;
const BLOCK_BYTES_MAX: usize = 2 << 20;
/// Blocks that are written in one transaction. Others wait for their changes meanwhile.
const BLOCKS_AT_ONCE: usize = 4;
/// Requests, and bytes of them, that are held: some seconds of the highest rate there is. The buffers
/// may be twice as large, since they grow by doubling.
const HELD_RECORDS_MAX: usize = 16_384;
const HELD_BYTES_MAX: usize = 16 << 20;
/// The status of what was refused because it came too fast, and how many of them are written in a
/// second.
const TOO_FAST: u16 = 429;
const TOO_FAST_PER_SECOND_MAX: u32 = 10;
/// How often it is looked whether something is too old.
const TRIMMED_EVERY: Duration = Duration::from_mins(25);

/// What a recorder can be told.
#[derive(Debug)]
pub(crate) enum RecorderMessage {
    /// Write what is held. Sent when there is enough of it.
    Write,
    /// Write what is held, unless that was done since this was asked for. Sent by a timer.
    WriteInTime {
        /// How often what was held had been taken then.
        takes: u64,
    },
    /// Take away what is too old or too much. Sent by its own timer, and when settings changed.
    Trim,
}

/// Requests on their way to the disk.
#[derive(Debug)]
pub struct Recorder {
    held: Mutex<Held>,
    dropped: AtomicU64,
    actor: Mutex<Option<ActorRef<RecorderMessage>>>,
    /// Held while a block is written, so that blocks come one after the other.
    writing: tokio::sync::Mutex<Written>,
    /// The recorder's counters.
    pub observed: Observed,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            dropped: AtomicU64::default(),
            actor: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            observed: Observed::new(Kind::Recorder),
        }
    }
}

/// Requests that are held, in batches of which each will be a block. Their bodies are copied there:
/// held as they came, they would hold on to the buffers that connections are read into.
#[derive(Default)]
struct Held {
    /// The last one is being filled.
    batches: VecDeque<Batch>,
    /// Emptied ones, to be filled again.
    spare: Vec<Batch>,
    records: usize,
    bytes: usize,
    /// How often what was held was taken.
    takes: u64,
    /// What the actor has been asked for.
    asked: Asked,
    too_fast: TooFast,
}

/// How many requests were refused because they came too fast, in the second of the last of them.
#[derive(Default)]
struct TooFast {
    second: i64,
    count: u32,
}

impl TooFast {
    /// Counts one that came at this time. Answers whether it is among those that are written.
    fn counts(&mut self, at: Timestamp) -> bool {
        if self.second != at.as_second() {
            *self = Self { second: at.as_second(), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= TOO_FAST_PER_SECOND_MAX
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    /// To write when the time has come. How often what was held had been taken then.
    InTime(u64),
    /// To write at once: there is enough of it.
    Now,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({} requests, {} bytes)", self.records, self.bytes)
    }
}

/// What is known of the blocks on disk.
#[derive(Debug, Default)]
struct Written {
    /// The newest block, and the bytes that were written up to it; none until it was looked up.
    newest: Option<(Option<BlockId>, u64)>,
    /// Blocks that could not be written yet.
    unwritten: Vec<Arc<SealedBlock>>,
    /// Bytes that were written since it was last looked whether there are too many.
    since_trim: u64,
    packing: Packing,
}

impl Recorder {
    /// Leaves a request to be written down. Answers whether there was room for it, or it is one of
    /// those of which only some are written.
    pub fn record(&self, captured: &Captured<'_>) -> bool {
        let bytes = captured.bytes();
        let ask = {
            let mut held = self.held();
            if captured.status == Some(TOO_FAST) && !held.too_fast.counts(captured.at) {
                return true;
            }
            let is_full = held.records >= HELD_RECORDS_MAX
                || held.bytes.saturating_add(bytes) > HELD_BYTES_MAX;
            if is_full {
                drop(held);
                self.drop_requests(1);
                return false;
            }
            held.put(captured);
            held.ask()
        };
        self.ask(ask);
        true
    }

    /// Requests that were not written down, since the service started.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_requests(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.dropped.fetch_add(count, Ordering::Relaxed);
        metrics::counter!("slackwater_requests_not_recorded_total").increment(count);
    }

    /// Buffers that are kept to be filled again.
    pub fn spare_buffers(&self) -> usize {
        self.held().spare.len()
    }

    /// Requests that are held.
    pub fn held_requests(&self) -> usize {
        self.held().records
    }

    pub(crate) fn set_actor(&self, actor: Option<ActorRef<RecorderMessage>>) {
        *self.actor.lock().unwrap_or_else(PoisonError::into_inner) = actor;
        // Whoever was asked before has ended.
        self.ask_anew();
    }

    /// What is kept for how long has changed, perhaps.
    pub(crate) fn trim_soon(&self) {
        if let Some(actor) = self.actor() {
            // One that is being started again looks by itself.
            let _ = actor.cast(RecorderMessage::Trim);
        }
    }

    /// Asks for what is needed now, whatever was asked for before.
    fn ask_anew(&self) {
        let ask = {
            let mut held = self.held();
            held.asked = Asked::Nothing;
            held.ask()
        };
        self.ask(ask);
    }

    fn ask(&self, ask: Asked) {
        // Mostly nothing: then whom to ask need not be looked up.
        let actor = if ask == Asked::Nothing { None } else { self.actor() };
        let Some(actor) = actor else { return };
        match ask {
            Asked::Nothing => {}
            Asked::InTime(takes) => {
                drop(actor.send_after(HELD_FOR, move || RecorderMessage::WriteInTime { takes }));
            }
            Asked::Now => {
                self.observed.sent();
                if actor.cast(RecorderMessage::Write).is_err() {
                    self.observed.taken();
                }
            }
        }
    }

    fn actor(&self) -> Option<ActorRef<RecorderMessage>> {
        self.actor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// What the actor is to be asked for now, if it has not been already.
    fn ask(&mut self) -> Asked {
        let wanted = match self.asked {
            _ if self.records == 0 => Asked::Nothing,
            Asked::Nothing | Asked::InTime(_) if self.is_enough() => Asked::Now,
            Asked::Nothing => Asked::InTime(self.takes),
            Asked::InTime(_) | Asked::Now => return Asked::Nothing,
        };
        if wanted != Asked::Nothing {
            self.asked = wanted;
        }
        wanted
    }

    /// Whether it is as much as is written at once.
    fn is_enough(&self) -> bool {
        self.batches.len() > BLOCKS_AT_ONCE
            || self.records >= BLOCKS_AT_ONCE * BLOCK_RECORDS_MAX
            || self.bytes >= BLOCKS_AT_ONCE * BLOCK_BYTES_MAX
    }

    fn put(&mut self, captured: &Captured<'_>) {
        let has_room =
            |batch: &Batch| batch.len() < BLOCK_RECORDS_MAX && batch.bytes() < BLOCK_BYTES_MAX;
        if !self.batches.back().is_some_and(has_room) {
            self.batches.push_back(self.spare.pop().unwrap_or_default());
        }
        if let Some(batch) = self.batches.back_mut() {
            batch.add(captured);
            self.records = self.records.saturating_add(1);
            self.bytes = self.bytes.saturating_add(captured.bytes());
        }
    }

    /// Takes the oldest, as many as are written at once.
    fn take(&mut self) -> Vec<Batch> {
        let count = self.batches.len().min(BLOCKS_AT_ONCE);
        let taken: Vec<Batch> = self.batches.drain(..count).collect();
        self.records = self.records.saturating_sub(taken.iter().map(Batch::len).sum());
        self.bytes = self.bytes.saturating_sub(taken.iter().map(Batch::bytes).sum());
        self.takes = self.takes.wrapping_add(1);
        taken
    }

    /// Takes back what was packed, and answers what it has no use for.
    fn keep(&mut self, batches: Vec<Batch>) -> Vec<Batch> {
        self.spare.extend(batches);
        self.spare.split_off(self.spare.len().min(BLOCKS_AT_ONCE))
    }
}

/// Writes down all that is held.
pub(crate) async fn write(shared: &Shared) -> Result<(), ChangeError> {
    write_while(shared, |held| held.records > 0).await
}

/// Writes down what is held, and goes on with what came meanwhile if there is as much of it as is
/// written at once.
async fn write_due(shared: &Shared) -> Result<(), ChangeError> {
    write_while(shared, Held::is_enough).await
}

async fn write_while(shared: &Shared, goes_on: impl Fn(&Held) -> bool) -> Result<(), ChangeError> {
    let recorder = &shared.recorder;
    let mut written = recorder.writing.lock().await;
    loop {
        if written.unwritten.is_empty() {
            // Whatever can be refused is asked for before anything is taken.
            let before = written_before(shared, &mut written)?;
            let taken = recorder.held().take();
            let count = taken.iter().map(Batch::len).sum();
            let packed = pack(shared, &mut written, before, taken).await;
            packed.inspect_err(|_| recorder.drop_requests(count))?;
        }
        let Some(last) = written.unwritten.last() else { return Ok(()) };
        let (id, bytes) = (last.id(), last.written());
        let own: u64 = written.unwritten.iter().map(|block| block.bytes()).sum();
        let mut change = Changeset::new(shared.key, shared.clock.now(), None);
        change.operations = written.unwritten.iter().cloned().map(Operation::PutRequests).collect();
        // If nobody knows whether it is on disk, it is put again, in its own place.
        match shared.commit(change).await {
            Ok(_) => {}
            // The tenant was deleted: its requests go with it.
            Err(ChangeError::NotFound) => drop(std::mem::take(&mut *recorder.held())),
            Err(error) => return Err(error),
        }
        written.unwritten.clear();
        written.newest = Some((Some(id), bytes));
        written.since_trim = written.since_trim.saturating_add(own);
        let (is_at_rest, goes_on) = {
            let held = recorder.held();
            (held.records == 0, goes_on(&held))
        };
        // Buffers are worth keeping while more comes. The last write finds that nothing came.
        if is_at_rest {
            let spare = std::mem::take(&mut recorder.held().spare);
            drop((spare, std::mem::take(&mut written.packing)));
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// The newest block, and the bytes that were written up to it.
fn written_before(
    shared: &Shared,
    written: &mut Written,
) -> Result<(Option<BlockId>, u64), ChangeError> {
    if let Some(known) = written.newest {
        return Ok(known);
    }
    let kept = shared.snapshot()?.requests_kept(shared.key)?;
    let known = kept.map_or((None, 0), |kept| (Some(kept.newest), kept.written));
    Ok(*written.newest.insert(known))
}

/// The actor; see the module.
pub(crate) struct RecorderActor;

/// What it knows between messages. Nothing is lost with it.
pub(crate) struct RecorderState {
    shared: Arc<Shared>,
    /// The timer of the next attempt, after one that failed.
    retry: Option<AbortHandle>,
}

impl Actor for RecorderActor {
    type Msg = RecorderMessage;
    type State = RecorderState;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<RecorderMessage>,
        shared: Arc<Shared>,
    ) -> Result<RecorderState, ActorProcessingErr> {
        myself.send_interval(TRIMMED_EVERY, || RecorderMessage::Trim);
        Ok(RecorderState { shared, retry: None })
    }

    async fn handle(
        &self,
        myself: ActorRef<RecorderMessage>,
        message: RecorderMessage,
        state: &mut RecorderState,
    ) -> Result<(), ActorProcessingErr> {
        let shared = &state.shared;
        let recorder = &shared.recorder;
        recorder.observed.begin(shared.clock.now());
        let done = match message {
            // All that it was sent for was written before: what came since has its own time.
            RecorderMessage::WriteInTime { takes }
                if recorder.held().asked != Asked::InTime(takes) =>
            {
                Ok(())
            }
            RecorderMessage::Write | RecorderMessage::WriteInTime { .. } => {
                if let Some(retry) = state.retry.take() {
                    retry.abort();
                }
                // Nobody needs to ask while it is written, nor before it is tried again.
                recorder.held().asked = Asked::Now;
                match write_due(shared).await {
                    Ok(()) => {
                        recorder.ask_anew();
                        trim::after_writing(shared).await
                    }
                    Err(error) => {
                        // Again in a while; until then it is held.
                        let timer = myself.send_after(HELD_FOR, || RecorderMessage::Write);
                        state.retry = Some(timer.abort_handle());
                        Err(error)
                    }
                }
            }
            RecorderMessage::Trim => trim::trim(shared).await,
        };
        if let Err(error) = done {
            tracing::warn!(tenant.id = %shared.id, %error, "requests were not written down");
        }
        recorder.observed.end();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_requests_that_come_too_fast_only_some_are_written_each_second() {
        let mut too_fast = TooFast::default();
        let mut written_at = |millisecond| {
            let at = Timestamp::from_millisecond(millisecond).unwrap();
            (0..1_000).filter(|_| too_fast.counts(at)).count()
        };

        assert_eq!(written_at(1_795_000_000_000), 10);
        assert_eq!(written_at(1_795_000_000_999), 0);
        assert_eq!(written_at(1_795_000_001_000), 10);
    }
}
