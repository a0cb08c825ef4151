//! The storage under a database, and its shadow.
//!
//! redb writes to a file that it opens after a failure, which a disk that refuses writes does not
//! let it. On a shadow it finds a copy that takes everything and keeps it in memory: enough to
//! read what was committed for as long as the trouble lasts. A shadow holds no lock and must not
//! outlive the next writable opening.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const BLOCK_BYTES: usize = 4_096;
const BLOCK: u64 = BLOCK_BYTES as u64;

#[derive(Debug)]
pub(super) struct Disk {
    under: Box<dyn StorageBackend>,
    shadow: Option<Mutex<Shadow>>,
}

/// What differs from the storage under it.
#[derive(Debug)]
struct Shadow {
    length: u64,
    /// Where the storage under it ends; beyond are zeros.
    under_length: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Disk {
    pub(super) fn new(under: Box<dyn StorageBackend>) -> Self {
        Self { under, shadow: None }
    }

    pub(super) fn shadow(under: Box<dyn StorageBackend>) -> io::Result<Self> {
        let length = under.len()?;
        let shadow = Shadow { length, under_length: length, blocks: BTreeMap::new() };
        Ok(Self { under, shadow: Some(Mutex::new(shadow)) })
    }

    fn locked(&self) -> Option<MutexGuard<'_, Shadow>> {
        Some(self.shadow.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The block that starts at `start`, as the shadow has it.
    fn block(&self, shadow: &Shadow, start: u64) -> io::Result<Vec<u8>> {
        if let Some(block) = shadow.blocks.get(&start) {
            return Ok(block.clone());
        }
        let mut block = vec![0; BLOCK_BYTES];
        let there = shadow.under_length.saturating_sub(start).min(BLOCK);
        let there = usize::try_from(there).unwrap_or(BLOCK_BYTES);
        if let Some(part) = block.get_mut(..there).filter(|part| !part.is_empty()) {
            self.under.read(start, part)?;
        }
        Ok(block)
    }
}

/// Calls `each` with the start of every block that a range touches, the place within the block,
/// and the place within the range.
fn each_block(
    offset: u64,
    length: usize,
    mut each: impl FnMut(u64, usize, std::ops::Range<usize>) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let at = offset + done as u64;
        let within = usize::try_from(at % BLOCK).map_err(io::Error::other)?;
        let part = (BLOCK_BYTES - within).min(length - done);
        each(at - at % BLOCK, within, done..done + part)?;
        done += part;
    }
    Ok(())
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the storage")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        match self.locked() {
            Some(shadow) => Ok(shadow.length),
            None => self.under.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(shadow) = self.locked() else { return self.under.read(offset, out) };
        if offset + out.len() as u64 > shadow.length {
            return Err(out_of_range());
        }
        each_block(offset, out.len(), |start, within, place| {
            let block = self.block(&shadow, start)?;
            let from = block.get(within..within + place.len()).ok_or_else(out_of_range)?;
            out.get_mut(place).ok_or_else(out_of_range)?.copy_from_slice(from);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let Some(mut shadow) = self.locked() else { return self.under.set_len(length) };
        if !length.is_multiple_of(BLOCK) && length < shadow.length {
            let start = length - length % BLOCK;
            let mut block = self.block(&shadow, start)?;
            let kept = usize::try_from(length % BLOCK).map_err(io::Error::other)?;
            block.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            shadow.blocks.insert(start, block);
        }
        shadow.under_length = shadow.under_length.min(length);
        shadow.blocks.split_off(&length.next_multiple_of(BLOCK));
        shadow.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.shadow.is_some() { Ok(()) } else { self.under.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut shadow) = self.locked() else { return self.under.write(offset, data) };
        if offset + data.len() as u64 > shadow.length {
            return Err(out_of_range());
        }
        each_block(offset, data.len(), |start, within, place| {
            let mut block = self.block(&shadow, start)?;
            let to = block.get_mut(within..within + place.len()).ok_or_else(out_of_range)?;
            to.copy_from_slice(data.get(place).ok_or_else(out_of_range)?);
            shadow.blocks.insert(start, block);
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        self.under.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.shadow.is_some() { Ok(true) } else { self.under.try_lock_range(start, end) }
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        if self.shadow.is_some() { Ok(true) } else { self.under.try_lock_shared_range(start, end) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.shadow.is_some() { Ok(()) } else { self.under.lock_range(start, end) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.shadow.is_some() { Ok(()) } else { self.under.lock_shared_range(start, end) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.shadow.is_some() { Ok(()) } else { self.under.unlock_range(start, end) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.shadow.is_some() { Ok(false) } else { self.under.query_lock_range(start, end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    #[test]
    fn a_shadow_takes_writes_and_the_storage_under_it_stays_as_it_was() {
        let under = InMemoryBackend::new();
        under.set_len(10_000).unwrap();
        under.write(0, &[7; 10_000]).unwrap();
        let disk = Disk::shadow(Box::new(under)).unwrap();

        disk.write(4_000, &[1; 200]).unwrap();
        disk.set_len(5_000).unwrap();
        disk.set_len(12_000).unwrap();
        let mut seen = vec![9; 12_000];
        disk.read(0, &mut seen).unwrap();

        let expected = [vec![7; 4_000], vec![1; 200], vec![7; 800], vec![0; 7_000]].concat();
        assert!(seen == expected);
        let mut kept = vec![0; 10_000];
        disk.under.read(0, &mut kept).unwrap();
        assert!(kept == [7; 10_000]);
        assert!(disk.write(11_999, &[1, 1]).is_err());
    }
}
