//! What a write changes at once: create, disable, delete, and nothing else.

use serde_json::json;

use crate::test_tenant::TestTenant;

#[tokio::test(start_paused = true)]
async fn a_new_user_has_the_default_role_at_once() {
    let acme = TestTenant::new().await;

    let user = acme.create_user("ada").await;

    assert_eq!(acme.role_of(user), "default");
    assert_eq!(acme.feed()[0]["type"], "account.created");
    assert_eq!(acme.feed()[0]["to"], "default");
}

#[tokio::test(start_paused = true)]
async fn a_new_user_who_is_inactive_has_the_disabled_role_at_once() {
    let acme = TestTenant::new().await;
    let body = json!({"userName": "ada", "active": false});

    let user = acme.try_create_user(body).await.unwrap();

    assert_eq!(acme.role_of(user), "disabled");
    acme.settle().await;
    assert_eq!(acme.role_of(user), "disabled");
}

#[tokio::test(start_paused = true)]
async fn a_disabled_user_has_the_disabled_role_at_once() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;

    acme.disable(user).await;

    assert_eq!(acme.role_of(user), "disabled");
    assert_eq!(acme.role_changes(user), ["default>disabled"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_user_has_no_role_at_once_and_stays_readable() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.lock(user, Some("admin")).await.unwrap();

    acme.delete(user).await;

    let account = acme.account(user);
    assert_eq!((account.role, account.lock), (None, None));
    assert_eq!(acme.role_changes(user), ["default>admin", "admin>none"]);
    acme.settle().await;
    assert_eq!(acme.role_of(user), "none");
    assert!(!acme.is_pending(user));
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_changes_nothing_is_not_told_of() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    let before = acme.feed();

    let record = acme.set(user, "userName", json!("ada")).await.unwrap();

    assert_eq!(record.revision, 1);
    assert_eq!(acme.feed(), before);
    assert!(!acme.is_pending(user));
}
