//! Opening a database file: what can be in the way, and what is refused.

use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase};

use super::disk::Disk;
use super::{FORMAT, FORMAT_KEY, MakeDisk, definition, write};
use crate::table::Table;
use crate::writer::WriteError;

/// How long a start waits for a process that is just ending to let the file go.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct RedbStoreOptions {
    /// Bytes of pages kept in memory.
    pub cache_bytes: usize,
}

impl Default for RedbStoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20 }
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

/// The file at `path`. It is never made here: redb would take an empty one for a new database,
/// and lost data for data that never was.
pub(super) fn file_disk(path: PathBuf) -> MakeDisk {
    Box::new(move || {
        let file = File::options().read(true).write(true).open(&path)?;
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
        }
        Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
    })
}

/// A new, empty file at `path`.
pub(super) fn new_file_disk(path: PathBuf) -> MakeDisk {
    Box::new(move || {
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
    })
}

/// Holds a data directory for one process, also while the file in it is opened anew.
pub(crate) struct DirectoryLock(#[expect(dead_code, reason = "held, not used")] File);

/// Waits a while for a process that is just ending.
pub(super) fn lock_directory(directory: &Path) -> Result<DirectoryLock, OpenError> {
    let file = File::open(directory).map_err(|error| directory_error(directory, &error))?;
    let deadline = Instant::now() + OPEN_WAIT_MAX;
    loop {
        match file.try_lock() {
            // Where directories cannot be locked, the lock that redb takes must do.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(DirectoryLock(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: directory.to_owned() });
            }
        }
    }
}

pub(super) fn directory_error(directory: &Path, error: &io::Error) -> OpenError {
    OpenError::Directory { path: directory.to_owned(), reason: error.to_string() }
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), OpenError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| directory_error(directory, &error))
}

pub(super) fn open_once(disk: &MakeDisk, cache_bytes: usize) -> Result<Database, DatabaseError> {
    let disk = Disk::new(disk().map_err(redb::StorageError::Io)?);
    Database::builder().set_cache_size(cache_bytes).create_with_backend(disk)
}

/// A panic inside redb is a damaged page.
pub(super) fn guard<T>(
    path: &Path,
    act: impl FnOnce() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        Err(OpenError::Damaged { path: path.to_owned(), reason: "a page is damaged".into() })
    })
}

pub(super) fn open_database(
    open: &dyn Fn() -> Result<Database, DatabaseError>,
    path: &Path,
) -> Result<Database, OpenError> {
    let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
    let deadline = Instant::now() + OPEN_WAIT_MAX;
    loop {
        let error = match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(error)) => error,
            Err(_) => return Err(damaged("a page is damaged".into())),
        };
        match error {
            // The file of a process that was killed stays locked until it is reaped.
            DatabaseError::DatabaseAlreadyOpen if Instant::now() < deadline => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            DatabaseError::DatabaseAlreadyOpen => {
                return Err(OpenError::InUse { path: path.to_owned() });
            }
            DatabaseError::Storage(redb::StorageError::Corrupted(reason)) => {
                return Err(damaged(reason));
            }
            DatabaseError::Storage(redb::StorageError::Io(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                return Err(damaged(error.to_string()));
            }
            error => {
                let reason = error.to_string();
                return Err(OpenError::Failed { path: path.to_owned(), reason });
            }
        }
    }
}

/// Makes the tables of a new database, or checks the format of an old one.
pub(super) fn prepare(database: &Database, path: &Path) -> Result<(), OpenError> {
    let failed = |reason: String| OpenError::Failed { path: path.to_owned(), reason };
    let found = (|| -> Result<Option<Vec<u8>>, redb::Error> {
        let transaction = database.begin_read()?;
        if transaction.list_tables()?.next().is_none() {
            return Ok(None);
        }
        // All tables of a format were written with it: if one is missing, it was lost.
        for table in Table::FIRST_FORMAT {
            transaction.open_table(definition(table))?;
        }
        let meta = transaction.open_table(definition(Table::Meta))?;
        let format = meta.get(FORMAT_KEY)?;
        Ok(Some(format.map(|value| value.value().to_vec()).unwrap_or_default()))
    })()
    .map_err(|error| failed(error.to_string()))?;

    if let Some(sealed) = found {
        let payload = crate::record::open(Table::Meta, FORMAT_KEY, &sealed).ok();
        let format = payload.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        return match format {
            // The request record came within the second format. It holds nothing that cannot be
            // missing; every other table must be there.
            Some(FORMAT) => match all_tables(database) {
                Ok(true) => Ok(()),
                Ok(false) => stamp(database).map_err(failed),
                Err(error) => Err(failed(error.to_string())),
            },
            // The second format has more tables, and longer counters and marks, of which the
            // shorter ones can still be read.
            Some(1) => stamp(database).map_err(failed),
            Some(found) if found > FORMAT => Err(OpenError::Newer { found }),
            _ => Err(OpenError::Damaged {
                path: path.to_owned(),
                reason: "its format number cannot be read".into(),
            }),
        };
    }
    stamp(database).map_err(failed)
}

/// Sees to it that no table is missing; answers whether the request record is there, too.
fn all_tables(database: &Database) -> Result<bool, redb::Error> {
    let transaction = database.begin_read()?;
    for table in Table::ALL {
        match transaction.open_table(definition(table)) {
            Ok(_) => {}
            Err(redb::TableError::TableDoesNotExist(_)) if table == Table::Requests => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Makes the tables that are not there, and says that the file has this version's format.
fn stamp(database: &Database) -> Result<(), String> {
    let format = crate::record::seal(Table::Meta, FORMAT_KEY, FORMAT.to_le_bytes().to_vec());
    let writes = vec![(Table::Meta, FORMAT_KEY.to_vec(), Some(format))];
    write(database, writes, &Table::ALL).map_err(|error| match error {
        WriteError::NotWritten(reason) | WriteError::Unknown(reason) => reason,
    })
}
