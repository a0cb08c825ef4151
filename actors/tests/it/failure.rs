//! Failures: a panic, a store that refuses, a disk that hangs. One request is lost at most.

use std::sync::Arc;

use access::wave::WaveState;
use actors::{ChangeError, Limits, Service, SystemClock};
use serde_json::json;
use store::MemoryStore;

use crate::stores::{PanickingStore, StuckStore};
use crate::test_tenant::{OPERATOR, TestTenant, mins, secs};

#[tokio::test(start_paused = true)]
async fn a_user_actor_that_panics_costs_one_request_its_answer() {
    let store = Arc::new(PanickingStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    let user = acme.create_user("ada").await;
    let before = acme.now();

    store.panic_next(1);
    let answer = acme.set(user, "title", json!("Countess")).await;

    assert!(matches!(answer, Err(ChangeError::Unavailable { .. })), "{answer:?}");
    assert_eq!(acme.now(), before);
    acme.create_user("bob").await;
    let resting = acme.tenant.shared().live_user(user).unwrap().state();
    assert_eq!((resting.state, resting.restarts), ("restarting", 1));
    assert_eq!(acme.tenant.shared().users.busiest(10).first().map(|(id, _)| *id), Some(user));
    acme.advance(secs(1)).await;
    acme.set(user, "title", json!("Countess")).await.unwrap();
    let observed = acme.tenant.shared().live_user(user).unwrap().state();
    assert_eq!((observed.restarts, observed.mailbox_depth), (1, 0));
    assert!(observed.last_error.unwrap().contains("the store panics"));
}

#[tokio::test(start_paused = true)]
async fn a_group_actor_that_panics_costs_one_request_its_answer() {
    let store = Arc::new(PanickingStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    let group = acme.create_group("Staff", &[]).await;
    let rename = json!({"op": "Replace", "path": "displayName", "value": "People"});

    store.panic_next(1);
    let answer = acme.patch_group(group, rename.clone()).await;

    assert!(matches!(answer, Err(ChangeError::Unavailable { .. })), "{answer:?}");
    acme.advance(secs(1)).await;
    acme.patch_group(group, rename).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_that_panics_is_started_again_and_does_its_pass() {
    let store = Arc::new(PanickingStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    acme.create_group("Staff", &[user.to_string()]).await;
    acme.advance(secs(59)).await;

    // The pass, and then the start after it, and the one after that.
    store.panic_next(3);
    acme.advance(secs(10)).await;

    assert_eq!(store.panics_left(), 0);
    assert_eq!(acme.role_of(user), "loanee");
    assert!(!acme.is_pending(user));
    let observed = acme.tenant.shared().reconciler_observed.state();
    assert_eq!(observed.restarts, 3);
    assert!(observed.last_error.is_some());
    let [wave] = acme.waves().try_into().unwrap();
    assert_eq!((wave.state, wave.role_changes), (WaveState::Settled, 1));
    // Sweeps go on.
    acme.set_role(user, "admin").await.unwrap();
    acme.advance(mins(41)).await;
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_housekeeper_that_panics_is_started_again_and_goes_its_round() {
    let store = Arc::new(PanickingStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    let rarely = json!({"sweep_min": "30d", "sweep_max": "31d"});
    acme.change_settings(json!({"reconcile": rarely, "retention": {"feed": "30m"}})).await;
    acme.create_user("ada").await;
    // The sweep that was due already has been, and so has the recorder's look for what is too old:
    // nobody else reads the store now.
    acme.advance(mins(55)).await;
    assert!(!acme.feed().is_empty());

    store.panic_next(2);
    acme.advance(mins(15)).await;

    assert_eq!(store.panics_left(), 0);
    let observed = acme.tenant.shared().housekeeper_observed.state();
    assert_eq!(observed.restarts, 2);
    assert!(acme.feed().is_empty());
    assert_eq!(acme.tenant.shared().reconciler_observed.state().restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_fails_nothing_changes_and_afterwards_everything_works() {
    let store = Arc::new(MemoryStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let staff = acme.create_group("Staff", &[]).await;
    acme.settle().await;
    let feed = acme.feed();

    store.fail(Some("no space left"));
    let body = json!({"userName": "bob"});
    let unavailable =
        |error| matches!(error, ChangeError::Unavailable { outcome_unknown: false, .. });
    assert!(unavailable(acme.try_create_user(body.clone()).await.unwrap_err()));
    assert!(unavailable(acme.set(user, "active", json!(false)).await.unwrap_err()));
    let remove = json!({"op": "Remove", "path": "members"});
    let rename = json!({"op": "Replace", "path": "displayName", "value": "People"});
    assert!(unavailable(acme.patch_group(staff, remove).await.unwrap_err()));
    assert!(unavailable(acme.patch_group(staff, rename).await.unwrap_err()));
    assert!(unavailable(acme.lock(user, Some("admin")).await.unwrap_err()));
    let patch = json!({"default_role": "guest"});
    assert!(unavailable(acme.tenant.patch_settings(&patch, &OPERATOR).await.unwrap_err()));
    assert_eq!(acme.feed(), feed);
    assert_eq!(acme.role_of(user), "default");

    store.fail(None);
    acme.try_create_user(body).await.unwrap();
    acme.add_member(staff, user).await;
    acme.settle().await;
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_failed_is_done_when_the_store_works_again() {
    let store = Arc::new(MemoryStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    acme.create_group("Staff", &[user.to_string()]).await;

    store.fail(Some("no space left"));
    acme.advance(mins(60)).await;
    assert_eq!(acme.role_of(user), "default");
    assert!(acme.is_pending(user));
    store.fail(None);
    acme.advance(secs(2)).await;

    assert_eq!(acme.role_of(user), "loanee");
    assert_eq!(acme.role_changes(user), ["default>loanee"]);
    let [wave] = acme.waves().try_into().unwrap();
    assert_eq!((wave.state, wave.role_changes), (WaveState::Settled, 1));
}

/// The actors run in a runtime with threads to block, the refused request in one whose time is
/// paused, so that nobody really waits.
#[test]
fn without_a_permit_a_request_is_refused_in_time_and_another_tenant_is_served() {
    let store = Arc::new(StuckStore::default());
    let actors = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let paused = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let limits = Limits { in_flight_per_tenant_max: 1, ..Limits::default() };
    let service = Service::start(store.clone(), Arc::new(SystemClock::start()), limits);
    let service = actors.block_on(actors.spawn(service)).unwrap().unwrap();
    let open = |id: &'static str| {
        let service = service.clone();
        actors.block_on(actors.spawn(async move {
            let tenant = TestTenant::create(service, id).await;
            let user = tenant.create_user("ada").await;
            (tenant, user)
        }))
    };
    let (acme, user) = open("acme").unwrap();
    let (globex, other) = open("globex").unwrap();

    store.stick(acme.tenant.key());
    let first = acme.clone();
    let first = actors.spawn(async move { first.set(user, "title", json!("Countess")).await });
    store.wait_until_stuck();
    let second = paused.block_on(acme.set(user, "title", json!("Duchess")));
    let third = actors
        .block_on(actors.spawn(async move { globex.set(other, "title", json!("Countess")).await }));

    assert!(matches!(second, Err(ChangeError::Overloaded)), "{second:?}");
    third.unwrap().unwrap();
    store.release();
    actors.block_on(first).unwrap().unwrap();
}
