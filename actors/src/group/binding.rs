//! Keeping the bindings of role mappings while groups come, go and change their names.

use access::{Bindings, GroupId, Settings};
use store::{Marked, Operation};

/// What keeps changed bindings, and marks the group that was bound: its members are owed a
/// decision.
pub(crate) fn operations(
    settings: &Settings,
    rebound: Option<Bindings>,
    group: GroupId,
) -> impl Iterator<Item = Operation> + use<> {
    let kept = rebound.map(|bindings| {
        let settings = Box::new(settings.clone());
        [Operation::PutConfig { settings, bindings }, Operation::Mark(Marked::Group(group))]
    });
    kept.into_iter().flatten()
}

/// The groups that are bound now and were not before.
pub(crate) fn gained(before: &Bindings, after: &Bindings) -> Vec<GroupId> {
    after.groups().filter(|group| !before.groups().any(|bound| bound == *group)).collect()
}
