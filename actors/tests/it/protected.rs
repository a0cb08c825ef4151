//! The last active account in a protected role keeps it.

use access::{UserId, WithheldReason};
use serde_json::json;

use actors::service::Page;

use crate::test_tenant::{OPERATOR, TestTenant, mins};

/// Three administrators, in a group of their own.
async fn administrators() -> (TestTenant, access::GroupId, Vec<UserId>) {
    let acme = TestTenant::new().await;
    acme.change_settings(json!({
        "protected_roles": ["admin"],
        "role_mappings": [{"group": "Admins", "role": "admin"}],
    }))
    .await;
    let mut admins = Vec::new();
    for number in 0..3 {
        admins.push(acme.create_user(&format!("admin-{number}")).await);
        // Ids sort by their millisecond.
        acme.advance(std::time::Duration::from_millis(2)).await;
    }
    let ids: Vec<String> = admins.iter().map(ToString::to_string).collect();
    let group = acme.create_group("Admins", &ids).await;
    acme.settle().await;
    assert!(admins.iter().all(|admin| acme.role_of(*admin) == "admin"));
    (acme, group, admins)
}

fn admins_among(acme: &TestTenant, users: &[UserId]) -> Vec<UserId> {
    users.iter().copied().filter(|user| acme.role_of(*user) == "admin").collect()
}

#[tokio::test(start_paused = true)]
async fn when_all_leave_at_once_the_oldest_stays() {
    let (acme, group, admins) = administrators().await;
    for admin in &admins {
        acme.remove_member(group, *admin).await;
    }
    acme.settle().await;

    assert_eq!(admins_among(&acme, &admins), admins[..1]);
    let kept = acme.account(admins[0]).withheld.unwrap();
    assert_eq!((kept.reason, kept.role.as_str()), (WithheldReason::LastProtected, "default"));
    assert!(!acme.is_pending(admins[0]));
}

#[tokio::test(start_paused = true)]
async fn the_last_one_goes_when_somebody_else_has_the_role() {
    let (acme, group, admins) = administrators().await;
    acme.delete_group(group).await;
    acme.settle().await;
    let other = acme.create_user("other").await;
    acme.lock(other, Some("admin")).await.unwrap();

    acme.advance(mins(90)).await;

    assert_eq!(admins_among(&acme, &admins), []);
    assert_eq!(acme.role_of(other), "admin");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_comes_into_the_role_in_the_same_wave_counts() {
    let (acme, group, admins) = administrators().await;
    let next = acme.create_user("next").await;
    acme.add_member(group, next).await;
    for admin in &admins {
        acme.remove_member(group, *admin).await;
    }
    acme.settle().await;

    assert_eq!(acme.role_of(next), "admin");
    assert_eq!(admins_among(&acme, &admins), []);
}

#[tokio::test(start_paused = true)]
async fn the_directory_can_always_disable_and_delete() {
    let (acme, _, admins) = administrators().await;
    acme.disable(admins[0]).await;
    acme.delete(admins[1]).await;
    acme.disable(admins[2]).await;
    acme.settle().await;

    assert_eq!(admins_among(&acme, &admins), []);
}

#[tokio::test(start_paused = true)]
async fn changed_settings_take_it_from_all_but_one_and_the_preview_says_so() {
    let (acme, _, admins) = administrators().await;
    let patch = json!({"role_mappings": []});

    let preview = acme.tenant.preview_settings(&patch, Page::default(), OPERATOR).await.unwrap();
    acme.change_settings(patch).await;

    assert_eq!(admins_among(&acme, &admins), admins[..1]);
    let previewed: Vec<UserId> = preview.changes.iter().map(|change| change.account).collect();
    assert_eq!(previewed, admins[1..]);
    assert_eq!(preview.kept.iter().map(|change| change.account).collect::<Vec<_>>(), admins[..1]);
    let report = acme.dry_run().await;
    assert_eq!(report.changed, 0);
    let report = acme.tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();
    assert_eq!((report.changed, report.kept.len()), (0, 1));
}
