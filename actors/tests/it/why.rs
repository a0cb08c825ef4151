//! Why an account has its role: the request behind it, what lost, and what a lock hides.

use access::explain::explain;
use access::wave::WriteOutcome;
use access::{Author, RequestId, Rule, TokenId, UserId};
use actors::Precondition;
use jiff::SignedDuration;
use scim::patch::Patch;
use scim::schema::ResourceType;
use serde_json::json;

use crate::test_tenant::{TestTenant, mins};

/// A PATCH of a group's members or a user's attributes, by a request of its own.
async fn request(
    acme: &TestTenant,
    number: u8,
    resource: ResourceType,
    id: [u8; 16],
    operation: serde_json::Value,
) -> RequestId {
    let request = RequestId::from_bytes([number; 16]);
    let author = Author::token(TokenId::from_bytes([9; 16]), "entra", Some(request));
    let write = acme.tenant.shared().begin_write(author);
    let patch = Patch::compile(resource, json!({"Operations": [operation]})).unwrap();
    match resource {
        ResourceType::User => {
            let id = UserId::from_bytes(id);
            acme.tenant.patch_user(&write, id, patch, Precondition::None).await.unwrap();
        }
        ResourceType::Group => {
            let id = access::GroupId::from_bytes(id);
            acme.tenant.patch_group(&write, id, patch, Precondition::None).await.unwrap();
        }
    }
    write.done(WriteOutcome::Updated);
    request
}

#[tokio::test(start_paused = true)]
async fn why_names_the_request_that_changed_the_membership() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let staff = acme.create_group("Staff", &[]).await;
    acme.settle().await;

    let title = json!({"op": "replace", "path": "title", "value": "Dr"});
    request(&acme, 1, ResourceType::User, *user.as_bytes(), title.clone()).await;
    let join = json!({"op": "add", "path": "members", "value": [{"value": user}]});
    let joined = request(&acme, 2, ResourceType::Group, *staff.as_bytes(), join).await;
    let other = json!({"op": "replace", "path": "title", "value": "Prof"});
    request(&acme, 3, ResourceType::User, *user.as_bytes(), other).await;
    acme.settle().await;

    let why = acme.account(user).why;
    assert_eq!((why.rule, why.group.as_deref()), (Rule::Mapping, Some("Staff")));
    assert_eq!(why.request, Some(joined));
    assert_eq!(why.wave, Some(acme.waves()[0].id));
}

#[tokio::test(start_paused = true)]
async fn a_locked_account_shows_what_the_rules_would_give_and_since_when() {
    let acme = TestTenant::new().await;
    acme.map(&[("Staff", "loanee"), ("Admins", "admin")]).await;
    let user = acme.create_user("ada").await;
    acme.create_group("Staff", &[user.to_string()]).await;
    let admins = acme.create_group("Admins", &[]).await;
    acme.settle().await;

    acme.lock(user, Some("loanee")).await.unwrap();
    let shadow = acme.account(user).shadow.unwrap();
    assert_eq!((shadow.role.as_str(), shadow.differs_since), ("loanee", None));

    acme.map(&[("Admins", "admin"), ("Staff", "loanee")]).await;
    acme.advance(mins(5)).await;
    acme.add_member(admins, user).await;
    acme.settle().await;
    let shadow = acme.account(user).shadow.unwrap();
    let since = shadow.differs_since.unwrap();
    assert_eq!(shadow.role, "admin");
    acme.advance(mins(90)).await;
    assert_eq!(acme.account(user).shadow.unwrap().differs_since, Some(since));
    assert_eq!(acme.role_of(user), "loanee");

    acme.unlock(user).await.unwrap();
    assert_eq!(acme.account(user).shadow, None);
    assert_eq!(acme.role_of(user), "admin");
}

#[tokio::test(start_paused = true)]
async fn the_feed_tells_that_a_lock_has_expired() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    let end = acme.now() + SignedDuration::from_mins(5);
    acme.lock_until(user, Some("admin"), Some(end)).await.unwrap();

    acme.advance(mins(6)).await;

    let feed = acme.feed();
    let told = feed.iter().find(|entry| entry["type"] == "account.unlocked").unwrap();
    assert_eq!((&told["account"], &told["by"]), (&json!(user), &json!("expiry")));
    assert_eq!(acme.account(user).lock, None);
    assert_eq!(acme.role_changes(user), ["default>admin", "admin>default"]);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_what_lost_and_what_leaving_a_group_changes() {
    let acme = TestTenant::new().await;
    acme.map(&[("Admins", "admin"), ("Staff", "loanee")]).await;
    let user = acme.create_user("ada").await;
    let admins = acme.create_group("Admins", &[user.to_string()]).await;
    let staff = acme.create_group("Staff", &[user.to_string()]).await;
    let choir = acme.create_group("Choir", &[user.to_string()]).await;
    acme.settle().await;

    let rules = &acme.tenant.shared().config().rules;
    let explained = explain(&acme.account(user), &[admins, staff, choir], rules, acme.now());

    let lost: Vec<(Rule, &str)> =
        explained.lost.iter().map(|lost| (lost.rule, lost.role.as_str())).collect();
    assert_eq!(lost, [(Rule::Mapping, "loanee"), (Rule::Default, "default")]);
    let left: Vec<(Option<&str>, bool)> =
        explained.if_left.iter().map(|left| (left.role.as_deref(), left.changes)).collect();
    assert_eq!(left, [(Some("loanee"), true), (Some("admin"), false), (Some("admin"), false)]);

    acme.lock(user, Some("pinned")).await.unwrap();
    let explained = explain(&acme.account(user), &[admins], rules, acme.now());
    let lost: Vec<&str> = explained.lost.iter().map(|lost| lost.role.as_str()).collect();
    assert_eq!(lost, ["admin", "default"]);
    assert!(!explained.if_left[0].changes);
}
