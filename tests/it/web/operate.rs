//! The pages of operators: tokens, setup links, webhooks, equipment.

use reqwest::Method;
use serde_json::json;

use super::browser::{Browser, Page};
use super::configure::{between, send_from};
use crate::server::{Home, OPERATOR_TOKEN, ScimClient, Server, eventually};
use crate::webhooks::receiver::{Does, Receiver};

const TOKENS: &str = "/tenants/acme/tokens";
const WEBHOOKS: &str = "/tenants/acme/webhooks";
const EQUIPMENT: &str = "/tenants/acme/equipment";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\"'&";

/// A server whose webhooks may reach this machine, and its tenant.
async fn acme() -> (Server, ScimClient, Browser) {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    command.env("SLACKWATER_ALLOW_PRIVATE_WEBHOOKS", "1");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "200ms").await;
    let browser = Browser::logged_in(&server).await;
    (server, scim, browser)
}

/// Where the first form with this end of its address sends to.
fn action(page: &Page, base: &str, end: &str) -> String {
    let starts = page.text.split("action=\"").skip(1);
    let mut actions = starts.filter_map(|rest| rest.split('"').next());
    let found = actions.find(|action| action.starts_with(base) && action.ends_with(end));
    found.unwrap_or_else(|| panic!("no form for {base}…{end}")).to_owned()
}

async fn upload(browser: &Browser, name: &str, content: &str) -> Page {
    let page = browser.get(EQUIPMENT).await.expect(200);
    let action = action(&page, EQUIPMENT, "");
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"list\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n--edge--\r\n"
    );
    let request = browser
        .request(Method::POST, &action)
        .header("origin", &browser.url)
        .header("referer", format!("{}{EQUIPMENT}", browser.url))
        .header("content-type", "multipart/form-data; boundary=edge");
    browser.send(request.body(body)).await
}

#[tokio::test]
async fn pages_of_an_empty_tenant_say_what_will_be_there() {
    let (_server, _, browser) = acme().await;

    browser.get(WEBHOOKS).await.expect(200).shows("There is no webhook");
    browser.get(EQUIPMENT).await.expect(200).shows("There is no list yet");
    browser.get("/tenants/acme/setup-links").await.expect(200).shows("There is no setup link");
    browser.get(TOKENS).await.expect(200).shows("There is no OAuth client");
    browser.get("/tenants/acme/configure").await.expect(200).shows("No group was pushed yet");
    browser.get("/tenants/none/webhooks").await.expect(404);
    browser.get(&format!("{WEBHOOKS}/x")).await.expect(404);
}

#[tokio::test]
async fn a_token_takes_the_place_of_another_one_and_is_deleted() {
    let (_server, scim, browser) = acme().await;
    let page = browser.get(TOKENS).await.expect(200);
    let old = action(&page, TOKENS, "/delete");
    let old = old.rsplit('/').nth(1).unwrap();

    let form = [("label", HOSTILE), ("expires_in", "3d"), ("replaces", old), ("overlap", "1h")];
    let made = send_from(&browser, TOKENS, TOKENS, &form).await.expect(200);
    let token = between(&made.text, "Secret Token</h2>", "</p>");
    let token = between(token, "<code id=\"made-2\">", "<").to_owned();
    let new = scim.with_token(&token);
    new.get("/Users").await.expect(200);

    let page = browser.get(TOKENS).await.expect(200);
    assert!(!page.text.contains(&token) && !page.text.contains("<script>alert"));
    page.shows("ends in");
    for _ in 0..2 {
        let page = browser.get(TOKENS).await.expect(200);
        let delete = action(&page, TOKENS, "/delete");
        send_from(&browser, TOKENS, &delete, &[]).await.expect(303);
    }
    new.get("/Users").await.expect(401);
    scim.get("/Users").await.expect(401);
    browser.get(TOKENS).await.shows("There is no token");
}

#[tokio::test]
async fn an_oauth_client_is_shown_once_and_deleted() {
    let (_server, _, browser) = acme().await;
    let clients = "/tenants/acme/oauth-clients";

    let made = send_from(&browser, TOKENS, clients, &[("label", "entra")]).await.expect(200);
    let secret = between(&made.text, "<code id=\"made-4\">", "<").to_owned();
    let page = browser.get(TOKENS).await.expect(200);
    page.shows("entra");
    assert!(!page.text.contains(&secret));

    let delete = action(&page, clients, "/delete");
    send_from(&browser, TOKENS, &delete, &[]).await.expect(303);
    browser.get(TOKENS).await.shows("There is no OAuth client");
}

#[tokio::test]
async fn a_setup_link_made_with_the_form_opens_the_tenant_until_it_is_revoked() {
    let (server, _, browser) = acme().await;
    let links = "/tenants/acme/setup-links";

    let form = [("label", HOSTILE), ("expires_in", "1d")];
    let made = send_from(&browser, links, links, &form).await.expect(200);
    assert!(!made.text.contains("<script>alert"));
    let link = between(&made.text, "/setup?link=", "<").to_owned();
    let guest = Browser::new(&server);
    guest.post("/setup", &[("link", &link)]).await.expect(303);
    guest.get("/tenants/acme/configure").await.expect(200);
    guest.get(links).await.expect(404);

    let page = browser.get(links).await.expect(200);
    assert!(!page.text.contains(&link));
    let revoke = action(&page, links, "/revoke");
    send_from(&browser, links, &revoke, &[]).await.expect(303);
    guest.get("/tenants/acme/configure").await.expect(303);

    let refused = send_from(&browser, links, links, &[("expires_in", "91d")]).await;
    assert_eq!(refused.location(), links);
    browser.get(links).await.shows("expected at most 90d");
}

#[tokio::test]
async fn a_webhook_is_made_tested_replayed_changed_and_deleted() {
    let (server, scim, browser) = acme().await;
    let receiver = Receiver::start().await;
    let url = receiver.url("/hook");

    let form = [("url", url.as_str()), ("after", "0")];
    let made = send_from(&browser, WEBHOOKS, WEBHOOKS, &form).await.expect(200);
    let secret = between(&made.text, "whsec_", "<").to_owned();
    let path = between(&made.text, "class=\"button primary\" href=\"", "\"").to_owned();
    scim.create_user("ada").await;
    server.admin().wait_until_settled("acme").await;
    let shown = eventually("a delivery on the page", || async {
        let page = browser.get(&path).await.expect(200);
        let is_shown = page.text.contains("account.created") && page.text.contains("up to date");
        if is_shown { Ok(page) } else { Err(page.text) }
    })
    .await;
    assert!(!shown.text.contains(&secret));

    send_from(&browser, &path, &format!("{path}/test"), &[]).await.expect(303);
    browser.get(&path).await.shows("The receiver took the test");
    let taken = receiver.taken().len();
    let replay = [("after", "0"), ("what", "after")];
    send_from(&browser, &path, &format!("{path}/replay"), &replay).await.expect(303);
    browser.get(&path).await.shows("All entries after 0 are delivered again.");
    eventually("entries once more", || async {
        let now = receiver.taken().len();
        if now > taken { Ok(()) } else { Err(format!("{now} of {taken}")) }
    })
    .await;

    receiver.does(|_| Does::Answer(500));
    send_from(&browser, &path, &format!("{path}/test"), &[]).await.expect(303);
    browser.get(&path).await.shows("The test was not delivered");
    let change = [("url", url.as_str()), ("types", "account.created")];
    send_from(&browser, &path, &path, &change).await.expect(303);
    browser.get(&path).await.shows("switched off");
    // A page that was made before it was switched off does not switch it on.
    let stale = [("url", url.as_str()), ("active", "1"), ("was", "failing")];
    send_from(&browser, &path, &path, &stale).await.expect(303);
    browser.get(&path).await.shows("switched off");
    send_from(&browser, &path, &path, &[("url", "ftp://x")]).await.expect(303);
    browser.get(&path).await.shows("url: ");
    let rotated = send_from(&browser, &path, &format!("{path}/rotate"), &[("overlap", "1d")]).await;
    assert_ne!(between(&rotated.expect(200).text, "whsec_", "<"), secret);

    send_from(&browser, &path, &format!("{path}/delete"), &[]).await.expect(303);
    browser.get(&path).await.expect(404);
    browser.get(WEBHOOKS).await.shows("There is no webhook");
}

#[tokio::test]
async fn equipment_is_uploaded_as_a_file_and_a_bad_row_is_named() {
    let (server, scim, browser) = acme().await;
    let ada = scim.create_user("ada").await;
    let list = format!("asset_id,name,holder\r\nLT-1,{HOSTILE},ada\r\nLT-2,Phone,nobody\r\n");
    let list = list.replace('"', "");

    let taken = upload(&browser, "list.csv", &list).await;
    assert_eq!(taken.location(), EQUIPMENT);
    let page = browser.get(EQUIPMENT).await.expect(200);
    page.shows("2 assets were taken. Of 1 nobody matches the holder: nobody.");

    for (name, content, said) in [
        ("list.csv", "asset_id,name,holder\nA,B,ada\nC,D,\n", "line 3, column holder"),
        ("list.csv", "", "Choose a file first."),
        ("list.xlsx", "PK\u{3}\u{4}", "Save it as CSV"),
        ("list.json", "[{\"asset_id\": 1}]", "asset_id"),
    ] {
        let refused = upload(&browser, name, content).await;
        assert_eq!(refused.location(), EQUIPMENT, "{name}");
        browser.get(EQUIPMENT).await.shows(said);
    }
    scim.disable(&ada).await;
    server.admin().wait_until_settled("acme").await;

    let page = browser.get(EQUIPMENT).await.expect(200);
    page.shows("LT-1");
    page.shows("held, disabled");
    assert!(!page.text.contains("<script>alert") && !page.text.contains('\u{202e}'));
    let csv = browser.get(&format!("{EQUIPMENT}/report.csv?state=held&manager=")).await.expect(200);
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    csv.shows("LT-1");
    let json = json!([{"asset_id": "LT-9", "name": "", "holder": "ada"}]).to_string();
    upload(&browser, "list.json", &json).await.expect(303);
    browser.get(EQUIPMENT).await.shows("LT-9");
}
