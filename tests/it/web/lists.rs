//! Groups, holds, parked memberships and the audit log on pages.

use serde_json::{Value, json};

use super::browser::Browser;
use crate::server::{ScimClient, Server};

async fn started() -> (Server, ScimClient, Browser) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let browser = Browser::logged_in(&server).await;
    (server, scim, browser)
}

#[tokio::test]
async fn the_pages_of_an_empty_tenant_say_what_will_be_there() {
    let (server, _, browser) = started().await;
    for (path, words) in [
        ("accounts", "Accounts appear here as soon as"),
        ("groups", "Groups appear here when Entra pushes them"),
        ("holds", "Nothing waits, and nothing ever did"),
        ("parked", "the directory has not sent anything yet"),
        ("audit?object=hold", "No entry is like that"),
    ] {
        browser.get(&format!("/tenants/acme/{path}")).await.expect(200).shows(words);
        browser.get(&format!("/tenants/none/{path}")).await.expect(404);
    }
    browser.get("/tenants/acme/holds/none").await.expect(404);
    browser.get("/audit").await.expect(200).shows("created tenant");
    drop(server);
}

#[tokio::test]
async fn groups_show_their_members_and_roles_and_mappings_that_wait() {
    let (server, scim, browser) = started().await;
    server.admin().map_roles("acme", &[("Later", "auditor"), ("Staff", "loanee")]).await;
    let staff = scim.create_group("Staff").await;
    scim.create_group("Others").await;
    let ada = scim.create_user("ada").await;
    scim.add_member(&staff, &ada).await;

    let page = browser.get("/tenants/acme/groups").await.expect(200);

    for words in ["2 groups", "loanee", "no. 2", "not mapped", "auditor", "Mapped, but not pushed"]
    {
        page.shows(words);
    }
    page.shows(&format!("/tenants/acme/accounts?group={staff}"));
    let groups = server.admin().all("/tenants/acme/groups").await;
    assert_eq!((&groups[0]["mapping"], &groups[1]["mapping"]), (&json!(1), &Value::Null));
}

/// People who are to lose their role all at once; the hold's id.
async fn held(server: &Server, scim: &ScimClient) -> String {
    let admin = server.admin();
    let settings = json!({
        "hold": {"share": 0.25, "min_accounts": 5},
        "role_mappings": [{"group": "Staff", "role": "loanee"}],
    });
    admin.set_settings("acme", &settings).await;
    let staff = scim.create_group("Staff").await;
    let mut people = Vec::new();
    for number in 0..8 {
        let id = scim.create_user(&format!("person-{number}")).await;
        scim.add_member(&staff, &id).await;
        people.push(id);
    }
    admin.wait_until_settled("acme").await;
    for person in &people[..4] {
        scim.remove_member(&staff, person).await;
    }
    admin.wait_until_settled("acme").await;
    let holds = admin.all("/tenants/acme/holds?state=open").await;
    holds[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hold_says_what_it_would_take_and_is_approved() {
    let (server, scim, browser) = started().await;
    let hold = held(&server, &scim).await;
    let path = format!("/tenants/acme/holds/{hold}");

    let list = browser.get("/tenants/acme/holds").await.expect(200);
    list.shows("would take mapped roles from 4 of 8 accounts (50 %)");
    list.shows("more than 25 % of the accounts (of at least 5)");
    let page = browser.get(&path).await.expect(200);
    page.shows("person-0");
    page.shows("data-confirm=\"Approve?");
    let done = browser.act(&format!("{path}/approve"), &[]).await;

    assert_eq!(done.location(), path);
    browser.get(&path).await.expect(200).shows("Approved: 4 roles changed.");
    let roles = server.admin().all("/tenants/acme/accounts?role=loanee").await;
    assert_eq!(roles.len(), 4);
    let again = browser.act_on(&path, &format!("{path}/reject"), &[]).await;
    assert_eq!(again.location(), path);
    browser.get(&path).await.expect(200).shows("role=\"alert\"");
    browser.get("/tenants/acme/holds").await.expect(200).shows("approved");
}

#[tokio::test]
async fn a_hold_is_rejected() {
    let (server, scim, browser) = started().await;
    let hold = held(&server, &scim).await;
    let path = format!("/tenants/acme/holds/{hold}");

    browser.act(&format!("{path}/reject"), &[]).await.expect(303);

    browser.get(&path).await.expect(200).shows("the accounts keep their roles until");
    let log = server.admin().all("/tenants/acme/audit?object=hold&actor=operator").await;
    assert!(!log.is_empty(), "{log:?}");
}

#[tokio::test]
async fn parked_memberships_say_what_waits_and_until_when() {
    let (server, scim, browser) = started().await;
    let (staff, others) = (scim.create_group("Staff").await, scim.create_group("Others").await);
    scim.add_member(&staff, "stranger-1").await;
    scim.add_member(&others, "stranger-2").await;

    let page = browser.get("/tenants/acme/parked").await.expect(200);
    for words in ["stranger-1", "stranger-2", "Provision on demand"] {
        page.shows(words);
    }
    let page = browser.get(&format!("/tenants/acme/parked?group={staff}")).await.expect(200);
    page.shows("stranger-1");
    assert!(!page.text.contains("stranger-2"));
    browser.get("/tenants/acme/parked?group=odd").await.expect(400);
    drop(server);
}

#[tokio::test]
async fn the_audit_log_is_read_filtered_paged_and_exported() {
    let (server, scim, browser) = started().await;
    let ada = scim.create_user("ada@acme.test").await;
    for number in 0..60 {
        scim.set(&ada, "displayName", &format!("Ada {number}")).await;
    }
    let lock = json!({"role": "admin", "reason": "on site"});
    server.admin().put(&format!("/tenants/acme/accounts/{ada}/lock"), &lock).await.expect(200);

    let page = browser.get("/tenants/acme/audit").await.expect(200);
    for words in ["an operator", "the directory (", "changed", "ada@acme.test", "<ins>"] {
        page.shows(words);
    }
    let older = page.link("Older");
    browser.get(&older).await.expect(200).shows("created");
    let operators = browser.get("/tenants/acme/audit?actor=operator&object=account&id=").await;
    operators.expect(200).shows("on site");
    browser.get("/tenants/acme/audit?actor=odd").await.expect(400);
    browser.get("/tenants/acme/audit?request=odd").await.expect(400);

    let export = browser.get(&format!("/tenants/acme/audit/export?id={ada}")).await.expect(200);
    let file = export.header("content-disposition").unwrap();
    assert_eq!(file, "attachment; filename=\"audit-acme.jsonl\"");
    let lines: Vec<Value> =
        export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let listed = server.admin().all(&format!("/tenants/acme/audit?id={ada}")).await;
    assert_eq!(lines.len(), listed.len());
    assert_eq!(lines.first(), listed.last());
    let service = browser.get("/audit/export").await.expect(200);
    assert!(service.text.contains("acme"), "{}", service.text);
}
