//! Accounts: found by what they are, changed by hand at once, and put right by a reconciliation.

use serde_json::{Value, json};

use crate::server::{Admin, ScimClient, Server};

async fn started() -> (Server, ScimClient) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    server.admin().map_roles("acme", &[("Staff", "loanee"), ("Admins", "admin")]).await;
    (server, scim)
}

/// The user names that a query finds, in order.
async fn names(admin: &Admin, query: &str) -> Vec<String> {
    let found = admin.all(&format!("/tenants/acme/accounts?{query}")).await;
    found.iter().map(|account| account["user_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_account_shows_what_the_app_needs_of_a_user() {
    let (server, scim) = started().await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let body = json!({
        "userName": "bob@acme.test",
        "externalId": "object-1",
        "displayName": "Bob",
        "emails": [
            {"type": "home", "value": "home@acme.test"},
            {"type": "work", "value": "bob@acme.test", "primary": true},
        ],
        enterprise: {"department": "IT"},
    });
    let bob = scim.post("/Users", &body).await.expect(201).id();
    let group = scim.create_group("staff").await;
    scim.add_member(&group, &bob).await;

    let waiting = server.admin().account("acme", &bob).await;
    assert_eq!((&waiting["role"], &waiting["pending"]), (&json!("default"), &json!(true)));
    let wave = server.admin().wait_until_settled("acme").await;

    let account = server.admin().account("acme", &bob).await;
    for (key, expected) in [
        ("id", json!(bob)),
        ("user_name", json!("bob@acme.test")),
        ("external_id", json!("object-1")),
        ("display_name", json!("Bob")),
        ("email", json!("bob@acme.test")),
        ("status", json!("active")),
        ("role", json!("loanee")),
        ("locked", json!(false)),
        ("lock", Value::Null),
        ("pending", json!(false)),
        ("fields", json!({"department": "IT"})),
        ("groups", json!([{"id": group, "display_name": "staff"}])),
    ] {
        assert_eq!(account[key], expected, "{key} of {account}");
    }
    let why = &account["why"];
    assert_eq!((&why["rule"], &why["mapping"]), (&json!("mapping"), &json!(0)));
    assert_eq!((&why["wave"], why["since"].is_string()), (&wave["id"], true));
}

#[tokio::test]
async fn accounts_are_found_by_role_status_lock_and_text() {
    let (server, scim) = started().await;
    let admin = server.admin();
    let staff = scim.create_group("Staff").await;
    let mut ids = Vec::new();
    for name in ["ann", "bob", "cy", "dan", "eve"] {
        let body = json!({
            "userName": name,
            "externalId": format!("object-{name}"),
            "displayName": format!("{} Smith", name.to_uppercase()),
            "emails": [{"value": format!("{name}@acme.test")}],
        });
        ids.push(scim.post("/Users", &body).await.expect(201).id());
    }
    scim.add_member(&staff, &ids[0]).await;
    scim.add_member(&staff, &ids[1]).await;
    scim.disable(&ids[2]).await;
    scim.delete_user(&ids[3]).await;
    admin.wait_until_settled("acme").await;
    admin.put(&format!("/tenants/acme/accounts/{}/lock", ids[4]), &json!({})).await.expect(200);

    for (query, expected) in [
        ("", &["ann", "bob", "cy", "dan", "eve"][..]),
        ("role=loanee", &["ann", "bob"]),
        ("role=disabled", &["cy"]),
        ("role=nobody", &[]),
        ("status=active", &["ann", "bob", "eve"]),
        ("status=disabled", &["cy"]),
        ("status=deleted", &["dan"]),
        ("locked=true", &["eve"]),
        ("locked=false&status=active", &["ann", "bob"]),
        ("pending=true", &[]),
        ("pending=false&role=loanee", &["ann", "bob"]),
        ("q=SMITH", &["ann", "bob", "cy", "dan", "eve"]),
        ("q=Bob", &["bob"]),
        ("q=eve%40ACME", &["eve"]),
        ("q=object-ann", &["ann"]),
        ("q=smith&role=loanee", &["ann", "bob"]),
        ("q=nobody", &[]),
    ] {
        assert_eq!(names(admin, query).await, expected, "{query}");
    }
    let first = admin.get("/tenants/acme/accounts?q=smith&limit=2").await.expect(200).json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/tenants/acme/accounts?q=smith&limit=2&cursor={cursor}");
    let second = admin.get(&path).await.expect(200).json();
    assert_eq!(second["items"][0]["user_name"], "cy");
}

#[tokio::test]
async fn a_lock_pins_the_role_at_once_and_unlocking_gives_it_back_to_the_rules() {
    let (server, scim) = started().await;
    let admin = server.admin();
    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    let path = format!("/tenants/acme/accounts/{bob}/lock");

    let reason = json!({"role": "guest", "reason": "an audit"});
    let locked = admin.put(&path, &reason).await.expect(200).json();
    assert_eq!((&locked["role"], &locked["locked"]), (&json!("guest"), &json!(true)));
    assert_eq!(locked["lock"]["reason"], "an audit");
    assert_eq!(locked["why"]["rule"], "lock");
    scim.add_member(&staff, &bob).await;
    admin.wait_until_settled("acme").await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("guest"));

    // A disabled account is disabled even when locked, and comes back to the locked role.
    scim.disable(&bob).await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("disabled"));
    scim.enable(&bob).await;
    admin.wait_until_settled("acme").await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("guest"));

    let unlocked = admin.delete(&path).await.expect(200).json();
    assert_eq!((&unlocked["role"], &unlocked["locked"]), (&json!("loanee"), &json!(false)));
    assert_eq!(unlocked["lock"], Value::Null);
    let kept = admin.put(&path, &json!({})).await.expect(200).json();
    assert_eq!((&kept["role"], &kept["locked"]), (&json!("loanee"), &json!(true)));
}

#[tokio::test]
async fn a_lock_may_outrank_a_disable_where_the_settings_say_so() {
    let (server, scim) = started().await;
    let admin = server.admin();
    admin.set_settings("acme", &json!({"disable_overrides_lock": false})).await;
    let bob = scim.create_user("bob").await;
    let path = format!("/tenants/acme/accounts/{bob}/lock");
    admin.put(&path, &json!({"role": "guest"})).await.expect(200);

    scim.disable(&bob).await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("guest"));

    // A changed setting is applied to whom it concerns.
    admin.wait_until_settled("acme").await;
    admin.set_settings("acme", &json!({"disable_overrides_lock": true})).await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("disabled"));
}

#[tokio::test]
async fn what_cannot_be_done_by_hand_is_a_conflict() {
    let (server, scim) = started().await;
    let admin = server.admin();
    let (locked, disabled) = (scim.create_user("locked").await, scim.create_user("off").await);
    let deleted = scim.create_user("gone").await;
    let path = |id: &str, what: &str| format!("/tenants/acme/accounts/{id}/{what}");
    admin.put(&path(&locked, "lock"), &json!({"role": "guest"})).await.expect(200);
    scim.disable(&disabled).await;
    scim.delete_user(&deleted).await;

    let role = json!({"role": "admin"});
    for id in [&locked, &disabled, &deleted] {
        admin.put(&path(id, "role"), &role).await.expect_problem(409, "");
    }
    admin.put(&path(&deleted, "lock"), &role).await.expect_problem(409, "");
    admin.put(&path(&disabled, "lock"), &role).await.expect(200);

    assert_eq!(admin.role_of("acme", &locked).await.as_deref(), Some("guest"));
    assert_eq!(admin.role_of("acme", &disabled).await.as_deref(), Some("disabled"));
    assert_eq!(admin.role_of("acme", &deleted).await, None);
}

#[tokio::test]
async fn a_role_set_by_hand_lasts_until_the_next_reconciliation() {
    let (server, scim) = started().await;
    let admin = server.admin();
    let (bob, eve) = (scim.create_user("bob").await, scim.create_user("eve").await);
    let staff = scim.create_group("Staff").await;
    scim.add_member(&staff, &bob).await;
    admin.wait_until_settled("acme").await;
    let path = format!("/tenants/acme/accounts/{bob}/role");
    let account = admin.put(&path, &json!({"role": "admin"})).await.expect(200).json();
    assert_eq!((&account["role"], &account["why"]["rule"]), (&json!("admin"), &json!("manual")));
    let before = admin.feed("acme").await;

    let dry = json!({"dry_run": true});
    let planned = admin.post("/tenants/acme/reconcile", &dry).await.expect(200).json();
    assert_eq!((&planned["dry_run"], &planned["changed"]), (&json!(true), &json!(1)));
    assert_eq!(planned["examined"], 2);
    let change = &planned["changes"][0];
    for (key, expected) in
        [("account", bob.as_str()), ("user_name", "bob"), ("from", "admin"), ("to", "loanee")]
    {
        assert_eq!(change[key], expected, "{change}");
    }
    assert_eq!(change["why"]["rule"], "mapping");
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("admin"));
    assert_eq!(admin.feed("acme").await, before, "a dry run leaves no trace in the feed");

    let done = admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200).json();
    assert_eq!((&done["dry_run"], &done["changed"]), (&json!(false), &json!(1)));
    assert_eq!(done["changes"][0]["to"], "loanee");
    assert_eq!((&done["truncated"], done["duration_ms"].is_number()), (&json!(false), true));
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("loanee"));
    assert_eq!(admin.role_of("acme", &eve).await.as_deref(), Some("default"));
    let again = admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200).json();
    assert_eq!(again["changed"], 0);
}

#[tokio::test]
async fn a_reconciliation_by_hand_does_not_wait_for_the_wave() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    scim.add_member(&staff, &bob).await;
    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("default"));

    admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200);

    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("loanee"));
    assert_eq!(admin.waves("acme").await[0]["state"], "open");
}

#[tokio::test]
async fn a_changed_mapping_is_applied_at_once_but_not_to_those_who_wait_for_a_wave() {
    let (server, scim) = started().await;
    let admin = server.admin();
    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    scim.add_member(&staff, &bob).await;
    admin.wait_until_settled("acme").await;
    admin.set_settings("acme", &json!({"reconcile": {"settle": "60s"}})).await;
    let eve = scim.create_user("eve").await;
    scim.add_member(&staff, &eve).await;

    admin.map_roles("acme", &[("Staff", "clerk")]).await;

    assert_eq!(admin.role_of("acme", &bob).await.as_deref(), Some("clerk"));
    assert_eq!(admin.role_of("acme", &eve).await.as_deref(), Some("default"));
}

#[tokio::test]
async fn groups_show_their_size_and_role() {
    let (server, scim) = started().await;
    let (staff, other) = (scim.create_group("STAFF").await, scim.create_group("Other").await);
    for name in ["a", "b", "c"] {
        let user = scim.create_user(name).await;
        scim.add_member(&staff, &user).await;
    }

    let groups = server.admin().all("/tenants/acme/groups").await;

    let expected = json!([
        {"id": staff, "display_name": "STAFF", "members": 3, "role": "loanee", "mapping": 0,
         "external_id": null},
        {"id": other, "display_name": "Other", "members": 0, "role": null, "mapping": null,
         "external_id": null},
    ]);
    assert_eq!(json!(groups), expected);
}

#[tokio::test]
async fn a_wave_counts_what_came_in_it_and_look_ups_make_none() {
    let (server, scim) = started().await;
    let admin = server.admin();
    scim.get("/Users").await.expect(200);
    scim.find("/Users", "userName eq \"x\"").await;
    assert!(admin.waves("acme").await.is_empty());

    let bob = scim.create_user("bob").await;
    scim.get("/Users").await.expect(200);
    scim.post("/Users", &json!({"userName": "bob"})).await.expect(409);
    scim.set(&bob, "displayName", "Bob").await;
    scim.delete_user(&bob).await;
    let wave = admin.wait_until_settled("acme").await;

    for (key, expected) in
        [("requests", 5), ("creates", 1), ("updates", 1), ("deletes", 1), ("errors", 1)]
    {
        assert_eq!(wave[key], expected, "{key} of {wave}");
    }
    let path = format!("/tenants/acme/waves/{}", wave["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.expect(200).json(), wave);
    scim.create_user("eve").await;
    let newest = admin.wait_until_settled("acme").await;
    let waves = admin.waves("acme").await;
    assert_eq!(waves.len(), 2, "newest first");
    assert_eq!((&waves[0]["id"], &waves[1]["id"]), (&newest["id"], &wave["id"]));
}
