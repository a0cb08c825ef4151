//! The suite, run by every backend.

use std::sync::{Arc, Mutex};

use store::{MemoryStore, RedbStore, RedbStoreOptions, conformance};

#[test]
fn the_memory_backend_keeps_every_promise() {
    conformance::run(|| Arc::new(MemoryStore::default()));
}

#[test]
fn the_redb_backend_keeps_every_promise() {
    let directories = Mutex::new(Vec::new());
    conformance::run(|| {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
        directories.lock().unwrap().push(directory);
        Arc::new(store)
    });
}
