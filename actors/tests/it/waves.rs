//! Waves: no role changes before they settle, and nobody waits for ever.

use std::time::{Duration, Instant};

use access::wave::WaveState;
use jiff::SignedDuration;
use serde_json::json;
use std::sync::Arc;
use store::MemoryStore;

use crate::test_tenant::{TestTenant, mins, secs};

#[tokio::test(start_paused = true)]
async fn a_user_moved_between_groups_in_a_wave_is_never_seen_in_between() {
    for remove_first in [true, false] {
        let acme = TestTenant::new().await;
        acme.map(&[("Staff", "loanee"), ("IT", "admin")]).await;
        let user = acme.create_user("ada").await;
        let staff = acme.create_group("Staff", &[user.to_string()]).await;
        let it = acme.create_group("IT", &[]).await;
        acme.settle().await;
        assert_eq!(acme.role_of(user), "loanee");

        if remove_first {
            acme.remove_member(staff, user).await;
            acme.advance(secs(40)).await;
            assert_eq!(acme.role_of(user), "loanee");
            acme.add_member(it, user).await;
        } else {
            acme.add_member(it, user).await;
            acme.advance(secs(40)).await;
            assert_eq!(acme.role_of(user), "loanee");
            acme.remove_member(staff, user).await;
        }
        acme.advance(secs(59)).await;
        assert_eq!(acme.role_of(user), "loanee");
        assert!(acme.is_pending(user));
        acme.advance(secs(2)).await;

        assert_eq!(acme.role_changes(user), ["default>loanee", "loanee>admin"]);
        assert!(!acme.is_pending(user));
    }
}

#[tokio::test(start_paused = true)]
async fn an_enabled_user_keeps_the_disabled_role_until_the_wave_has_settled() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.disable(user).await;
    acme.settle().await;
    assert!(!acme.is_pending(user));

    acme.enable(user).await;
    acme.advance(secs(59)).await;

    assert_eq!(acme.role_of(user), "disabled");
    assert!(acme.is_pending(user));
    acme.advance(secs(2)).await;
    assert_eq!(acme.role_of(user), "default");
    assert!(!acme.is_pending(user));
}

#[tokio::test(start_paused = true)]
async fn every_account_that_a_wave_touched_is_put_back_to_the_rules() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    acme.set_role(user, "admin").await.unwrap();

    acme.set(user, "title", json!("Countess")).await.unwrap();

    assert!(acme.is_pending(user));
    assert_eq!(acme.role_of(user), "admin");
    acme.settle().await;
    assert_eq!(acme.role_of(user), "default");
}

#[tokio::test(start_paused = true)]
async fn a_parked_member_has_its_role_when_the_wave_it_arrived_in_has_settled() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let staff = acme.create_group("Staff", &["entra-7".to_owned()]).await;
    acme.settle().await;

    let body = json!({"userName": "ada", "externalId": "entra-7"});
    let user = acme.try_create_user(body).await.unwrap();

    assert_eq!(acme.role_of(user), "default");
    assert_eq!(acme.members(staff).len(), 1);
    acme.settle().await;
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn in_a_wave_that_goes_on_nobody_waits_longer_than_max_delay() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let staff = acme.create_group("Staff", &[]).await;
    let busy = acme.create_user("busy").await;
    let patience = SignedDuration::from_mins(10) + SignedDuration::from_secs(1);

    // An hour of writes, one every four seconds.
    for turn in 0..900 {
        match turn % 3 {
            0 => {
                let user = acme.create_user(&format!("user-{turn}")).await;
                acme.add_member(staff, user).await;
            }
            1 => acme.add_member(staff, busy).await,
            _ => acme.remove_member(staff, busy).await,
        }
        acme.advance(secs(4)).await;
        let marks = acme.snapshot().marks(acme.tenant.key(), None, usize::MAX).unwrap();
        for (marked, mark) in marks {
            let waited = acme.now().duration_since(mark.first_touched);
            assert!(waited <= patience, "{marked:?} waited {waited} at turn {turn}");
        }
    }

    assert_eq!(acme.waves().len(), 1);
    acme.settle().await;
    let [wave] = acme.waves().try_into().unwrap();
    assert_eq!((wave.state, wave.role_changes >= 300), (WaveState::Settled, true));
    assert_eq!(acme.dry_run().await.changed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_max_delay_counts_for_those_who_wait_already() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    acme.create_group("Staff", &[user.to_string()]).await;

    acme.change_settings(json!({"reconcile": {"max_delay": "2m"}})).await;
    for _ in 0..5 {
        acme.advance(secs(25)).await;
        acme.create_user(&acme.now().to_string()).await;
    }

    assert_eq!(acme.waves().len(), 1);
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_second_wave_is_not_decided_by_the_pass_of_the_first() {
    let store = Arc::new(MemoryStore::default());
    let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
    acme.map(&[("Staff", "loanee")]).await;
    let staff = acme.create_group("Staff", &[]).await;
    let first = acme.create_user("first").await;
    let both = acme.create_user("both").await;
    let second = acme.create_user("second").await;
    acme.settle().await;
    acme.add_member(staff, first).await;
    acme.add_member(staff, both).await;

    // The disk is away when the first wave has settled, and back as the second one begins.
    store.fail(Some("the disk is away"));
    acme.advance(Duration::from_millis(61_500)).await;
    assert_eq!(acme.role_of(first), "default");
    store.fail(None);
    acme.add_member(staff, second).await;
    acme.remove_member(staff, both).await;
    acme.advance(secs(5)).await;

    assert_eq!(acme.role_of(first), "loanee");
    assert_eq!(acme.role_of(both), "default");
    assert_eq!(acme.role_of(second), "default");
    acme.settle().await;
    assert_eq!(acme.role_of(both), "default");
    assert_eq!(acme.role_of(second), "loanee");
    assert!(acme.role_changes(both).is_empty());
    assert!(acme.waves().iter().all(|wave| wave.state == WaveState::Settled));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_a_second_wave_renames_does_not_count_in_the_pass_of_the_first() {
    let store = Arc::new(MemoryStore::default());
    let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let others = acme.create_group("Others", &[user.to_string()]).await;

    store.fail(Some("the disk is away"));
    acme.advance(Duration::from_millis(61_500)).await;
    store.fail(None);
    acme.rename_group(others, "Staff").await;
    acme.advance(secs(50)).await;

    assert_eq!(acme.role_of(user), "default");
    acme.settle().await;
    assert_eq!(acme.role_changes(user), ["default>loanee"]);
}

#[tokio::test(start_paused = true)]
async fn a_day_of_waves_is_one_record_a_burst_with_the_right_counters() {
    let began = Instant::now();
    let acme = TestTenant::new().await;
    acme.map(&[("Group 0", "admin"), ("Group 1", "loanee")]).await;
    let mut users = Vec::new();
    for n in 0..50 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    let mut groups = Vec::new();
    for n in 0..5 {
        groups.push(acme.create_group(&format!("Group {n}"), &[]).await);
    }
    acme.tenant.shared().look_up();
    acme.advance(mins(40)).await;

    for wave in 0..35 {
        // A look-up between waves opens none.
        acme.tenant.shared().look_up();
        for (n, user) in users.iter().enumerate() {
            acme.remove_member(groups[(n + wave) % 5], *user).await;
            acme.add_member(groups[(n + wave + 1) % 5], *user).await;
        }
        acme.tenant.shared().look_up();
        acme.advance(mins(40)).await;
        assert_eq!(acme.dry_run().await.changed, 0);
    }

    let waves = acme.waves();
    assert_eq!(waves.len(), 36);
    let (first, later) = waves.split_last().unwrap();
    assert_eq!((first.requests, first.creates, first.role_changes), (56, 55, 0));
    for wave in later {
        assert_eq!(wave.state, WaveState::Settled);
        assert_eq!((wave.requests, wave.updates, wave.creates), (101, 100, 0));
        assert_eq!((wave.deletes, wave.errors), (0, 0));
        assert!(wave.reconciled_at.is_some());
    }
    let changes = acme.feed().iter().filter(|e| e["type"] == "account.role_changed").count();
    assert_eq!(waves.iter().map(|wave| wave.role_changes).sum::<u64>(), changes as u64);
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_counts_as_an_error_of_its_wave() {
    let acme = TestTenant::new().await;
    acme.create_user("ada").await;
    acme.try_create_user(json!({"userName": "ADA"})).await.unwrap_err();

    acme.settle().await;

    let [wave] = acme.waves().try_into().unwrap();
    assert_eq!((wave.requests, wave.creates, wave.errors), (2, 1, 1));
}
