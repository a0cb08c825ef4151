//! Many at once: nothing is lost, names stay unique, and actors come and go.

use std::sync::Arc;

use access::UserId;
use actors::{ChangeError, Limits};
use futures_util::future::join_all;
use serde_json::{Value, json};
use store::MemoryStore;

use crate::test_tenant::{TestTenant, secs};

fn phone(n: usize) -> Value {
    let number = json!([{"value": format!("+1 555 {n}"), "type": "other"}]);
    json!([{"op": "add", "path": "phoneNumbers", "value": number}])
}

fn phones(acme: &TestTenant, user: UserId) -> usize {
    let record = acme.snapshot().user(acme.tenant.key(), user).unwrap().unwrap();
    let body: Value = serde_json::from_slice(&record.body).unwrap();
    body["phoneNumbers"].as_array().map_or(0, Vec::len)
}

async fn users(acme: &TestTenant, count: usize) -> Vec<UserId> {
    let names: Vec<String> = (0..count).map(|n| format!("user-{n}")).collect();
    join_all(names.iter().map(|name| acme.create_user(name))).await
}

#[tokio::test(start_paused = true)]
async fn five_hundred_members_added_at_once_are_all_there() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let users = users(&acme, 500).await;
    let staff = acme.create_group("Staff", &[]).await;

    join_all(users.iter().map(|user| acme.add_member(staff, *user))).await;

    assert_eq!(acme.members(staff).len(), 500);
    acme.settle().await;
    assert!(users.iter().all(|user| acme.role_of(*user) == "loanee"));
    assert_eq!(acme.waves()[0].role_changes, 500);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_patches_of_one_user_at_once_all_count() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;

    let done = join_all((0..200).map(|n| acme.patch_user(user, phone(n)))).await;

    let mut revisions: Vec<u64> = done.into_iter().map(|record| record.unwrap().revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (2..=201).collect::<Vec<u64>>());
    assert_eq!(phones(&acme, user), 200);
}

#[tokio::test(start_paused = true)]
async fn of_many_creates_of_one_name_one_is_made() {
    let acme = TestTenant::new().await;
    let body = |n: usize| json!({"userName": if n.is_multiple_of(2) { "Ada" } else { "ADA" }});

    let done = join_all((0..64).map(|n| acme.try_create_user(body(n)))).await;

    let refused = |answer: &&Result<UserId, ChangeError>| {
        matches!(answer, Err(ChangeError::NotUnique { attribute: "userName" }))
    };
    assert_eq!(done.iter().filter(refused).count(), 63);
    assert_eq!(done.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(acme.snapshot().counts(acme.tenant.key()).unwrap().users, 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_user_is_passivated() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.disable(user).await;
    assert!(acme.tenant.shared().live_user(user).is_some());

    acme.advance(secs(200)).await;

    assert_eq!(acme.tenant.shared().live_users(), 0);
    acme.enable(user).await;
    assert_eq!(acme.tenant.shared().live_users(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_cap_on_live_actors_holds_and_a_message_for_one_being_drained_is_not_lost() {
    let limits = Limits { live_actors_per_tenant_max: 4, idle: secs(0), ..Limits::default() };
    let acme = TestTenant::with(Arc::new(MemoryStore::default()), limits).await;
    let users = users(&acme, 200).await;

    for round in 0..5 {
        let requests = (0..3).flat_map(|_| &users).enumerate();
        let patches = requests.map(|(n, user)| acme.patch_user(*user, phone(round * 1_000 + n)));
        for answer in join_all(patches).await {
            answer.unwrap();
        }
        // Busy actors are not ended for others; those too many go as soon as they are looked at.
        acme.advance(secs(11)).await;
        assert!(acme.tenant.shared().live_users() <= 4);
    }

    assert!(users.iter().all(|user| phones(&acme, *user) == 15));
}

#[tokio::test(start_paused = true)]
async fn the_cap_holds_while_users_are_asked_one_after_the_other() {
    let limits = Limits { live_actors_per_tenant_max: 4, ..Limits::default() };
    let acme = TestTenant::with(Arc::new(MemoryStore::default()), limits).await;
    for user in users(&acme, 50).await {
        acme.disable(user).await;
        assert!(acme.tenant.shared().live_users() <= 4);
    }
}
