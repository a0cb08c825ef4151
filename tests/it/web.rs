//! The web pages, as a browser asks for them: who is let in, and what is refused.

mod accounts;
mod actors;
mod browser;
mod configure;
mod lists;
mod operate;
mod requests;
mod routes;
mod setup;
mod tide;

use serde_json::json;

use self::browser::Browser;
use crate::server::{OPERATOR_TOKEN, Server};

#[tokio::test]
async fn somebody_who_is_not_logged_in_sees_the_login_and_then_the_page_that_was_asked_for() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = Browser::new(&server);

    let asked = browser.get("/?limit=5").await;
    assert_eq!(asked.location(), "/login?next=%2F%3Flimit%3D5");
    let form = [("token", OPERATOR_TOKEN), ("next", "/?limit=5")];
    let logged_in = browser.post("/login", &form).await;

    assert_eq!(logged_in.location(), "/?limit=5");
    browser.get("/").await.expect(200).shows("Tenant acme");
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_too_many_are_slowed_down() {
    let server = Server::start().await;
    let browser = Browser::new(&server);

    for _ in 0..20 {
        browser.post("/login", &[("token", "wrong-token")]).await.expect(403);
    }
    browser.post("/login", &[("token", "wrong-token")]).await.expect(429);

    // Whoever knows the token is not kept out by those who do not.
    browser.log_in().await;
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn after_the_log_out_nothing_opens() {
    let server = Server::start().await;
    let browser = Browser::logged_in(&server).await;
    let other = Browser::logged_in(&server).await;

    browser.act("/logout", &[]).await.expect(303);

    browser.get("/").await.expect(303);
    other.get("/").await.expect(200);
}

#[tokio::test]
async fn the_session_cookie_is_for_this_site_and_no_script() {
    let server = Server::start().await;
    let browser = Browser::new(&server);
    let answer = browser.post("/login", &[("token", OPERATOR_TOKEN)]).await.expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }

    let home = crate::server::Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    command.env("SLACKWATER_PUBLIC_URL", "https://sync.example.com");
    let behind_tls = Server::launch(&home, command).await;
    let browser = Browser::new(&behind_tls);
    let answer = browser.post("/login", &[("token", OPERATOR_TOKEN)]).await.expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn pages_allow_nothing_inline_and_nothing_from_elsewhere() {
    let server = Server::start().await;
    let browser = Browser::logged_in(&server).await;

    for path in ["/", "/login?next=/x", "/tenants/none", "/assets/app.js", "/setup?link=x"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy").unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_the_login() {
    let server = Server::start().await;
    for next in ["//evil.test", "https://evil.test/", "/\\evil.test"] {
        let browser = Browser::new(&server);
        let answer = browser.post("/login", &[("token", OPERATOR_TOKEN), ("next", next)]).await;
        assert_eq!(answer.location(), "/", "{next}");
    }
}

#[tokio::test]
async fn neither_a_login_nor_a_setup_link_is_written_to_the_log() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let made =
        server.admin().post("/tenants/acme/setup-links", &json!({})).await.expect(201).json();
    let url = made["url"].as_str().unwrap();
    let link = url.split_once("?link=").unwrap().1;
    let browser = Browser::logged_in(&server).await;
    browser.get(&format!("/setup?link={link}")).await.expect(200);
    browser.post("/setup", &[("link", link)]).await.expect(303);

    let log = server.home.logs_with("\"/setup\"").await;

    let secret = url.rsplit('_').next().unwrap();
    assert!(!log.contains(secret) && !log.contains(OPERATOR_TOKEN), "{log}");
}
