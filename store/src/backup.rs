//! Backups: everything that is kept, as one stream that any backend can be built from.
//!
//! A dump is taken from a [`Snapshot`] while the service runs: it is the state of one instant. It
//! is restored into an empty directory only, and counts only once every byte of it was verified;
//! a dump that is truncated, altered, or of a newer version leaves nothing behind. Dumping what
//! was restored gives the same bytes again. Memory does not grow with the data.
//!
//! The snapshot keeps old pages from being used again: while a dump is slowly written, the
//! database file grows by what is changed meanwhile. Write it to something fast.
//!
//! # Format
//!
//! Numbers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 18 | `slackwater backup`, line feed |
//! | 4 | version of this format: 1 |
//! | | for each row, by table, then by key: |
//! | 1 | 1 |
//! | 1 | the table's number |
//! | 4, n | length of the key, key |
//! | 4, n | length of the value, value |
//! | | at the end: |
//! | 1 | 0 |
//! | 8 | number of rows |
//! | 32 | SHA-256 of everything before |
//!
//! Not in it: the layout number of the backend, which each backend writes for itself.

mod restore;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

pub use self::restore::{restore, verify};
use crate::kv::ReadError;
use crate::redb_backend::{FORMAT_KEY, OpenError};
use crate::snapshot::Snapshot;
use crate::table::Table;

const MAGIC: &[u8] = b"slackwater backup\n";
/// The format of dumps. A higher number is refused.
const VERSION: u32 = 1;
const MARK_END: u8 = 0;
const MARK_ROW: u8 = 1;

/// What was dumped or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of the dump.
    pub bytes: u64,
    /// The SHA-256 at its end.
    pub sha256: [u8; 32],
}

/// Why a dump was not written or not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Something cannot be read, or is damaged: a dump without it would not be one.
    #[error("what is kept cannot be read")]
    Read(#[source] ReadError),
    /// The dump cannot be written.
    #[error("the backup cannot be written")]
    Write(#[source] std::io::Error),
    /// The dump cannot be read.
    #[error("the backup cannot be read")]
    Source(#[source] std::io::Error),
    /// It is something else.
    #[error("this is not a backup of slackwater")]
    NotABackup,
    /// It was written by a newer version.
    #[error(
        "the backup has format {found}, this version knows formats up to {VERSION}: use a newer slackwater"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// It ends too early.
    #[error("the backup is truncated")]
    Truncated,
    /// It is not what was written.
    #[error("the backup is damaged: {0}")]
    Altered(&'static str),
    /// There is something in the directory.
    #[error("the data directory is not empty: there is {found}")]
    NotEmpty {
        /// What there is.
        found: PathBuf,
    },
    /// The database cannot be built.
    #[error("the database cannot be built")]
    Build(#[source] OpenError),
}

impl BackupError {
    /// Whether data is damaged, rather than something not possible.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Read(ReadError::Damaged { .. }) | Self::Truncated | Self::Altered(_))
    }
}

/// Whether a row is the backend's own, and not content.
fn is_of_the_backend(table: Table, key: &[u8]) -> bool {
    table == Table::Meta && key == FORMAT_KEY
}

/// Writes everything that a snapshot holds. It is a backup only if this answers `Ok` and what was
/// written is on disk, which is the caller's part.
pub fn write(snapshot: &Snapshot, out: &mut impl Write) -> Result<Summary, BackupError> {
    let mut out = Hashed { out, hash: Sha256::new(), bytes: 0 };
    let mut rows = 0_u64;
    out.put(MAGIC)?;
    out.put(&VERSION.to_le_bytes())?;
    for table in Table::ALL {
        let mut failed = None;
        let read = snapshot.pairs(table, &mut |key, payload| {
            if is_of_the_backend(table, key) {
                return ControlFlow::Continue(());
            }
            rows += 1;
            let row = payload.map_err(BackupError::Read);
            match row.and_then(|payload| out.row(table, key, payload)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(BackupError::Read)?;
    }
    out.put(&[MARK_END])?;
    out.put(&rows.to_le_bytes())?;
    let sha256 = <[u8; 32]>::from(out.hash.clone().finalize());
    out.put(&sha256)?;
    out.out.flush().map_err(BackupError::Write)?;
    Ok(Summary { rows, bytes: out.bytes, sha256 })
}

struct Hashed<'a, W> {
    out: &'a mut W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashed<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(BackupError::Write)
    }

    fn row(&mut self, table: Table, key: &[u8], payload: &[u8]) -> Result<(), BackupError> {
        self.put(&[MARK_ROW, table.number()])?;
        for part in [key, payload] {
            let too_long = || BackupError::Write(std::io::Error::other("a row is too long"));
            let length = u32::try_from(part.len()).map_err(|_| too_long())?;
            self.put(&length.to_le_bytes())?;
            self.put(part)?;
        }
        Ok(())
    }
}
