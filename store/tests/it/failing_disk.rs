//! A disk that fails on demand: redb's file, with a switch for each call.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// `errno` of a failed disk, and of a full one.
pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
    SetLen,
}

/// Which calls fail: the `first` of its kind from now on, counted from 1, and `count` in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) errno: i32,
}

/// The switch. It outlives every opening of the disk.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    fault: Mutex<Option<(Fault, u64)>>,
    injected: AtomicU64,
}

impl Switch {
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault.map(|fault| (fault, 0));
    }

    /// How many calls have failed.
    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Ordering::SeqCst)
    }

    fn pass(&self, call: Call) -> io::Result<()> {
        let mut fault = self.fault.lock().unwrap();
        let Some((fault, seen)) = fault.as_mut().filter(|(fault, _)| fault.call == call) else {
            return Ok(());
        };
        *seen += 1;
        if *seen < fault.first || *seen - fault.first >= fault.count {
            return Ok(());
        }
        self.injected.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from_raw_os_error(fault.errno))
    }
}

#[derive(Debug)]
pub(crate) struct FailingDisk {
    file: FileBackend,
    switch: Arc<Switch>,
}

impl FailingDisk {
    /// What opens the disk at `path` again and again.
    pub(crate) fn at(
        path: &Path,
        switch: &Arc<Switch>,
    ) -> impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + use<> {
        let (path, switch) = (path.to_owned(), Arc::clone(switch));
        move || {
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
            let file = FileBackend::new(file).map_err(io::Error::other)?;
            Ok(Box::new(Self { file, switch: Arc::clone(&switch) }))
        }
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.switch.pass(Call::SetLen)?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.switch.pass(Call::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.switch.pass(Call::Write)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
