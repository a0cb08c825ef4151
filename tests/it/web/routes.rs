//! Every route is walked: by somebody who is not logged in, by the wrong tenant's administrator,
//! from another site, and without a CSRF token.

use reqwest::Method;
use serde_json::json;
use slackwater::web::admit::Audience;
use slackwater::web::routes::Route;

use super::browser::Browser;
use crate::server::Server;

/// A route's path, in a tenant.
fn path_in(route: &Route, tenant: &str) -> String {
    let parts = route.path.split('/').map(|part| match part {
        "{tenant}" => tenant,
        part if part.starts_with('{') => "01990a5d-ac96-774b-bcce-b302099a8057",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn try_all(browser: &Browser, tenant: &str, routes: &[Route]) -> Vec<(Route, u16, String)> {
    let mut tried = Vec::new();
    for route in routes {
        let path = path_in(route, tenant);
        let page = if route.method == Method::GET {
            browser.get(&path).await
        } else {
            browser.post(&path, &[]).await
        };
        let location = page.header("location").unwrap_or_default().to_owned();
        tried.push((route.clone(), page.status, location));
    }
    tried
}

fn guarded() -> Vec<Route> {
    let all = slackwater::web::routes().listed();
    // Streams do not end by themselves.
    all.into_iter()
        .filter(|route| route.audience != Audience::Anyone && !route.path.ends_with("/live"))
        .collect()
}

#[tokio::test]
async fn without_a_session_every_route_leads_to_the_login() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = Browser::new(&server);

    for (route, status, location) in try_all(&browser, "acme", &guarded()).await {
        assert_eq!(status, 303, "{route:?}");
        assert!(location.starts_with("/login"), "{route:?}: {location}");
    }
}

#[tokio::test]
async fn a_setup_session_has_its_own_tenant_and_nothing_of_another() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    server.tenant("other", "1s").await;
    let browser = super::setup::opened(&server, "acme").await;

    for (route, status, _) in try_all(&browser, "other", &guarded()).await {
        match route.audience {
            Audience::Session => {}
            _ => assert_eq!(status, 404, "{route:?}"),
        }
    }
    for (route, status, _) in try_all(&browser, "acme", &guarded()).await {
        match route.audience {
            Audience::Operator => assert_eq!(status, 404, "{route:?}"),
            // It is let in as far as the CSRF token.
            _ if route.method == Method::POST => assert_eq!(status, 403, "{route:?}"),
            _ => assert_ne!(status, 403, "{route:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_changed_without_a_csrf_token_or_from_another_site() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = Browser::logged_in(&server).await;
    let csrf = browser.csrf().await;
    let acts = slackwater::web::routes().listed();
    let acts: Vec<Route> = acts.into_iter().filter(|route| route.method == Method::POST).collect();
    assert!(!acts.is_empty());

    for route in &acts {
        let path = path_in(route, "acme");
        for (name, value) in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = browser.request(Method::POST, &format!("{path}?csrf={csrf}"));
            let form = ("content-type", "application/x-www-form-urlencoded");
            let request = request.header(name, value).header(form.0, form.1);
            let refused = browser.send(request.body(format!("csrf={csrf}"))).await;
            assert_eq!(refused.status, 403, "{route:?} with {name}: {value}");
        }
        if route.audience != Audience::Anyone {
            for fields in [&[][..], &[("csrf", "wrong")][..]] {
                let refused = browser.post(&path, fields).await;
                assert_eq!(refused.status, 403, "{route:?} with {fields:?}");
            }
        }
    }
    browser.get("/").await.expect(200);
}

#[tokio::test]
async fn a_session_cookie_does_not_open_the_admin_api() {
    let server = Server::start().await;
    let browser = Browser::logged_in(&server).await;

    browser.get("/admin/v1/tenants").await.expect(401);
    let body = json!({"id": "acme"}).to_string();
    let request = browser.request(Method::POST, "/admin/v1/tenants").body(body);
    browser.send(request).await.expect(401);
}
