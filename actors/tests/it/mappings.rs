//! Role mappings and the groups that they mean, while groups come, go and change their names.

use crate::test_tenant::TestTenant;

#[tokio::test(start_paused = true)]
async fn a_mapping_for_a_group_not_pushed_yet_counts_when_it_comes() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    assert_eq!(acme.role_of(user), "default");

    acme.create_group("STAFF", &[user.to_string()]).await;

    acme.settle().await;
    assert_eq!(acme.role_of(user), "loanee");
}

#[tokio::test(start_paused = true)]
async fn a_group_renamed_to_a_mapped_name_counts_when_the_wave_has_settled() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let group = acme.create_group("Others", &[user.to_string()]).await;
    acme.settle().await;

    acme.rename_group(group, "Staff").await;

    assert_eq!(acme.role_of(user), "default");
    assert!(acme.is_pending(user));
    acme.settle().await;
    assert_eq!(acme.role_of(user), "loanee");
    assert!(!acme.is_pending(user));
}

#[tokio::test(start_paused = true)]
async fn a_rename_keeps_the_mapping_and_another_group_of_the_old_name_does_not_match() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let (ada, eve) = (acme.create_user("ada").await, acme.create_user("eve").await);
    let staff = acme.create_group("Staff", &[ada.to_string()]).await;
    acme.settle().await;

    acme.rename_group(staff, "People").await;
    acme.create_group("Staff", &[eve.to_string()]).await;
    acme.settle().await;

    assert_eq!((acme.role_of(ada), acme.role_of(eve)), ("loanee".into(), "default".into()));
    assert_eq!(acme.dry_run().await.changed, 0);
}

#[tokio::test(start_paused = true)]
async fn when_the_bound_group_is_deleted_the_next_of_its_name_matches() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let (ada, eve) = (acme.create_user("ada").await, acme.create_user("eve").await);
    let staff = acme.create_group("Staff", &[ada.to_string()]).await;
    acme.rename_group(staff, "People").await;
    acme.create_group("Staff", &[eve.to_string()]).await;
    acme.settle().await;

    acme.delete_group(staff).await;

    assert_eq!((acme.role_of(ada), acme.role_of(eve)), ("loanee".into(), "default".into()));
    acme.settle().await;
    assert_eq!((acme.role_of(ada), acme.role_of(eve)), ("default".into(), "loanee".into()));
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_group_was_deleted_waits_for_the_next_one() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let staff = acme.create_group("Staff", &[user.to_string()]).await;
    acme.settle().await;
    acme.delete_group(staff).await;
    acme.settle().await;
    assert_eq!(acme.role_of(user), "default");

    acme.create_group("Staff", &[user.to_string()]).await;
    acme.settle().await;

    assert_eq!(acme.role_of(user), "loanee");
}
