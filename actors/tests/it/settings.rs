//! Settings: applied at once to all, but for those who are pending.

use actors::ChangeError;
use futures_util::future::join_all;
use serde_json::{Value, json};

use actors::service::Page;

use crate::test_tenant::{OPERATOR, TestTenant, secs};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn employee(name: &str, number: &str) -> Value {
    json!({"userName": name, (ENTERPRISE): {"employeeNumber": number}})
}

#[tokio::test(start_paused = true)]
async fn changed_settings_apply_at_once_to_all_but_the_pending() {
    let acme = TestTenant::new().await;
    let settled = acme.create_user("settled").await;
    let moved = acme.create_user("moved").await;
    let staff = acme.create_group("Staff", &[settled.to_string()]).await;
    acme.settle().await;
    acme.add_member(staff, moved).await;

    acme.map(&[("Staff", "loanee")]).await;

    assert_eq!(acme.role_of(settled), "loanee");
    assert!(!acme.is_pending(settled));
    assert_eq!(acme.role_of(moved), "default");
    assert!(acme.is_pending(moved));
    acme.settle().await;
    assert_eq!(acme.role_of(moved), "loanee");
}

#[tokio::test(start_paused = true)]
async fn changed_roles_reach_the_default_and_the_disabled() {
    let acme = TestTenant::new().await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.disable(bob).await;
    acme.settle().await;

    acme.change_settings(json!({"default_role": "guest", "disabled_role": "barred"})).await;

    assert_eq!((acme.role_of(ada), acme.role_of(bob)), ("guest".into(), "barred".into()));
}

#[tokio::test(start_paused = true)]
async fn changed_field_mappings_apply_at_once_to_all_and_to_the_pending_when_they_settle() {
    let acme = TestTenant::new().await;
    let settled = acme.try_create_user(employee("settled", "1")).await.unwrap();
    acme.settle().await;
    let pending = acme.try_create_user(employee("pending", "2")).await.unwrap();

    let path = format!("{ENTERPRISE}:employeeNumber");
    acme.change_settings(json!({"field_mappings": {"number": path}})).await;

    assert_eq!(acme.account(settled).fields.get("number"), Some(&json!("1")));
    acme.settle().await;
    assert_eq!(acme.account(pending).fields.get("number"), Some(&json!("2")));
}

#[tokio::test(start_paused = true)]
async fn refused_settings_change_nothing() {
    let acme = TestTenant::new().await;
    let before = acme.tenant.shared().config().revision;

    let refused = acme.tenant.patch_settings(&json!({"default_role": ""}), &OPERATOR).await;

    assert!(matches!(refused, Err(ChangeError::Settings(error)) if error.key == "default_role"));
    assert_eq!(acme.tenant.shared().config().revision, before);
}

#[tokio::test(start_paused = true)]
async fn many_changes_of_settings_at_once_end_with_the_last_one_applied() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;

    let patches: Vec<Value> =
        (0..40).map(|n| json!({"default_role": format!("role-{n}")})).collect();
    let operator = OPERATOR;
    let changes = patches.iter().map(|patch| acme.tenant.patch_settings(patch, &operator));
    let done = join_all(changes).await;
    acme.advance(secs(5)).await;

    assert!(done.iter().any(Result::is_ok));
    let last = acme.tenant.shared().config().settings.default_role.clone();
    assert_eq!(acme.role_of(user), last);
    assert!(!acme.is_pending(user));
}

/// Only so many passes may wait, and settings that came when there were too many stayed unapplied:
/// every account was pending until the next start.
#[tokio::test(start_paused = true)]
async fn changed_settings_are_applied_though_too_many_passes_wait() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;

    let passes = join_all((0..20).map(|_| acme.tenant.reconcile(false, Page::default(), OPERATOR)));
    let change = acme.change_settings(json!({"default_role": "guest"}));
    let (passes, _) = tokio::join!(passes, change);
    acme.advance(secs(1)).await;

    assert!(passes.iter().any(|pass| matches!(pass, Err(ChangeError::Overloaded))));
    assert_eq!(acme.role_of(user), "guest");
    assert!(!acme.is_pending(user));
}
