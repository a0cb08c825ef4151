//! Stores that misbehave on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use store::{
    Changeset, Collection, DocumentKey, Health, MemoryStore, ReadError, Reply, Requirement,
    Snapshot, Store, TenantKey,
};

/// A store whose next reads panic, so many of them.
#[derive(Default)]
pub(crate) struct PanickingStore {
    inner: MemoryStore,
    panics_left: AtomicUsize,
}

impl PanickingStore {
    pub(crate) fn panic_next(&self, times: usize) {
        self.panics_left.store(times, Ordering::SeqCst);
    }

    pub(crate) fn panics_left(&self) -> usize {
        self.panics_left.load(Ordering::SeqCst)
    }
}

impl Store for PanickingStore {
    fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let one_less = |left: usize| left.checked_sub(1);
        // Actors run on the test's own thread. What the reporter reads beside them, on another, comes
        // when it likes.
        let is_beside = std::thread::current().name() == Some("tokio-rt-worker");
        let panics = !is_beside
            && self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        assert!(!panics, "the store panics, as the test asked it to");
        self.inner.snapshot()
    }

    fn commit(&self, change: Changeset) -> Reply {
        self.inner.commit(change)
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}

/// A store that takes so many more changes, and then none.
pub(crate) struct FullStore {
    inner: MemoryStore,
    room: AtomicUsize,
}

impl Default for FullStore {
    fn default() -> Self {
        Self { inner: MemoryStore::default(), room: AtomicUsize::new(usize::MAX) }
    }
}

impl FullStore {
    pub(crate) fn take_only(&self, changes: usize) {
        self.room.store(changes, Ordering::SeqCst);
    }
}

impl Store for FullStore {
    fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.inner.snapshot()
    }

    fn commit(&self, mut change: Changeset) -> Reply {
        let one_less = |room: usize| room.checked_sub(1);
        if self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            // It demands what is not so.
            change.require.push(Requirement::Document {
                collection: Collection::Holds,
                key: DocumentKey::text("no such document"),
                revision: Some(0),
            });
        }
        self.inner.commit(change)
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}

/// A store that keeps the commits of one tenant waiting until it is released. It blocks the thread
/// of whoever commits, so it needs a runtime with several.
#[derive(Default)]
pub(crate) struct StuckStore {
    inner: MemoryStore,
    stuck: Mutex<Option<TenantKey>>,
    waiting: Mutex<usize>,
    changed: Condvar,
}

impl StuckStore {
    pub(crate) fn stick(&self, tenant: TenantKey) {
        *self.stuck.lock().unwrap() = Some(tenant);
    }

    pub(crate) fn release(&self) {
        *self.stuck.lock().unwrap() = None;
        self.changed.notify_all();
    }

    /// Returns when a commit waits.
    pub(crate) fn wait_until_stuck(&self) {
        let waiting = self.waiting.lock().unwrap();
        drop(self.changed.wait_while(waiting, |waiting| *waiting == 0).unwrap());
    }
}

impl Store for StuckStore {
    fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.inner.snapshot()
    }

    fn commit(&self, change: Changeset) -> Reply {
        let tenant = change.tenant;
        tokio::task::block_in_place(|| {
            let stuck = self.stuck.lock().unwrap();
            if *stuck == Some(tenant) {
                *self.waiting.lock().unwrap() += 1;
                self.changed.notify_all();
                drop(self.changed.wait_while(stuck, |stuck| *stuck == Some(tenant)).unwrap());
            }
        });
        self.inner.commit(change)
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}
