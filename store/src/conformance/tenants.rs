//! Tenants: made, deleted, purged, and kept apart.

use scim::schema::ResourceType;

use super::fixture::{Fixture, add, at, tenant_id, token, user};
use crate::{Changeset, CommitError, Committed, Marked, Operation, Refusal, Store, TenantKey};

fn of_the_service(store: &dyn Store, operation: Operation) -> Result<Committed, CommitError> {
    let change = Changeset::new(TenantKey::SERVICE, at(0), None).with(operation);
    store.commit(change).wait_blocking()
}

fn delete(store: &dyn Store, id: &str) -> Result<Committed, CommitError> {
    of_the_service(store, Operation::DeleteTenant { id: tenant_id(id) })
}

fn purge(store: &dyn Store, tenant: TenantKey, rows_max: usize) -> bool {
    of_the_service(store, Operation::Purge { tenant, rows_max }).unwrap().more_to_purge
}

/// With the operator's.
pub fn tokens_are_kept_and_deleted(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    acme.apply([Operation::PutToken(Box::new(token(1)))]);
    let kept = acme.snapshot().tokens(acme.tenant, None, 9).unwrap();
    assert_eq!(kept, [token(0), token(1)]);
    let rest = acme.snapshot().tokens(acme.tenant, Some(token(0).id), 9).unwrap();
    assert_eq!(rest, [token(1)]);
    acme.apply([Operation::DeleteToken(token(0).id)]);
    assert_eq!(acme.snapshot().token(acme.tenant, token(0).id).unwrap(), None);
    assert_eq!(acme.refused(Operation::DeleteToken(token(0).id)), Refusal::Gone);

    assert_eq!(acme.snapshot().operator_token().unwrap(), None);
    of_the_service(store, Operation::PutOperatorToken([9; 32])).unwrap();
    assert_eq!(acme.snapshot().operator_token().unwrap(), Some([9; 32]));
}

/// And one that was deleted stays so.
pub fn a_token_expires_never_later_than_it_would_anyway(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let expire = |second| Operation::ExpireToken { token: token(0).id, at: at(second) };
    let end = || acme.snapshot().token(acme.tenant, token(0).id).unwrap().unwrap().expires_at;
    acme.apply([expire(200)]);
    assert_eq!(end(), Some(at(200)));
    let entry = acme.audit().pop().unwrap();
    assert_eq!(entry["changes"][0]["object"], "token");
    acme.apply([expire(300)]);
    assert_eq!(end(), Some(at(200)));
    acme.apply([Operation::DeleteToken(token(0).id)]);
    assert_eq!(acme.refused(expire(100)), Refusal::Gone);
}

/// Also after the tenant with the highest number was deleted.
pub fn a_tenants_id_is_unique_and_its_number_is_never_used_again(store: &dyn Store) {
    let mut numbers = vec![Fixture::new(store, "acme").tenant];
    let name = String::new();
    let again = Operation::CreateTenant { id: tenant_id("acme"), name, token: Box::new(token(5)) };
    let refused = of_the_service(store, again).unwrap_err();
    assert_eq!(refused, CommitError::Refused(Refusal::NotUnique { attribute: "id" }));
    for _ in 0..3 {
        let other = Fixture::new(store, "other").tenant;
        numbers.push(other);
        delete(store, "other").unwrap();
        while purge(store, other, 100) {}
    }
    numbers.dedup();
    assert!(numbers.len() == 4 && numbers.is_sorted());
    let tenants = store.snapshot().unwrap().tenants(None, 9).unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!((tenants[0].id.as_str(), tenants[0].name.as_str()), ("acme", "ACME"));
}

/// Whatever was on its way.
pub fn a_deleted_tenant_takes_no_changes(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    let delete = Changeset::new(TenantKey::SERVICE, at(0), None)
        .with(Operation::DeleteTenant { id: tenant_id("acme") });
    let late = acme.new_user(2, "late", None);
    let answers = acme.commit_all(vec![delete.clone(), late, delete]);
    assert!(answers[0].is_ok());
    assert_eq!(answers[1], Err(CommitError::Refused(Refusal::NoTenant)));
    assert_eq!(answers[2], Err(CommitError::Refused(Refusal::NoTenant)));
    assert_eq!(acme.refused(Operation::Mark(Marked::Tenant)), Refusal::NoTenant);
    let snapshot = acme.snapshot();
    assert_eq!(snapshot.tenant(&tenant_id("acme")).unwrap(), None);
    assert_eq!(snapshot.config(acme.tenant).unwrap(), None);
    assert_eq!(snapshot.tenants_to_purge().unwrap(), [acme.tenant]);
}

/// Each is short, and the neighbours stay.
pub fn a_purge_goes_in_pieces_and_ends(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["a", "b", "c"]).with_groups(&["X"]);
    let other = Fixture::new(store, "other").with_users(&["a"]);
    // Not one that exists.
    assert!(!purge(store, other.tenant, 100));
    delete(store, "acme").unwrap();
    let pieces = (1..100).find(|_| !purge(store, acme.tenant, 4)).unwrap();
    assert!(pieces > 2);
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.tenants_to_purge().unwrap().is_empty());
    assert_eq!(snapshot.user(acme.tenant, user(1)).unwrap(), None);
    assert_eq!(snapshot.account(acme.tenant, user(1)).unwrap(), None);
    assert!(snapshot.user(other.tenant, user(1)).unwrap().is_some());
    assert_eq!(other.user_named("a"), Some(user(1)));
}

/// Before the purge as after it.
pub fn a_tenant_made_anew_sees_nothing_of_the_old_one(store: &dyn Store) {
    let old = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["X"]);
    old.apply([add(1, &["ext"]), Operation::Mark(Marked::Tenant)]);
    delete(store, "acme").unwrap();
    let new = Fixture::new(store, "acme");
    let snapshot = new.snapshot();
    assert_eq!(new.user_named("bob"), None);
    assert_eq!(snapshot.counts(new.tenant).unwrap(), crate::snapshot::Counts::default());
    assert!(snapshot.marks(new.tenant, None, 9).unwrap().is_empty());
    assert!(snapshot.accounts(new.tenant, None, 9).unwrap().is_empty());
    new.commit(new.new_user(1, "Bob", Some("ext"))).unwrap();
    while purge(store, old.tenant, 3) {}
    assert_eq!(new.user_named("bob"), Some(user(1)));
    assert!(new.snapshot().groups_of(new.tenant, user(1)).unwrap().is_empty());
}

/// The same names, ids and external ids, and none leads across.
pub fn tenants_do_not_see_each_other(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_groups(&["Staff"]);
    let other = Fixture::new(store, "other").with_groups(&["Staff"]);
    other.apply([add(1, &["ext"])]);
    acme.commit(acme.new_user(1, "bob", Some("ext"))).unwrap();
    assert!(other.users_of(1).is_empty());
    assert_eq!(other.user_named("bob"), None);
    let found = other.snapshot().by_external_id(other.tenant, ResourceType::User, "ext", 9);
    assert!(found.unwrap().is_empty());

    other.commit(other.new_user(2, "bob", Some("ext"))).unwrap();
    acme.delete_group(1);
    assert_eq!((acme.user_named("bob"), other.user_named("bob")), (Some(user(1)), Some(user(2))));
    assert_eq!(other.users_of(1), [user(2)]);
    assert_eq!((acme.feed().len(), other.feed().len()), (0, 1));
    let mut seen = Vec::new();
    let visit = |id, _| {
        seen.push(id);
        std::ops::ControlFlow::Continue(())
    };
    acme.snapshot().resources(acme.tenant, ResourceType::User, None, visit).unwrap();
    assert_eq!(seen, [*user(1).as_bytes()]);
}

/// The story: the counters that the change itself had moved were written behind the deletion, and
/// the tenant took changes again.
pub fn a_change_that_deletes_its_own_tenant_leaves_no_counters(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let delete = Operation::DeleteTenant { id: tenant_id("acme") };
    acme.apply([Operation::Mark(Marked::Tenant), delete]);
    assert_eq!(acme.refused(Operation::Mark(Marked::Tenant)), Refusal::NoTenant);
    while purge(store, acme.tenant, 2) {}
}
