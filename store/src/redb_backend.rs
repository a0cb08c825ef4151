//! The redb backend: one file, two-phase commits, quick repair.
//!
//! redb is trusted to keep pages, not to notice that they changed: checksums are ours (see
//! [`crate::record`]), and a panic inside redb on a damaged page becomes an error here. Commits
//! are two-phase, because earlier releases lost one-phase commits in a crash during recovery, and
//! with quick repair, because a repair of a large file takes seconds. In a group commit both cost
//! next to nothing.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, TableDefinition, TableError,
};

use crate::changeset::Changeset;
use crate::kv::{Order, Range, RawView, ReadError, Visit, Writes};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::writer::{Backend, Reply, WriteError, Writer};
use crate::{Health, Store};

/// The database within the data directory.
const FILE: &str = "slackwater.redb";
/// The layout of everything in it. A file with a higher number is refused.
const FORMAT: u32 = 1;
const FORMAT_KEY: &[u8] = b"format";
/// How long a start waits for a process that is just ending to let the file go.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a reopening waits for readers to end. They hold a snapshot for milliseconds.
const READERS_WAIT_MAX: Duration = Duration::from_secs(5);

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct RedbStoreOptions {
    /// Bytes of pages kept in memory.
    pub cache_bytes: usize,
}

impl Default for RedbStoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 512 << 20 }
    }
}

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made or used.
    #[error("the data directory {path} cannot be used: {reason}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process has it.
    #[error("the data in {path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer version.
    #[error(
        "the data has format {found}, this version knows formats up to {FORMAT}: use a newer slackwater"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// It is not a database, or is damaged.
    #[error("the data in {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("the data in {path} cannot be opened: {reason}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// A store in a redb file.
pub struct RedbStore {
    // Dropped first: the thread finishes what is queued.
    writer: Writer,
    shared: Arc<Shared>,
}

/// What readers and the writer share: the open database, or none while it is opened again.
struct Shared {
    database: RwLock<Option<Arc<Database>>>,
    opener: Opener,
}

/// Opens the database; tests open one that fails on demand.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

impl RedbStore {
    /// Opens the store in `directory`, which is made if it is missing (mode 0700).
    pub fn open(directory: &Path, options: &RedbStoreOptions) -> Result<Self, OpenError> {
        let directory_error = |error: &std::io::Error| OpenError::Directory {
            path: directory.to_owned(),
            reason: error.to_string(),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| directory_error(&error))?;
        let path = directory.join(FILE);
        let is_new = !path.exists();
        let cache_bytes = options.cache_bytes;
        let file = path.clone();
        let opener = move || Database::builder().set_cache_size(cache_bytes).create(&file);
        let store = Self::open_with(Box::new(opener), &path)?;
        if is_new {
            // A file is durable only once its directory entry is.
            let synced = File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| directory_error(&error))?;
        }
        Ok(store)
    }

    fn open_with(opener: Opener, path: &Path) -> Result<Self, OpenError> {
        let database = open_database(&opener, path)?;
        prepare(&database, path)?;
        let shared = Arc::new(Shared { database: RwLock::new(Some(Arc::new(database))), opener });
        let writer =
            Writer::start(RedbBackend { shared: Arc::clone(&shared) }).map_err(|error| {
                OpenError::Failed { path: path.to_owned(), reason: error.to_string() }
            })?;
        Ok(Self { writer, shared })
    }

    /// Whether `directory` has a database.
    pub fn exists_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Has redb verify its own pages. Needs the database to itself.
    pub fn check_pages(directory: &Path) -> Result<bool, OpenError> {
        let path = directory.join(FILE);
        let opener: Opener = {
            let path = path.clone();
            Box::new(move || Database::builder().open(&path))
        };
        let mut database = open_database(&opener, &path)?;
        let checked = catch_unwind(AssertUnwindSafe(|| database.check_integrity()));
        let damaged = |reason: String| OpenError::Damaged { path: path.clone(), reason };
        match checked {
            Ok(Ok(clean)) => Ok(clean),
            Ok(Err(error)) => Err(damaged(error.to_string())),
            Err(_) => Err(damaged("a page is damaged".into())),
        }
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
}

fn open_database(opener: &Opener, path: &Path) -> Result<Database, OpenError> {
    let deadline = Instant::now() + OPEN_WAIT_MAX;
    loop {
        let opened = catch_unwind(AssertUnwindSafe(opener));
        let path = path.to_owned();
        match opened {
            Ok(Ok(database)) => return Ok(database),
            // The file of a process that was killed stays locked until it is reaped.
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) if Instant::now() < deadline => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => return Err(OpenError::InUse { path }),
            Ok(Err(DatabaseError::Storage(error @ redb::StorageError::Corrupted(_)))) => {
                return Err(OpenError::Damaged { path, reason: error.to_string() });
            }
            Ok(Err(DatabaseError::Storage(redb::StorageError::Io(error))))
                if error.kind() == std::io::ErrorKind::InvalidData =>
            {
                return Err(OpenError::Damaged { path, reason: error.to_string() });
            }
            Ok(Err(error)) => return Err(OpenError::Failed { path, reason: error.to_string() }),
            Err(_) => {
                return Err(OpenError::Damaged { path, reason: "a page is damaged".into() });
            }
        }
    }
}

/// Makes the tables of a new database, or checks the format of an old one.
fn prepare(database: &Database, path: &Path) -> Result<(), OpenError> {
    let failed = |reason: String| OpenError::Failed { path: path.to_owned(), reason };
    let found = (|| -> Result<Option<Vec<u8>>, redb::Error> {
        let transaction = database.begin_read()?;
        match transaction.open_table(definition(Table::Meta)) {
            Ok(meta) => Ok(meta.get(FORMAT_KEY)?.map(|value| value.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })()
    .map_err(|error| failed(error.to_string()))?;

    if let Some(sealed) = found {
        let payload = crate::record::open(Table::Meta, FORMAT_KEY, &sealed).ok();
        let format = payload.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        return match format {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(OpenError::Newer { found }),
            _ => Err(OpenError::Damaged {
                path: path.to_owned(),
                reason: "its format number cannot be read".into(),
            }),
        };
    }
    let format = crate::record::seal(Table::Meta, FORMAT_KEY, FORMAT.to_le_bytes().to_vec());
    let writes = vec![(Table::Meta, FORMAT_KEY.to_vec(), Some(format))];
    write(database, writes, &Table::ALL).map_err(|error| match error {
        WriteError::NotWritten(reason) | WriteError::Unknown(reason) => failed(reason),
    })
}

impl Shared {
    fn view(&self) -> Result<Box<dyn RawView>, ReadError> {
        let reopening = || ReadError::Unavailable("the database is being opened again".into());
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = Arc::clone(guard.as_ref().ok_or_else(reopening)?);
        drop(guard);
        let transaction =
            database.begin_read().map_err(|error| ReadError::Unavailable(error.to_string()))?;
        Ok(Box::new(RedbView { transaction, _database: database }))
    }
}

struct RedbBackend {
    shared: Arc<Shared>,
}

impl Backend for RedbBackend {
    fn view(&self) -> Result<Box<dyn RawView>, ReadError> {
        self.shared.view()
    }

    fn write(&mut self, writes: Writes) -> Result<(), WriteError> {
        let guard = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = guard.as_ref().map(Arc::clone) else {
            return Err(WriteError::NotWritten("the database is not open".into()));
        };
        drop(guard);
        catch_unwind(AssertUnwindSafe(|| write(&database, writes, &[])))
            .unwrap_or_else(|_| Err(WriteError::Unknown("a page is damaged".into())))
    }

    fn reopen(&mut self) -> Result<(), String> {
        let closed = self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut database) = closed {
            let deadline = Instant::now() + READERS_WAIT_MAX;
            loop {
                match Arc::try_unwrap(database) {
                    Ok(last) => {
                        drop(last);
                        break;
                    }
                    Err(still_read) if Instant::now() < deadline => {
                        database = still_read;
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                    // The last reader closes it; opening waits for that in its own time.
                    Err(_) => break,
                }
            }
        }
        let opened = catch_unwind(AssertUnwindSafe(|| (self.shared.opener)()));
        let database = opened
            .map_err(|_| "a page is damaged".to_owned())?
            .map_err(|error| error.to_string())?;
        let mut slot = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::new(database));
        Ok(())
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

struct RedbView {
    // Before the database, which it needs to end.
    transaction: ReadTransaction,
    _database: Arc<Database>,
}

/// A panic inside redb is a damaged page.
fn guarded<T>(table: Table, read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(ReadError::Damaged { table: table.name() }))
}

fn unavailable(error: impl std::fmt::Display) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

impl RawView for RedbView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        guarded(table, || {
            let rows = self.transaction.open_table(definition(table)).map_err(unavailable)?;
            let value = rows.get(key).map_err(unavailable)?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), ReadError> {
        if range.is_empty() {
            return Ok(());
        }
        guarded(table, || {
            let rows = self.transaction.open_table(definition(table)).map_err(unavailable)?;
            let mut rows = rows.range::<&[u8]>(range.as_bounds()).map_err(unavailable)?;
            let next = || match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            for row in std::iter::from_fn(next) {
                let (key, value) = row.map_err(unavailable)?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
