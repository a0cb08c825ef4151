//! Building a database file from rows, beside the place where it will be.
//!
//! The file has a temporary name until [`Loader::finish`], which renames it once all of it is on
//! disk; a loader that is dropped before takes it away again.

use std::path::{Path, PathBuf};
use std::{fs, io};

use redb::Database;

use super::open::{
    DirectoryLock, OpenError, RedbStoreOptions, directory_error, guard, lock_directory,
    new_file_disk, open_database, open_once, prepare, sync_directory,
};
use super::{FILE, write};
use crate::kv::Writes;
use crate::record;
use crate::table::Table;
use crate::writer::WriteError;

/// What a database is called while it is built.
const UNFINISHED_FILE: &str = "slackwater.redb.unfinished";
/// A new file system has it; nobody's data is in it.
const LOST_AND_FOUND: &str = "lost+found";
const BATCH_ROWS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A database that is being built.
pub(crate) struct Loader {
    database: Option<Database>,
    directory: PathBuf,
    unfinished: PathBuf,
    is_finished: bool,
    batch: Writes,
    batch_bytes: usize,
    // None once it was handed on.
    lock: Option<DirectoryLock>,
}

impl Loader {
    /// Begins in an empty directory. `Ok(Err(_))` names what is in it already.
    pub(crate) fn begin_in_empty(
        directory: &Path,
        options: &RedbStoreOptions,
    ) -> Result<Result<Self, PathBuf>, OpenError> {
        let lock = lock_directory(directory)?;
        let failed = |error: io::Error| directory_error(directory, &error);
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != UNFINISHED_FILE && entry.file_name() != LOST_AND_FOUND {
                return Ok(Err(entry.path()));
            }
        }
        Self::begin(directory, lock, options).map(Ok)
    }

    /// Begins, whatever else is in the directory.
    pub(super) fn begin(
        directory: &Path,
        lock: DirectoryLock,
        options: &RedbStoreOptions,
    ) -> Result<Self, OpenError> {
        let unfinished = directory.join(UNFINISHED_FILE);
        // What an interrupted build left; if it cannot be deleted, opening will tell.
        let _ = fs::remove_file(&unfinished);
        let mut loader = Self {
            database: None,
            directory: directory.to_owned(),
            unfinished: unfinished.clone(),
            is_finished: false,
            batch: Writes::new(),
            batch_bytes: 0,
            lock: Some(lock),
        };
        let disk = new_file_disk(unfinished.clone());
        let open = || open_once(&disk, options.cache_bytes);
        let database = open_database(&open, &unfinished)?;
        guard(&unfinished, || prepare(&database, &unfinished))?;
        loader.database = Some(database);
        Ok(loader)
    }

    /// Adds a row. Rows come in the order of tables and keys.
    pub(crate) fn put(
        &mut self,
        table: Table,
        key: Vec<u8>,
        payload: Vec<u8>,
    ) -> Result<(), OpenError> {
        self.batch_bytes += key.len() + payload.len();
        let sealed = record::seal(table, &key, payload);
        self.batch.push((table, key, Some(sealed)));
        if self.batch.len() >= BATCH_ROWS_MAX || self.batch_bytes >= BATCH_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let Some(database) = self.database.as_ref().filter(|_| !batch.is_empty()) else {
            return Ok(());
        };
        guard(&self.unfinished, || {
            write(database, batch, &[]).map_err(|error| match error {
                WriteError::NotWritten(reason) | WriteError::Unknown(reason) => {
                    OpenError::Failed { path: self.unfinished.clone(), reason }
                }
            })
        })
    }

    /// Makes the database the one of its directory.
    pub(crate) fn finish(mut self) -> Result<DirectoryLock, OpenError> {
        self.flush()?;
        let failed = |error: &dyn std::fmt::Display| OpenError::Failed {
            path: self.unfinished.clone(),
            reason: error.to_string(),
        };
        if let Some(database) = self.database.take() {
            database.close().map_err(|error| failed(&error))?;
        }
        let synced = fs::File::open(&self.unfinished).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(&error))?;
        let path = self.directory.join(FILE);
        fs::rename(&self.unfinished, path).map_err(|error| failed(&error))?;
        self.is_finished = true;
        sync_directory(&self.directory)?;
        self.lock.take().map_or_else(|| lock_directory(&self.directory), Ok)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.database = None;
        if !self.is_finished {
            // Nobody takes it for a database, should this fail.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}
