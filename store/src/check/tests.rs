//! What is damaged or does not fit is found, and told without anything of a customer's.

use access::Event;

use super::*;
use crate::conformance::fixture::{Fixture, add, group, new_group, record, user, value};
use crate::conformance::requests::{exchange, large_exchanges, put};
use crate::key;
use crate::memory::MemoryStore;
use crate::record::seal;
use crate::{Marked, Operation, Store};

const NAME: &str = "secret-name@customer.example";

fn filled() -> (MemoryStore, TenantKey) {
    let store = MemoryStore::default();
    let acme = Fixture::new(&store, "acme");
    acme.apply([new_group(1, "secret-group"), new_group(2, "other")]);
    acme.commit(acme.new_user(1, NAME, Some("secret-external"))).unwrap();
    acme.commit(acme.new_user(2, "second", None)).unwrap();
    acme.apply([add(1, &[&value(1), "secret-waiting", &group(2).to_string()])]);
    let told = Event::account(access::EventType::AccountUpdated, user(1));
    acme.apply([Operation::Tell(told.clone()), Operation::Tell(told)]);
    acme.apply([Operation::Mark(Marked::Group(group(2)))]);
    // One block in one piece, and one whose bodies take some.
    let small = put(&acme, 1, &[exchange(1, NAME)], 0);
    put(&acme, 2, &large_exchanges(), small.written());
    let tenant = acme.tenant;
    (store, tenant)
}

fn problems(store: &MemoryStore) -> Vec<String> {
    let report = check(&store.snapshot().unwrap());
    assert_eq!(report.problems_total, report.problems.len() as u64);
    for problem in &report.problems {
        assert!(!problem.contains("secret"), "{problem}");
    }
    report.problems
}

#[test]
fn a_good_store_is_clean_and_its_rows_are_counted() {
    let (store, _) = filled();
    let report = check(&store.snapshot().unwrap());
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!(report.rows.len(), Table::ALL.len());
    let rows = |table: Table| report.rows[usize::from(table.number())];
    assert_eq!(rows(Table::Users), ("users", 2));
    assert_eq!(rows(Table::Members), ("members", 3));
}

#[test]
fn every_single_damaged_record_is_found() {
    let (store, _) = filled();
    for table in Table::ALL {
        for key in store.keys(table) {
            let (store, _) = filled();
            store.tamper(table, key.clone(), |value| {
                value.map(|mut sealed| {
                    sealed[0] ^= 1;
                    sealed
                })
            });
            let found = problems(&store);
            let place = Place(table, &key).to_string();
            assert!(found.iter().any(|problem| problem.starts_with(&place)), "{place}: {found:?}");
        }
    }
}

#[test]
fn every_single_missing_row_is_noticed() {
    // A wave, a token, a mark, or the next number of a tenant, need not be there.
    let optional = [Table::Meta, Table::Tokens, Table::Marks, Table::Waves];
    let (store, _) = filled();
    for table in Table::ALL.into_iter().filter(|table| !optional.contains(table)) {
        for key in store.keys(table) {
            let (store, _) = filled();
            store.tamper(table, key.clone(), |_| None);
            assert!(!problems(&store).is_empty(), "{} is not missed", Place(table, &key));
        }
    }
}

#[test]
fn rows_that_belong_to_nothing_are_found() {
    let (_, tenant) = filled();
    let mark = crate::record::Mark {
        generation: 1,
        first_touched: jiff::Timestamp::UNIX_EPOCH,
        wave: None,
        request: None,
    };
    let far = Marked::User(user(77));
    let strange = [
        (Table::Users, key::user(TenantKey(9), user(1)), vec![1], "there is no such tenant"),
        (Table::Users, vec![0, 0], vec![1], "too short"),
        (Table::UserNames, key::name(tenant, "x"), user(1).as_bytes().to_vec(), "not so"),
        (Table::GroupNames, key::name(tenant, "x"), vec![1], "leads nowhere"),
        (Table::Members, key::member(tenant, group(1), &[8; 16]), vec![b'u'], "no such member"),
        (Table::Memberships, key::membership(tenant, &[8; 16], group(1)), vec![], "does not know"),
        (Table::Parked, key::parked(tenant, "v", group(1)), vec![], "waits"),
        (Table::Marks, crate::snapshot::mark_key(tenant, far), mark.encode(), "does not exist"),
        (Table::Feed, key::feed(tenant, 40), b"{\"seq\":40}".to_vec(), "the entry before it is 3"),
        (Table::Accounts, key::user(tenant, user(50)), vec![1], "cannot be decoded"),
    ];
    for (table, key, payload, what) in strange {
        let (store, _) = filled();
        let sealed = seal(table, &key, payload);
        store.tamper(table, key, |_| Some(sealed));
        let found = problems(&store);
        assert!(found.iter().any(|problem| problem.contains(what)), "{what}: {found:?}");
    }
}

#[test]
fn wrong_counts_are_found() {
    let (store, tenant) = filled();
    let key = Key::tenant(tenant).done();
    let wrong = Counters { feed: 9, users: 9, ..Counters::default() };
    let sealed = seal(Table::Counters, &key, wrong.encode());
    store.tamper(Table::Counters, key, |_| Some(sealed));
    let group_key = key::group(tenant, group(1));
    let kept = record("secret-group", None);
    let record = crate::Record {
        revision: 2,
        created: jiff::Timestamp::UNIX_EPOCH,
        modified: jiff::Timestamp::UNIX_EPOCH,
        members: 7,
        name: kept.name,
        external_id: None,
        body: kept.body,
    };
    let sealed = seal(Table::Groups, &group_key, record.encode());
    store.tamper(Table::Groups, group_key, |_| Some(sealed));
    let found = problems(&store).join("\n");
    for what in
        ["9 users, there are 2", "0 groups, there are 2", "9 feed", "7 members, there are 2"]
    {
        assert!(found.contains(what), "{what}: {found}");
    }
    assert!(found.contains("its generation was never given"));
}

#[test]
fn problems_are_told_up_to_a_limit_and_counted_beyond() {
    let (store, _) = filled();
    for number in 0..300 {
        let key = key::user(TenantKey(9), user(number));
        let sealed = seal(Table::Users, &key, vec![1]);
        store.tamper(Table::Users, key, |_| Some(sealed));
    }
    let report = check(&store.snapshot().unwrap());
    assert_eq!((report.problems.len(), report.problems_total), (PROBLEMS_TOLD_MAX, 300));
}

#[test]
fn a_damaged_account_does_not_keep_the_others_from_being_read() {
    let store = MemoryStore::default();
    let acme = Fixture::new(&store, "acme").with_users(&["ada", "bob", "eve"]);
    let key = store.keys(Table::Accounts).remove(1);

    store.tamper(Table::Accounts, key, |value| {
        value.map(|mut sealed| {
            sealed[0] ^= 1;
            sealed
        })
    });

    let accounts = acme.snapshot().readable_accounts(acme.tenant, None, 10).unwrap();
    let readable: Vec<bool> = accounts.iter().map(|(_, account)| account.is_ok()).collect();
    assert_eq!(readable, [true, false, true]);
}
