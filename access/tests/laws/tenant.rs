//! A small tenant in memory: what the service does, with nothing but the pure functions.

use std::collections::{BTreeMap, BTreeSet};

use access::lifecycle::{self, Changed, Moment};
use access::projection::Profile;
use access::{
    Account, Bindings, Event, GroupId, Lock, RoleRules, Settings, Status, UserId, WaveId,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::history::{Act, Request};

pub(crate) const USERS: u8 = 5;
pub(crate) const GROUPS: u8 = 4;
pub(crate) const NAMES: u8 = 5;

/// The group that a slot holds now.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: String,
}

/// A tenant with slots for a few users and groups.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    pub(crate) bindings: Bindings,
    pub(crate) users: BTreeMap<u8, UserId>,
    pub(crate) groups: BTreeMap<u8, Group>,
    pub(crate) members: BTreeSet<(GroupId, UserId)>,
    pub(crate) accounts: BTreeMap<UserId, Account>,
    /// Touched in the open wave.
    pub(crate) pending: BTreeSet<UserId>,
    pub(crate) feed: Vec<Event>,
    ids: u8,
}

impl Tenant {
    pub(crate) fn new(disable_overrides_lock: bool) -> Self {
        let patch = json!({"disable_overrides_lock": disable_overrides_lock});
        Self {
            now: Timestamp::UNIX_EPOCH,
            settings: Settings::default().merge_patch(&patch).unwrap(),
            bindings: Bindings::default(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            members: BTreeSet::new(),
            accounts: BTreeMap::new(),
            pending: BTreeSet::new(),
            feed: Vec::new(),
            ids: 0,
        }
    }

    pub(crate) fn name(n: u8) -> String {
        format!("Name {}", n % NAMES)
    }

    fn fresh(&mut self) -> [u8; 16] {
        self.ids += 1;
        [self.ids; 16]
    }

    pub(crate) fn rules(&self) -> RoleRules {
        RoleRules::new(&self.settings, &self.bindings)
    }

    fn moment(&self, in_wave: bool) -> Moment {
        let wave = in_wave.then(|| WaveId::from_bytes([255; 16]));
        Moment { now: self.now, wave, request: None }
    }

    pub(crate) fn groups_of(&self, user: UserId) -> Vec<GroupId> {
        self.members.iter().filter(|(_, member)| *member == user).map(|(group, _)| *group).collect()
    }

    pub(crate) fn named(&self, name: &str) -> Option<GroupId> {
        let mut groups = self.groups.values();
        groups.find(|group| group.name.eq_ignore_ascii_case(name)).map(|group| group.id)
    }

    fn keep(&mut self, changed: Changed) {
        let Changed { account, events } = changed;
        self.accounts.insert(account.id, account);
        self.feed.extend(events);
    }

    pub(crate) fn reconcile(&mut self, user: UserId) {
        let groups = self.groups_of(user);
        let moment = self.moment(true);
        let changed = lifecycle::reconcile(&self.accounts[&user], &groups, &self.rules(), moment);
        self.keep(changed);
    }

    /// The wave has settled: every account it touched is reconciled.
    pub(crate) fn settle(&mut self) {
        self.now += SignedDuration::from_mins(1);
        for user in std::mem::take(&mut self.pending) {
            self.reconcile(user);
        }
    }

    /// Every account that is not pending is reconciled.
    pub(crate) fn sweep(&mut self) {
        let settled = |user: &UserId| !self.pending.contains(user);
        let users: Vec<UserId> = self.accounts.keys().copied().filter(settled).collect();
        for user in users {
            self.reconcile(user);
        }
    }

    // --- the directory ---------------------------------------------------------------------------

    /// One SCIM write; one that makes no sense now is refused, which changes nothing.
    pub(crate) fn request(&mut self, request: &Request) {
        self.now += SignedDuration::from_secs(1);
        match *request {
            Request::Create(slot, active) => self.create(slot, active),
            Request::SetActive(slot, active) => self.set_active(slot, active),
            Request::Delete(slot) => self.delete(slot),
            Request::Join(group, user) => self.change_member(group, user, true),
            Request::Leave(group, user) => self.change_member(group, user, false),
            Request::Push(slot, name) => self.push_group(slot, &Self::name(name)),
            Request::Rename(slot, name) => self.rename_group(slot, &Self::name(name)),
            Request::DeleteGroup(slot) => self.delete_group(slot),
        }
    }

    fn create(&mut self, slot: u8, active: bool) {
        if self.users.contains_key(&slot) {
            return;
        }
        let id = UserId::from_bytes(self.fresh());
        let profile = Profile { user_name: format!("user-{slot}"), ..Profile::default() };
        let created = lifecycle::create(id, profile, active, &self.rules(), self.moment(true));
        self.keep(created);
        self.users.insert(slot, id);
        self.pending.insert(id);
    }

    fn set_active(&mut self, slot: u8, active: bool) {
        let Some(user) = self.users.get(&slot).copied() else { return };
        let account = &self.accounts[&user];
        let profile = Profile { user_name: account.user_name.clone(), ..Profile::default() };
        let changed = lifecycle::update(account, profile, active, &self.rules(), self.moment(true));
        self.keep(changed);
        self.pending.insert(user);
    }

    fn delete(&mut self, slot: u8) {
        let Some(user) = self.users.remove(&slot) else { return };
        let deleted = lifecycle::delete(&self.accounts[&user], self.moment(true));
        self.keep(deleted);
        self.members.retain(|(_, member)| *member != user);
        self.pending.remove(&user);
    }

    fn change_member(&mut self, group: u8, user: u8, joins: bool) {
        let (Some(group), Some(user)) = (self.groups.get(&group), self.users.get(&user)) else {
            return;
        };
        let row = (group.id, *user);
        let changed = if joins { self.members.insert(row) } else { self.members.remove(&row) };
        if changed {
            self.pending.insert(*user);
        }
    }

    fn touch_members(&mut self, group: GroupId) {
        let members = self.members.iter().filter(|(of, _)| *of == group);
        self.pending.extend(members.map(|(_, user)| *user));
    }

    fn push_group(&mut self, slot: u8, name: &str) {
        if self.groups.contains_key(&slot) || self.named(name).is_some() {
            return;
        }
        let id = GroupId::from_bytes(self.fresh());
        self.groups.insert(slot, Group { id, name: name.to_owned() });
        self.take_name(id, name);
    }

    fn rename_group(&mut self, slot: u8, name: &str) {
        if self.named(name).is_some() {
            return;
        }
        let Some(group) = self.groups.get_mut(&slot) else { return };
        name.clone_into(&mut group.name);
        let id = group.id;
        self.take_name(id, name);
    }

    fn take_name(&mut self, group: GroupId, name: &str) {
        if let Some(next) = self.bindings.group_named(&self.settings, group, name) {
            self.bindings = next;
            self.touch_members(group);
        }
    }

    fn delete_group(&mut self, slot: u8) {
        let Some(group) = self.groups.remove(&slot) else { return };
        self.touch_members(group.id);
        self.members.retain(|(of, _)| *of != group.id);
        if let Some(next) = self.bindings.group_deleted(group.id, |name| self.named(name)) {
            let gained: Vec<GroupId> = next.groups().collect();
            self.bindings = next;
            for group in gained {
                self.touch_members(group);
            }
        }
    }

    // --- the operator ----------------------------------------------------------------------------

    /// One act of an operator; one that is refused changes nothing.
    pub(crate) fn act(&mut self, act: &Act) {
        self.now += SignedDuration::from_secs(1);
        match act {
            Act::Lock(slot) => self.manual(*slot, |account, groups, rules, moment| {
                let lock = Lock {
                    role: "pinned".into(),
                    reason: None,
                    by: "operator".into(),
                    since: moment.now,
                    expires_at: None,
                };
                lifecycle::lock(account, lock, groups, rules, moment).ok()
            }),
            Act::Unlock(slot) => self.manual(*slot, |account, groups, rules, moment| {
                lifecycle::unlock(account, "operator", groups, rules, moment).ok()
            }),
            Act::SetRole(slot) => self.manual(*slot, |account, _, _, moment| {
                lifecycle::set_role(account, "by-hand", moment).ok()
            }),
            Act::Map(order) => self.map(order),
            Act::Sweep => self.sweep(),
        }
    }

    fn manual(
        &mut self,
        slot: u8,
        act: impl FnOnce(&Account, &[GroupId], &RoleRules, Moment) -> Option<Changed>,
    ) {
        let Some(user) = self.users.get(&slot) else { return };
        let groups = self.groups_of(*user);
        let changed = act(&self.accounts[user], &groups, &self.rules(), self.moment(false));
        if let Some(changed) = changed {
            self.keep(changed);
        }
    }

    /// Maps these names, in this order, each to a role of its own; applied at once to all but the
    /// pending.
    fn map(&mut self, order: &[u8]) {
        let mapping = |n: &u8| json!({"group": Self::name(*n), "role": format!("role-{n}")});
        let mappings: Vec<Value> = order.iter().map(mapping).collect();
        let settings = self.settings.merge_patch(&json!({"role_mappings": mappings})).unwrap();
        self.bindings = self.bindings.rebind(&settings, |name| self.named(name));
        self.settings = settings;
        self.sweep();
    }

    // --- what can be seen ------------------------------------------------------------------------

    pub(crate) fn roles(&self) -> BTreeMap<UserId, Option<String>> {
        self.accounts.iter().map(|(user, account)| (*user, account.role.clone())).collect()
    }

    /// Users by slot, with what a role depends on; for tenants whose ids differ.
    pub(crate) fn roles_by_slot(&self) -> BTreeMap<u8, Option<String>> {
        self.users.iter().map(|(slot, user)| (*slot, self.accounts[user].role.clone())).collect()
    }

    pub(crate) fn is(&self, slot: u8, status: Status) -> bool {
        self.users.get(&slot).is_some_and(|user| self.accounts[user].status == status)
    }
}
