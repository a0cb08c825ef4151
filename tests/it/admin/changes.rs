//! The change feed: ordered, gapless, and awake when something comes.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, replay};

/// A wait that no test waits out.
const LONG: &str = "45s";
/// What "at once" may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

fn types(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_feed_tells_every_change_in_order_and_gives_every_role() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "200ms").await);
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let before = admin.feed("acme").await.len();

    let bob = scim.create_user("bob").await;
    let group = scim.create_group("Staff").await;
    scim.add_member(&group, &bob).await;
    admin.wait_until_settled("acme").await;
    scim.set(&bob, "displayName", "Bob").await;
    scim.disable(&bob).await;
    scim.enable(&bob).await;
    admin.wait_until_settled("acme").await;
    let path = format!("/tenants/acme/accounts/{bob}");
    admin.put(&format!("{path}/lock"), &json!({"role": "admin"})).await.expect(200);
    admin.delete(&format!("{path}/lock")).await.expect(200);
    scim.delete_user(&bob).await;
    scim.delete(&format!("/Groups/{group}")).await.expect(204);
    admin.wait_until_settled("acme").await;

    let feed = admin.feed("acme").await;
    let seen = types(&feed[before..]);
    let order = [
        "account.created",
        "group.created",
        "group.members_changed",
        "account.role_changed",
        "wave.settled",
        "account.updated",
        "account.disabled",
        "account.enabled",
        "account.role_changed",
        "wave.settled",
        "account.locked",
        "account.unlocked",
        "account.deleted",
        "group.deleted",
        "wave.settled",
    ];
    let mut rest = seen.iter();
    for kind in order {
        assert!(rest.any(|seen| *seen == kind), "{kind} is missing in {seen:?}");
    }
    assert_eq!(replay(&feed), admin.roles("acme").await);
    let created = &feed[before];
    assert_eq!((&created["to"], &created["account"]), (&json!("default"), &json!(bob)));
    let changed = feed.iter().find(|entry| entry["type"] == "account.role_changed").unwrap();
    assert_eq!((&changed["from"], &changed["to"]), (&json!("default"), &json!("loanee")));
    assert_eq!(changed["why"]["rule"], "mapping");
    assert_eq!(changed["why"]["group"], "Staff");
    let deleted = feed.iter().find(|entry| entry["type"] == "account.deleted").unwrap();
    assert_eq!(deleted["to"], Value::Null);
    let mut ids: Vec<&str> = feed.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), feed.len(), "every entry has an id of its own");
}

#[tokio::test]
async fn the_feed_can_be_read_from_anywhere_in_parts_and_by_type() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    for n in 0..10 {
        let id = scim.create_user(&format!("u{n}")).await;
        if n % 2 == 0 {
            scim.disable(&id).await;
        }
    }
    let whole = admin.feed("acme").await;
    assert!(whole.len() >= 15);

    let (mut parts, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/tenants/acme/changes?after={after}&limit=4");
        let page = admin.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = last["seq"].as_u64().unwrap();
        parts.extend(page);
    }
    assert_eq!(parts, whole);

    for wanted in ["account.disabled", "account.disabled,account.created"] {
        let path = format!("/tenants/acme/changes?type={wanted}");
        let page = admin.get(&path).await.expect(200).json();
        let expected: Vec<&Value> = whole
            .iter()
            .filter(|entry| wanted.split(',').any(|kind| entry["type"] == kind))
            .collect();
        assert_eq!(page["items"], json!(expected));
    }
    let end = format!("/tenants/acme/changes?after={}", whole.len());
    assert_eq!(admin.get(&end).await.expect(200).json()["items"], json!([]));
    let ahead = format!("/tenants/acme/changes?after={}", whole.len() + 1_000);
    assert_eq!(admin.get(&ahead).await.expect(410).json()["latest"], whole.len());
}

#[tokio::test]
async fn a_long_poll_wakes_up_for_the_first_entry_that_comes() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin().clone(), server.tenant("acme", "60s").await);
    let after = admin.feed("acme").await.len();

    for kind in ["", "&type=account.created"] {
        let after = admin.feed("acme").await.len().max(after);
        let path = format!("/tenants/acme/changes?after={after}&wait={LONG}{kind}");
        let poll = async { (admin.get(&path).await.expect(200).json(), Instant::now()) };
        let create = async {
            let name = format!("bob{}", kind.len());
            let id = scim.create_user(&name).await;
            (id, Instant::now())
        };
        let ((page, woke_at), (id, made_at)) = tokio::join!(poll, create);

        assert!(woke_at.saturating_duration_since(made_at) < AT_ONCE);
        assert_eq!(page["items"][0]["account"], id);
        assert_eq!(page["items"][0]["seq"], after + 1);
    }
}

#[tokio::test]
async fn a_long_poll_for_another_type_sleeps_on() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin().clone(), server.tenant("acme", "60s").await);
    let path = format!("/tenants/acme/changes?wait={LONG}&type=account.deleted");

    let poll = async { admin.get(&path).await.expect(200).json() };
    let write = async {
        let id = scim.create_user("bob").await;
        scim.disable(&id).await;
        scim.delete_user(&id).await;
        id
    };
    let (page, id) = tokio::join!(poll, write);

    let items = page["items"].as_array().unwrap();
    assert_eq!(types(items), ["account.deleted"]);
    assert_eq!(items[0]["account"], id);
}

#[tokio::test]
async fn a_long_poll_ends_with_its_wait() {
    let server = Server::start().await;
    let admin = server.admin();
    server.tenant("acme", "60s").await;
    let began = Instant::now();

    let after = admin.feed("acme").await.len();
    let path = format!("/tenants/acme/changes?after={after}&wait=300ms");
    let page = admin.get(&path).await.expect(200).json();

    assert_eq!(page["items"], json!([]));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300) && took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn a_reader_who_is_ahead_of_the_feed_hears_that_it_is_another_one() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    scim.create_user("ada").await;
    let latest = admin.feed("acme").await.len();

    let ahead = format!("/tenants/acme/changes?after={}&wait=30s", latest + 1);
    let gone = admin.get(&ahead).await.expect_problem(410, "younger").json();
    let request = admin.request(Method::GET, "/tenants/acme/changes");
    let request = request.header("accept", "text/event-stream").header("last-event-id", "9999");
    let streamed = request.send().await.unwrap();

    assert_eq!((&gone["oldest"], &gone["latest"]), (&json!(1), &json!(latest)));
    let start_over = json!({"read": "/admin/v1/tenants/acme/accounts", "after": latest});
    assert_eq!(gone["start_over"], start_over);
    assert_eq!(streamed.status().as_u16(), 410);
}

#[tokio::test]
async fn a_long_poll_ends_when_its_tenant_is_deleted() {
    let server = Server::start().await;
    let admin = server.admin();
    server.tenant("acme", "60s").await;
    let after = admin.feed("acme").await.len();
    let path = format!("/tenants/acme/changes?after={after}&wait={LONG}");

    let began = Instant::now();
    let poll = admin.get(&path);
    let delete = async { admin.delete("/tenants/acme").await.expect(204) };
    let (polled, _) = tokio::join!(poll, delete);

    assert!(matches!(polled.status, 200 | 404), "{polled:?}");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_long_poll_ends_when_the_server_stops() {
    let mut server = Server::start().await;
    let (admin, scim) = (server.admin().clone(), server.tenant("acme", "60s").await);
    let path = format!("/tenants/acme/changes?wait={LONG}&type=account.deleted");

    let began = Instant::now();
    let poll = tokio::spawn(async move { admin.get(&path).await });
    // Something goes on beside it; it is still asleep.
    scim.create_user("bob").await;
    assert!(!poll.is_finished());
    server.ask_to_stop().await;

    assert_eq!(poll.await.unwrap().expect(200).json()["items"], json!([]));
    assert_eq!(server.ended().await.0.code(), Some(0));
    assert!(began.elapsed() < 2 * AT_ONCE, "{:?}", began.elapsed());
}
