//! Names, external ids and revisions of users, groups and accounts.

use access::Status;
use scim::schema::ResourceType;

use super::fixture::{
    Fixture, account, add, group, new_group, put_group, put_user, record, user, value,
};
use crate::{CommitError, Expected, Operation, Refusal, Store};

fn taken(attribute: &'static str) -> Refusal {
    Refusal::NotUnique { attribute }
}

/// `ß` and `SS` are one, `İ` and its small form are one.
pub fn a_user_name_is_unique_without_regard_to_case(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["Straße@x.example", "İpek", "bob"]);
    for (number, name) in
        [(10, "STRASSE@X.example"), (11, "strasse@x.example"), (12, "i\u{307}pek"), (13, "BOB")]
    {
        let refused = acme.commit(acme.new_user(number, name, None)).unwrap_err();
        assert_eq!(refused, CommitError::Refused(taken("userName")), "{name}");
    }
    assert_eq!(acme.user_named("STRASSE@x.EXAMPLE"), Some(user(1)));
    assert_eq!(acme.user_named("ipek"), None);
    assert_eq!(acme.snapshot().counts(acme.tenant).unwrap().users, 3);
}

/// Folding is for comparing only.
pub fn a_name_is_kept_as_sent(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["StraßE"]).with_groups(&["ÄDMINS"]);
    let kept = acme.snapshot().user(acme.tenant, user(1)).unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.body), ("StraßE", record("StraßE", None).body));
    let kept = acme.snapshot().group(acme.tenant, group(1)).unwrap().unwrap();
    assert_eq!(kept.name, "ÄDMINS");
}

/// Two groups cannot have one displayName.
pub fn a_group_name_is_unique(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["Admins"]);
    assert_eq!(acme.refused(new_group(2, "ADMINS")), taken("displayName"));
    assert_eq!(acme.snapshot().group_by_name(acme.tenant, "admins").unwrap(), Some(group(1)));
    // A user may be called as a group is.
    acme.commit(acme.new_user(1, "admins", None)).unwrap();
}

/// Somebody else can take it at once, also in the same change.
pub fn a_rename_frees_the_old_name(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["old"]).with_groups(&["Old"]);
    acme.apply([put_user(1, "new", None), put_group(1, "New"), new_group(2, "old")]);
    acme.commit(acme.new_user(2, "OLD", None)).unwrap();
    assert_eq!((acme.user_named("old"), acme.user_named("new")), (Some(user(2)), Some(user(1))));
    assert_eq!(acme.refused(put_user(1, "Old", None)), taken("userName"));
}

/// It is still the same name.
pub fn a_rename_that_changes_only_case_is_taken(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["staff"]);
    let names_before = acme.snapshot().config(acme.tenant).unwrap().unwrap().group_names;
    acme.apply([put_user(1, "Bob", None), put_group(1, "Staff")]);
    assert_eq!(acme.user_named("bob"), Some(user(1)));
    assert_eq!(acme.snapshot().user(acme.tenant, user(1)).unwrap().unwrap().name, "Bob");
    let config = acme.snapshot().config(acme.tenant).unwrap().unwrap();
    assert_eq!(config.group_names, names_before);
}

/// Both are handed in before either is answered.
pub fn the_second_of_two_creates_leaves_no_trace(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["Staff"]);
    acme.apply([add(1, &["ext-2"])]);
    let first = acme.new_user(1, "bob", Some("ext-1"));
    let mut second = acme.new_user(2, "another", Some("ext-2"));
    second = second.with(add(1, &[&value(1)])).with(put_user(2, "BOB", Some("ext-2")));
    let answers = acme.commit_all(vec![first, second]);

    assert!(answers[0].is_ok());
    assert_eq!(answers[1], Err(CommitError::Refused(taken("userName"))));
    let snapshot = acme.snapshot();
    assert_eq!(snapshot.user(acme.tenant, user(2)).unwrap(), None);
    assert_eq!(snapshot.account(acme.tenant, user(2)).unwrap(), None);
    assert_eq!(acme.user_named("another"), None);
    let found = snapshot.by_external_id(acme.tenant, ResourceType::User, "ext-2", 9).unwrap();
    assert!(found.is_empty());
    assert_eq!((acme.users_of(1), acme.parked(1)), (vec![], vec!["ext-2".to_owned()]));
    assert_eq!(snapshot.counts(acme.tenant).unwrap().users, 1);
}

/// Every change of a resource counts, and only from the revision that was read.
pub fn a_revision_that_moved_is_refused(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["Staff"]);
    let put = |revision| Operation::PutUser {
        id: user(1),
        expected: Expected::Revision(revision),
        record: record("bob", None),
    };
    assert_eq!(acme.apply([put(1)]).revision, Some(2));
    assert_eq!(acme.refused(put(1)), Refusal::RevisionMoved);
    let delete = Operation::DeleteUser { id: user(1), expected: Expected::Revision(1) };
    assert_eq!(acme.refused(delete), Refusal::RevisionMoved);
    let join = |revision| Operation::ChangeMembers {
        group: group(1),
        expected: Expected::Revision(revision),
        changes: vec![crate::MemberChange::Add(vec![value(1)])],
    };
    assert_eq!(acme.apply([join(1)]).revision, Some(2));
    assert_eq!(acme.refused(join(1)), Refusal::RevisionMoved);
    let delete = Operation::DeleteGroup { id: group(1), expected: Expected::Revision(1) };
    assert_eq!(acme.refused(delete), Refusal::RevisionMoved);
}

/// A create never overwrites, a change never creates.
pub fn absent_and_present_are_checked(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["Staff"]);
    let again = acme.commit(acme.new_user(1, "other", None)).unwrap_err();
    assert_eq!(again, CommitError::Refused(Refusal::Exists));
    assert_eq!(acme.refused(new_group(1, "Other")), Refusal::Exists);
    let revision = Operation::PutUser {
        id: user(2),
        expected: Expected::Revision(1),
        record: record("x", None),
    };
    let gone = [
        put_user(2, "x", None),
        revision,
        put_group(2, "X"),
        Operation::DeleteUser { id: user(2), expected: Expected::Present },
        Operation::DeleteGroup { id: group(2), expected: Expected::Present },
        add(2, &[&value(1)]),
    ];
    for operation in gone {
        assert_eq!(acme.refused(operation), Refusal::Gone);
    }
}

/// So a user who is deleted can be pushed again.
pub fn a_delete_frees_name_and_external_id(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    acme.commit(acme.new_user(1, "bob", Some("ext"))).unwrap();
    acme.delete_user(1);
    let snapshot = acme.snapshot();
    assert_eq!(acme.user_named("bob"), None);
    let by_external_id = snapshot.by_external_id(acme.tenant, ResourceType::User, "ext", 9);
    assert!(by_external_id.unwrap().is_empty());
    assert_eq!(snapshot.user(acme.tenant, user(1)).unwrap(), None);
    let account = snapshot.account(acme.tenant, user(1)).unwrap().unwrap();
    assert_eq!(account.status, Status::Deleted);

    acme.commit(acme.new_user(2, "BOB", Some("ext"))).unwrap();
    assert_eq!(acme.user_named("bob"), Some(user(2)));
}

/// An externalId need not be unique; whom a member's value means must not depend on what else is
/// in the transaction.
pub fn the_oldest_of_an_external_id_comes_first(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["Staff"]);
    acme.commit(acme.new_user(1, "a", Some("ext"))).unwrap();
    let younger = acme.new_user(2, "b", Some("ext")).with(add(1, &["ext"]));
    acme.commit(younger).unwrap();
    assert_eq!(acme.users_of(1), [user(1)]);
    let found = acme.snapshot().by_external_id(acme.tenant, ResourceType::User, "ext", 9).unwrap();
    assert_eq!(found, [*user(1).as_bytes(), *user(2).as_bytes()]);
}

/// Two reconciliations cannot both write.
pub fn an_account_is_changed_only_from_the_revision_that_was_read(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let read = acme.snapshot().account(acme.tenant, user(1)).unwrap().unwrap();
    assert_eq!(read.revision, 1);
    let put =
        |revision| Operation::PutAccount(Box::new(account(user(1), Status::Active, revision)));
    acme.apply([put(1)]);
    assert_eq!(acme.refused(put(1)), Refusal::RevisionMoved);
    assert_eq!(acme.refused(put(0)), Refusal::RevisionMoved);
    let accounts = acme.snapshot().accounts(acme.tenant, None, 9).unwrap();
    assert_eq!(accounts, [account(user(1), Status::Active, 2)]);
}
