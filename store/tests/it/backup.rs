//! Backups: what comes back is what was there, or nothing.

use std::io::{Cursor, Read};
use std::path::Path;

use store::backup::{self, BackupError, Summary};
use store::check::check;
use store::conformance::fixture::{Fixture, add, new_group, value};
use store::{MemoryStore, RedbStore, RedbStoreOptions, Store};

fn filled(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    acme.apply([new_group(1, "Everybody")]);
    for number in 1..=60 {
        let create = acme.new_user(number, &format!("user-{number}"), None);
        acme.commit(create.with(add(1, &[&value(number), &format!("waiting-{number}")]))).unwrap();
    }
    let _ = Fixture::new(store, "other").with_users(&["somebody"]);
}

fn dump(store: &dyn Store) -> (Vec<u8>, Summary) {
    let mut bytes = Vec::new();
    let summary = backup::write(&store.snapshot().unwrap(), &mut bytes).unwrap();
    (bytes, summary)
}

fn restore(bytes: &[u8], directory: &Path) -> Result<Summary, BackupError> {
    backup::restore(&mut Cursor::new(bytes), directory, &RedbStoreOptions::default())
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn what_is_restored_gives_the_same_dump_again() {
    let memory = MemoryStore::default();
    filled(&memory);
    let (bytes, written) = dump(&memory);
    let directory = tempfile::tempdir().unwrap();
    // Made if it is missing.
    let directory = directory.path().join("data");

    let restored = restore(&bytes, &directory).unwrap();

    assert_eq!(restored, written);
    assert_eq!(written.bytes, bytes.len() as u64);
    let store = RedbStore::open(&directory, &RedbStoreOptions::default()).unwrap();
    let (again, _) = dump(&store);
    assert!(again == bytes);
    assert!(check(&store.snapshot().unwrap()).is_clean());
    // It goes on where it was, with a number that was never used.
    Fixture::new(&store, "third");
    drop(store);
    assert!(RedbStore::check_pages(&directory).unwrap());
}

#[test]
fn an_empty_store_can_be_backed_up() {
    let (bytes, _) = dump(&MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(restore(&bytes, directory.path()).unwrap().rows, 0);
    assert!(RedbStore::exists_in(directory.path()));
}

#[test]
fn a_dump_goes_on_while_changes_are_made() {
    let store = MemoryStore::default();
    filled(&store);
    let (before, _) = dump(&store);
    let snapshot = store.snapshot().unwrap();
    Fixture::new(&store, "later");
    let mut bytes = Vec::new();
    backup::write(&snapshot, &mut bytes).unwrap();
    assert!(bytes == before);
}

#[test]
fn only_an_empty_directory_is_restored_into() {
    let (bytes, _) = dump(&MemoryStore::default());
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("somebodys.txt");
    std::fs::write(&other, "data").unwrap();
    let refused = restore(&bytes, directory.path()).unwrap_err();
    assert!(matches!(&refused, BackupError::NotEmpty { found } if *found == other), "{refused}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

    std::fs::remove_file(&other).unwrap();
    // What an interrupted restore left, and a fresh volume has, is in nobody's way.
    std::fs::write(directory.path().join("slackwater.redb.unfinished"), "half").unwrap();
    std::fs::create_dir(directory.path().join("lost+found")).unwrap();
    restore(&bytes, directory.path()).unwrap();
    let refused = restore(&bytes, directory.path()).unwrap_err();
    assert!(refused.to_string().contains("slackwater.redb"), "{refused}");
}

#[test]
fn a_dump_that_is_cut_off_anywhere_is_refused_and_leaves_nothing() {
    let store = MemoryStore::default();
    let _ = Fixture::new(&store, "acme").with_users(&["bob"]);
    let (bytes, _) = dump(&store);
    let directory = tempfile::tempdir().unwrap();
    for length in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        let refused = restore(&bytes[..length], directory.path()).unwrap_err();
        assert!(matches!(refused, BackupError::Truncated), "{length}: {refused}");
        assert!(is_empty(directory.path()));
    }
}

#[test]
fn a_dump_that_was_altered_is_refused_and_leaves_nothing() {
    let store = MemoryStore::default();
    let _ = Fixture::new(&store, "acme").with_users(&["bob"]);
    let (bytes, _) = dump(&store);
    let directory = tempfile::tempdir().unwrap();
    for at in (0..bytes.len()).step_by(41) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(restore(&altered, directory.path()).is_err(), "{at}");
        assert!(is_empty(directory.path()));
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(restore(&longer, directory.path()), Err(BackupError::Altered(_))));
    let missing = directory.path().join("data");
    assert!(restore(&longer, &missing).is_err());
    assert!(!missing.exists());
}

#[test]
fn a_dump_of_a_newer_version_is_refused() {
    let (mut bytes, _) = dump(&MemoryStore::default());
    bytes[18] = 9;
    let directory = tempfile::tempdir().unwrap();
    let refused = restore(&bytes, directory.path()).unwrap_err();
    assert!(matches!(refused, BackupError::Newer { found: 9 }), "{refused}");
    assert!(matches!(
        restore(b"PK\x03\x04 some other file", directory.path()),
        Err(BackupError::NotABackup)
    ));
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the tape is torn"))
        }
    }
    let store = MemoryStore::default();
    filled(&store);
    let (bytes, _) = dump(&store);
    let directory = tempfile::tempdir().unwrap();
    let mut source = Cursor::new(&bytes[..bytes.len() / 2]).chain(Failing);
    let failed = backup::restore(&mut source, directory.path(), &RedbStoreOptions::default());
    assert!(matches!(failed, Err(BackupError::Source(_))));
    assert!(is_empty(directory.path()));
}
