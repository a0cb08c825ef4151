//! Setup links: what one opens, and when it stops opening it.

use serde_json::{Value, json};

use super::browser::Browser;
use crate::server::Server;

/// A link, as an operator makes it.
async fn made(server: &Server, tenant: &str) -> Value {
    let body = json!({"label": "Ada", "expires_in": "7d"});
    server.admin().post(&format!("/tenants/{tenant}/setup-links"), &body).await.expect(201).json()
}

fn secret(link: &Value) -> &str {
    link["url"].as_str().unwrap().split_once("?link=").unwrap().1
}

/// A browser in which a setup link of this tenant was opened.
pub(crate) async fn opened(server: &Server, tenant: &str) -> Browser {
    let link = made(server, tenant).await;
    let browser = Browser::new(server);
    browser.get(&format!("/setup?link={}", secret(&link))).await.expect(200);
    let answer = browser.post("/setup", &[("link", secret(&link))]).await;
    assert_eq!(answer.location(), format!("/tenants/{tenant}/configure"));
    browser
}

#[tokio::test]
async fn looking_at_a_link_opens_nothing_and_a_click_opens_its_tenant() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let link = made(&server, "acme").await;
    let browser = Browser::new(&server);

    let page = browser.get(&format!("/setup?link={}", secret(&link))).await.expect(200);
    page.shows("Tenant acme");
    browser.get("/").await.expect(303);
    browser.post("/setup", &[("link", secret(&link))]).await.expect(303);

    assert_eq!(browser.get("/").await.location(), "/tenants/acme");
}

#[tokio::test]
async fn a_revoked_link_ends_the_sessions_that_it_opened() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let link = made(&server, "acme").await;
    let browser = Browser::new(&server);
    browser.post("/setup", &[("link", secret(&link))]).await.expect(303);

    let path = format!("/tenants/acme/setup-links/{}", link["id"].as_str().unwrap());
    server.admin().delete(&path).await.expect(204);

    assert!(browser.get("/").await.location().starts_with("/login"));
    browser.post("/setup", &[("link", secret(&link))]).await.expect(404);
}

#[tokio::test]
async fn links_are_audited_and_their_secrets_are_nowhere() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let link = made(&server, "acme").await;
    let id = link["id"].as_str().unwrap();
    server.admin().delete(&format!("/tenants/acme/setup-links/{id}")).await.expect(204);

    let audit = server.admin().all("/tenants/acme/audit").await;

    let about = |entry: &&Value| entry["changes"].to_string().contains("setup_link");
    assert_eq!(audit.iter().filter(about).count(), 2, "{audit:?}");
    let half = secret(&link).rsplit('_').next().unwrap();
    assert!(!format!("{audit:?}").contains(half));
}

#[tokio::test]
async fn a_link_that_is_none_opens_nothing() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let link = made(&server, "acme").await;
    let other = secret(&link).replace("sws_acme", "sws_none");
    let cut = &secret(&link)[..secret(&link).len() - 1];

    for wrong in ["", "x", &other, cut] {
        let browser = Browser::new(&server);
        browser.get(&format!("/setup?link={wrong}")).await.expect(404);
        browser.post("/setup", &[("link", wrong)]).await.expect(404);
        browser.get("/").await.expect(303);
    }
}
