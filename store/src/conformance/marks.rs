//! Dirty marks, and what a change can require.

use access::Bindings;
use access::settings::Settings;

use super::fixture::{Fixture, add, at, group, new_group, put_group, user, value};
use crate::{CommitError, Marked, Operation, Refusal, Requirement, Store};

const BOB: fn() -> Marked = || Marked::User(user(1));

/// Also when the mark was cleared, or its user deleted, in between.
pub fn a_generation_never_comes_back(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["X"]);
    let mut last = 0;
    for marked in [BOB(), BOB(), Marked::Tenant, BOB()] {
        acme.apply([Operation::Mark(marked)]);
        let generation = acme.mark(marked).unwrap().generation;
        assert!(generation > last);
        last = generation;
        acme.clear(marked);
        assert_eq!(acme.mark(marked), None);
    }
    acme.apply([add(1, &[&value(1)])]);
    acme.delete_user(1);
    acme.apply([Operation::Mark(Marked::Tenant)]);
    assert!(acme.mark(Marked::Tenant).unwrap().generation > last + 1);
}

/// Nobody waits for ever in a wave that goes on.
pub fn the_first_touch_stays(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    acme.commit(acme.change_at(5, [Operation::Mark(BOB())])).unwrap();
    acme.commit(acme.change_at(9, [Operation::Mark(BOB())])).unwrap();
    assert_eq!(acme.mark(BOB()).unwrap().first_touched, at(5));
    acme.clear(BOB());
    acme.commit(acme.change_at(12, [Operation::Mark(BOB())])).unwrap();
    assert_eq!(acme.mark(BOB()).unwrap().first_touched, at(12));
}

/// A touch in between is never forgotten.
pub fn a_mark_is_cleared_only_if_nobody_touched_it(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]);
    acme.apply([Operation::Mark(BOB())]);
    let read = acme.mark(BOB()).unwrap().generation;
    let clear = Operation::ClearMark { marked: BOB(), generation: read };
    let answers =
        acme.commit_all(vec![acme.change([Operation::Mark(BOB())]), acme.change([clear.clone()])]);
    assert!(answers.iter().all(Result::is_ok));
    let mark = acme.mark(BOB()).unwrap();
    assert_ne!(mark.generation, read);
    assert_eq!(acme.snapshot().marks(acme.tenant, None, 9).unwrap(), [(BOB(), mark)]);
    acme.clear(BOB());
    acme.apply([clear]);
    assert_eq!(acme.mark(BOB()), None);
}

/// Settings, the names of groups, and marks: each is looked at inside the transaction.
pub fn requirements_refuse_what_moved(store: &dyn Store) {
    let acme = Fixture::new(store, "acme").with_users(&["bob"]).with_groups(&["X"]);
    let config = acme.snapshot().config(acme.tenant).unwrap().unwrap();
    let try_with = |requirement: Requirement| {
        let change = acme.change([Operation::Mark(Marked::Tenant)]);
        acme.commit(change.requiring(requirement))
    };
    let refused = |refusal| Err(CommitError::Refused(refusal));
    let settings = Requirement::Config(config.revision);
    let names = Requirement::GroupNames(config.group_names);
    assert!(try_with(settings.clone()).is_ok() && try_with(names.clone()).is_ok());

    let changed = Settings { default_role: "guest".into(), ..Settings::default() };
    let put =
        Operation::PutConfig { settings: Box::new(changed.clone()), bindings: Bindings::default() };
    acme.apply([put]);
    assert_eq!(try_with(settings), refused(Refusal::ConfigMoved));
    assert_eq!(acme.snapshot().config(acme.tenant).unwrap().unwrap().settings, changed);

    let mut names = names;
    let moves = [
        new_group(2, "Y"),
        put_group(2, "Z"),
        Operation::DeleteGroup { id: group(2), expected: crate::Expected::Present },
    ];
    for operation in moves {
        assert!(try_with(names.clone()).is_ok());
        acme.apply([operation]);
        assert_eq!(try_with(names), refused(Refusal::ConfigMoved));
        let config = acme.snapshot().config(acme.tenant).unwrap().unwrap();
        names = Requirement::GroupNames(config.group_names);
    }

    let unmarked = Requirement::UserMark { user: user(1), generation: None };
    assert!(try_with(unmarked.clone()).is_ok());
    acme.apply([Operation::Mark(BOB())]);
    assert_eq!(try_with(unmarked), refused(Refusal::MarkMoved));
    let generation = Some(acme.mark(BOB()).unwrap().generation);
    let marked = Requirement::UserMark { user: user(1), generation };
    assert!(try_with(marked.clone()).is_ok());
    acme.apply([Operation::Mark(BOB())]);
    assert_eq!(try_with(marked), refused(Refusal::MarkMoved));
}

/// In the transaction that names the group, so that groups pushed all at once do not wait for each
/// other; its members are owed a decision.
pub fn a_group_is_bound_to_the_mapping_that_waits_for_its_name(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let patch = serde_json::json!({"role_mappings": [
        {"group": "Admins", "role": "admin"}, {"group": "Staff", "role": "loanee"},
    ]});
    let settings = Box::new(Settings::default().merge_patch(&patch).unwrap());
    acme.apply([Operation::PutConfig { settings, bindings: Bindings::default() }]);
    let bound = |name: &str| {
        let config = acme.snapshot().config(acme.tenant).unwrap();
        config.and_then(|config| config.bindings.get(name))
    };

    let pushed = ["Admins", "staff", "Others"].into_iter().zip(1..);
    let changes = pushed.map(|(name, number)| acme.change([new_group(number, name)])).collect();
    let rebound = acme.commit_all(changes).into_iter().map(|done| done.unwrap().rebound);
    assert_eq!(rebound.collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((bound("ADMINS"), bound("Staff")), (Some(group(1)), Some(group(2))));
    assert!(acme.mark(Marked::Group(group(1))).is_some());
    assert!(acme.mark(Marked::Group(group(3))).is_none());

    // It stays bound through a rename; who takes the old name is bound when it is deleted.
    acme.apply([put_group(1, "Renamed")]);
    acme.apply([put_group(3, "Admins")]);
    assert_eq!(bound("Admins"), Some(group(1)));
    acme.delete_group(1);
    assert_eq!(bound("Admins"), Some(group(3)));
    assert!(acme.mark(Marked::Group(group(3))).is_some());
    acme.delete_group(3);
    assert_eq!(bound("Admins"), None);
}
