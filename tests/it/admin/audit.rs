//! The audit log: who changed what.

use serde_json::{Value, json};

use crate::server::{Answer, Home, OPERATOR_TOKEN, Server};

/// The entry that a request left, if it left one.
async fn entry_of(server: &Server, path: &str, answer: &Answer) -> Option<Value> {
    let request = answer.header("x-request-id");
    let found = server.admin().all(&format!("{path}?request={request}")).await;
    assert!(found.len() <= 1, "{found:?}");
    found.into_iter().next()
}

/// The kinds of things that an entry tells of.
fn objects(entry: &Value) -> Vec<&str> {
    let changes = entry["changes"].as_array().unwrap();
    changes.iter().map(|change| change["object"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_change_leaves_one_entry_with_who_made_it_and_refused_ones_leave_none() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    let log = "/tenants/acme/audit";
    let user = |name: &str| json!({"userName": name, "externalId": format!("x-{name}")});

    let mut acts: Vec<(&str, &str, Answer)> = Vec::new();
    let made = scim.post("/Users", &user("ada")).await.expect(201);
    let ada = made.id();
    acts.push(("token", "user", made));
    let path = format!("/Users/{ada}");
    let operations = json!([{"op": "replace", "path": "displayName", "value": "Ada"}]);
    acts.push(("token", "user", scim.patch(&path, &operations).await.expect(200)));
    let operations = json!([{"op": "replace", "path": "active", "value": false}]);
    acts.push(("token", "account", scim.patch(&path, &operations).await.expect(200)));
    acts.push(("token", "user", scim.put(&path, &user("ada2")).await.expect(200)));
    let made = scim.post("/Groups", &json!({"displayName": "Staff"})).await.expect(201);
    let group = format!("/Groups/{}", made.id());
    acts.push(("token", "group", made));
    let members = json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]);
    acts.push(("token", "group", scim.patch(&group, &members).await.expect(204)));
    acts.push(("token", "group", scim.delete(&group).await.expect(204)));
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1", "data": user("bob")}],
    });
    acts.push(("token", "user", scim.post("/Bulk", &bulk).await.expect(200)));
    let account = format!("/tenants/acme/accounts/{ada}");
    let operations = json!([{"op": "replace", "path": "active", "value": true}]);
    acts.push(("token", "account", scim.patch(&path, &operations).await.expect(200)));
    let lock = admin.put(&format!("{account}/lock"), &json!({"role": "admin"})).await.expect(200);
    acts.push(("operator", "account", lock));
    acts.push(("operator", "account", admin.delete(&format!("{account}/lock")).await.expect(200)));
    let role = admin.put(&format!("{account}/role"), &json!({"role": "boss"})).await.expect(200);
    acts.push(("operator", "account", role));
    let settings = json!({"disabled_role": "gone"});
    let settings = admin.patch("/tenants/acme/settings", &settings).await.expect(200);
    acts.push(("operator", "settings", settings));
    let token = admin.post("/tenants/acme/tokens", &json!({"label": "new"})).await.expect(201);
    let (token_id, token_text) = (token.id(), token.json()["token"].clone());
    acts.push(("operator", "token", token));
    let replacing = json!({"label": "newer", "replaces": token_id});
    let replaced = admin.post("/tenants/acme/tokens", &replacing).await.expect(201);
    acts.push(("operator", "token", replaced));
    let deleted = admin.delete(&format!("/tenants/acme/tokens/{token_id}")).await.expect(204);
    acts.push(("operator", "token", deleted));
    let client = admin.post("/tenants/acme/oauth-clients", &json!({})).await.expect(201);
    let (client_id, client_secret) = (client.id(), client.json()["client_secret"].clone());
    acts.push(("operator", "oauth_client", client));
    let path_of_client = format!("/tenants/acme/oauth-clients/{client_id}");
    acts.push(("operator", "oauth_client", admin.delete(&path_of_client).await.expect(204)));
    acts.push(("token", "user", scim.delete(&path).await.expect(204)));

    for (actor, object, answer) in &acts {
        let entry = entry_of(&server, log, answer).await;
        let entry = entry.unwrap_or_else(|| panic!("no entry: {answer:?}"));
        assert_eq!(entry["actor"]["kind"], *actor, "{entry}");
        assert_eq!(entry["actor"]["label"].as_str(), (*actor == "token").then_some("first"));
        assert!(objects(&entry).contains(object), "{object}: {entry}");
        for change in entry["changes"].as_array().unwrap() {
            assert!(change["before"].is_object() || change["after"].is_object(), "{entry}");
        }
    }

    for refused in [
        scim.post("/Users", &user("bob")).await.expect(409),
        scim.post("/Users", &json!({})).await.expect(400),
        scim.patch(&path, &operations).await.expect(404),
        scim.with_token("wrong").delete("/Users").await.expect(401),
        admin.put(&format!("{account}/lock"), &json!({})).await.expect(409),
        admin.patch("/tenants/acme/settings", &json!({"default_role": ""})).await.expect(422),
        admin.post("/tenants/acme/tokens", &json!({"overlap": "1h"})).await.expect(422),
        admin.get(&account).await.expect(200),
    ] {
        assert_eq!(entry_of(&server, log, &refused).await, None, "{refused:?}");
    }

    let all = serde_json::to_string(&admin.all(log).await).unwrap();
    let (text, secret) = (token_text.as_str().unwrap(), client_secret.as_str().unwrap());
    let half = text.rsplit('_').next().unwrap();
    for secret in [scim.token.rsplit('_').next().unwrap(), half, secret, OPERATOR_TOKEN] {
        assert!(!all.contains(secret), "a secret is in the audit log");
    }
    assert!(!all.contains("sha256\":["), "a hash is in the audit log");
}

#[tokio::test]
async fn what_belongs_to_no_tenant_has_a_log_of_its_own() {
    let home = Home::new();
    let server = Server::launch(&home, home.serve()).await;
    let token = server.said.last().unwrap().clone();
    let request = |method, path: &str| {
        let url = format!("{}/admin/v1{path}", server.url);
        reqwest::Client::new().request(method, url).bearer_auth(&token)
    };
    let make = request(reqwest::Method::POST, "/tenants").json(&json!({"id": "acme"}));
    let made = Answer::read(make.send().await.unwrap()).await.unwrap().expect(201);
    let delete = request(reqwest::Method::DELETE, "/tenants/acme").send().await.unwrap();
    let deleted = Answer::read(delete).await.unwrap().expect(204);

    let log = request(reqwest::Method::GET, "/audit").send().await.unwrap();
    let log = Answer::read(log).await.unwrap().expect(200).json();

    let entries = log["items"].as_array().unwrap();
    assert_eq!(entries[0]["request"], deleted.header("x-request-id"));
    assert_eq!(entries[0]["changes"][0]["before"]["id"], "acme");
    assert_eq!(entries[1]["request"], made.header("x-request-id"));
    assert_eq!(objects(&entries[1]), ["tenant", "token"]);
    assert_eq!(objects(&entries[2]), ["operator_token"]);
    assert_eq!(entries[2]["actor"]["kind"], "service");
    assert!(!log.to_string().contains(&token));
}

#[tokio::test]
async fn the_log_is_read_newest_first_in_pages_by_what_is_looked_for_and_exported_oldest_first() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "200ms").await);
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let mut users = Vec::new();
    for number in 0..150 {
        users.push(scim.create_user(&format!("user {number}")).await);
    }
    let staff = scim.create_group("Staff").await;
    scim.add_member(&staff, &users[0]).await;
    admin.wait_until_settled("acme").await;
    let log = "/tenants/acme/audit";

    let all = admin.all(log).await;
    let numbers: Vec<u64> = all.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).rev().collect::<Vec<u64>>());
    let mut paged = Vec::new();
    let mut next = format!("{log}?limit=40");
    loop {
        let page = admin.get(&next).await.expect(200).json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{log}?limit=40&cursor={cursor}");
    }
    assert_eq!(paged, all);
    let found = admin.all(&format!("{log}?object=user&id={}", users[3])).await;
    assert_eq!(found.len(), 1);
    let by_rules = admin.all(&format!("{log}?actor=reconciler&object=account")).await;
    assert_eq!(by_rules.len(), 1);
    assert_eq!(by_rules[0]["changes"][0]["after"]["role"], "loanee");
    admin.get(&format!("{log}?actor=nobody")).await.expect_problem(400, "actor");
    admin.get(&format!("{log}?request=x")).await.expect_problem(400, "request");

    for (media_type, query, expected) in [
        ("application/jsonl", "", all.clone()),
        ("application/x-ndjson", "?after=100", all[..all.len() - 100].to_vec()),
        ("application/jsonl", "?actor=reconciler&object=account", by_rules),
    ] {
        let request = admin.request(reqwest::Method::GET, &format!("{log}{query}"));
        let sent = request.header("accept", media_type).send().await.unwrap();
        let answer = Answer::read(sent).await.unwrap().expect(200);
        assert_eq!(answer.header("content-type"), media_type);
        let text = String::from_utf8(answer.body).unwrap();
        let lines: Vec<Value> =
            text.lines().rev().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, expected);
    }
}
