//! The writer: group commit.
//!
//! One thread owns the write side of a database file. It takes what is queued, plans all of it
//! into one write transaction, with what comes while it plans, commits once, and then answers each.
//! It never waits for a batch to fill: while one commit is being flushed, the next batch fills by
//! itself. (Measured: waiting never helped, and a thread of its own beats a task that borrows one by
//! 15 to 20 %.)
//!
//! When a commit fails, everybody in it hears that the outcome is unknown, and the backend is
//! opened again before anything else is written. Changes are refused until a commit of the
//! backend's own has succeeded, so that [`Health::Ready`] means what it says. A refusal that may
//! rest on a neighbour in the same transaction is told only once that is on disk.

mod measured;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use self::measured::Queue;
use self::measured::{Meters, QueueGauge, micros};
use crate::Health;
use crate::changeset::{Changeset, CommitError, Committed};
use crate::kv::{RawView, ReadError, Writes};
use crate::plan::{PlanError, Planner};

/// Changes that may wait for the writer; more are refused at once.
const QUEUE_MAX: usize = 8_192;
/// Changes in one transaction: more pages than that make the neighbours wait too long.
const BATCH_MAX: usize = 1_024;
/// How long changes are refused after a failed commit before the next is tried.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

type Answer = Result<Committed, CommitError>;

/// What became of a change, in time.
#[derive(Debug)]
pub struct Reply(oneshot::Receiver<Answer>);

impl Reply {
    pub(crate) fn ready(answer: Answer) -> Self {
        let (sender, receiver) = oneshot::channel();
        // The receiver is right here.
        let _ = sender.send(answer);
        Self(receiver)
    }

    /// Waits for the answer. `Ok` means on disk. Dropping the wait does not take the change back.
    pub async fn wait(self) -> Answer {
        self.0.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The same, for threads that run no async tasks; panics in one that does.
    pub fn wait_blocking(self) -> Answer {
        self.0.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> CommitError {
    CommitError::Unknown("the writer has ended".into())
}

/// What the writer needs of a backend.
pub(crate) trait Backend: Send + 'static {
    fn view(&self) -> Result<Arc<dyn RawView>, ReadError>;

    /// Writes all pairs in one transaction and flushes it.
    fn write(&mut self, writes: Writes) -> Result<(), WriteError>;

    /// Opens the database anew after a failure. `Ok`: a commit has gone through. On an error,
    /// reads go on if the disk can still be read.
    fn reopen(&mut self) -> Result<(), String>;
}

/// Why a transaction failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// Before anything was committed.
    NotWritten(String),
    /// While committing.
    Unknown(String),
}

/// The backend failed, and what came of opening it again.
struct Failure {
    reason: String,
    reopened: Result<(), String>,
}

struct Request {
    change: Changeset,
    waiting: Waiting,
}

/// Somebody who waits for what becomes of a change.
struct Waiting {
    reply: oneshot::Sender<Answer>,
    handed_in: Instant,
    span: tracing::Span,
}

/// The writer's handle: hands changes in, and ends the thread when dropped.
pub(crate) struct Writer {
    queue: Option<SyncSender<Request>>,
    trouble: Arc<Mutex<Option<String>>>,
    waiting: Arc<QueueGauge>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(backend: impl Backend) -> std::io::Result<Self> {
        let (queue, requests) = sync_channel(QUEUE_MAX);
        let trouble = Arc::new(Mutex::new(None));
        let waiting = Arc::new(QueueGauge::new());
        let worker = Worker {
            backend,
            trouble: Arc::clone(&trouble),
            waiting: Arc::clone(&waiting),
            meters: Meters::new(),
            back_off: BACK_OFF_MIN,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || worker.run(&requests))?;
        Ok(Self { queue: Some(queue), trouble, waiting, thread: Some(thread) })
    }

    pub(crate) fn submit(&self, change: Changeset) -> Reply {
        let (reply, receiver) = oneshot::channel();
        let waiting = Waiting { reply, handed_in: Instant::now(), span: measured::span() };
        // Counted first: the writer may take it before this thread goes on.
        self.waiting.handed_in();
        let refused = match &self.queue {
            None => Some("the store is closed"),
            Some(queue) => match queue.try_send(Request { change, waiting }) {
                Ok(()) => None,
                Err(TrySendError::Full(_)) => Some("too many changes are waiting for the disk"),
                Err(TrySendError::Disconnected(_)) => Some("the writer has ended"),
            },
        };
        match refused {
            None => Reply(receiver),
            Some(reason) => {
                self.waiting.taken(1);
                Reply::ready(Err(CommitError::Unavailable(reason.into())))
            }
        }
    }

    pub(crate) fn queue(&self) -> Queue {
        self.waiting.read()
    }

    pub(crate) fn health(&self) -> Health {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &*trouble {
            Some(trouble) => Health::Unavailable(trouble.clone()),
            None if self.thread.as_ref().is_none_or(JoinHandle::is_finished) => {
                Health::Unavailable("the writer has ended".into())
            }
            None => Health::Ready,
        }
    }
}

impl Drop for Writer {
    /// Lets the thread finish what is queued, and waits for it.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if ended.is_err() {
                tracing::error!("the writer thread panicked");
            }
        }
    }
}

struct Worker<B> {
    backend: B,
    trouble: Arc<Mutex<Option<String>>>,
    waiting: Arc<QueueGauge>,
    meters: Meters,
    back_off: Duration,
}

impl<B: Backend> Worker<B> {
    fn run(mut self, requests: &Receiver<Request>) {
        let mut batch = Vec::new();
        while let Ok(first) = requests.recv() {
            batch.push(first);
            batch.extend(requests.try_iter().take(BATCH_MAX - 1));
            self.waiting.taken(batch.len());
            self.waiting.writes(batch.first().map(|oldest| oldest.waiting.handed_in));
            let committed = self.commit(&mut batch, requests);
            self.waiting.writes(None);
            if let Err(failure) = committed {
                self.recover(requests, failure);
            }
        }
    }

    /// Commits a batch, with what is handed in while it is planned, and answers all of it; what is
    /// left of it is its memory.
    fn commit(
        &mut self,
        batch: &mut Vec<Request>,
        requests: &Receiver<Request>,
    ) -> Result<(), Failure> {
        let view = match self.backend.view() {
            Ok(view) => view,
            Err(error) => {
                let reason = error.to_string();
                for request in batch.drain(..) {
                    self.answer(request.waiting, Err(CommitError::Unavailable(reason.clone())));
                }
                return Err(self.failure(reason));
            }
        };
        let mut planner = Planner::new(&*view);
        let mut answers = Vec::with_capacity(batch.len());
        let left = BATCH_MAX.saturating_sub(batch.len());
        let mut planned = self.plan(&mut planner, batch, &mut answers);
        if planned.is_ok() {
            // Once: who came first is not to wait for all that come one after the other.
            batch.extend(requests.try_iter().take(left));
            self.waiting.taken(batch.len());
            planned = self.plan(&mut planner, batch, &mut answers);
        }
        let writes = if planner.is_empty() { Writes::new() } else { planner.into_writes() };
        drop(view);
        let written = if writes.is_empty() { Ok(()) } else { self.write(writes, &answers) };
        let (error, reason) = match written {
            Ok(()) => {
                for (waiting, outcome) in answers {
                    self.answer(waiting, outcome);
                }
                self.back_off = BACK_OFF_MIN;
                return planned.map_err(|reason| self.failure(reason));
            }
            Err(WriteError::NotWritten(reason)) => {
                (CommitError::Unavailable(reason.clone()), reason)
            }
            Err(WriteError::Unknown(reason)) => (CommitError::Unknown(reason.clone()), reason),
        };
        // Before anybody hears of it: who reads again now must read what has become of it.
        let failure = self.failure(error.to_string());
        for (waiting, outcome) in answers {
            // A refused change did nothing, but why it was refused may never have been true.
            let refused = |_| CommitError::Unavailable(reason.clone());
            self.answer(waiting, outcome.map_err(refused).and_then(|_| Err(error.clone())));
        }
        Err(failure)
    }

    /// Plans each of these, and answers those at once that are refused and depend on nothing that is
    /// not on disk. An error says that the database could not be read.
    fn plan(
        &self,
        planner: &mut Planner<'_>,
        batch: &mut Vec<Request>,
        answers: &mut Vec<(Waiting, Answer)>,
    ) -> Result<(), String> {
        let mut read = Ok(());
        for Request { change, waiting } in batch.drain(..) {
            self.meters.begun(&waiting.span, waiting.handed_in);
            let planned = catch_unwind(AssertUnwindSafe(|| planner.plan(change)));
            let outcome = match planned {
                Ok(Ok(committed)) => Ok(committed),
                // Nothing that is not on disk yet can have led to this refusal.
                Ok(Err(PlanError::Refused(refusal))) if planner.is_empty() => {
                    self.answer(waiting, Err(refusal.into()));
                    continue;
                }
                Ok(Err(PlanError::Refused(refusal))) => Err(refusal.into()),
                Ok(Err(PlanError::Unavailable(reason))) => {
                    read = Err(reason.clone());
                    Err(CommitError::Unavailable(reason))
                }
                Err(_) => {
                    planner.abandon();
                    tracing::error!("planning a change panicked");
                    Err(CommitError::Unavailable("the change cannot be planned".into()))
                }
            };
            answers.push((waiting, outcome));
        }
        read
    }

    /// Writes what was planned for these, and measures it.
    fn write(&mut self, writes: Writes, planned: &[(Waiting, Answer)]) -> Result<(), WriteError> {
        let began = Instant::now();
        let written = self.backend.write(writes);
        let took = began.elapsed();
        self.meters.wrote(planned.len(), took);
        for (waiting, _) in planned {
            waiting.span.record("batch", planned.len());
            waiting.span.record("write_us", micros(took));
        }
        written
    }

    fn answer(&self, waiting: Waiting, answer: Answer) {
        self.meters.answered(&waiting.span, &answer);
        // A requester that timed out does not take its change back.
        let _ = waiting.reply.send(answer);
    }

    /// Opens the backend again at once.
    fn failure(&mut self, reason: String) -> Failure {
        tracing::error!(reason, "the database failed; opening it again");
        self.meters.failed();
        self.set_trouble(Some(reason.clone()));
        Failure { reason, reopened: self.backend.reopen() }
    }

    /// Refuses changes for a while after a failure, and until the backend works again.
    fn recover(&mut self, requests: &Receiver<Request>, failure: Failure) {
        let Failure { mut reason, mut reopened } = failure;
        loop {
            let refuse_until = Instant::now() + self.back_off;
            self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
            loop {
                let left = refuse_until.saturating_duration_since(Instant::now());
                match requests.recv_timeout(left) {
                    Ok(request) => {
                        self.waiting.taken(1);
                        let unavailable = CommitError::Unavailable(reason.clone());
                        self.answer(request.waiting, Err(unavailable));
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            match reopened {
                Ok(()) => break,
                Err(error) => {
                    tracing::error!(error, "the database cannot be opened and written");
                    self.set_trouble(Some(error.clone()));
                    reason = error;
                }
            }
            reopened = self.backend.reopen();
        }
        self.set_trouble(None);
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}
