//! A disk that fails: every call of every kind, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::check::check;
use store::conformance::fixture::{Fixture, add, new_group, user, value};
use store::{CommitError, Health, RedbStore, RedbStoreOptions, Store, TenantKey};

use crate::failing_disk::{Call, EIO, ENOSPC, FailingDisk, Fault, Switch};

const CALLS_MAX: u64 = 300;
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// Runs wait more than they work.
const THREADS: usize = 16;
/// Users there before the fault.
const BEFORE: u16 = 3;
/// Changes during the fault.
const DURING: u16 = 6;

fn open(path: &Path, switch: &Arc<Switch>) -> RedbStore {
    // Next to no cache: reads must reach the disk.
    let options = RedbStoreOptions { cache_bytes: 64 << 10 };
    RedbStore::open_on(FailingDisk::at(path, switch), &options).unwrap()
}

fn create(fixture: &Fixture<'_>, number: u16) -> Result<(), CommitError> {
    let change = fixture.new_user(number, &format!("user-{number}"), None);
    fixture.commit(change.with(add(1, &[&value(number)]))).map(drop)
}

fn is_there(store: &dyn Store, tenant: TenantKey, number: u16) -> bool {
    let snapshot = store.snapshot().unwrap();
    snapshot.user(tenant, user(number)).unwrap().is_some()
}

/// Reads may fail in the moment in which the file is opened anew, and no longer.
fn read_goes_on(fixture: &Fixture<'_>, store: &dyn Store) {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let read = store.snapshot().and_then(|snapshot| {
            snapshot.user(fixture.tenant, user(1)).map(|found| found.is_some())
        });
        match read {
            Ok(found) => return assert!(found),
            Err(error) => assert!(Instant::now() < deadline, "reads do not go on: {error}"),
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Waits until changes are taken again, and answers the number of the one that was.
fn recover(fixture: &Fixture<'_>) -> u16 {
    let healed = Instant::now();
    for number in 1_000.. {
        if create(fixture, number).is_ok() {
            return number;
        }
        assert!(healed.elapsed() < RECOVERY_MAX, "no change is taken {RECOVERY_MAX:?} later");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    unreachable!("the time is up before the numbers are");
}

/// Runs some changes with one fault among them. Answers whether the fault came to be.
fn survive(fault: Fault) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let switch = Arc::new(Switch::default());
    let store = open(&path, &switch);
    let acme = Fixture::new(&store, "acme");
    let tenant = acme.tenant;
    acme.apply([new_group(1, "Everybody")]);
    for number in 1..=BEFORE {
        create(&acme, number).unwrap();
    }

    switch.set(Some(fault));
    let mut answered: Vec<u16> = (1..=BEFORE).collect();
    let mut not_tried = Vec::new();
    for number in BEFORE + 1..=BEFORE + DURING {
        match create(&acme, number) {
            Ok(()) => answered.push(number),
            Err(CommitError::Unavailable(_)) => not_tried.push(number),
            Err(CommitError::Unknown(_)) => {}
            Err(other) => panic!("{fault:?}: {other}"),
        }
        read_goes_on(&acme, &store);
    }
    let was_injected = switch.injected() > 0;
    switch.set(None);
    answered.push(recover(&acme));
    assert_eq!(store.health(), Health::Ready);

    let holds = |store: &dyn Store, when: &str| {
        for number in &answered {
            assert!(is_there(store, tenant, *number), "{fault:?}, {when}: {number} is lost");
        }
        for number in &not_tried {
            assert!(!is_there(store, tenant, *number), "{fault:?}, {when}: {number} was not tried");
        }
        let report = check(&store.snapshot().unwrap());
        assert!(report.is_clean(), "{fault:?}, {when}: {:#?}", report.problems);
    };
    holds(&store, "while it runs");
    drop(store);
    holds(&open(&path, &switch), "opened again");
    was_injected
}

/// Fails the first call of a kind, then the second, and so on until there is none to fail.
fn survive_all(call: Call, errno: i32, count: u64) {
    let next = AtomicU64::new(1);
    let is_over = AtomicBool::new(false);
    let injected = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let first = next.fetch_add(1, Ordering::SeqCst);
                    if first > CALLS_MAX || !survive(Fault { call, first, count, errno }) {
                        is_over.store(true, Ordering::SeqCst);
                    } else {
                        injected.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert!(injected.load(Ordering::SeqCst) > 0, "no fault was injected");
}

#[test]
fn a_failed_write_loses_no_answered_change() {
    survive_all(Call::Write, EIO, 1);
}

#[test]
fn a_full_disk_loses_no_answered_change() {
    survive_all(Call::Write, ENOSPC, 4);
}

#[test]
fn a_failed_flush_loses_no_answered_change() {
    survive_all(Call::Sync, EIO, 1);
    survive_all(Call::Sync, ENOSPC, 3);
}

#[test]
fn a_disk_that_cannot_grow_loses_no_answered_change() {
    // The script alone is too small for the file to grow: start from the first byte.
    for first in 1..=CALLS_MAX {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        let switch = Arc::new(Switch::default());
        let store = open(&path, &switch);
        let acme = Fixture::new(&store, "acme");
        let tenant = acme.tenant;
        acme.apply([new_group(1, "Everybody")]);
        create(&acme, 1).unwrap();
        switch.set(Some(Fault { call: Call::SetLen, first, count: 2, errno: ENOSPC }));
        let mut answered = vec![1];
        let long = "x".repeat(400_000);
        for number in 2..=12 {
            let name = format!("{number}-{long}");
            let change = acme.new_user(number, &name, None).with(add(1, &[&value(number)]));
            if acme.commit(change).is_ok() {
                answered.push(number);
            }
            read_goes_on(&acme, &store);
        }
        switch.set(None);
        answered.push(recover(&acme));
        drop(store);
        let store = open(&path, &switch);
        assert!(answered.iter().all(|number| is_there(&store, tenant, *number)));
        let report = check(&store.snapshot().unwrap());
        assert!(report.is_clean(), "{:#?}", report.problems);
        if switch.injected() == 0 {
            assert!(first > 1, "no fault was injected");
            return;
        }
    }
}

#[test]
fn reads_go_on_for_as_long_as_the_disk_refuses_writes() {
    for (call, errno) in [(Call::Write, EIO), (Call::Write, ENOSPC), (Call::Sync, EIO)] {
        let directory = tempfile::tempdir().unwrap();
        let switch = Arc::new(Switch::default());
        let store = open(&directory.path().join("disk"), &switch);
        let acme = Fixture::new(&store, "acme");
        acme.apply([new_group(1, "Everybody")]);
        for number in 1..=60 {
            create(&acme, number).unwrap();
        }
        switch.set(Some(Fault { call, first: 1, count: u64::MAX, errno }));
        assert!(create(&acme, 61).is_err());

        let until = Instant::now() + Duration::from_millis(1_500);
        let mut refused = 0_u64;
        while Instant::now() < until {
            read_goes_on(&acme, &store);
            let present = (1..=60).filter(|number| {
                let snapshot = store.snapshot().unwrap();
                // A view of a file that is opened anew meanwhile ends; the next one does not.
                let read = || snapshot.user(acme.tenant, user(*number));
                let again = || store.snapshot()?.user(acme.tenant, user(*number));
                read().or_else(|_| again()).unwrap().is_some()
            });
            assert_eq!(present.count(), 60);
            assert!(matches!(store.health(), Health::Unavailable(_)));
            refused += u64::from(create(&acme, 61).is_err());
        }
        assert!(refused > 0 && switch.injected() > 1);

        switch.set(None);
        recover(&acme);
        let report = check(&store.snapshot().unwrap());
        assert!(report.is_clean(), "{:#?}", report.problems);
    }
}
