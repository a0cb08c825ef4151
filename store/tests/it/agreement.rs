//! The backends agree: whatever is asked of them, they answer and keep the same.

use access::{Event, EventType, Status};
use proptest::prelude::*;
use store::check::check;
use store::conformance::fixture::{
    Fixture, account, at, group, put_group, put_user, record, tenant_id, token, user, wave,
};
use store::{
    Changeset, Expected, Marked, MemberChange, MemoryStore, Operation, RedbStore, RedbStoreOptions,
    Requirement, Store, TenantKey, backup,
};

const NAMES: [&str; 6] = ["bob", "BOB", "straße", "STRASSE", "ada", "x"];
const EXTERNAL: [Option<&str>; 4] = [None, Some("ext-1"), Some("ext-2"), Some("ext-3")];

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u16..5).prop_map(|number| user(number).to_string()),
        (1_u16..4).prop_map(|number| group(number).to_string()),
        (1_u16..4).prop_map(|number| format!("ext-{number}")),
        Just("nobody".to_owned()),
        Just("y".repeat(260)),
    ]
}

fn member_change() -> impl Strategy<Value = MemberChange> {
    let values = || prop::collection::vec(member(), 0..5);
    prop_oneof![
        3 => values().prop_map(MemberChange::Add),
        2 => values().prop_map(MemberChange::Remove),
        1 => values().prop_map(MemberChange::Replace),
        1 => Just(MemberChange::RemoveAll),
    ]
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![
        4 => Just(Expected::Present),
        1 => (1_u64..4).prop_map(Expected::Revision),
        1 => Just(Expected::Absent),
    ]
}

fn marked() -> impl Strategy<Value = Marked> {
    // Of groups only through what the planner does: they come and go here.
    prop_oneof![Just(Marked::Tenant), Just(Marked::User(user(9)))]
}

/// Some things to do; those that belong together come together.
fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let name = || prop::sample::select(&NAMES[..]);
    let external = || prop::sample::select(&EXTERNAL[..]);
    prop_oneof![
        4 => (1_u16..5, name(), external()).prop_map(|(number, name, external)| {
            let (id, expected) = (user(number), Expected::Absent);
            let account = account(id, Status::Active, 0);
            vec![
                Operation::PutUser { id, expected, record: record(name, external) },
                Operation::PutAccount(Box::new(account)),
            ]
        }),
        2 => (1_u16..5, name(), external())
            .prop_map(|(number, name, external)| vec![put_user(number, name, external)]),
        // The account keeps its revision 1, so that a second deletion is refused whole.
        2 => (1_u16..5, expected()).prop_map(|(number, expected)| {
            let id = user(number);
            let account = account(id, Status::Deleted, 1);
            vec![
                Operation::DeleteUser { id, expected },
                Operation::PutAccount(Box::new(account)),
            ]
        }),
        3 => (1_u16..4, name(), expected()).prop_map(|(number, name, _)| {
            let (id, expected) = (group(number), Expected::Absent);
            vec![Operation::PutGroup { id, expected, record: record(name, None) }]
        }),
        1 => (1_u16..4, name()).prop_map(|(number, name)| vec![put_group(number, name)]),
        1 => (1_u16..4, expected())
            .prop_map(|(number, expected)| {
                vec![Operation::DeleteGroup { id: group(number), expected }]
            }),
        6 => (1_u16..4, expected(), prop::collection::vec(member_change(), 1..4))
            .prop_map(|(number, expected, changes)| {
                vec![Operation::ChangeMembers { group: group(number), expected, changes }]
            }),
        1 => marked().prop_map(|marked| vec![Operation::Mark(marked)]),
        1 => (marked(), 1_u64..9)
            .prop_map(|(marked, generation)| vec![Operation::ClearMark { marked, generation }]),
        1 => (1_u16..5).prop_map(|number| {
            vec![Operation::Tell(Event::account(EventType::AccountUpdated, user(number)))]
        }),
        1 => (1_u16..3).prop_map(|number| vec![Operation::PutToken(Box::new(token(number)))]),
        1 => (1_u16..3).prop_map(|number| vec![Operation::DeleteToken(token(number).id)]),
    ]
}

fn change() -> impl Strategy<Value = (Vec<Operation>, Option<Requirement>, i64)> {
    let requirement = prop_oneof![
        8 => Just(None),
        1 => (1_u64..3).prop_map(|revision| Some(Requirement::GroupNames(revision))),
    ];
    let operations = prop::collection::vec(operations(), 1..4).prop_map(|parts| parts.concat());
    (operations, requirement, 1_i64..100)
}

fn dump(store: &dyn Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    backup::write(&store.snapshot().unwrap(), &mut bytes).unwrap();
    bytes
}

fn start(store: &dyn Store) -> TenantKey {
    let fixture = Fixture::new(store, "acme");
    // Somebody whom marks can be on all the time.
    fixture.commit(fixture.new_user(9, "everlasting", None)).unwrap();
    Fixture::new(store, "other").commit(fixture.new_user(8, "neighbour", None)).unwrap();
    fixture.tenant
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_backends_give_the_same_answers_and_keep_the_same_rows(
        changes in prop::collection::vec(change(), 1..60), ends in any::<bool>())
    {
        let directory = tempfile::tempdir().unwrap();
        let redb = RedbStore::open(directory.path(), &RedbStoreOptions::default()).unwrap();
        let memory = MemoryStore::default();
        let tenant = start(&redb);
        prop_assert_eq!(start(&memory), tenant);

        let mut changesets: Vec<Changeset> = changes.into_iter().map(|(operations, require, second)| {
            let mut change = Changeset::new(tenant, at(second), Some(wave(1)));
            change.operations = operations;
            change.require.extend(require);
            change
        }).collect();
        if ends {
            let delete = Operation::DeleteTenant { id: tenant_id("acme") };
            let purge = Operation::Purge { tenant, rows_max: 20 };
            for operation in [delete, purge.clone(), purge] {
                changesets.push(Changeset::new(TenantKey::SERVICE, at(100), None).with(operation));
            }
        }
        // All at once, so that redb puts as many as it likes into one transaction.
        let replies: Vec<_> = changesets.iter().map(|change| redb.commit(change.clone())).collect();
        let from_redb: Vec<_> = replies.into_iter().map(store::Reply::wait_blocking).collect();
        let from_memory: Vec<_> = changesets.into_iter()
            .map(|change| memory.commit(change).wait_blocking()).collect();

        prop_assert_eq!(from_redb, from_memory);
        prop_assert!(dump(&redb) == dump(&memory), "what is kept differs");
        let report = check(&redb.snapshot().unwrap());
        prop_assert!(report.is_clean(), "{:#?}", report.problems);
    }
}
