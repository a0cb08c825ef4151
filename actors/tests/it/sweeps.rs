//! Sweeps: everybody is put back, and a settled wave has left them nothing to do.

use access::UserId;
use proptest::prelude::*;
use serde_json::json;

use crate::test_tenant::{TestTenant, mins, secs};

#[tokio::test(start_paused = true)]
async fn a_role_changed_by_hand_is_put_back_between_sweep_min_and_sweep_max() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.advance(mins(2)).await;
    acme.set_role(user, "admin").await.unwrap();

    acme.advance(secs(18 * 60 - 1)).await;
    assert_eq!(acme.role_of(user), "admin");
    acme.advance(mins(20) + secs(2)).await;
    assert_eq!(acme.role_of(user), "default");

    // And again after that, for as long as the service runs.
    for _ in 0..5 {
        acme.set_role(user, "admin").await.unwrap();
        acme.advance(mins(40) + secs(1)).await;
        assert_eq!(acme.role_of(user), "default");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_leaves_the_pending_to_their_wave() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    acme.change_settings(json!({"reconcile": {"max_delay": "3h"}})).await;
    let by_hand = acme.create_user("by-hand").await;
    let pending = acme.create_user("pending").await;
    let noise = acme.create_user("noise").await;
    let staff = acme.create_group("Staff", &[]).await;
    acme.settle().await;
    acme.set_role(by_hand, "admin").await.unwrap();
    acme.add_member(staff, pending).await;

    for turn in 0..90 {
        acme.set(noise, "title", json!(turn.to_string())).await.unwrap();
        acme.advance(secs(30)).await;
    }

    assert_eq!(acme.role_of(by_hand), "default");
    assert_eq!(acme.role_of(pending), "default");
    assert!(acme.is_pending(pending));
    acme.settle().await;
    assert_eq!(acme.role_of(pending), "loanee");
}

/// One thing that happens to a small tenant.
#[derive(Debug, Clone)]
enum Act {
    Join(usize, usize),
    Leave(usize, usize),
    Disable(usize),
    Enable(usize),
    Lock(usize),
    Unlock(usize),
    Rename(usize, usize),
    Map(Vec<usize>),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (user, group) = (0..6_usize, 0..4_usize);
    let act = prop_oneof![
        4 => (group.clone(), user.clone()).prop_map(|(group, user)| Act::Join(group, user)),
        3 => (group.clone(), user.clone()).prop_map(|(group, user)| Act::Leave(group, user)),
        1 => user.clone().prop_map(Act::Disable),
        1 => user.clone().prop_map(Act::Enable),
        1 => user.clone().prop_map(Act::Lock),
        1 => user.prop_map(Act::Unlock),
        1 => (group, 0..6_usize).prop_map(|(group, name)| Act::Rename(group, name)),
        1 => Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle().prop_map(Act::Map),
        2 => (1..150_u64).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..60)
}

async fn live_through(acts: Vec<Act>) {
    let acme = TestTenant::new().await;
    let mut users: Vec<UserId> = Vec::new();
    for n in 0..6 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    let mut groups = Vec::new();
    for n in 0..4 {
        groups.push(acme.create_group(&format!("name-{n}"), &[]).await);
    }
    for act in acts {
        match act {
            Act::Join(group, user) => acme.add_member(groups[group], users[user]).await,
            Act::Leave(group, user) => acme.remove_member(groups[group], users[user]).await,
            Act::Disable(user) => acme.disable(users[user]).await,
            Act::Enable(user) => acme.enable(users[user]).await,
            Act::Lock(user) => drop(acme.lock(users[user], Some("pinned")).await.unwrap()),
            Act::Unlock(user) => drop(acme.unlock(users[user]).await.unwrap()),
            Act::Rename(group, name) => {
                // The name may be taken.
                let value = format!("name-{name}");
                let rename = json!({"op": "Replace", "path": "displayName", "value": value});
                let _ = acme.patch_group(groups[group], rename).await;
            }
            Act::Map(order) => {
                let mapping =
                    |n: &usize| json!({"group": format!("name-{n}"), "role": format!("role-{n}")});
                let mappings: Vec<_> = order.iter().take(4).map(mapping).collect();
                acme.change_settings(json!({"role_mappings": mappings})).await;
            }
            Act::Wait(seconds) => acme.advance(secs(seconds)).await,
        }
    }
    acme.settle().await;

    let report = acme.dry_run().await;
    assert_eq!((report.examined, report.changed), (6, 0), "{report:?}");
    assert!(users.iter().all(|user| !acme.is_pending(*user)));
    let feed = acme.feed();
    for user in users {
        let of_user = |entry: &&serde_json::Value| {
            entry["account"] == json!(user) && entry.get("to").is_some()
        };
        let last = feed.iter().rev().find(of_user).unwrap();
        assert_eq!(last["to"], json!(acme.role_of(user)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn after_waves_have_settled_a_full_sweep_finds_nothing_to_do(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(live_through(acts));
    }
}
