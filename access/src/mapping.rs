//! Role mappings bound to the groups they mean.
//!
//! A mapping by name is bound to the first group of that name and stays with it through a rename:
//! otherwise a rename would take everybody's role, and a group that took the old name would give
//! it to others. When the bound group is deleted, the next one of that name is bound. The
//! bindings are kept beside the settings; this file says how they change.

use std::collections::BTreeMap;

use scim::casefold::fold;
use serde::{Deserialize, Serialize};

use crate::id::GroupId;
use crate::settings::Settings;

/// Which group each mapping by name means: folded name → group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bindings(BTreeMap<String, GroupId>);

impl Bindings {
    /// The group that a mapping by `name` means.
    pub fn get(&self, name: &str) -> Option<GroupId> {
        self.0.get(&fold(name)).copied()
    }

    /// All groups that mappings by name mean.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.0.values().copied()
    }

    /// The groups that a name means now and did not mean before. Their members are owed a
    /// decision, also where another name meant the same group all along.
    pub fn gained_since(&self, before: &Self) -> impl Iterator<Item = GroupId> {
        let changed = |(name, group): &(&String, &GroupId)| before.0.get(*name) != Some(*group);
        self.0.iter().filter(changed).map(|(_, group)| *group)
    }

    /// The bindings under changed settings: those of names still mapped are kept, names that are
    /// new bind to the group that has that name now (`find`), if any.
    #[must_use]
    pub fn rebind(
        &self,
        settings: &Settings,
        mut find: impl FnMut(&str) -> Option<GroupId>,
    ) -> Self {
        let names = settings.role_mappings.iter().filter_map(|mapping| mapping.group.as_deref());
        let bound = names.filter_map(|name| {
            let name = fold(name);
            let group = self.0.get(&name).copied().or_else(|| find(&name))?;
            Some((name, group))
        });
        Self(bound.collect())
    }

    /// The bindings once `group` has the name `name`: it is bound if a mapping waits for that
    /// name. Answers none where nothing changes.
    #[must_use]
    pub fn group_named(&self, settings: &Settings, group: GroupId, name: &str) -> Option<Self> {
        let name = fold(name);
        let mut names =
            settings.role_mappings.iter().filter_map(|mapping| mapping.group.as_deref());
        if self.0.contains_key(&name) || !names.any(|mapped| fold(mapped) == name) {
            return None;
        }
        let mut next = self.clone();
        next.0.insert(name, group);
        Some(next)
    }

    /// The bindings once `group` is deleted: the next group of the name, if there is one, takes
    /// its place. Answers none where nothing changes.
    #[must_use]
    pub fn group_deleted(
        &self,
        group: GroupId,
        mut find: impl FnMut(&str) -> Option<GroupId>,
    ) -> Option<Self> {
        if !self.0.values().any(|bound| *bound == group) {
            return None;
        }
        let next = self.0.iter().filter_map(|(name, bound)| {
            let holder = if *bound == group {
                find(name).filter(|found| *found != group)
            } else {
                Some(*bound)
            };
            Some((name.clone(), holder?))
        });
        Some(Self(next.collect()))
    }
}

/// One mapping, resolved: what [`crate::decide_role`] looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedMapping {
    /// The group it means; none while no such group was pushed.
    pub group: Option<GroupId>,
    /// The group's name as the mapping gives it, or its id.
    pub label: String,
    /// The role it gives.
    pub role: String,
}

/// A tenant's rules, ready to decide with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRules {
    /// See [`Settings::default_role`].
    pub default_role: String,
    /// See [`Settings::disabled_role`].
    pub disabled_role: String,
    /// See [`Settings::disable_overrides_lock`].
    pub disable_overrides_lock: bool,
    /// In order: the first that matches wins.
    pub mappings: Vec<ResolvedMapping>,
}

impl RoleRules {
    /// The rules that these settings and bindings make.
    pub fn new(settings: &Settings, bindings: &Bindings) -> Self {
        let resolve = |mapping: &crate::settings::RoleMapping| ResolvedMapping {
            group: mapping
                .group_id
                .or_else(|| mapping.group.as_deref().and_then(|name| bindings.get(name))),
            label: match (&mapping.group, mapping.group_id) {
                (Some(name), _) => name.clone(),
                (None, Some(id)) => id.to_string(),
                (None, None) => String::new(),
            },
            role: mapping.role.clone(),
        };
        Self {
            default_role: settings.default_role.clone(),
            disabled_role: settings.disabled_role.clone(),
            disable_overrides_lock: settings.disable_overrides_lock,
            mappings: settings.role_mappings.iter().map(resolve).collect(),
        }
    }

    /// The role that membership of `group` gives by itself: that of the first mapping to mean it.
    pub fn role_of(&self, group: GroupId) -> Option<&str> {
        let mapping = self.mappings.iter().find(|mapping| mapping.group == Some(group))?;
        Some(&mapping.role)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn group(n: u8) -> GroupId {
        GroupId::from_bytes([n; 16])
    }

    fn mapped() -> Settings {
        let patch = json!({"role_mappings": [{"group": "Admins", "role": "admin"}]});
        Settings::default().merge_patch(&patch).unwrap()
    }

    #[test]
    fn a_mapping_waits_for_its_group_and_ignores_case() {
        let bound = Bindings::default().group_named(&mapped(), group(1), "ADMINS").unwrap();
        assert_eq!(bound.get("admins"), Some(group(1)));
        assert_eq!(Bindings::default().group_named(&mapped(), group(1), "Others"), None);
    }

    #[test]
    fn another_group_that_takes_the_name_does_not_match() {
        let bound = Bindings::default().group_named(&mapped(), group(1), "Admins").unwrap();
        assert_eq!(bound.group_named(&mapped(), group(2), "Admins"), None);
    }

    #[test]
    fn when_the_bound_group_is_deleted_the_next_of_that_name_matches() {
        let bound = Bindings::default().group_named(&mapped(), group(1), "Admins").unwrap();
        let next = bound.group_deleted(group(1), |_| Some(group(2))).unwrap();
        assert_eq!(next.get("Admins"), Some(group(2)));
        // Still findable by name in the same transaction: the deleted group itself is no answer.
        let none = bound.group_deleted(group(1), |_| Some(group(1))).unwrap();
        assert_eq!(none.get("Admins"), None);
        assert_eq!(bound.group_deleted(group(9), |_| None), None);
    }

    #[test]
    fn changed_settings_keep_the_bindings_of_names_that_stay() {
        let bound = Bindings::default().group_named(&mapped(), group(1), "Admins").unwrap();
        let kept = bound.rebind(&mapped(), |_| Some(group(2)));
        assert_eq!(kept.get("Admins"), Some(group(1)));
        let gone = bound.rebind(&Settings::default(), |_| Some(group(2)));
        assert_eq!(gone, Bindings::default());
    }

    #[test]
    fn a_group_that_two_names_come_to_mean_is_gained_again() {
        let patch = json!({"role_mappings": [
            {"group": "Admins", "role": "admin"}, {"group": "Staff", "role": "loanee"},
        ]});
        let settings = Settings::default().merge_patch(&patch).unwrap();
        let staff = Bindings::default().group_named(&settings, group(1), "Staff").unwrap();
        let both = staff.group_named(&settings, group(1), "Admins").unwrap();
        assert_eq!(both.gained_since(&staff).collect::<Vec<_>>(), [group(1)]);
        assert_eq!(both.gained_since(&both).count(), 0);
    }

    #[test]
    fn a_mapping_by_id_needs_no_binding() {
        let id = GroupId::new(Timestamp::UNIX_EPOCH);
        let patch = json!({"role_mappings": [{"group_id": id, "role": "admin"}]});
        let settings = Settings::default().merge_patch(&patch).unwrap();
        let rules = RoleRules::new(&settings, &Bindings::default());
        assert_eq!(rules.role_of(id), Some("admin"));
    }
}
