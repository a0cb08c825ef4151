//! The life of an account: what a request, an operator or a reconciliation makes of it.
//!
//! Each function takes the account as it is and answers what it becomes, with the events that
//! tell of it; nothing is changed in place. The timing rules live here: a create, a disable and a
//! delete act at once, everything else that the directory sends waits for the wave to settle.

use jiff::Timestamp;
use serde_json::Value;

use crate::account::{Account, Lock, Rule, Shadow, Status, Why};
use crate::brake::{self, Withheld, WithheldReason};
use crate::decide::{Decision, Facts, decide_role};
use crate::event::{Event, EventType};
use crate::id::{GroupId, HoldId, RequestId, UserId, WaveId};
use crate::mapping::RoleRules;
use crate::projection::Profile;

/// An account after a change, and what tells of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// What the account becomes.
    pub account: Account,
    /// What the feed says of it, in order. Empty where nothing an app would see has changed.
    pub events: Vec<Event>,
}

/// When something happens, and in which wave.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// The wave whose request or reconciliation this is; none for an operator's act.
    pub wave: Option<WaveId>,
    /// The request behind it, if there is one.
    pub request: Option<RequestId>,
}

/// Why an operator's act was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManualError {
    /// A lock pins the role.
    #[error("the account is locked; unlock it first")]
    Locked,
    /// A disabled account has the disabled role.
    #[error(
        "the account is disabled; its role is the disabled role until the directory enables it"
    )]
    Disabled,
    /// A deleted account has no role.
    #[error("the account is deleted")]
    Deleted,
}

impl Moment {
    fn why(self, decision: &Decision) -> Why {
        Why {
            rule: decision.rule,
            mapping: decision.mapping,
            group: decision.group.clone(),
            since: self.now,
            wave: self.wave,
            request: self.request,
        }
    }

    /// Why, for a rule that no mapping is behind.
    fn why_plain(self, rule: Rule) -> Why {
        self.why(&Decision { role: None, rule, mapping: None, group: None })
    }
}

/// A new user's account: the default role at once, the disabled role if made inactive. Groups are
/// not looked at; a membership that waited for this user counts when the wave has settled.
pub fn create(
    id: UserId,
    profile: Profile,
    active: bool,
    rules: &RoleRules,
    moment: Moment,
) -> Changed {
    let status = if active { Status::Active } else { Status::Disabled };
    let facts = Facts { status, lock: None, groups: &[], now: moment.now };
    let decision = decide_role(&facts, rules);
    let why = moment.why(&decision);
    let event = Event::account(EventType::AccountCreated, id)
        .with("user_name", profile.user_name.as_str())
        .with("status", if active { "active" } else { "disabled" })
        .with("to", decision.role.clone())
        .with_why(&why);
    let account = Account {
        id,
        user_name: profile.user_name,
        external_id: profile.external_id,
        display_name: profile.display_name,
        email: profile.email,
        status,
        status_since: moment.now,
        role: decision.role,
        lock: None,
        shadow: None,
        why,
        withheld: None,
        fields: profile.fields,
        created_at: moment.now,
        revision: 0,
    };
    Changed { account, events: vec![event] }
}

/// The account after its user was changed by the directory. A disable acts at once; a user
/// enabled again keeps the disabled role until the wave has settled.
pub fn update(
    account: &Account,
    profile: Profile,
    active: bool,
    rules: &RoleRules,
    moment: Moment,
) -> Changed {
    let mut next = account.clone();
    let mut events = Vec::new();
    events.extend(take_profile(&mut next, profile));
    match (account.status, active) {
        (Status::Active, false) => {
            next.status = Status::Disabled;
            next.status_since = moment.now;
            let before = next.role.clone();
            decide(&mut next, &[], rules, moment);
            note_shadow(&mut next, &[], rules, moment);
            events.push(
                Event::account(EventType::AccountDisabled, next.id)
                    .with_roles(before.as_deref(), next.role.as_deref())
                    .with("revoke_sessions", true)
                    .with_why(&next.why),
            );
        }
        (Status::Disabled, true) => {
            next.status = Status::Active;
            next.status_since = moment.now;
            events.push(Event::account(EventType::AccountEnabled, next.id));
        }
        _ => {}
    }
    Changed { account: next, events }
}

/// The account with its profile read anew, as after a change of `field_mappings`.
pub fn reproject(account: &Account, profile: Profile) -> Changed {
    let mut next = account.clone();
    let events = take_profile(&mut next, profile).into_iter().collect();
    Changed { account: next, events }
}

/// The account after its user was deleted: no access, and the lock dies with it.
pub fn delete(account: &Account, moment: Moment) -> Changed {
    let mut next = account.clone();
    next.status = Status::Deleted;
    next.status_since = moment.now;
    next.lock = None;
    next.shadow = None;
    next.withheld = None;
    next.role = None;
    next.why = moment.why_plain(Rule::Deleted);
    let event = Event::account(EventType::AccountDeleted, next.id)
        .with("user_name", next.user_name.as_str())
        .with_roles(account.role.as_deref(), None)
        .with("revoke_sessions", true)
        .with_why(&next.why);
    Changed { account: next, events: vec![event] }
}

/// The account with the role that the rules give now. The only way a group comes to count. A lock
/// that has ended goes; a change that is withheld stays so while its reason counts.
pub fn reconcile(
    account: &Account,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Changed {
    let (mut next, mut events) = without_ended_lock(account, moment);
    let decision = decision_on(&next, groups, rules, moment);
    let stays = next
        .withheld
        .as_ref()
        .is_some_and(|withheld| withheld.still_counts(&next, &decision, groups, rules));
    match &mut next.withheld {
        // What an operator is asked to approve is what the rules give by now.
        Some(withheld) if stays => withheld.update(&decision, groups, rules),
        _ => take(&mut next, decision, moment),
    }
    note_shadow(&mut next, groups, rules, moment);
    events.extend(role_changed(account, &next));
    Changed { account: next, events }
}

/// The account as it is, with the change that the rules call for withheld. Nobody hears of it: no
/// role changes.
pub fn withhold(
    account: &Account,
    reason: WithheldReason,
    hold: Option<HoldId>,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Changed {
    let (mut next, events) = without_ended_lock(account, moment);
    let decision = decision_on(&next, groups, rules, moment);
    let known = next.withheld.take().filter(|known| known.reason == reason && known.hold == hold);
    let since = known.map_or(moment.now, |known| known.since);
    let decided_on = brake::decided_on(groups, rules);
    next.withheld = Some(Withheld::new(reason, hold, &decision, since, decided_on));
    note_shadow(&mut next, groups, rules, moment);
    Changed { account: next, events }
}

/// The account as it is, with nothing withheld: what becomes of it is to be decided anew.
pub fn unheld(account: &Account) -> Changed {
    Changed { account: Account { withheld: None, ..account.clone() }, events: Vec::new() }
}

/// The account with the change made that was withheld.
pub fn release(
    account: &Account,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Changed {
    let free = Account { withheld: None, ..account.clone() };
    reconcile(&free, groups, rules, moment)
}

/// The account locked: to the lock's role at once, unless it is disabled and disabling comes
/// first.
pub fn lock(
    account: &Account,
    lock: Lock,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Result<Changed, ManualError> {
    if account.status == Status::Deleted {
        return Err(ManualError::Deleted);
    }
    let mut next = account.clone();
    let mut event = Event::account(EventType::AccountLocked, next.id)
        .with("role", lock.role.as_str())
        .with("by", lock.by.as_str());
    if let Some(reason) = &lock.reason {
        event = event.with("reason", reason.as_str());
    }
    next.lock = Some(lock);
    decide(&mut next, groups, rules, moment);
    note_shadow(&mut next, groups, rules, moment);
    let mut events = vec![event];
    events.extend(role_changed(account, &next));
    Ok(Changed { account: next, events })
}

/// The account without its lock: the rules apply at once. An account that is not locked stays as
/// it is.
pub fn unlock(
    account: &Account,
    by: &str,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Result<Changed, ManualError> {
    if account.status == Status::Deleted {
        return Err(ManualError::Deleted);
    }
    let mut next = account.clone();
    if next.lock.take().is_none() {
        return Ok(Changed { account: next, events: Vec::new() });
    }
    next.shadow = None;
    decide(&mut next, groups, rules, moment);
    let mut events = vec![Event::account(EventType::AccountUnlocked, next.id).with("by", by)];
    events.extend(role_changed(account, &next));
    Ok(Changed { account: next, events })
}

/// The account with a role set by hand, until its next reconciliation.
pub fn set_role(account: &Account, role: &str, moment: Moment) -> Result<Changed, ManualError> {
    match account.status {
        Status::Deleted => return Err(ManualError::Deleted),
        Status::Disabled => return Err(ManualError::Disabled),
        Status::Active if account.is_locked_at(moment.now) => return Err(ManualError::Locked),
        Status::Active => {}
    }
    let mut next = account.clone();
    next.role = Some(role.to_owned());
    next.withheld = None;
    next.why = moment.why_plain(Rule::Manual);
    let events = role_changed(account, &next).into_iter().collect();
    Ok(Changed { account: next, events })
}

/// The account, and what to tell, once a lock that has ended is off it.
fn without_ended_lock(account: &Account, moment: Moment) -> (Account, Vec<Event>) {
    let mut next = account.clone();
    let mut events = Vec::new();
    if next.lock.take_if(|lock| !lock.holds_at(moment.now)).is_some() {
        next.shadow = None;
        events.push(Event::account(EventType::AccountUnlocked, next.id).with("by", "expiry"));
    }
    (next, events)
}

/// What the rules give the account now.
pub fn decision_on(
    account: &Account,
    groups: &[GroupId],
    rules: &RoleRules,
    moment: Moment,
) -> Decision {
    let lock = account.lock.as_ref();
    decide_role(&Facts { status: account.status, lock, groups, now: moment.now }, rules)
}

/// Keeps in mind what the rules would give an account that is locked.
fn note_shadow(account: &mut Account, groups: &[GroupId], rules: &RoleRules, moment: Moment) {
    if !account.is_locked_at(moment.now) {
        account.shadow = None;
        return;
    }
    let facts = Facts { status: account.status, lock: None, groups, now: moment.now };
    let role = decide_role(&facts, rules).role.unwrap_or_default();
    let since = account.shadow.as_ref().and_then(|shadow| shadow.differs_since);
    let differs = account.role.as_ref() != Some(&role);
    let differs_since = differs.then(|| since.unwrap_or(moment.now));
    account.shadow = Some(Shadow { role, differs_since });
}

/// Puts the role that the rules give into `account`.
fn decide(account: &mut Account, groups: &[GroupId], rules: &RoleRules, moment: Moment) {
    let decision = decision_on(account, groups, rules, moment);
    take(account, decision, moment);
}

/// Puts a decided role into `account`. `since` stays while rule, group and role do.
fn take(account: &mut Account, decision: Decision, moment: Moment) {
    account.withheld = None;
    let same = account.role == decision.role
        && account.why.rule == decision.rule
        && account.why.group == decision.group;
    if same {
        // Only the position may differ, when mappings were put in another order.
        account.why.mapping = decision.mapping;
    } else {
        account.why = moment.why(&decision);
        account.role = decision.role;
    }
}

fn role_changed(before: &Account, after: &Account) -> Option<Event> {
    (before.role != after.role).then(|| {
        Event::account(EventType::AccountRoleChanged, after.id)
            .with_roles(before.role.as_deref(), after.role.as_deref())
            .with_why(&after.why)
    })
}

fn take_profile(account: &mut Account, profile: Profile) -> Option<Event> {
    let mut changed: Vec<Value> = Vec::new();
    if account.user_name != profile.user_name {
        changed.push("user_name".into());
    }
    if account.external_id != profile.external_id {
        changed.push("external_id".into());
    }
    if account.display_name != profile.display_name {
        changed.push("display_name".into());
    }
    if account.email != profile.email {
        changed.push("email".into());
    }
    if account.fields != profile.fields {
        changed.push("fields".into());
    }
    if changed.is_empty() {
        return None;
    }
    account.user_name = profile.user_name;
    account.external_id = profile.external_id;
    account.display_name = profile.display_name;
    account.email = profile.email;
    account.fields = profile.fields;
    Some(Event::account(EventType::AccountUpdated, account.id).with("changed", changed))
}
