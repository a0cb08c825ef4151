//! Membership: rows, counts, marks and events, and members that nobody has pushed yet.

use access::{GroupId, UserId};
use serde_json::json;

use super::fixture::{
    Fixture, add, group, members, new_group, put_user, remove, texts, user, value,
};
use crate::snapshot::Member;
use crate::{Marked, MemberChange, Store};

fn groups_of(fixture: &Fixture<'_>, user: UserId) -> Vec<GroupId> {
    fixture.snapshot().groups_of(fixture.tenant, user).unwrap()
}

/// Rows, counts, revisions, events and marks all follow.
pub fn a_deleted_user_leaves_its_groups(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b"]).with_groups(&["X", "Y"]);
    acme.apply([add(1, &[&value(1), &value(2)]), add(2, &[&value(1)])]);
    let told = acme.feed().len();
    acme.delete_user(1);

    assert_eq!((acme.group(1), acme.group(2)), ((3, 1), (3, 0)));
    assert_eq!((acme.users_of(1), acme.users_of(2)), (vec![user(2)], vec![]));
    assert!(groups_of(&acme, user(1)).is_empty());
    assert_eq!(acme.mark(Marked::User(user(1))), None);
    assert!(acme.mark(Marked::User(user(2))).is_some());
    let feed = acme.feed();
    assert_eq!(feed.len(), told + 2);
    for (entry, left) in feed[told..].iter().zip([group(1), group(2)]) {
        assert_eq!(entry["type"], "group.members_changed");
        assert_eq!(entry["group"], json!(left.to_string()));
        assert_eq!(entry["removed"], json!([value(1)]));
        assert_eq!((&entry["added_count"], &entry["removed_count"]), (&json!(0), &json!(1)));
    }
}

/// Only those whose membership really changes are marked and told of.
pub fn members_join_leave_and_are_replaced(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b", "c"]).with_groups(&["X"]);
    let committed = acme.apply([add(1, &[&value(1), &value(2)])]);
    assert_eq!((committed.revision, committed.feed), (Some(2), Some(1)));
    assert_eq!(groups_of(&acme, user(1)), [group(1)]);
    for number in 1..=2 {
        acme.clear(Marked::User(user(number)));
    }

    acme.apply([members(1, vec![MemberChange::Replace(vec![value(2), value(3)])])]);
    assert_eq!((acme.users_of(1), acme.group(1)), (vec![user(2), user(3)], (3, 2)));
    let entry = acme.feed().pop().unwrap();
    assert_eq!((&entry["added"], &entry["removed"]), (&json!([value(3)]), &json!([value(1)])));
    let marked = |number| acme.mark(Marked::User(user(number))).is_some();
    assert_eq!((marked(1), marked(2), marked(3)), (true, false, true));

    acme.apply([remove(1, &[&value(2)])]);
    assert_eq!((acme.users_of(1), acme.group(1)), (vec![user(3)], (4, 1)));
    acme.apply([members(1, vec![MemberChange::RemoveAll])]);
    assert_eq!((acme.users_of(1), acme.group(1)), (vec![], (5, 0)));
    assert!(groups_of(&acme, user(3)).is_empty());
}

/// In one request, in two, and under two names.
pub fn adding_twice_is_once(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["X"]);
    acme.commit(acme.new_user(1, "a", Some("ext"))).unwrap();
    acme.apply([add(1, &[&value(1), "ext", &value(1), "nobody", "nobody"])]);
    let (before, told) = (acme.group(1), acme.feed().len());
    let committed = acme.apply([add(1, &[&value(1), "ext", "nobody"])]);

    assert_eq!((before, acme.group(1)), ((2, 1), (2, 1)));
    assert_eq!((committed.revision, committed.feed), (Some(2), None));
    assert_eq!((acme.users_of(1), acme.parked(1)), (vec![user(1)], texts(&["nobody"])));
    assert_eq!(acme.feed().len(), told);
}

/// No revision, no event, no mark.
pub fn removing_a_stranger_changes_nothing(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b"]).with_groups(&["X"]);
    acme.apply([add(1, &[&value(1)])]);
    let before = (acme.group(1), acme.feed());
    let changes = vec![
        MemberChange::Remove(vec![value(2), "nobody".into(), value(99)]),
        MemberChange::Replace(vec![value(1)]),
    ];
    let committed = acme.apply([members(1, changes)]);
    assert_eq!((committed.revision, committed.feed), (Some(2), None));
    assert_eq!((acme.group(1), acme.feed()), before);
    assert_eq!(acme.mark(Marked::User(user(2))), None);
}

/// In every group where it waits, by its id or its externalId.
pub fn a_parked_member_is_bound_when_its_user_appears(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["X", "Y", "Z"]);
    acme.apply([add(1, &["ext", "other"]), add(2, &["ext"]), add(3, &[&value(1), "ext"])]);
    assert_eq!(acme.group(1), (2, 0));
    assert_eq!(acme.feed().len(), 0);
    acme.commit(acme.new_user(1, "a", Some("ext"))).unwrap();

    for number in 1..=3 {
        assert_eq!((acme.users_of(number), acme.group(number).1), (vec![user(1)], 1));
    }
    assert_eq!(groups_of(&acme, user(1)), [group(1), group(2), group(3)]);
    assert_eq!((acme.parked(1), acme.parked(2)), (texts(&["other"]), vec![]));
    assert!(acme.parked(3).is_empty());
    assert!(acme.mark(Marked::User(user(1))).is_some());
    let added = acme.feed().iter().filter(|entry| entry["added"] == json!([value(1)])).count();
    assert_eq!(added, 3);
}

/// A user whose externalId comes later.
pub fn a_parked_member_is_bound_by_a_changed_external_id(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a"]).with_groups(&["X"]);
    let long = "x".repeat(300);
    acme.apply([add(1, &["ext", &long])]);
    acme.apply([put_user(1, "a", Some("ext"))]);
    assert_eq!((acme.users_of(1), acme.parked(1)), (vec![user(1)], vec![long.clone()]));
    // Bound once more, by a value that is too long for a key: still one membership.
    acme.apply([put_user(1, "a", Some(&long))]);
    assert_eq!((acme.users_of(1), acme.parked(1)), (vec![user(1)], vec![]));
    assert_eq!(acme.group(1).1, 1);
}

/// By the value that it was sent with, by a replacement, with its group.
pub fn a_parked_member_can_be_taken_back(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["X", "Y", "Z"]);
    acme.apply([add(1, &["ext", "kept"]), add(2, &["ext", "kept"]), add(3, &["ext"])]);
    acme.apply([remove(1, &["ext"])]);
    acme.apply([members(2, vec![MemberChange::Replace(texts(&["kept"]))])]);
    acme.delete_group(3);
    assert_eq!((acme.parked(1), acme.parked(2)), (texts(&["kept"]), texts(&["kept"])));
    acme.commit(acme.new_user(1, "a", Some("ext"))).unwrap();
    assert!(acme.users_of(1).is_empty() && acme.users_of(2).is_empty());
}

/// The story: the answer to a create carried the revision of a group that had waited for the
/// user, and so the user got a version that it never had.
pub fn binding_does_not_change_what_a_create_answers(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["X"]);
    for waiting in ["a", "b", "ext"] {
        acme.apply([add(1, &[waiting])]);
    }
    let committed = acme.commit(acme.new_user(1, "a", Some("ext"))).unwrap();
    assert_eq!((committed.revision, acme.group(1).0), (Some(1), 5));
}

/// It counts as a member, and is neither marked nor told of.
pub fn a_group_can_be_a_member(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a"]).with_groups(&["X", "Y"]);
    let nested = group(2).to_string();
    acme.apply([add(1, &[&nested, &value(1)]), add(2, &[&group(2).to_string()])]);
    let listed = acme.snapshot().members(acme.tenant, group(1), None, 9).unwrap();
    assert_eq!(listed, [Member::Group(group(2)), Member::User(user(1))]);
    assert_eq!(acme.group(1), (2, 2));
    assert_eq!(acme.feed().len(), 1);
    acme.delete_group(2);
    assert_eq!(acme.group(1), (3, 1));
    acme.apply([remove(1, &[&nested])]);
    assert_eq!(acme.group(1), (3, 1));
}

/// Their roles may hang on it.
pub fn a_deleted_group_marks_its_users(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b"]).with_groups(&["X", "Y"]);
    acme.apply([add(1, &[&value(1), "waiting"]), add(2, &[&value(1)])]);
    acme.clear(Marked::User(user(1)));
    acme.delete_group(1);
    assert!(acme.mark(Marked::User(user(1))).is_some());
    assert_eq!(acme.mark(Marked::User(user(2))), None);
    assert_eq!(groups_of(&acme, user(1)), [group(2)]);
    let snapshot = acme.snapshot();
    assert_eq!(snapshot.group_by_name(acme.tenant, "X").unwrap(), None);
    assert_eq!(snapshot.counts(acme.tenant).unwrap().groups, 1);
    // The name is free, and a new group of it starts empty.
    acme.apply([new_group(3, "x")]);
    assert!(acme.users_of(3).is_empty());
}
