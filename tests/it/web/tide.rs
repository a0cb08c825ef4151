//! The pages of a sync: tenants at a glance, the tide, waves, health, the mapping check.

use serde_json::json;

use super::browser::Browser;
use crate::server::Server;

const MARKUP: &str = "<img src=x onerror=alert(1)>\u{202e}";

#[tokio::test]
async fn the_tide_shows_a_wave_and_what_it_changed() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    server.admin().map_roles("acme", &[("Staff", "loanee")]).await;
    let browser = Browser::logged_in(&server).await;
    browser.get("/tenants/acme").await.expect(200).shows("No wave has come yet");

    let ada = scim.create_user(MARKUP).await;
    let group = scim.create_group("Staff").await;
    scim.add_member(&group, &ada).await;
    let wave = server.admin().wait_until_settled("acme").await;

    for range in ["1h", "6h", "24h", "7d", "nonsense"] {
        let page = browser.get(&format!("/tenants/acme?range={range}")).await.expect(200);
        // Drawn once wide and once narrow, each with one shaded wave and a mark.
        assert_eq!(page.text.matches("<rect class=\"wave\"").count(), 2, "{}", page.text);
        page.shows("1 role changed");
        page.shows("3 requests came, 0 of them failed");
        assert!(!page.text.contains("style="), "{}", page.text);
    }
    let wave = wave["id"].as_str().unwrap();
    let page = browser.get(&format!("/tenants/acme/waves/{wave}")).await.expect(200);
    for part in ["created", "role changed", "loanee", "is in the group Staff"] {
        page.shows(part);
    }
    assert!(!page.text.contains("<img src=x") && !page.text.contains('\u{202e}'), "{}", page.text);
    browser.get("/tenants/acme/waves").await.expect(200).shows(wave);
    browser.get("/tenants/acme/waves/none").await.expect(404);
}

#[tokio::test]
async fn health_and_the_mapping_check_say_what_is_wrong_and_what_helps() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let browser = Browser::logged_in(&server).await;
    let waiting = browser.get("/tenants/acme/mapping-check").await.expect(200);
    waiting.shows("has not sent any user or group yet");

    scim.post("/Users", &json!({"userName": "ada", "nickName": MARKUP})).await.expect(201);

    let page = browser.get("/tenants/acme/mapping-check").await.expect(200);
    page.shows("will not be noticed");
    let page = browser.get("/tenants/acme/health").await.expect(200);
    page.shows("will not be noticed");
    page.shows("Items marked below need attention");
    page.shows("No operation failed within 24 hours");
    assert!(!page.text.contains("<img src=x"), "{}", page.text);
}

#[tokio::test]
async fn tenants_in_trouble_stand_first_and_are_found_by_name() {
    let server = Server::start().await;
    let fine = server.tenant("aaa", "200ms").await;
    let troubled = server.tenant("zzz", "200ms").await;
    fine.post("/Users", &json!({"userName": "ada", "active": true})).await.expect(201);
    troubled.with_token("sw_wrong").get("/Users").await.expect(401);
    let browser = Browser::logged_in(&server).await;

    let page = browser.get("/").await.expect(200);
    let place = |id: &str| page.text.find(&format!("/tenants/{id}\"")).unwrap();
    assert!(place("zzz") < place("aaa"), "{}", page.text);
    page.shows("a wrong token was used");

    let found = browser.get("/?q=AAA").await.expect(200);
    found.shows("/tenants/aaa");
    assert!(!found.text.contains("/tenants/zzz"), "{}", found.text);
    browser.get("/?q=nobody").await.expect(200).shows("No tenant is called like that");
    browser.get("/?page=7").await.expect(200);
    browser.get("/?page=x").await.expect(400);
}

#[tokio::test]
async fn a_setup_link_opens_the_pages_of_the_sync() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = super::setup::opened(&server, "acme").await;

    for path in ["", "/waves", "/health", "/mapping-check"] {
        let page = browser.get(&format!("/tenants/acme{path}")).await.expect(200);
        assert!(!page.text.contains("/tenants/acme/webhooks"), "{path}: {}", page.text);
    }
}
