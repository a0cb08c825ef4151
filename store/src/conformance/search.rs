//! Looking through rows: what is found, how far it was looked, and where it goes on.

use access::{Event, EventType};

use super::fixture::{Fixture, user, value};
use crate::{Operation, Store, Texts};

/// In pieces, without missing or repeating one; other tenants' are not looked at.
pub fn accounts_are_looked_through_in_pieces(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b", "c", "d", "e"]);
    let _other = Fixture::new(store, "other").with_users(&["x", "y"]);
    let snapshot = acme.snapshot();
    let all = Texts::default().with("status", "active");
    let ids = |number| (1..=number).map(user).collect::<Vec<_>>();

    let looked = snapshot.accounts_with(acme.tenant, None, &all, (9, 9)).unwrap();
    assert_eq!(looked.found.iter().map(|found| found.id).collect::<Vec<_>>(), ids(5));
    assert_eq!((looked.rows, looked.more_after), (5, None));

    let none = Texts::default().with("status", "deleted");
    let looked = snapshot.accounts_with(acme.tenant, None, &none, (9, 3)).unwrap();
    assert_eq!((looked.found.len(), looked.rows, looked.more_after), (0, 3, Some(user(3))));

    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let looked = snapshot.accounts_with(acme.tenant, after, &all, (2, 9)).unwrap();
        found.extend(looked.found.iter().map(|found| found.id));
        after = looked.more_after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, ids(5));
}

/// Newest first, in pieces.
pub fn entries_about_one_thing_are_found_looking_back(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob", "eve"]);
    let tell = |number| Operation::Tell(Event::account(EventType::AccountUpdated, user(number)));
    for _ in 0..5 {
        acme.apply([tell(1), tell(2)]);
    }
    let snapshot = acme.snapshot();
    let texts = Texts::default().with_value(&value(1));

    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let looked = snapshot.feed_back(acme.tenant, before, &texts, (2, 4), |_| true).unwrap();
        found.extend(looked.found.iter().filter_map(|entry| entry["seq"].as_u64()));
        before = looked.more_after;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(found, [9, 7, 5, 3, 1]);
    let unwanted = snapshot.feed_back(acme.tenant, None, &texts, (9, 99), |_| false).unwrap();
    assert_eq!((unwanted.found.len(), unwanted.rows), (0, 10));

    let texts = Texts::default().with("object", "user").with("id", &value(2));
    let looked = snapshot.audit_back(acme.tenant, None, &texts, (9, 99), |_| true).unwrap();
    assert_eq!(looked.found.len(), 1);
    assert!(looked.found[0]["hash"].is_string());
    assert!(acme.audit().contains(&looked.found[0]));
}
