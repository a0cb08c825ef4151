//! Configure SCIM: tokens, mappings with their preview, and what a setup link cannot change.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use crate::server::{ScimClient, Server, encode};

const CONFIGURE: &str = "/tenants/acme/configure";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\"'&";

/// What stands between two texts of a page.
#[track_caller]
pub(super) fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before:?}: {page}"));
    rest.split_once(after).expect("it ends").0
}

/// Sends a form that is on this page, with the CSRF token that is on it.
pub(super) async fn send_from(
    browser: &Browser,
    page: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Page {
    let shown = browser.get(page).await.expect(200);
    let csrf = between(&shown.text, "name=\"csrf\" value=\"", "\"").to_owned();
    let mut fields = fields.to_vec();
    fields.push(("csrf", &csrf));
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    let request = browser
        .request(Method::POST, path)
        .header("origin", &browser.url)
        .header("referer", format!("{}{page}", browser.url))
        .header("content-type", "application/x-www-form-urlencoded");
    browser.send(request.body(pairs.collect::<Vec<_>>().join("&"))).await
}

async fn revision(browser: &Browser) -> String {
    let page = browser.get(CONFIGURE).await.expect(200);
    between(&page.text, "name=\"revision\" value=\"", "\"").to_owned()
}

async fn settings(server: &Server) -> Value {
    server.admin().get("/tenants/acme/settings").await.expect(200).json()
}

/// A server with Ada in Admins and Staff, and Bob in Staff.
async fn acme() -> (Server, ScimClient, [String; 2]) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let (ada, bob) = (scim.create_user("ada").await, scim.create_user("bob").await);
    let (admins, staff) = (scim.create_group("Admins").await, scim.create_group("Staff").await);
    scim.add_member(&admins, &ada).await;
    scim.add_member(&staff, &ada).await;
    scim.add_member(&staff, &bob).await;
    server.admin().wait_until_settled("acme").await;
    (server, scim, [ada, bob])
}

#[tokio::test]
async fn a_tenant_is_made_with_a_form_and_its_token_is_shown_once_and_works() {
    let server = Server::start().await;
    let browser = Browser::logged_in(&server).await;

    let form = [("id", "acme"), ("name", HOSTILE)];
    let made = browser.act("/new-tenant", &form).await.expect(200);
    let token = between(&made.text, "<code id=\"token\">", "<").to_owned();
    let endpoint = between(&made.text, "<code id=\"endpoint\">", "<").to_owned();
    assert!(!made.text.contains("<script>alert"), "{}", made.text);
    made.shows("Not connected yet");

    let page = browser.get(CONFIGURE).await.expect(200);
    assert!(!page.text.contains(&token));
    page.shows("Not connected yet");

    let scim = ScimClient::new(&endpoint, &token);
    scim.find("/Users", "userName eq \"nobody\"").await;
    browser.get(CONFIGURE).await.shows("badge ok\">Connected");
}

#[tokio::test]
async fn a_tenant_that_cannot_be_made_says_why_and_keeps_what_was_typed() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = Browser::logged_in(&server).await;

    let taken = browser.act("/new-tenant", &[("id", "acme"), ("name", "Other")]).await.expect(409);
    taken.shows("There is a tenant acme already.");
    taken.shows("value=\"Other\"");
    let bad = browser.act("/new-tenant", &[("id", "A b"), ("name", "Other")]).await.expect(422);
    bad.shows("id=\"id-error\"");
    bad.shows("value=\"A b\"");
}

#[tokio::test]
async fn a_tenant_is_deleted_when_its_id_was_typed() {
    let server = Server::start().await;
    server.tenant("acme", "1s").await;
    let browser = Browser::logged_in(&server).await;
    let delete = "/tenants/acme/delete";

    let refused = send_from(&browser, CONFIGURE, delete, &[("confirm", "acne")]).await;
    assert_eq!(refused.location(), CONFIGURE);
    browser.get(CONFIGURE).await.expect(200).shows("Nothing was deleted");
    send_from(&browser, CONFIGURE, delete, &[("confirm", "acme")]).await.expect(303);

    browser.get(CONFIGURE).await.expect(404);
}

#[tokio::test]
async fn a_token_made_with_the_form_appears_once_and_opens_the_tenant() {
    let (server, scim, _) = acme().await;
    let browser = super::setup::opened(&server, "acme").await;

    let form = [("label", "second"), ("expires_in", "365d")];
    let path = format!("{CONFIGURE}/tokens");
    let made = send_from(&browser, CONFIGURE, &path, &form).await.expect(200);
    let token = between(&made.text, "<code id=\"token\">", "<").to_owned();
    made.shows("not shown again");

    scim.with_token(&token).get("/Users").await.expect(200);
    for page in [CONFIGURE, "/tenants/acme/configure"] {
        assert!(!browser.get(page).await.text.contains(&token));
    }
    let log = server.home.logs_with(&path).await;
    assert!(!log.contains(&token), "{log}");

    let bad = [("label", "x"), ("expires_in", "soon")];
    let refused = send_from(&browser, CONFIGURE, &path, &bad).await.expect(422);
    refused.shows("expected a duration");
    refused.shows("value=\"x\"");
}

#[tokio::test]
async fn a_preview_says_who_changes_and_saving_changes_just_them() {
    let (server, _, [ada, bob]) = acme().await;
    let browser = Browser::logged_in(&server).await;
    let revision = revision(&browser).await;
    let form = [
        ("revision", revision.as_str()),
        ("default_role", "guest"),
        ("disabled_role", "disabled"),
        ("mappings", "1"),
        ("mapping_group", "Staff"),
        ("mapping_role", "loanee"),
        ("mapping_position", "2"),
        ("mapping_group", "Admins"),
        ("mapping_role", "admin"),
        ("mapping_position", "1"),
        ("mapping_group", "admins "),
        ("mapping_role", ""),
        ("mapping_position", "3"),
    ];

    let bad = send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/preview"), &form).await;
    bad.expect(422).shows("role_mappings[2].role");
    let form = &form[..10];
    let preview = send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/preview"), form).await;
    let preview = preview.expect(200);
    preview.shows("<b>2</b> of 2 accounts");
    preview.shows(">1 member<");
    assert_eq!(settings(&server).await["role_mappings"], json!([]), "a preview changes nothing");
    let table = between(&preview.text, "id=\"preview\"", "</table>");
    for (name, role) in [(">ada<", ">admin<"), (">bob<", ">loanee<")] {
        let row = between(table, name, "</tr>");
        assert!(row.contains(">default<") && row.contains(role), "{row}");
    }

    let saved = send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/save"), form).await;
    assert_eq!(saved.location(), CONFIGURE);

    let expected = json!([
        {"group": "Admins", "role": "admin"}, {"group": "Staff", "role": "loanee"},
    ]);
    assert_eq!(settings(&server).await["role_mappings"], expected);
    assert_eq!(server.admin().role_of("acme", &ada).await.as_deref(), Some("admin"));
    assert_eq!(server.admin().role_of("acme", &bob).await.as_deref(), Some("loanee"));
}

#[tokio::test]
async fn who_saves_after_somebody_else_is_told_and_loses_nothing() {
    let (server, ..) = acme().await;
    let browser = Browser::logged_in(&server).await;
    let old = revision(&browser).await;
    server.admin().set_settings("acme", &json!({"default_role": "theirs"})).await;

    let form = [("revision", old.as_str()), ("default_role", "mine")];
    let path = format!("{CONFIGURE}/save");
    let refused = send_from(&browser, CONFIGURE, &path, &form).await.expect(409);
    refused.shows("Somebody else changed the settings");
    refused.shows("value=\"mine\"");
    assert_eq!(settings(&server).await["default_role"], "theirs");

    let renewed = between(&refused.text, "name=\"revision\" value=\"", "\"").to_owned();
    let form = [("revision", renewed.as_str()), ("default_role", "mine")];
    send_from(&browser, CONFIGURE, &path, &form).await.expect(303);
    assert_eq!(settings(&server).await["default_role"], "mine");
}

#[tokio::test]
async fn a_bad_setting_is_named_and_changes_nothing() {
    let (server, ..) = acme().await;
    let browser = Browser::logged_in(&server).await;
    let before = settings(&server).await;
    let revision = revision(&browser).await;
    let revision = ("revision", revision.as_str());

    for (fields, key) in [
        (&[("default_role", " ")][..], "default_role"),
        (&[("fields", "1"), ("field_name", "x"), ("field_path", "a[")][..], "field_mappings.x"),
        (
            &[
                ("mappings", "1"),
                ("mapping_group", "A"),
                ("mapping_role", "a"),
                ("mapping_position", "first"),
            ][..],
            "role_mappings",
        ),
    ] {
        let form = [&[revision][..], fields].concat();
        let page = send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/save"), &form).await;
        let page = page.expect(422);
        page.shows(&format!("<code>{key}</code>"));
        page.shows("field-error");
        for (_, value) in fields.iter().filter(|(name, _)| name.contains('_')) {
            if !value.trim().is_empty() && *value != "first" {
                page.shows(&format!("value=\"{value}\""));
            }
        }
    }
    for (key, value, said) in [
        ("reconcile.settle", "soon", "Settle: expected a duration"),
        ("hold.share", "150", "expected a number from 0 to 100"),
        ("rate_limit.burst", "many", "expected a whole number"),
        ("equipment.email", "it@x.org\nit", "E-mail addresses: expected an e-mail address"),
    ] {
        let form = [revision, (key, value)];
        let page = send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/limits"), &form).await;
        let page = page.expect(422);
        page.shows(said);
        page.shows("aria-invalid=\"true\"");
        page.shows(value);
    }
    assert_eq!(settings(&server).await, before);

    let form = [revision, ("hold.share", "25"), ("protected_roles", "admin\n\nowner\n")];
    send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/limits"), &form).await.expect(303);
    let after = settings(&server).await;
    assert_eq!(after["hold"]["share"], 0.25);
    assert_eq!(after["protected_roles"], json!(["admin", "owner"]));
    assert_eq!(after["retention"], before["retention"]);
}

#[tokio::test]
async fn a_setup_session_maps_groups_and_changes_no_limits_whatever_it_sends() {
    let (server, ..) = acme().await;
    let browser = super::setup::opened(&server, "acme").await;
    let before = settings(&server).await;
    let revision = revision(&browser).await;
    let crafted = [
        ("revision", revision.as_str()),
        ("mappings", "1"),
        ("mapping_group", "Admins"),
        ("mapping_role", "admin"),
        ("rate_limit.requests_per_second", "1"),
        ("rate_limit", "{\"burst\": 1}"),
        ("hold.share", "0"),
        ("protected_roles", "admin"),
        ("retention.audit", "1ms"),
        ("equipment.email", "evil@example.com"),
        ("disable_overrides_lock", "false"),
        ("ticks", "1"),
    ];

    send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/save"), &crafted).await.expect(303);
    send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/limits"), &crafted).await.expect(404);
    send_from(&browser, CONFIGURE, "/tenants/acme/delete", &[("confirm", "acme")])
        .await
        .expect(404);

    let mut after = settings(&server).await;
    assert_eq!(after["role_mappings"], json!([{"group": "Admins", "role": "admin"}]));
    after["role_mappings"] = json!([]);
    assert_eq!(after, before);
    let page = browser.get(CONFIGURE).await.expect(200);
    for hidden in ["hold.share", "Delete this tenant", "/tokens\">"] {
        assert!(!page.text.contains(hidden), "{hidden}");
    }
    let audit = server.admin().all("/tenants/acme/audit").await;
    assert!(audit.iter().any(|entry| entry["actor"]["kind"] == "setup_link"));
}

#[tokio::test]
async fn a_mapping_that_never_counts_or_waits_for_its_group_says_so() {
    let (server, scim, _) = acme().await;
    let browser = Browser::logged_in(&server).await;
    let groups = scim.find("/Groups", "displayName eq \"Admins\"").await;
    let id = groups["Resources"][0]["id"].as_str().unwrap().to_owned();
    let mappings = json!({"role_mappings": [
        {"group": "Admins", "role": "admin"}, {"group_id": id, "role": "other"},
        {"group": HOSTILE, "role": "later"},
    ]});
    server.admin().set_settings("acme", &mappings).await;

    let page = browser.get(CONFIGURE).await.expect(200);
    page.shows("never counts: row 1 means the same group");
    page.shows("not pushed yet");
    assert!(!page.text.contains("<script>alert"));

    // Sent as it is shown, it changes nothing.
    let revision = revision(&browser).await;
    let form = [
        ("revision", revision.as_str()),
        ("mappings", "1"),
        ("mapping_kind", "name"),
        ("mapping_group", "Admins"),
        ("mapping_role", "admin"),
        ("mapping_kind", "id"),
        ("mapping_group", &id),
        ("mapping_role", "other"),
        ("mapping_kind", "name"),
        ("mapping_group", HOSTILE),
        ("mapping_role", "later"),
    ];
    send_from(&browser, CONFIGURE, &format!("{CONFIGURE}/save"), &form).await.expect(303);
    assert_eq!(settings(&server).await["role_mappings"], mappings["role_mappings"]);
}

/// The next event of a stream.
async fn next_event(stream: &mut reqwest::Response) -> String {
    let waited = async {
        loop {
            let piece = stream.chunk().await.unwrap().expect("the stream goes on");
            let text = String::from_utf8_lossy(&piece).into_owned();
            if text.contains("event:") {
                return text;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("an event in time")
}

#[tokio::test]
async fn the_page_hears_of_test_connection() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "1s").await;
    let browser = Browser::logged_in(&server).await;
    let request = browser.request(Method::GET, "/tenants/acme/live");
    let mut stream = request.send().await.unwrap();

    let first = next_event(&mut stream).await;
    // Browsers drop an event that has no data.
    assert!(first.contains("event: changed\ndata: "), "{first}");
    scim.find("/Users", "userName eq \"nobody\"").await;
    next_event(&mut stream).await;

    browser.get(CONFIGURE).await.shows("badge ok\">Connected");
}
