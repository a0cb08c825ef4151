//! Laws about roles.

use std::collections::{BTreeMap, BTreeSet};

use access::{Event, EventType, Rule, Status, UserId};
use proptest::prelude::*;

use crate::history::{Act, Request, Step, maps, moves, steps};
use crate::tenant::{GROUPS, Tenant, USERS};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) }
}

fn step(tenant: &mut Tenant, step: &Step) {
    match step {
        Step::Request(request) => tenant.request(request),
        Step::Act(act) => tenant.act(act),
        Step::Settle => tenant.settle(),
    }
}

fn live(disable_overrides_lock: bool, history: &[Step]) -> Tenant {
    let mut tenant = Tenant::new(disable_overrides_lock);
    for next in history {
        step(&mut tenant, next);
    }
    tenant
}

/// Every account's role, from the entries that have `to`.
fn replay(feed: &[Event]) -> BTreeMap<UserId, Option<String>> {
    let with_to = feed.iter().filter_map(|event| Some((event, event.data.get("to")?)));
    let role = |(event, to): (&Event, &serde_json::Value)| {
        let user = event.data["account"].as_str().unwrap().parse().unwrap();
        (user, to.as_str().map(str::to_owned))
    };
    with_to.map(role).collect()
}

/// Whose roles differ.
fn changed(before: &Tenant, after: &Tenant) -> BTreeSet<UserId> {
    let (before, after) = (before.roles(), after.roles());
    let differs = |user: &&UserId| before.get(*user) != after.get(*user);
    after.keys().filter(differs).copied().collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn reconciling_twice_is_reconciling_once(history in steps(), overrides in any::<bool>()) {
        let mut tenant = live(overrides, &history);
        tenant.settle();
        tenant.sweep();
        let once = tenant.clone();

        tenant.now += jiff::SignedDuration::from_hours(1);
        tenant.sweep();

        prop_assert_eq!(&tenant.accounts, &once.accounts);
        prop_assert_eq!(tenant.feed.len(), once.feed.len());
    }

    /// The marks miss nobody: a sweep after the wave finds only what was changed by hand.
    #[test]
    fn a_settled_wave_leaves_a_sweep_nothing_to_do(history in steps(), overrides in any::<bool>()) {
        let by_hand = |step: &Step| matches!(step, Step::Act(Act::SetRole(_)));
        let history: Vec<Step> = history.into_iter().filter(|step| !by_hand(step)).collect();
        let mut tenant = live(overrides, &history);
        tenant.settle();
        let settled = tenant.roles();

        tenant.sweep();

        prop_assert_eq!(tenant.roles(), settled);
    }

    #[test]
    fn the_order_of_requests_within_a_wave_does_not_matter(
        order in maps(),
        one_way in prop::collection::vec(moves(), 0..40),
        other_way in prop::collection::vec(moves(), 0..40),
        members in prop::collection::btree_set((0..GROUPS, 0..USERS), 0..12),
        active in prop::collection::vec(any::<bool>(), usize::from(USERS)),
        locked in prop::collection::btree_set(0..USERS, 0..3),
        backwards in any::<bool>())
    {
        let mut tenant = Tenant::new(true);
        tenant.act(&order);
        (0..USERS).for_each(|user| tenant.request(&Request::Create(user, true)));
        (0..GROUPS).for_each(|group| tenant.request(&Request::Push(group, group)));
        tenant.settle();
        for user in &locked {
            tenant.act(&Act::Lock(*user));
        }

        // Two waves that end with the same groups and the same active users.
        let mut target: Vec<Request> = Vec::new();
        for user in 0..USERS {
            target.push(Request::SetActive(user, active[usize::from(user)]));
            for group in 0..GROUPS {
                let stays = members.contains(&(group, user));
                target.push(if stays { Request::Join(group, user) } else { Request::Leave(group, user) });
            }
        }
        let mut other = tenant.clone();
        one_way.iter().chain(&target).for_each(|request| tenant.request(request));
        if backwards {
            target.reverse();
        }
        other_way.iter().chain(&target).for_each(|request| other.request(request));
        tenant.settle();
        other.settle();

        prop_assert_eq!(tenant.roles_by_slot(), other.roles_by_slot());
    }

    #[test]
    fn a_lock_wins_over_every_mapping(history in steps(), overrides in any::<bool>()) {
        let mut tenant = Tenant::new(overrides);
        for next in &history {
            step(&mut tenant, next);
            for account in tenant.accounts.values() {
                let pinned = account.lock.is_some() && account.status == Status::Active;
                // One that was enabled again waits for the wave, as everybody does.
                let waits = account.why.rule == Rule::Disabled && tenant.pending.contains(&account.id);
                if pinned && !waits {
                    prop_assert_eq!(account.role.as_deref(), Some("pinned"));
                }
            }
        }
    }

    #[test]
    fn a_disabled_account_never_has_another_role(history in steps()) {
        let mut tenant = Tenant::new(true);
        for next in &history {
            step(&mut tenant, next);
            for account in tenant.accounts.values() {
                match account.status {
                    Status::Disabled => prop_assert_eq!(account.role.as_deref(), Some("disabled")),
                    Status::Deleted => prop_assert_eq!(&account.role, &None),
                    Status::Active => prop_assert!(account.role.is_some()),
                }
            }
        }
    }

    #[test]
    fn a_locked_account_that_was_disabled_comes_back_to_the_locked_role(
        history in steps(), user in 0..USERS, overrides in any::<bool>())
    {
        let mut tenant = live(overrides, &history);
        tenant.request(&Request::Create(user, true));
        tenant.act(&Act::Lock(user));
        tenant.request(&Request::SetActive(user, false));
        prop_assert!(tenant.is(user, Status::Disabled));
        let role = tenant.roles_by_slot()[&user].clone().unwrap();
        prop_assert_eq!(role, if overrides { "disabled" } else { "pinned" });

        tenant.request(&Request::SetActive(user, true));
        tenant.settle();

        let role = tenant.roles_by_slot()[&user].clone().unwrap();
        prop_assert_eq!(role, "pinned");
    }

    #[test]
    fn where_disabling_does_not_override_it_the_lock_wins(history in steps()) {
        let mut tenant = Tenant::new(false);
        for next in &history {
            step(&mut tenant, next);
            let locked = tenant.accounts.values().filter(|account| account.lock.is_some());
            for account in locked.filter(|account| account.status == Status::Disabled) {
                prop_assert_eq!(account.role.as_deref(), Some("pinned"));
            }
        }
    }

    #[test]
    fn the_feed_replayed_from_zero_gives_every_accounts_role(
        history in steps(), overrides in any::<bool>())
    {
        let mut tenant = Tenant::new(overrides);
        for next in &history {
            step(&mut tenant, next);
            prop_assert_eq!(replay(&tenant.feed), tenant.roles());
        }
        // And each entry takes up where the one before left off.
        let mut roles: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        for event in tenant.feed.iter().filter(|event| event.data.contains_key("to")) {
            let account = event.data["account"].as_str().unwrap().to_owned();
            let before = roles.insert(account, event.data["to"].clone());
            prop_assert_eq!(event.data.get("from").cloned(), before);
            let is_first = event.kind == EventType::AccountCreated;
            prop_assert_eq!(is_first, !event.data.contains_key("from"));
        }
    }

    #[test]
    fn before_its_wave_has_settled_a_write_changes_only_the_role_it_must(
        history in steps(), overrides in any::<bool>())
    {
        let mut tenant = Tenant::new(overrides);
        for next in &history {
            let before = tenant.clone();
            step(&mut tenant, next);
            let changed = changed(&before, &tenant);
            let allowed: BTreeSet<UserId> = match next {
                Step::Request(
                    Request::Create(user, _) | Request::SetActive(user, false) | Request::Delete(user),
                ) => [&before, &tenant].iter().filter_map(|at| at.users.get(user)).copied().collect(),
                Step::Request(_) => BTreeSet::new(),
                Step::Act(Act::Lock(user) | Act::Unlock(user) | Act::SetRole(user)) => {
                    tenant.users.get(user).copied().into_iter().collect()
                }
                Step::Act(Act::Map(_) | Act::Sweep) => {
                    changed.difference(&before.pending).copied().collect()
                }
                Step::Settle => before.pending.clone(),
            };
            prop_assert!(changed.is_subset(&allowed), "{changed:?} at {next:?}");
        }
    }
}
