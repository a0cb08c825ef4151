//! Restoring a dump into an empty data directory.

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{BackupError, MAGIC, MARK_END, MARK_ROW, Summary, VERSION, is_of_the_backend};
use crate::redb_backend::{Loader, OpenError, RedbStoreOptions};
use crate::table::Table;

/// No key is longer; see `key`.
const KEY_BYTES_MAX: u32 = 1_024;
/// Bytes that are taken at once: a wrong length must not ask for all memory.
const PIECE_BYTES_MAX: u32 = 1 << 20;

/// Builds a database in `directory` from a dump. The directory is made if it is missing, and must
/// be empty; after an error it is as it was.
pub fn restore(
    source: &mut impl Read,
    directory: &Path,
    options: &RedbStoreOptions,
) -> Result<Summary, BackupError> {
    let mut source = Source { from: source, hash: Sha256::new(), bytes: 0 };
    // Before anything is touched: most wrong files end here.
    source.header()?;
    let is_new = !directory.exists();
    let restored = build(&mut source, directory, options);
    if is_new && restored.is_err() {
        // It was not there before. If it cannot be taken away, it is empty at least.
        let _ = fs::remove_dir(directory);
    }
    restored
}

fn build<R: Read>(
    source: &mut Source<'_, R>,
    directory: &Path,
    options: &RedbStoreOptions,
) -> Result<Summary, BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
        let path = directory.to_owned();
        BackupError::Build(OpenError::Directory { path, reason: error.to_string() })
    })?;
    let mut loader = Loader::begin_in_empty(directory, options)
        .map_err(BackupError::Build)?
        .map_err(|found| BackupError::NotEmpty { found })?;
    let summary = read_rows(source, |table, key, payload| {
        loader.put(table, key, payload).map_err(BackupError::Build)
    })?;
    loader.finish().map_err(BackupError::Build)?;
    Ok(summary)
}

/// Reads a dump to its end and verifies it, keeping nothing.
pub fn verify(source: &mut impl Read) -> Result<Summary, BackupError> {
    let mut source = Source { from: source, hash: Sha256::new(), bytes: 0 };
    source.header()?;
    read_rows(&mut source, |_, _, _| Ok(()))
}

/// Reads rows until the end mark, and verifies what stands behind it.
fn read_rows<R: Read>(
    source: &mut Source<'_, R>,
    mut keep: impl FnMut(Table, Vec<u8>, Vec<u8>) -> Result<(), BackupError>,
) -> Result<Summary, BackupError> {
    let mut rows = 0;
    let mut last: Option<(Table, Vec<u8>)> = None;
    loop {
        match source.byte()? {
            MARK_ROW => {}
            MARK_END => break,
            _ => return Err(BackupError::Altered("what a row begins with")),
        }
        let table = Table::from_number(source.byte()?).ok_or(BackupError::Altered("a table"))?;
        let length = source.length()?;
        if length > KEY_BYTES_MAX {
            return Err(BackupError::Altered("a key"));
        }
        let key = source.take(length)?;
        let length = source.length()?;
        let payload = source.take(length)?;
        let place = (table, key);
        if is_of_the_backend(table, &place.1) || last.is_some_and(|last| last >= place) {
            return Err(BackupError::Altered("the order of rows"));
        }
        keep(table, place.1.clone(), payload)?;
        last = Some(place);
        rows += 1;
    }
    source.end(rows)
}

struct Source<'a, R> {
    from: &'a mut R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Source<'_, R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Truncated,
            _ => BackupError::Source(error),
        })?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    /// What stands in front of a row, or of the end.
    fn byte(&mut self) -> Result<u8, BackupError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Result<u32, BackupError> {
        self.array().map(u32::from_le_bytes)
    }

    fn take(&mut self, length: u32) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::new();
        let mut left = length;
        while left > 0 {
            let piece = left.min(PIECE_BYTES_MAX);
            let from = bytes.len();
            bytes.resize(from + piece as usize, 0);
            self.fill(bytes.get_mut(from..).unwrap_or_default())?;
            left -= piece;
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn header(&mut self) -> Result<(), BackupError> {
        let mut magic = vec![0; MAGIC.len()];
        self.fill(&mut magic)?;
        self.hash.update(&magic);
        if magic != MAGIC {
            return Err(BackupError::NotABackup);
        }
        match u32::from_le_bytes(self.array()?) {
            VERSION => Ok(()),
            found if found > VERSION => Err(BackupError::Newer { found }),
            _ => Err(BackupError::NotABackup),
        }
    }

    /// What follows the end mark, which was read.
    fn end(&mut self, rows: u64) -> Result<Summary, BackupError> {
        let said = u64::from_le_bytes(self.array()?);
        let sha256 = <[u8; 32]>::from(self.hash.clone().finalize());
        let mut hash = [0; 32];
        self.fill(&mut hash)?;
        if said != rows || hash != sha256 {
            return Err(BackupError::Altered("its hash does not match"));
        }
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(Summary { rows, bytes: self.bytes, sha256 }),
            Ok(_) => Err(BackupError::Altered("something follows its end")),
            Err(error) => Err(BackupError::Source(error)),
        }
    }
}
