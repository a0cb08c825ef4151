//! The pages about actors.

use serde_json::json;

use super::browser::Browser;
use crate::server::{Server, eventually};

#[tokio::test]
async fn an_operator_sees_the_supervision_tree() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    server.tenant("umbrella", "1s").await;
    let browser = Browser::logged_in(&server).await;

    let page = browser.get("/actors").await.expect(200);

    for text in [
        "depth-0\">Service",
        "Tenant",
        "acme",
        "umbrella",
        "Reconciler",
        "Housekeeper",
        "Reporter",
        "Recorder",
        "No actor is slow",
        "/tenants/acme/actors",
        "data-live-from=\"/live\"",
    ] {
        page.shows(text);
    }
    browser.get("/actors?cursor=acme").await.expect(200).shows("umbrella");
}

#[tokio::test]
async fn a_users_actor_is_shown_by_its_name_whatever_that_is() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let name = "<script>alert(1)</script>\u{202e}@example.com";
    let bob = scim.create_user(name).await;
    let group = scim.create_group("<b>Staff</b>").await;
    scim.set(&bob, "title", "Keeper").await;
    scim.add_member(&group, &bob).await;
    let browser = Browser::logged_in(&server).await;

    let page = eventually("user in use", || async {
        let page = browser.get("/tenants/acme/actors").await;
        if page.text.contains(&bob) { Ok(page) } else { Err(page.text) }
    })
    .await;

    page.shows("&#60;script&#62;alert(1)");
    page.shows("&#60;b&#62;Staff");
    page.shows(&format!("/tenants/acme/accounts/{bob}"));
    assert!(!page.text.contains("<script>alert") && !page.text.contains('\u{202e}'));
    assert!(!page.text.contains("<b>Staff"));
}

#[tokio::test]
async fn a_setup_link_opens_no_page_about_actors() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let made = json!({"label": "Acme's IT", "expires_in": "1h"});
    let link = server.admin().post("/tenants/acme/setup-links", &made).await.expect(201).json();
    let url = link["url"].as_str().unwrap();
    let browser = Browser::new(&server);
    let (_, link) = url.split_once("link=").unwrap();
    browser.post("/setup", &[("link", link)]).await.expect(303);

    browser.get("/tenants/acme").await;
    for path in ["/actors", "/tenants/acme/actors"] {
        let page = browser.get(path).await;
        assert!([403, 404].contains(&page.status), "{path}: {}", page.status);
    }
}
