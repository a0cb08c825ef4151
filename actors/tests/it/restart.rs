//! Restarts: a life of the service ends at any moment, and the next takes up what it left.
//!
//! A life is a runtime of its own: dropping it ends every actor where it stands, as a crash would.

use std::sync::Arc;

use access::wave::WaveState;
use futures_util::FutureExt;
use jiff::SignedDuration;
use serde_json::json;
use store::MemoryStore;

use crate::test_tenant::{OPERATOR, START, TestTenant, secs};

fn life<T>(of: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("there is no runtime: {error}"));
    runtime.block_on(of)
}

#[test]
fn a_wave_that_was_open_is_taken_up_and_settles() {
    let store = Arc::new(MemoryStore::default());
    let user = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        acme.map(&[("Staff", "loanee")]).await;
        let user = acme.create_user("ada").await;
        acme.create_group("Staff", &[user.to_string()]).await;
        user
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_secs(10)).await;
        acme.advance(secs(50)).await;
        assert_eq!(acme.role_of(user), "default");
        // A write after the start belongs to the same wave.
        acme.create_user("bob").await;
        acme.advance(secs(30)).await;
        assert_eq!(acme.role_of(user), "default");
        acme.settle().await;

        assert_eq!(acme.role_of(user), "loanee");
        let [wave] = acme.waves().try_into().unwrap();
        assert_eq!((wave.state, wave.role_changes), (WaveState::Settled, 1));
    });
}

#[test]
fn a_wave_whose_pass_did_not_end_is_reconciled_though_a_newer_one_is_open() {
    let store = Arc::new(MemoryStore::default());
    let (ada, bob) = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        acme.map(&[("Staff", "loanee")]).await;
        let staff = acme.create_group("Staff", &[]).await;
        let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
        acme.settle().await;
        acme.add_member(staff, ada).await;
        store.fail(Some("the disk is away"));
        acme.settle().await;
        store.fail(None);
        acme.add_member(staff, bob).await;
        (ada, bob)
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_mins(5)).await;
        acme.advance(secs(1)).await;
        assert_eq!((acme.role_of(ada), acme.role_of(bob)), ("loanee".into(), "default".into()));
        acme.settle().await;

        assert_eq!(acme.role_of(bob), "loanee");
        assert!(acme.waves().iter().all(|wave| wave.state == WaveState::Settled));
    });
}

#[test]
fn changed_settings_whose_pass_did_not_end_are_applied() {
    let store = Arc::new(MemoryStore::default());
    let user = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        let user = acme.create_user("ada").await;
        acme.settle().await;
        // Committed, and no actor has had a turn since.
        let patch = json!({"default_role": "guest"});
        assert!(acme.tenant.patch_settings(&patch, &OPERATOR).now_or_never().is_none());
        assert_eq!(acme.role_of(user), "default");
        user
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_mins(5)).await;
        acme.advance(secs(1)).await;

        assert_eq!(acme.role_of(user), "guest");
        assert!(!acme.is_pending(user));
    });
}

/// A wave whose first write was refused had not been written when the service was killed a moment
/// later: the user it had taken out of a group was decided at once, in the middle of it.
#[test]
fn a_wave_that_began_with_a_refused_write_is_taken_up() {
    let store = Arc::new(MemoryStore::default());
    let ada = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        acme.map(&[("Staff", "loanee")]).await;
        let ada = acme.create_user("ada").await;
        let staff = acme.create_group("Staff", &[ada.to_string()]).await;
        acme.settle().await;
        assert!(acme.try_create_user(json!({"userName": "ADA"})).await.is_err());
        acme.remove_member(staff, ada).await;
        ada
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_mins(5)).await;
        acme.advance(secs(50)).await;
        assert_eq!(acme.role_of(ada), "loanee");
        assert!(acme.is_pending(ada));
        acme.settle().await;

        assert_eq!(acme.role_of(ada), "default");
    });
}

#[test]
fn a_lock_that_expires_after_a_restart_hands_the_account_back_at_that_moment() {
    let store = Arc::new(MemoryStore::default());
    let ada = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        let ada = acme.create_user("ada").await;
        acme.settle().await;
        let expires_at = START + SignedDuration::from_mins(10);
        acme.lock_until(ada, Some("admin"), Some(expires_at)).await.unwrap();
        ada
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_mins(5)).await;
        acme.advance(secs(299)).await;
        assert_eq!(acme.role_of(ada), "admin");
        acme.advance(secs(2)).await;

        assert_eq!(acme.role_of(ada), "default");
    });
}

#[test]
fn a_lock_that_ended_while_nobody_looked_is_taken_off_at_the_start() {
    let store = Arc::new(MemoryStore::default());
    let ada = life(async {
        let acme = TestTenant::with(store.clone(), actors::Limits::default()).await;
        let ada = acme.create_user("ada").await;
        acme.settle().await;
        let expires_at = START + SignedDuration::from_mins(10);
        acme.lock_until(ada, Some("admin"), Some(expires_at)).await.unwrap();
        ada
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_mins(15)).await;
        acme.advance(secs(2)).await;

        assert_eq!(acme.role_of(ada), "default");
    });
}
