//! Brakes: which changes of a role a pass does not make by itself.
//!
//! Two things are worth a human's look. When one wave or sweep would take mapped roles away from a
//! large share of a tenant's accounts, something has probably gone wrong in the directory: those
//! changes are *held* until an operator approves or rejects them. And the last active account in a
//! protected role keeps it, whatever its groups say, so that nobody is locked out.
//!
//! Disabling and deleting are never held: they act at once, when the directory asks for them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::{Account, Rule, Status};
use crate::decide::Decision;
use crate::id::{GroupId, HoldId, WaveId};
use crate::mapping::RoleRules;
use crate::settings;

/// Why an account keeps a role that the rules do not give it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithheldReason {
    /// The change is part of a mass change that waits for an operator.
    Held,
    /// An operator rejected the change; it comes back when groups or rules change again.
    Rejected,
    /// The account is the last active one in a protected role.
    LastProtected,
}

/// A change of role that is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// Why not.
    pub reason: WithheldReason,
    /// The mass change that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// The role that the rules give.
    pub role: String,
    /// Since when it is not made.
    pub since: Timestamp,
    /// A hash of the groups and rules that it was decided on.
    pub decided_on: u64,
}

impl Withheld {
    /// A change to `decision` that is not made.
    pub fn new(
        reason: WithheldReason,
        hold: Option<HoldId>,
        decision: &Decision,
        since: Timestamp,
        decided_on: u64,
    ) -> Self {
        let role = decision.role.clone().unwrap_or_default();
        Self { reason, hold, role, since, decided_on }
    }

    /// The same, now that the rules give `decision`.
    pub(crate) fn update(&mut self, decision: &Decision, groups: &[GroupId], rules: &RoleRules) {
        self.role = decision.role.clone().unwrap_or_default();
        self.decided_on = decided_on(groups, rules);
    }

    /// Whether the account still keeps its role, now that the rules give `decision`.
    pub(crate) fn still_counts(
        &self,
        account: &Account,
        decision: &Decision,
        groups: &[GroupId],
        rules: &RoleRules,
    ) -> bool {
        match self.reason {
            WithheldReason::Held => takes_mapped_role(account, decision, rules),
            WithheldReason::Rejected => self.decided_on == decided_on(groups, rules),
            // Somebody else may have the role by now: each pass looks again.
            WithheldReason::LastProtected => false,
        }
    }
}

/// A hash of what a role by groups depends on. Kept, so it must never change its meaning.
pub fn decided_on(groups: &[GroupId], rules: &RoleRules) -> u64 {
    let mut groups: Vec<GroupId> = groups.to_vec();
    groups.sort_unstable();
    let mut bytes: Vec<u8> = groups.iter().flat_map(|group| *group.as_bytes()).collect();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(u8::MAX);
    };
    text(&mut bytes, &rules.default_role);
    for mapping in &rules.mappings {
        text(&mut bytes, &mapping.role);
        let group = mapping.group.unwrap_or(GroupId::from_bytes([0; 16]));
        bytes.extend_from_slice(group.as_bytes());
    }
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// Whether a change takes a role away that a mapping gave: to the default role, or to that of a
/// later mapping. (Mappings are ordered by precedence, so an earlier one is no loss.) A role that
/// no mapping gives any more was taken by whoever changed the settings.
pub fn takes_mapped_role(account: &Account, decision: &Decision, rules: &RoleRules) -> bool {
    let (Some(role), Status::Active, Rule::Mapping) =
        (&account.role, account.status, account.why.rule)
    else {
        return false;
    };
    if decision.role.as_ref() == Some(role) {
        return false;
    }
    let position = |of: &str| rules.mappings.iter().position(|mapping| mapping.role == of);
    match (position(role), decision.mapping) {
        (Some(before), Some(after)) => after > before,
        (Some(_), None) => decision.rule == Rule::Default,
        (None, _) => false,
    }
}

/// The protected role that a change takes an active account out of, if it does.
pub fn leaves_protected_role<'a>(
    account: &Account,
    decision: &Decision,
    protected_roles: &'a [String],
) -> Option<&'a str> {
    let role = account.role.as_ref().filter(|_| account.status == Status::Active)?;
    let leaves = decision.role.as_ref() != Some(role);
    protected_roles.iter().find(|protected| *protected == role && leaves).map(String::as_str)
}

impl settings::Hold {
    /// Whether so many lost roles among so many accounts wait for an operator.
    #[expect(clippy::cast_precision_loss, reason = "a share of a count that fits by far")]
    pub fn applies_to(&self, lost: u64, accounts: u64) -> bool {
        accounts >= u64::from(self.min_accounts) && lost as f64 > self.share * accounts as f64
    }
}

/// What has become of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// It waits for an operator.
    Open,
    /// Its changes were made, or are being made.
    Approved,
    /// Its changes are not made.
    Rejected,
    /// All its accounts were given their roles back by the directory meanwhile.
    Lapsed,
}

/// A mass change that waits, or waited, for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id; newer ones sort later.
    pub id: HoldId,
    /// What has become of it.
    pub state: HoldState,
    /// Since when it waits.
    pub opened_at: Timestamp,
    /// What kind of pass would have made the changes.
    pub trigger: String,
    /// The wave, if one brought it about.
    #[serde(default)]
    pub wave: Option<WaveId>,
    /// How many accounts were to lose a mapped role.
    pub accounts: u64,
    /// How many accounts there were.
    pub of: u64,
    /// When it was approved or rejected, or lapsed.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// Who approved or rejected it.
    #[serde(default)]
    pub closed_by: Option<String>,
    /// When what was decided had reached all its accounts.
    #[serde(default)]
    pub done_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_of_enough_accounts_is_held() {
        let hold = settings::Hold { share: 0.5, min_accounts: 100 };
        assert!(!hold.applies_to(50, 100));
        assert!(hold.applies_to(51, 100));
        assert!(!hold.applies_to(99, 99));
        assert!(!settings::Hold { share: 1.0, min_accounts: 0 }.applies_to(7, 7));
    }
}
