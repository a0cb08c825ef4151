//! Explaining a role: which rules lost, and what leaving a group would change.
//!
//! Made from the same facts as the decision, whenever somebody asks; nothing of it is kept.

use jiff::Timestamp;
use serde::Serialize;

use crate::account::{Account, Rule};
use crate::decide::{Decision, Facts, decide_role};
use crate::id::GroupId;
use crate::mapping::RoleRules;

/// A rule that would have given a role, had no other come before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostRule {
    /// Which kind.
    pub rule: Rule,
    /// For [`Rule::Mapping`]: which one, from 0.
    pub mapping: Option<usize>,
    /// For [`Rule::Mapping`]: the group, as the mapping names it.
    pub group: Option<String>,
    /// The role that it gives.
    pub role: String,
}

/// What an account would have if it left one of its groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IfLeft {
    /// The role it would have.
    pub role: Option<String>,
    /// The rule that would give it.
    pub rule: Rule,
    /// Whether that is another role than it has now.
    pub changes: bool,
}

/// Why the rules give what they give now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the rules give now. An account that is pending, held or set by hand may have another
    /// role.
    pub decision: Decision,
    /// The rules that matched and did not win, the strongest first.
    pub lost: Vec<LostRule>,
    /// Without each group, in the order that the groups were given in.
    pub if_left: Vec<IfLeft>,
}

/// Explains what the rules give an account that is in `groups`.
pub fn explain(
    account: &Account,
    groups: &[GroupId],
    rules: &RoleRules,
    now: Timestamp,
) -> Explanation {
    let decide = |groups: &[GroupId]| {
        let facts = Facts { status: account.status, lock: account.lock.as_ref(), groups, now };
        decide_role(&facts, rules)
    };
    let decision = decide(groups);
    let lost = if account.role.is_some() || decision.role.is_some() {
        lost_rules(account, &decision, groups, rules, now)
    } else {
        Vec::new()
    };
    let mut matching = rules.mappings.iter().filter_map(|mapping| mapping.group);
    // Only the first match can lose the role with its group.
    let winner = matching.find(|group| groups.contains(group));
    let without = |left: &GroupId| {
        let next = if decision.rule == Rule::Mapping && winner == Some(*left) {
            let rest: Vec<GroupId> = groups.iter().copied().filter(|group| group != left).collect();
            decide(&rest)
        } else {
            decision.clone()
        };
        IfLeft { changes: next.role != account.role, role: next.role, rule: next.rule }
    };
    let if_left = groups.iter().map(without).collect();
    Explanation { decision, lost, if_left }
}

fn lost_rules(
    account: &Account,
    decision: &Decision,
    groups: &[GroupId],
    rules: &RoleRules,
    now: Timestamp,
) -> Vec<LostRule> {
    let plain = |rule: Rule, role: &str| LostRule {
        rule,
        mapping: None,
        group: None,
        role: role.to_owned(),
    };
    let mut lost = Vec::new();
    if decision.rule == Rule::Lock && account.status == crate::account::Status::Disabled {
        lost.push(plain(Rule::Disabled, &rules.disabled_role));
    }
    if decision.rule != Rule::Lock
        && let Some(lock) = account.lock.as_ref().filter(|lock| lock.holds_at(now))
    {
        lost.push(plain(Rule::Lock, &lock.role));
    }
    let matches = rules.mappings.iter().enumerate().filter(|(position, mapping)| {
        decision.mapping != Some(*position)
            && mapping.group.is_some_and(|group| groups.contains(&group))
    });
    lost.extend(matches.map(|(position, mapping)| LostRule {
        rule: Rule::Mapping,
        mapping: Some(position),
        group: Some(mapping.label.clone()),
        role: mapping.role.clone(),
    }));
    if decision.rule != Rule::Default {
        lost.push(plain(Rule::Default, &rules.default_role));
    }
    lost
}
