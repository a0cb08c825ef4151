//! The feed, waves, and what a snapshot holds.

use access::wave::{Wave, WaveState};
use access::{Event, EventType};
use serde_json::Value;

use super::fixture::{Fixture, at, put_user, user, wave};
use crate::{Operation, Store};

fn event(number: u16) -> Operation {
    Operation::Tell(Event::account(EventType::AccountUpdated, user(number)).with("n", number))
}

/// From 1, over changes that are taken and changes that are refused, in one transaction or many.
pub fn the_feed_has_no_gaps(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let changes: Vec<_> = (1..=300)
        .map(|number| {
            let told = [event(number), event(number)];
            match number % 3 {
                // Refused at its end, when both events were already numbered.
                0 => acme.change(told).with(put_user(99, "nobody", None)),
                _ => acme.change(told),
            }
        })
        .collect();
    let mut expected = Vec::new();
    for (answer, number) in acme.commit_all(changes).into_iter().zip(1_u64..) {
        if number.is_multiple_of(3) {
            assert!(answer.is_err());
        } else {
            expected.extend([number, number]);
            assert_eq!(answer.unwrap().feed, Some(expected.len() as u64));
        }
    }
    let feed = acme.feed();
    let numbers: Vec<u64> = feed.iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert!(numbers.iter().copied().eq(1..=expected.len() as u64));
    let told: Vec<u64> = feed.iter().filter_map(|entry| entry["n"].as_u64()).collect();
    assert_eq!(told, expected);
    let told_at = feed[0]["at"].as_str().and_then(|text| text.parse().ok());
    assert_eq!(told_at, Some(at(1)));

    let mut rest = Vec::new();
    let visit = |entry: Value| {
        rest.push(entry["seq"].as_u64());
        if rest.len() == 2 {
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    };
    acme.snapshot().feed(acme.tenant, 5, visit).unwrap();
    assert_eq!(rest, [Some(6), Some(7)]);
}

/// In pages.
pub fn waves_come_newest_first(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let other = Fixture::new(store, "other");
    let kept = |number| Wave {
        id: wave(number),
        state: WaveState::Settled,
        started_at: at(i64::from(number)),
        ended_at: None,
        requests: u64::from(number),
        creates: 0,
        updates: 0,
        deletes: 0,
        errors: 0,
        role_changes: 0,
        reconciled_at: None,
    };
    for number in 1..=5 {
        acme.apply([Operation::PutWave(Box::new(kept(number)))]);
    }
    other.apply([Operation::PutWave(Box::new(kept(9)))]);
    let page = acme.snapshot().waves(acme.tenant, None, 3).unwrap();
    assert_eq!(page, [kept(5), kept(4), kept(3)]);
    let rest = acme.snapshot().waves(acme.tenant, Some(wave(3)), 3).unwrap();
    assert_eq!(rest, [kept(2), kept(1)]);
    assert_eq!(acme.snapshot().wave(acme.tenant, wave(4)).unwrap(), Some(kept(4)));
}

/// Every answered change is in the next snapshot; an open one stays as it was.
pub fn a_snapshot_holds_what_was_answered_and_nothing_later(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let mut snapshots = vec![acme.snapshot()];
    for number in 1..=20 {
        acme.commit(acme.new_user(number, &format!("user-{number}"), None)).unwrap();
        acme.apply([event(number)]);
        snapshots.push(acme.snapshot());
    }
    for (users, snapshot) in (0_u16..).zip(&snapshots) {
        let counts = snapshot.counts(acme.tenant).unwrap();
        assert_eq!((counts.users, counts.feed), (u64::from(users), u64::from(users)));
        let newest = snapshot.user(acme.tenant, user(users)).unwrap();
        assert_eq!(newest.is_some(), users > 0);
        assert_eq!(snapshot.user(acme.tenant, user(users + 1)).unwrap(), None);
    }
}
