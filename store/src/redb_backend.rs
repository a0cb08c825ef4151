//! The redb backend: one file, two-phase commits, quick repair.
//!
//! redb is trusted to keep pages, not to notice that they changed: checksums are ours (see
//! [`crate::record`]), and a panic inside redb on a damaged page becomes an error here. Commits
//! are two-phase, because earlier releases lost one-phase commits in a crash during recovery, and
//! with quick repair, because a repair of a large file takes seconds. In a group commit both cost
//! next to nothing.
//!
//! After a failed write redb takes no more of them, and soon no reads, so the file is opened
//! anew. While the disk refuses writes, reads go on from a second opening that keeps what redb
//! writes for its recovery in memory (see [`disk`]).

mod build;
mod disk;
mod latest;
mod open;
#[cfg(test)]
mod tests;
mod view;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError as Locked};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, StorageBackend, TableDefinition};

pub(crate) use self::build::Loader;
use self::disk::Disk;
use self::latest::Latest;
use self::open::{
    DirectoryLock, directory_error, file_disk, guard, lock_directory, open_database, open_once,
    prepare,
};
pub use self::open::{OpenError, RedbStoreOptions};
use self::view::RedbView;
use crate::changeset::Changeset;
use crate::kv::{RawView, ReadError, Writes};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::writer::{Backend, Queue, Reply, WriteError, Writer};
use crate::{Health, Store};

/// The database within the data directory.
const FILE: &str = "slackwater.redb";
/// The layout of everything in it. A file with a higher number is refused.
const FORMAT: u32 = 2;
pub(crate) const FORMAT_KEY: &[u8] = b"format";
/// How long a read waits while the file is opened anew, which takes some milliseconds.
const READ_WAIT_MAX: Duration = Duration::from_millis(250);
/// A row that never exists: deleting it shows that commits go through.
const PROBE_KEY: &[u8] = b"probe";

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// A store in a redb file.
pub struct RedbStore {
    // Dropped first: the thread finishes what is queued.
    writer: Writer,
    shared: Arc<Shared>,
    path: PathBuf,
    _lock: Option<DirectoryLock>,
}

/// What readers and the writer share: the open database, or none while it cannot be read.
struct Shared {
    /// Dropped before the database.
    latest: Latest<Arc<RedbView>>,
    database: RwLock<Option<Database>>,
    disk: MakeDisk,
    cache_bytes: usize,
}

/// Gives the storage under the database; called at every opening.
type MakeDisk = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

impl RedbStore {
    /// Opens the store in `directory`, which is made if it is missing (mode 0700).
    pub fn open(directory: &Path, options: &RedbStoreOptions) -> Result<Self, OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| directory_error(directory, &error))?;
        let lock = lock_directory(directory)?;
        let path = directory.join(FILE);
        let lock = if path.exists() {
            lock
        } else {
            // Whole from the first moment on: a start that is cut off leaves nothing behind.
            Loader::begin(directory, lock, options)?.finish()?
        };
        Self::open_disk(file_disk(path.clone()), options, &path, Some(lock))
    }

    /// Opens a store on storage that is no plain file: one that fails on demand, for tests.
    #[doc(hidden)]
    pub fn open_on(
        disk: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
        options: &RedbStoreOptions,
    ) -> Result<Self, OpenError> {
        Self::open_disk(Box::new(disk), options, Path::new("storage"), None)
    }

    fn open_disk(
        disk: MakeDisk,
        options: &RedbStoreOptions,
        path: &Path,
        lock: Option<DirectoryLock>,
    ) -> Result<Self, OpenError> {
        let cache_bytes = options.cache_bytes;
        let database = open_database(&|| open_once(&disk, cache_bytes), path)?;
        guard(path, || prepare(&database, path))?;
        let (latest, database) = (Latest::default(), RwLock::new(Some(database)));
        let shared = Arc::new(Shared { latest, database, disk, cache_bytes });
        let writer =
            Writer::start(RedbBackend { shared: Arc::clone(&shared) }).map_err(|error| {
                OpenError::Failed { path: path.to_owned(), reason: error.to_string() }
            })?;
        Ok(Self { writer, shared, path: path.to_owned(), _lock: lock })
    }

    /// Whether `directory` has a database.
    pub fn exists_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Has redb verify its own pages. Needs the database to itself.
    pub fn check_pages(directory: &Path) -> Result<bool, OpenError> {
        let _lock = lock_directory(directory)?;
        let path = directory.join(FILE);
        let mut database = open_database(&|| Database::builder().open(&path), &path)?;
        guard(&path, || {
            database.check_integrity().map_err(|error| OpenError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })
        })
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::new(self.shared.view()?))
    }

    fn commit(&self, change: Changeset) -> Reply {
        self.writer.submit(change)
    }

    fn health(&self) -> Health {
        self.writer.health()
    }

    fn queue(&self) -> Queue {
        self.writer.queue()
    }

    fn size_bytes(&self) -> Option<u64> {
        std::fs::metadata(&self.path).ok().map(|file| file.len())
    }
}

impl Shared {
    fn view(&self) -> Result<Arc<dyn RawView>, ReadError> {
        let database = self.wait_for_database()?;
        let Some(database) = database.as_ref() else {
            return Err(ReadError::Unavailable("the database cannot be opened".into()));
        };
        let begun = match self.latest.shared() {
            Ok(view) => return Ok(view),
            Err(begun) => begun,
        };
        let transaction =
            database.begin_read().map_err(|error| ReadError::Unavailable(error.to_string()))?;
        Ok(self.latest.offer(begun, Arc::new(RedbView::new(transaction))))
    }

    /// Something was written: nobody is given the view before it any more.
    fn written(&self) {
        let view = self.latest.written();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(view)));
    }

    fn wait_for_database(&self) -> Result<RwLockReadGuard<'_, Option<Database>>, ReadError> {
        let deadline = Instant::now() + READ_WAIT_MAX;
        loop {
            match self.database.try_read() {
                Ok(database) => return Ok(database),
                Err(Locked::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(Locked::WouldBlock) if Instant::now() < deadline => {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err(Locked::WouldBlock) => {
                    let reason = "the database is being opened again";
                    return Err(ReadError::Unavailable(reason.into()));
                }
            }
        }
    }

    /// Opens the database and shows that it takes commits.
    fn open_writable(&self) -> Result<Database, String> {
        let open = || {
            let database =
                open_once(&self.disk, self.cache_bytes).map_err(|error| error.to_string())?;
            let probe = vec![(Table::Meta, PROBE_KEY.to_vec(), None)];
            write(&database, probe, &[]).map_err(|error| match error {
                WriteError::NotWritten(reason) | WriteError::Unknown(reason) => reason,
            })?;
            Ok(database)
        };
        catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err("a page is damaged".into()))
    }

    /// Opens the database for reading, without a write to the disk.
    fn open_readable(&self) -> Option<Database> {
        let open = || {
            let disk = Disk::shadow((self.disk)().ok()?).ok()?;
            Database::builder().set_cache_size(self.cache_bytes).create_with_backend(disk).ok()
        };
        catch_unwind(AssertUnwindSafe(open)).ok().flatten()
    }
}

struct RedbBackend {
    shared: Arc<Shared>,
}

impl Backend for RedbBackend {
    fn view(&self) -> Result<Arc<dyn RawView>, ReadError> {
        self.shared.view()
    }

    fn write(&mut self, writes: Writes) -> Result<(), WriteError> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(WriteError::NotWritten("the database is not open".into()));
        };
        let written = catch_unwind(AssertUnwindSafe(|| write(database, writes, &[])))
            .unwrap_or_else(|_| Err(WriteError::Unknown("a page is damaged".into())));
        // Before anybody hears of it.
        self.shared.written();
        written
    }

    fn reopen(&mut self) -> Result<(), String> {
        let mut slot = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        // Views of the old one end here: they give what is cached, and an error for the rest.
        let closed = slot.take();
        self.shared.written();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(closed)));
        let reopened = match self.shared.open_writable() {
            Ok(database) => {
                *slot = Some(database);
                Ok(())
            }
            Err(reason) => {
                *slot = self.shared.open_readable();
                Err(reason)
            }
        };
        self.shared.written();
        reopened
    }
}

/// Writes pairs, which are in key order, in one durable transaction.
fn write(database: &Database, writes: Writes, make: &[Table]) -> Result<(), WriteError> {
    let before = |error: &dyn std::fmt::Display| WriteError::NotWritten(error.to_string());
    let mut transaction = database.begin_write().map_err(|error| before(&error))?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    for table in make {
        transaction.open_table(definition(*table)).map_err(|error| before(&error))?;
    }
    let mut writes = writes.into_iter().peekable();
    while let Some((table, _, _)) = writes.peek() {
        let current = *table;
        let mut rows =
            transaction.open_table(definition(current)).map_err(|error| before(&error))?;
        while let Some((_, key, value)) = writes.next_if(|(table, _, _)| *table == current) {
            let done = match value {
                Some(value) => rows.insert(key.as_slice(), value.as_slice()).map(drop),
                None => rows.remove(key.as_slice()).map(drop),
            };
            done.map_err(|error| before(&error))?;
        }
    }
    transaction.commit().map_err(|error| WriteError::Unknown(error.to_string()))
}
