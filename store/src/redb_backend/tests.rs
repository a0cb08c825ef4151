//! What only the inside of the backend can test.

use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::conformance::fixture::{self, Fixture};

#[test]
fn a_file_of_a_newer_format_is_refused_and_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = RedbStoreOptions::default();
    drop(RedbStore::open(directory.path(), &options).unwrap());
    let newer = (FORMAT + 1).to_le_bytes().to_vec();
    let sealed = crate::record::seal(Table::Meta, FORMAT_KEY, newer);
    let database = Database::open(directory.path().join(FILE)).unwrap();
    write(&database, vec![(Table::Meta, FORMAT_KEY.to_vec(), Some(sealed))], &[]).unwrap();
    drop(database);

    let refused = RedbStore::open(directory.path(), &options).err().unwrap();

    assert!(matches!(refused, OpenError::Newer { found } if found == FORMAT + 1), "{refused}");
    assert!(refused.to_string().contains("use a newer slackwater"), "{refused}");
}

#[test]
fn a_store_without_its_format_number_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = RedbStoreOptions::default();
    drop(RedbStore::open(directory.path(), &options).unwrap());
    let database = Database::open(directory.path().join(FILE)).unwrap();
    write(&database, vec![(Table::Meta, FORMAT_KEY.to_vec(), Some(vec![1, 2, 3]))], &[]).unwrap();
    drop(database);

    let refused = RedbStore::open(directory.path(), &options).err().unwrap();

    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[test]
fn the_data_of_a_running_store_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _lock = lock_directory(directory.path()).unwrap();
    let other = File::open(directory.path()).unwrap();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
}

#[test]
fn a_file_of_the_first_format_gets_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slackwater.redb");
    let database = Database::create(&path).unwrap();
    let first = 1_u32.to_le_bytes().to_vec();
    let sealed = crate::record::seal(Table::Meta, FORMAT_KEY, first);
    let writes = vec![(Table::Meta, FORMAT_KEY.to_vec(), Some(sealed))];
    write(&database, writes, &Table::FIRST_FORMAT).unwrap();
    drop(database);

    let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
    crate::conformance::audit::a_change_is_audited_with_its_author(&store);
    drop(store);
    RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
}

#[test]
fn a_file_from_before_the_request_record_gets_its_table_and_misses_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("slackwater.redb");
    drop(RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap());
    let delete = |table| {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(definition(table)).unwrap());
        transaction.commit().unwrap();
    };
    delete(Table::Requests);

    let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
    crate::conformance::requests::exchanges_come_back_as_they_were_put(&store);
    drop(store);
    delete(Table::Documents);
    assert!(RedbStore::open(directory.path(), &RedbStoreOptions::default()).is_err());
}

/// Readers share a view from one write to the next. However they meet the writer, whoever heard that a
/// change is on disk reads it, and a snapshot stays what it was.
#[test]
fn what_was_answered_is_in_every_later_snapshot_while_many_read() {
    const CHANGES: u16 = 300;
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
    let acme = Fixture::new(&store, "acme").with_users(&["ada"]);
    let revision = |snapshot: &Snapshot| {
        snapshot.user(acme.tenant, fixture::user(1)).unwrap().unwrap().revision
    };
    let first = acme.snapshot();
    let start = revision(&first);
    let answered = AtomicU64::new(start);

    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while answered.load(Ordering::Acquire) < start + u64::from(CHANGES) {
                    let expected = answered.load(Ordering::Acquire);
                    assert!(revision(&acme.snapshot()) >= expected);
                }
            });
        }
        for number in 1..=CHANGES {
            acme.apply([fixture::put_user(1, &format!("ada {number}"), None)]);
            assert_eq!(revision(&acme.snapshot()), start + u64::from(number));
            answered.store(start + u64::from(number), Ordering::Release);
        }
    });
    assert_eq!(revision(&first), start);
}
