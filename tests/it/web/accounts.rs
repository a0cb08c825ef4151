//! Accounts on pages: found, explained, locked by hand; read only for a customer's administrator.

use serde_json::json;

use super::browser::Browser;
use crate::server::{ScimClient, Server, encode};

async fn started() -> (Server, ScimClient, Browser) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    server.admin().map_roles("acme", &[("IT Admins", "admin"), ("Staff", "loanee")]).await;
    let browser = Browser::logged_in(&server).await;
    (server, scim, browser)
}

/// A user with a name and an address.
async fn person(scim: &ScimClient, name: &str) -> String {
    let body = json!({
        "userName": format!("{name}@acme.test"), "displayName": format!("{name} Smith"),
        "externalId": format!("object-{name}"),
        "emails": [{"value": format!("{name}@acme.test")}],
    });
    scim.post("/Users", &body).await.expect(201).id()
}

fn account(id: &str) -> String {
    format!("/tenants/acme/accounts/{id}")
}

#[tokio::test]
async fn accounts_are_searched_and_filtered_and_the_next_page_keeps_the_filters() {
    let (server, scim, browser) = started().await;
    let staff = scim.create_group("Staff").await;
    let ada = person(&scim, "ada").await;
    let bob = person(&scim, "bob").await;
    scim.add_member(&staff, &ada).await;
    scim.disable(&bob).await;
    for number in 0..60 {
        scim.create_user(&format!("person-{number:02}")).await;
    }
    server.admin().wait_until_settled("acme").await;

    let list = |query: &str| browser.get_owned(format!("/tenants/acme/accounts{query}"));
    let first = list("").await.expect(200);
    first.shows("ada Smith");
    assert!(!first.text.contains("person-59"), "the page is bounded");
    let next = first.link("Next page");
    list(next.strip_prefix("/tenants/acme/accounts").unwrap()).await.expect(200).shows("person-59");

    for (query, shown, hidden) in [
        ("?q=ADA&role=&status=", "ada Smith", "bob Smith"),
        ("?role=loanee", "ada Smith", "bob Smith"),
        ("?status=disabled", "bob Smith", "ada Smith"),
        ("?pending=true", "No account is like that", "ada Smith"),
        (&format!("?group={staff}"), "ada Smith", "bob Smith"),
    ] {
        let page = list(query).await.expect(200);
        page.shows(shown);
        assert!(!page.text.contains(hidden), "{query}: {}", page.text);
    }
    let next = list("?status=active&role=default&q=person").await.expect(200).link("Next page");
    assert!(next.contains("q=person") && next.contains("role=default"), "{next}");
    list("?status=odd").await.expect(400);
    list(&format!("?group={ada}")).await.expect(404);
}

#[tokio::test]
async fn accounts_that_wait_for_a_wave_and_members_of_a_group_are_found_in_pages() {
    let (server, scim, _) = started().await;
    server.admin().set_settings("acme", &json!({"reconcile": {"settle": "1m"}})).await;
    let (staff, admins) = (scim.create_group("Staff").await, scim.create_group("IT Admins").await);
    let mut members = Vec::new();
    for number in 0..7 {
        let id = scim.create_user(&format!("person-{number}")).await;
        let group = if number % 2 == 0 { &staff } else { &admins };
        scim.add_member(group, &id).await;
        members.push(id);
    }
    let ids = async |query: &str| {
        let mut found: Vec<String> = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/tenants/acme/accounts?limit=2&{query}{cursor}");
            let page = server.admin().get(&path).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            found.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };

    assert_eq!(ids("pending=true").await, members);
    let even: Vec<String> = members.iter().step_by(2).cloned().collect();
    assert_eq!(ids(&format!("group={staff}")).await, even);
    assert_eq!(ids("pending=true&q=person-3").await, [members[3].clone()]);
    assert!(ids("pending=false").await.is_empty());
}

#[tokio::test]
async fn an_account_says_why_what_would_change_it_and_what_happened() {
    let (server, scim, browser) = started().await;
    let (staff, admins) = (scim.create_group("Staff").await, scim.create_group("IT Admins").await);
    let ada = person(&scim, "ada").await;
    scim.add_member(&staff, &ada).await;
    scim.add_member(&admins, &ada).await;
    server.admin().wait_until_settled("acme").await;

    let page = browser.get(&account(&ada)).await.expect(200);

    for words in
        ["gives it (mapping 1 of", "What would change it", "IT Admins", "which comes later"]
    {
        page.shows(words);
    }
    for words in ["Joined the group", "Created with the role", "Role: ", "&#34;userName&#34;"] {
        page.shows(words);
    }
    page.shows(&format!("/tenants/acme/requests?q={ada}"));
    page.shows("<h2>Actor</h2>");

    scim.delete_user(&ada).await;
    let page = browser.get(&account(&ada)).await.expect(200);
    page.shows("the directory deleted the user");
    page.shows("there is no SCIM resource any more");
    assert!(!page.text.contains("/lock\""), "a deleted account is not locked");
    browser.get(&account("nobody")).await.expect(404);
}

#[tokio::test]
async fn an_old_history_is_looked_through_page_by_page() {
    let (server, scim, browser) = started().await;
    let ada = person(&scim, "ada").await;
    for number in 0..40 {
        scim.set(&ada, "displayName", &format!("Ada {number}")).await;
    }
    server.admin().wait_until_settled("acme").await;

    let page = browser.get(&account(&ada)).await.expect(200);
    assert!(!page.text.contains("Created with the role"));
    let older = browser.get(&page.link("Older")).await.expect(200);

    older.shows("Created with the role");
    older.shows(">Newest</a>");
    assert!(!older.text.contains(">Older</a>"));
}

#[tokio::test]
async fn an_operator_locks_with_a_reason_unlocks_and_sets_a_role() {
    let (server, scim, browser) = started().await;
    let ada = person(&scim, "ada").await;
    server.admin().wait_until_settled("acme").await;
    let act = |what: &str| format!("{}/{what}", account(&ada));

    let form = [("role", "admin"), ("reason", "runs the migration"), ("for", "8h"), ("until", "")];
    let done = browser.act(&act("lock"), &form).await;
    assert_eq!(done.location(), account(&ada));
    let page = browser.get(&account(&ada)).await.expect(200);
    page.shows("Locked. Its role is “admin”");
    page.shows("runs the migration");
    let kept = server.admin().account("acme", &ada).await;
    assert_eq!(kept["lock"]["reason"], "runs the migration");
    assert!(kept["lock"]["expires_at"].is_string(), "{kept}");
    let log = server.admin().all(&format!("/tenants/acme/audit?id={ada}&actor=operator")).await;
    assert_eq!(log.len(), 1, "{log:?}");
    browser
        .get("/tenants/acme/accounts?locked=true")
        .await
        .shows("By operator: runs the migration");

    browser.act(&act("role"), &[("role", "loanee")]).await.expect(409);
    browser.act(&act("unlock"), &[]).await.expect(303);
    let form = [("role", "loanee")];
    browser.act(&act("role"), &form).await.expect(303);
    let kept = server.admin().account("acme", &ada).await;
    assert_eq!((&kept["role"], &kept["why"]["rule"]), (&json!("loanee"), &json!("manual")));
    let page = browser.get(&account(&ada)).await.expect(200);
    page.shows("until it is next reconciled");
}

#[tokio::test]
async fn a_form_that_is_refused_says_so_on_its_page_and_changes_nothing() {
    let (server, scim, browser) = started().await;
    let ada = person(&scim, "ada").await;
    let bob = person(&scim, "bob").await;
    scim.delete_user(&bob).await;
    let lock = async |id: &str, form: &[(&str, &str)]| {
        browser.act_on(&account(id), &format!("{}/lock", account(id)), form).await
    };

    for (form, words) in [
        (&[("role", "admin"), ("reason", "")][..], "reason: expected why it is locked."),
        (&[("reason", "x"), ("for", "soon")], "for: expected a duration such as 8h."),
        (&[("reason", "x"), ("until", "soon")], "until: expected a date and a time."),
        (&[("reason", "x"), ("until", "2001-01-01T00:00")], "expected a time in the future."),
    ] {
        assert_eq!(lock(&ada, form).await.location(), account(&ada));
        browser.get(&account(&ada)).await.expect(200).shows(words);
    }
    assert_eq!(lock(&bob, &[("reason", "x")]).await.location(), account(&bob));
    browser.get(&account(&bob)).await.expect(200).shows("role=\"alert\"");

    assert_eq!(server.admin().account("acme", &ada).await["locked"], false);
}

#[tokio::test]
async fn a_setup_session_reads_accounts_and_changes_none() {
    let (server, scim, _) = started().await;
    let ada = person(&scim, "ada").await;
    let browser = super::setup::opened(&server, "acme").await;

    browser.get("/tenants/acme/accounts").await.expect(200).shows("ada Smith");
    let page = browser.get(&account(&ada)).await.expect(200);

    page.shows("ada Smith");
    for hidden in ["method=\"post\" action=\"/tenants", "/audit", "/lock"] {
        assert!(!page.text.contains(hidden), "{hidden}: {}", page.text);
    }
    let csrf = page.text.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap();
    for act in ["lock", "unlock", "role"] {
        let form = [("role", "admin"), ("reason", "x"), ("csrf", csrf)];
        browser.post(&format!("{}/{act}", account(&ada)), &form).await.expect(404);
    }
    for path in ["groups", "holds", "parked", "audit", "audit/export"] {
        browser.get(&format!("/tenants/acme/{path}")).await.expect(404);
    }
    browser.get("/audit").await.expect(404);
    assert_eq!(server.admin().account("acme", &ada).await["locked"], false);
}

#[tokio::test]
async fn bad_names_are_shown_as_what_they_are() {
    let (server, scim, browser) = started().await;
    let admin = server.admin();
    let long = "long ".repeat(2_000);
    let names =
        ["<script>alert(1)</script><img src=x onerror=alert(1)>", "a\u{202e}b\u{2066}c", &long];
    let role = |name: &str| name.chars().take(200).collect::<String>();
    let mappings: Vec<_> =
        names.iter().map(|name| json!({"group": role(name), "role": role(name)})).collect();
    let settings = json!({"role_mappings": mappings, "hold": {"share": 0.01, "min_accounts": 1}});
    admin.set_settings("acme", &settings).await;
    let mut people = Vec::new();
    for name in names {
        let body = json!({
            "userName": name, "displayName": name, "externalId": name, "title": name,
            "emails": [{"value": name}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": name},
        });
        let id = scim.post("/Users", &body).await.expect(201).id();
        let group = json!({"displayName": role(name), "externalId": name});
        let group = scim.post("/Groups", &group).await.expect(201).id();
        scim.add_member(&group, &id).await;
        scim.add_member(&group, name).await;
        people.push((id, group));
    }
    admin.wait_until_settled("acme").await;
    for (id, group) in &people {
        scim.remove_member(group, id).await;
    }
    admin.wait_until_settled("acme").await;
    let holds = admin.all("/tenants/acme/holds").await;
    let hold = holds[0]["id"].as_str().unwrap();
    let mut paths = vec![
        "/tenants/acme/accounts".to_owned(),
        format!("/tenants/acme/accounts?q={}", encode(names[1])),
        format!("/tenants/acme/accounts?role={}", encode(&role(names[0]))),
        "/tenants/acme/groups".to_owned(),
        "/tenants/acme/holds".to_owned(),
        format!("/tenants/acme/holds/{hold}"),
        "/tenants/acme/parked".to_owned(),
        "/tenants/acme/audit".to_owned(),
        format!("/tenants/acme/audit?object={}", encode(names[0])),
    ];
    for ((id, group), name) in people.iter().zip(names) {
        let lock = json!({"role": role(name), "reason": role(name)});
        admin.put(&format!("/tenants/acme/accounts/{id}/lock"), &lock).await.expect(200);
        paths.push(account(id));
        paths.push(format!("/tenants/acme/accounts?group={group}"));
    }

    for path in paths {
        let page = browser.get(&path).await.expect(200);
        assert_eq!(page.text.matches("<script").count(), 1, "{path}: {}", page.text);
        assert!(!page.text.contains("<img src=x"), "{path}: {}", page.text);
        assert!(!page.text.contains(['\u{202e}', '\u{2066}']), "{path}: {}", page.text);
        assert!(page.text.len() < 250_000, "{path}: {}", page.text.len());
    }
    let form = [("role", names[0]), ("reason", names[1])];
    browser.act(&format!("{}/lock", account(&people[0].0)), &form).await.expect(303);
    let page = browser.get(&account(&people[0].0)).await.expect(200);
    assert_eq!(page.text.matches("<script").count(), 1, "{}", page.text);
}
