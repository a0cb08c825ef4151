//! The decision: which role an account has, and why.
//!
//! One pure function over plain facts. It knows no history: the same facts give the same role, so
//! the order of requests within a wave cannot matter and reconciling twice is reconciling once.

use jiff::Timestamp;

use crate::account::{Lock, Rule, Status};
use crate::id::GroupId;
use crate::mapping::RoleRules;

/// What a role depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whether the directory lets the user in.
    pub status: Status,
    /// The account's lock, whether or not it has expired.
    pub lock: Option<&'a Lock>,
    /// The groups that hold the user, in any order.
    pub groups: &'a [GroupId],
    /// When the decision is made.
    pub now: Timestamp,
}

/// A role, and the rule that gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The role; none for a deleted account.
    pub role: Option<String>,
    /// The rule that won.
    pub rule: Rule,
    /// For [`Rule::Mapping`]: which one, from 0.
    pub mapping: Option<usize>,
    /// For [`Rule::Mapping`]: the group's name as the mapping gives it, or its id.
    pub group: Option<String>,
}

impl Decision {
    fn plain(role: &str, by: Rule) -> Self {
        Self { role: Some(role.to_owned()), rule: by, mapping: None, group: None }
    }
}

/// Decides a role: deleted, then disabled, then locked, then the first mapping whose group holds
/// the user, then the default. Where `disable_overrides_lock` is false, a lock comes before
/// disabled.
pub fn decide_role(facts: &Facts<'_>, rules: &RoleRules) -> Decision {
    let lock = facts.lock.filter(|lock| lock.holds_at(facts.now));
    match (facts.status, lock) {
        (Status::Deleted, _) => {
            Decision { role: None, rule: Rule::Deleted, mapping: None, group: None }
        }
        (Status::Disabled, Some(lock)) if !rules.disable_overrides_lock => {
            Decision::plain(&lock.role, Rule::Lock)
        }
        (Status::Disabled, _) => Decision::plain(&rules.disabled_role, Rule::Disabled),
        (Status::Active, Some(lock)) => Decision::plain(&lock.role, Rule::Lock),
        (Status::Active, None) => by_groups(facts.groups, rules),
    }
}

fn by_groups(groups: &[GroupId], rules: &RoleRules) -> Decision {
    let mut mappings = rules.mappings.iter().enumerate();
    let holds = |group: Option<GroupId>| group.is_some_and(|group| groups.contains(&group));
    match mappings.find(|(_, mapping)| holds(mapping.group)) {
        Some((position, mapping)) => Decision {
            role: Some(mapping.role.clone()),
            rule: Rule::Mapping,
            mapping: Some(position),
            group: Some(mapping.label.clone()),
        },
        None => Decision::plain(&rules.default_role, Rule::Default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::ResolvedMapping;

    const STAFF: GroupId = GroupId::from_bytes([1; 16]);
    const ADMINS: GroupId = GroupId::from_bytes([2; 16]);

    fn rules() -> RoleRules {
        let mapping = |group, label: &str, role: &str| ResolvedMapping {
            group,
            label: label.into(),
            role: role.into(),
        };
        RoleRules {
            default_role: "default".into(),
            disabled_role: "disabled".into(),
            disable_overrides_lock: true,
            mappings: vec![
                mapping(None, "Not pushed yet", "owner"),
                mapping(Some(ADMINS), "Admins", "admin"),
                mapping(Some(STAFF), "Staff", "loanee"),
            ],
        }
    }

    fn lock(expires_at: Option<i64>) -> Lock {
        Lock {
            role: "pinned".into(),
            reason: None,
            by: "operator".into(),
            since: Timestamp::UNIX_EPOCH,
            expires_at: expires_at.map(|s| Timestamp::from_second(s).unwrap()),
        }
    }

    fn role(status: Status, lock: Option<&Lock>, groups: &[GroupId], rules: &RoleRules) -> String {
        let facts = Facts { status, lock, groups, now: Timestamp::from_second(100).unwrap() };
        decide_role(&facts, rules).role.unwrap_or_else(|| "none".into())
    }

    #[test]
    fn the_first_mapping_whose_group_holds_the_user_wins() {
        let decision = decide_role(
            &Facts {
                status: Status::Active,
                lock: None,
                groups: &[STAFF, ADMINS],
                now: Timestamp::UNIX_EPOCH,
            },
            &rules(),
        );
        assert_eq!(decision.role.as_deref(), Some("admin"));
        assert_eq!((decision.mapping, decision.group.as_deref()), (Some(1), Some("Admins")));
        assert_eq!(role(Status::Active, None, &[STAFF], &rules()), "loanee");
        assert_eq!(role(Status::Active, None, &[], &rules()), "default");
    }

    #[test]
    fn a_lock_pins_the_role_and_disabled_comes_before_it() {
        let lock = lock(None);
        assert_eq!(role(Status::Active, Some(&lock), &[ADMINS], &rules()), "pinned");
        assert_eq!(role(Status::Disabled, Some(&lock), &[ADMINS], &rules()), "disabled");
        let lenient = RoleRules { disable_overrides_lock: false, ..rules() };
        assert_eq!(role(Status::Disabled, Some(&lock), &[ADMINS], &lenient), "pinned");
        assert_eq!(role(Status::Deleted, Some(&lock), &[ADMINS], &lenient), "none");
    }

    #[test]
    fn an_expired_lock_pins_nothing() {
        assert_eq!(role(Status::Active, Some(&lock(Some(101))), &[], &rules()), "pinned");
        assert_eq!(role(Status::Active, Some(&lock(Some(100))), &[], &rules()), "default");
    }
}
