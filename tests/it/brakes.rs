//! Why, what if, and brakes: what makes an administrator believe a role.

use serde_json::{Value, json};

use crate::server::{Admin, ScimClient, Server};

/// People in Staff, who are loanees for it; a mass change waits from ten accounts on.
async fn company(people: usize) -> (Server, ScimClient, String, Vec<String>) {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let settings = json!({
        "hold": {"share": 0.5, "min_accounts": 10},
        "role_mappings": [
            {"group": "Admins", "role": "admin"},
            {"group": "Staff", "role": "loanee"},
        ],
    });
    server.admin().set_settings("acme", &settings).await;
    let staff = scim.create_group("Staff").await;
    let mut ids = Vec::new();
    for number in 0..people {
        let id = scim.create_user(&format!("person-{number:02}")).await;
        scim.add_member(&staff, &id).await;
        ids.push(id);
    }
    server.admin().wait_until_settled("acme").await;
    (server, scim, staff, ids)
}

async fn count(admin: &Admin, role: &str) -> usize {
    admin.all(&format!("/tenants/acme/accounts?role={role}")).await.len()
}

#[tokio::test]
async fn why_names_rule_group_wave_and_request_what_lost_and_what_leaving_changes() {
    let (server, scim, staff, people) = company(1).await;
    let admin = server.admin();
    let admins = scim.create_group("Admins").await;
    let ada = &people[0];
    let joined = scim.patch(&format!("/Groups/{admins}"), &crate::server::add_member(ada)).await;
    let request = joined.expect(204).header("x-request-id").to_owned();
    let wave = admin.wait_until_settled("acme").await;

    let why = admin.account("acme", ada).await["why"].clone();

    assert_eq!((&why["rule"], &why["mapping"]), (&json!("mapping"), &json!(0)), "{why}");
    assert_eq!((&why["group"], &why["wave"]), (&json!("Admins"), &wave["id"]), "{why}");
    assert_eq!(why["request"], json!(request), "{why}");
    let lost: Vec<(&Value, &Value)> =
        why["lost"].as_array().unwrap().iter().map(|lost| (&lost["rule"], &lost["role"])).collect();
    assert_eq!(
        lost,
        [(&json!("mapping"), &json!("loanee")), (&json!("default"), &json!("default"))]
    );
    let left = |group: &str| {
        let all = why["if_left"].as_array().unwrap();
        all.iter().find(|left| left["group"] == group).unwrap().clone()
    };
    assert_eq!(left(&admins)["role"], "loanee");
    assert_eq!(left(&admins)["changes"], true);
    assert_eq!(left(&staff)["changes"], false);
}

#[tokio::test]
async fn a_preview_names_exactly_who_a_patch_then_changes() {
    let (server, scim, _, people) = company(12).await;
    let admin = server.admin();
    scim.disable(&people[0]).await.expect(200);
    let lock = json!({"role": "loanee", "reason": "on leave"});
    admin.put(&format!("/tenants/acme/accounts/{}/lock", people[1]), &lock).await.expect(200);
    admin.wait_until_settled("acme").await;
    let patch = json!({"role_mappings": [{"group": "staff", "role": "editor"}]});

    let preview = admin.post("/tenants/acme/settings/preview", &patch).await.expect(200).json();
    let last = admin.feed("acme").await.len() as u64;
    admin.set_settings("acme", &patch).await;

    assert_eq!((&preview["dry_run"], &preview["changed"]), (&json!(true), &json!(10)), "{preview}");
    let named = |items: &[Value]| {
        let mut all: Vec<String> = items
            .iter()
            .map(|item| format!("{} {}>{}", item["account"], item["from"], item["to"]))
            .collect();
        all.sort();
        all
    };
    let told = admin.feed_after("acme", last).await;
    assert_eq!(named(preview["changes"].as_array().unwrap()), named(&told));
    assert!(preview["changes"].as_array().unwrap().iter().all(|c| c["why"]["group"] == "staff"));

    let bad = json!({"default_role": ""});
    let refused = admin.post("/tenants/acme/settings/preview", &bad).await.expect(422).json();
    assert_eq!(refused["key"], "default_role");
}

#[tokio::test]
async fn a_large_preview_comes_in_pages() {
    let (server, _, _, people) = company(12).await;
    let patch = json!({"role_mappings": []});
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/tenants/acme/settings/preview?limit=5{cursor}");
        let page = server.admin().post(&path, &patch).await.expect(200).json();
        assert_eq!(page["changed"], 12);
        let changes = page["changes"].as_array().unwrap();
        assert!(changes.len() <= 5);
        found.extend(changes.iter().map(|change| change["account"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let mut expected = people.clone();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_lock_shows_who_and_why_and_the_role_that_it_hides() {
    let (server, scim, _, people) = company(1).await;
    let (admin, ada) = (server.admin(), &people[0]);
    let lock = json!({"role": "loanee", "reason": "auditor on site"});
    admin.put(&format!("/tenants/acme/accounts/{ada}/lock"), &lock).await.expect(200);
    let account = admin.account("acme", ada).await;
    assert_eq!(account["lock"]["reason"], "auditor on site");
    assert_eq!(account["lock"]["by"], "operator");
    assert!(account["lock"]["since"].is_string());
    assert_eq!(
        (&account["shadow_role"], &account["shadow_since"]),
        (&json!("loanee"), &Value::Null)
    );

    let admins = scim.create_group("Admins").await;
    scim.add_member(&admins, ada).await;
    admin.wait_until_settled("acme").await;

    let account = admin.account("acme", ada).await;
    assert_eq!((&account["role"], &account["shadow_role"]), (&json!("loanee"), &json!("admin")));
    assert!(account["shadow_since"].is_string(), "{account}");
}

#[tokio::test]
async fn a_mass_change_waits_for_approval() {
    let (server, scim, staff, people) = company(12).await;
    let admin = server.admin();
    for person in &people[..8] {
        scim.remove_member(&staff, person).await;
    }
    admin.wait_until_settled("acme").await;

    assert_eq!(count(admin, "loanee").await, 12);
    let holds = admin.all("/tenants/acme/holds?state=open").await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    let id = holds[0]["id"].as_str().unwrap();
    assert_eq!((&holds[0]["accounts"], &holds[0]["of"]), (&json!(8), &json!(12)));
    let shown = admin.get(&format!("/tenants/acme/holds/{id}?limit=5")).await.expect(200).json();
    assert_eq!(shown["changes"].as_array().unwrap().len(), 5);
    assert_eq!(shown["changes"][0]["to"], "default");
    assert_eq!(shown["hold"]["state"], "open");
    let why = admin.account("acme", &people[0]).await["why"].clone();
    assert_eq!(
        (&why["withheld"]["reason"], &why["withheld"]["hold"]),
        (&json!("held"), &json!(id))
    );
    server.home.logs_with("a mass change of roles waits for an operator").await;
    let health = admin.get("/tenants/acme/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["holds"]), (&json!("attention"), &json!([id])));

    let path = format!("/tenants/acme/holds/{id}/approve");
    let approved = admin.post(&path, &json!({})).await.expect(200).json();
    assert_eq!((&approved["hold"]["state"], &approved["changed"]), (&json!("approved"), &json!(8)));
    assert_eq!(count(admin, "default").await, 8);
    let health = admin.get("/tenants/acme/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["holds"]), (&json!("ok"), &json!([])));
    admin.post(&path, &json!({})).await.expect(409);
    let nothing = "/tenants/acme/holds/00000000-0000-7000-8000-000000000000/approve";
    admin.post(nothing, &json!({})).await.expect(404);
}

#[tokio::test]
async fn a_rejected_mass_change_leaves_accounts_as_they_are_and_why_says_so() {
    let (server, scim, staff, people) = company(12).await;
    let admin = server.admin();
    scim.delete(&format!("/Groups/{staff}")).await.expect(204);
    admin.wait_until_settled("acme").await;
    let holds = admin.all("/tenants/acme/holds").await;
    let id = holds[0]["id"].as_str().unwrap();

    let path = format!("/tenants/acme/holds/{id}/reject");
    admin.post(&path, &json!({})).await.expect(200);
    admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200);

    assert_eq!(count(admin, "loanee").await, 12);
    let why = admin.account("acme", &people[0]).await["why"].clone();
    assert_eq!(why["withheld"]["reason"], "rejected", "{why}");

    scim.disable(&people[0]).await.expect(200);
    assert_eq!(admin.role_of("acme", &people[0]).await.as_deref(), Some("disabled"));
}

#[tokio::test]
async fn the_last_account_in_a_protected_role_is_reported_and_kept() {
    let (server, scim, _, people) = company(2).await;
    let admin = server.admin();
    admin.set_settings("acme", &json!({"protected_roles": ["admin"]})).await;
    let admins = scim.create_group("Admins").await;
    for person in &people {
        scim.add_member(&admins, person).await;
    }
    admin.wait_until_settled("acme").await;
    assert_eq!(count(admin, "admin").await, 2);

    for person in &people {
        scim.remove_member(&admins, person).await;
    }
    admin.wait_until_settled("acme").await;

    assert_eq!(count(admin, "admin").await, 1);
    let report = admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200).json();
    assert_eq!((&report["changed"], report["kept"].as_array().map(Vec::len)), (&json!(0), Some(1)));
    let kept = admin.account("acme", report["kept"][0]["account"].as_str().unwrap()).await;
    assert_eq!(kept["why"]["withheld"]["reason"], "last_protected", "{kept}");
    let health = admin.get("/tenants/acme/health").await.expect(200).json();
    assert_eq!(health["last_protected"], json!([kept["id"]]), "{health}");
}
