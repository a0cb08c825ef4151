//! Many at once.

use store::check::check;
use store::conformance::fixture::{Fixture, add, new_group, user, value};
use store::{RedbStore, RedbStoreOptions, Store};

const THREADS: u16 = 16;
const CHANGES: u16 = 25;

#[test]
fn what_many_threads_were_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = RedbStoreOptions::default();
    let store = RedbStore::open(directory.path(), &options).unwrap();
    let acme = Fixture::new(&store, "acme");
    acme.apply([new_group(1, "Everybody")]);

    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let acme = &acme;
            scope.spawn(move || {
                for change in 0..CHANGES {
                    let number = thread * CHANGES + change;
                    let create = acme.new_user(number, &format!("user-{number}"), None);
                    acme.commit(create.with(add(1, &[&value(number)]))).unwrap();
                    let snapshot = acme.snapshot();
                    assert!(snapshot.user(acme.tenant, user(number)).unwrap().is_some());
                }
            });
        }
    });
    let tenant = acme.tenant;
    drop(store);

    let store = RedbStore::open(directory.path(), &options).unwrap();
    let snapshot = store.snapshot().unwrap();
    for number in 0..THREADS * CHANGES {
        assert!(snapshot.user(tenant, user(number)).unwrap().is_some(), "{number}");
    }
    let counts = snapshot.counts(tenant).unwrap();
    assert_eq!((counts.users, counts.feed), (400, 400));
    assert!(check(&snapshot).is_clean());
}

#[test]
fn what_is_queued_is_written_before_the_store_closes() {
    let directory = tempfile::tempdir().unwrap();
    let options = RedbStoreOptions::default();
    let store = RedbStore::open(directory.path(), &options).unwrap();
    let acme = Fixture::new(&store, "acme");
    let changes = (1..=200).map(|number| acme.new_user(number, &format!("{number}"), None));
    let replies: Vec<_> = changes.map(|change| store.commit(change)).collect();
    let tenant = acme.tenant;
    drop(store);

    let answered = replies.into_iter().flat_map(store::Reply::wait_blocking);
    assert_eq!(answered.count(), 200);
    let store = RedbStore::open(directory.path(), &options).unwrap();
    assert_eq!(store.snapshot().unwrap().counts(tenant).unwrap().users, 200);
}

#[test]
fn a_view_that_outlives_its_store_gives_errors_and_no_wrong_values() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
    let acme = Fixture::new(&store, "acme").with_users(&["bob"]);
    let (tenant, snapshot) = (acme.tenant, store.snapshot().unwrap());
    drop(store);
    if let Ok(found) = snapshot.user(tenant, user(1)) {
        assert_eq!(found.unwrap().name, "bob");
    }
}
