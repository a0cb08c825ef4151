//! The pages of requests: what came is found, read and understood, safely.

use serde_json::json;

use super::browser::Browser;
use super::setup;
use crate::server::{Server, eventually};

const NASTY: &str = "<script>alert(1)</script>\u{202e}\"'&";

/// The list, once this stands in it.
async fn list_with(browser: &Browser, query: &str, text: &str) -> String {
    eventually("requests on the page", || async {
        let page = browser.get(&format!("/tenants/acme/requests{query}")).await.expect(200).text;
        if page.contains(text) { Ok(page) } else { Err(page) }
    })
    .await
}

#[tokio::test]
async fn a_refused_request_stands_out_and_opens_to_its_bodies_and_what_to_do() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let browser = Browser::logged_in(&server).await;
    let empty = browser.get("/tenants/acme/requests").await.expect(200).text;
    assert!(empty.contains("Nothing came yet"), "{empty}");
    let body = json!({"userName": "ada@example.com", "password": "hunter2"});
    let ada = scim.post("/Users", &body).await.expect(201).id();
    scim.post("/Users", &body).await.expect(409);

    let list = list_with(&browser, "", "409 Conflict").await;
    assert!(list.contains("Another user here has that user name already."), "{list}");
    assert!(list.contains("ada@example.com") && list.contains("Create a user"));
    let errors = list_with(&browser, "?errors=true&q=ADA%40example.com", "409 Conflict").await;
    assert!(!errors.contains("201 Created"), "{errors}");

    let items = server.admin().all("/tenants/acme/requests").await;
    let page = |n: usize| format!("/tenants/acme/requests/{}", items[n]["id"].as_str().unwrap());
    let refused = browser.get(&page(0)).await.expect(200).text;
    for words in
        ["What went wrong", "rename or delete one", "userName is taken", "<mark>(redacted)</mark>"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(!refused.contains("hunter2"), "{refused}");
    let created = browser.get(&page(1)).await.expect(200).text;
    for part in [format!("/accounts/{ada}"), "/waves/".to_owned(), "&#34;userName&#34;".to_owned()]
    {
        assert!(created.contains(&part), "{part}: {created}");
    }
    browser.get("/tenants/acme/requests/no-such-request").await.expect(404);
    browser.get("/tenants/acme/requests?status=x").await.expect(400);
    let none = list_with(&browser, "?q=nobody", "No request is like that").await;
    assert!(none.contains("Show all"), "{none}");
}

#[tokio::test]
async fn what_clients_call_themselves_and_others_is_shown_safely() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let browser = Browser::logged_in(&server).await;
    let long = "x".repeat(10_000);
    for name in [NASTY, &long] {
        let request = scim.request(reqwest::Method::POST, "/Users");
        let body = json!({"userName": name, "displayName": name}).to_string();
        let agent = "<img src=x onerror=alert(1)>";
        let sent = request.header("user-agent", agent).body(body).send().await.unwrap();
        assert!([201, 400].contains(&sent.status().as_u16()));
    }
    scim.get("/Users/%3Cb%3E?filter=%3Cscript%3E").await.expect(404);

    let list = list_with(&browser, "", "404 Not Found").await;
    let mut pages = vec![list];
    for item in server.admin().all("/tenants/acme/requests").await {
        let path = format!("/tenants/acme/requests/{}", item["id"].as_str().unwrap());
        pages.push(browser.get(&path).await.expect(200).text);
    }
    let query = format!("?q={}&method=%22%3E%3Cb%3E", crate::server::encode(NASTY));
    pages.push(browser.get(&format!("/tenants/acme/requests{query}")).await.expect(200).text);

    for page in pages {
        for bad in ["<script>alert", "<img src=x", "<b>", "\u{202e}", "style="] {
            assert!(!page.contains(bad), "{bad}: {page}");
        }
        assert!(page.len() < 200_000);
    }
}

#[tokio::test]
async fn a_setup_session_reads_and_downloads_the_requests_of_its_tenant() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "1s").await;
    scim.create_user("ada").await;
    let wave = server.admin().wait_until_settled("acme").await;
    let browser = setup::opened(&server, "acme").await;

    let id = wave["id"].as_str().unwrap();
    let list = list_with(&browser, &format!("?wave={id}"), "201 Created").await;
    let file = format!("/tenants/acme/waves/{id}/requests");
    assert!(list.contains(&file), "{list}");
    let lines = browser.get(&file).await.expect(200);
    assert!(lines.header("content-disposition").unwrap_or_default().starts_with("attachment"));
    assert!(lines.text.contains("\"userName\":\"ada\""), "{}", lines.text);
}
