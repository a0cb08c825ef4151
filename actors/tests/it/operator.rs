//! What an operator does by hand is done at once.

use access::lifecycle::ManualError;
use access::{Rule, UserId};
use actors::ChangeError;
use actors::service::ManualAct;
use jiff::SignedDuration;
use serde_json::json;

use actors::service::Page;

use crate::test_tenant::{OPERATOR, START, TestTenant, mins, secs};

async fn member_of_staff() -> (TestTenant, UserId) {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    acme.create_group("Staff", &[user.to_string()]).await;
    acme.settle().await;
    (acme, user)
}

#[tokio::test(start_paused = true)]
async fn a_lock_pins_its_role_at_once_and_through_every_wave_and_sweep() {
    let (acme, user) = member_of_staff().await;

    acme.lock(user, Some("admin")).await.unwrap();

    assert_eq!(acme.role_of(user), "admin");
    acme.create_group("Others", &[user.to_string()]).await;
    acme.advance(mins(90)).await;
    acme.tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();
    assert_eq!(acme.role_of(user), "admin");
    assert_eq!(acme.account(user).why.rule, Rule::Lock);
}

#[tokio::test(start_paused = true)]
async fn a_lock_without_a_role_pins_the_current_one() {
    let (acme, user) = member_of_staff().await;

    acme.lock(user, None).await.unwrap();
    acme.map(&[]).await;

    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_locked_account_that_is_disabled_comes_back_to_the_locked_role() {
    let (acme, user) = member_of_staff().await;
    acme.disable(user).await;

    acme.lock(user, Some("admin")).await.unwrap();

    assert_eq!(acme.role_of(user), "disabled");
    acme.enable(user).await;
    assert_eq!(acme.role_of(user), "disabled");
    acme.settle().await;
    assert_eq!(acme.role_of(user), "admin");
}

#[tokio::test(start_paused = true)]
async fn a_lock_outranks_disabling_where_the_settings_say_so() {
    let (acme, user) = member_of_staff().await;
    acme.change_settings(json!({"disable_overrides_lock": false})).await;
    acme.lock(user, Some("admin")).await.unwrap();

    acme.disable(user).await;

    assert_eq!(acme.role_of(user), "admin");
    acme.settle().await;
    assert_eq!(acme.role_of(user), "admin");
    acme.change_settings(json!({"disable_overrides_lock": true})).await;
    assert_eq!(acme.role_of(user), "disabled");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_expires_hands_the_account_back_at_that_moment() {
    let (acme, user) = member_of_staff().await;
    let expires_at = acme.now() + SignedDuration::from_mins(10);
    acme.lock_until(user, Some("admin"), Some(expires_at)).await.unwrap();

    acme.advance(secs(599)).await;
    assert_eq!(acme.role_of(user), "admin");
    acme.advance(secs(2)).await;

    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn an_unlocked_account_has_what_the_rules_give_at_once() {
    let (acme, user) = member_of_staff().await;
    acme.lock(user, Some("admin")).await.unwrap();

    acme.unlock(user).await.unwrap();

    assert_eq!(acme.role_of(user), "loanee");
    let told = acme.feed().len();
    acme.unlock(user).await.unwrap();
    assert_eq!(acme.feed().len(), told);
}

#[tokio::test(start_paused = true)]
async fn a_role_set_by_hand_lasts_until_the_next_reconciliation() {
    let (acme, user) = member_of_staff().await;

    acme.set_role(user, "admin").await.unwrap();

    assert_eq!((acme.role_of(user), acme.account(user).why.rule), ("admin".into(), Rule::Manual));
    let report = acme.tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();
    assert_eq!((report.examined, report.changed), (1, 1));
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_what_would_change_and_changes_nothing() {
    let (acme, user) = member_of_staff().await;
    acme.set_role(user, "admin").await.unwrap();

    let report = acme.dry_run().await;

    let change = &report.changes[0];
    assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("admin"), Some("loanee")));
    assert_eq!(acme.role_of(user), "admin");
}

#[tokio::test(start_paused = true)]
async fn an_operators_reconciliation_does_not_wait_for_an_open_wave() {
    let (acme, user) = member_of_staff().await;
    acme.disable(user).await;
    acme.enable(user).await;

    acme.tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();

    assert_eq!(acme.role_of(user), "loanee");
    assert!(!acme.is_pending(user));
}

#[tokio::test(start_paused = true)]
async fn what_an_accounts_state_forbids_is_refused() {
    let (acme, user) = member_of_staff().await;
    let refusal = |answer: Result<_, ChangeError>| match answer {
        Err(ChangeError::Manual(error)) => error,
        other => panic!("expected a refusal, found {other:?}"),
    };

    acme.lock(user, None).await.unwrap();
    assert_eq!(refusal(acme.set_role(user, "admin").await), ManualError::Locked);
    acme.unlock(user).await.unwrap();
    acme.disable(user).await;
    assert_eq!(refusal(acme.set_role(user, "admin").await), ManualError::Disabled);
    acme.delete(user).await;
    assert_eq!(refusal(acme.set_role(user, "admin").await), ManualError::Deleted);
    assert_eq!(refusal(acme.lock(user, Some("admin")).await), ManualError::Deleted);
    assert_eq!(refusal(acme.unlock(user).await), ManualError::Deleted);

    let nobody = UserId::new(START);
    let answer =
        acme.tenant.act(nobody, ManualAct::Unlock { by: "operator".into() }, OPERATOR).await;
    assert!(matches!(answer, Err(ChangeError::NotFound)));
}
