//! The request record: what the directory sent and what it got, without its secrets, for those who
//! have to find out why something did not arrive.

mod secrets;

use serde_json::{Value, json};

use crate::server::{Admin, Home, ScimClient, Server, add_member, eventually, patch_op};

/// Waits until so many requests of a tenant are recorded. Answers all, newest first.
async fn recorded(admin: &Admin, query: &str, count: usize) -> Vec<Value> {
    eventually("recorded requests", || async {
        let items = admin.all(&format!("/tenants/acme/requests{query}")).await;
        if items.len() >= count { Ok(items) } else { Err(format!("{}: {items:?}", items.len())) }
    })
    .await
}

async fn one(admin: &Admin, id: &Value) -> Value {
    let id = id.as_str().unwrap();
    admin.get(&format!("/tenants/acme/requests/{id}")).await.expect(200).json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_was_sent_and_answered_is_shown_with_bodies_and_survives_a_restart() {
    let home = Home::new();
    let server = Server::start_in(&home).await;
    let scim = server.tenant("acme", "1s").await;
    let ada = scim.create_user("ada@example.com").await;
    let staff = scim.create_group("Staff").await;
    scim.add_member(&staff, &ada).await;
    scim.get("/Users?filter=userName%20eq%20%22ada@example.com%22").await.expect(200);
    let wave = server.admin().wait_until_settled("acme").await;

    let all = recorded(server.admin(), "", 4).await;
    assert_eq!(all.len(), 4);
    for request in &all {
        assert_eq!(request["wave"], wave["id"], "{request}");
        assert_eq!(request["is_error"], false);
        assert_eq!(request["token_label"], "first");
    }
    let created = &all[3];
    assert_eq!((text(&created["method"]), text(&created["path"])), ("POST", "/Users"));
    assert_eq!((&created["status"], text(&created["resource"])), (&json!(201), ada.as_str()));
    assert_eq!(created["subject"], "ada@example.com");
    let whole = one(server.admin(), &created["id"]).await;
    let sent: Value = serde_json::from_str(text(&whole["request_body"]["text"])).unwrap();
    let got: Value = serde_json::from_str(text(&whole["answer_body"]["text"])).unwrap();
    assert_eq!(sent["userName"], "ada@example.com");
    assert_eq!(got["id"], ada.as_str());
    assert_eq!(all[0]["subject"], "ada@example.com", "a look-up tells what it asked for");

    // The last is not a second old.
    scim.create_user("bob").await;
    let home = server.stop().await;
    let server = Server::start_in(&home).await;
    let after = recorded(server.admin(), "", 5).await;
    assert_eq!(after[1..], all);
    assert_eq!(one(server.admin(), &created["id"]).await, whole);
    let (code, said, _) = crate::server::run_on(&server.stop().await.data(), &["check"]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_user_is_found_by_any_name_also_in_changes_of_groups() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let body = json!({"userName": "Ada@Example.com", "externalId": "entra-1"});
    let ada = scim.post("/Users", &body).await.expect(201).id();
    scim.create_user("bob").await;
    let staff = scim.create_group("Staff").await;
    scim.add_member(&staff, &ada).await;
    scim.patch(
        &format!("/Users/{ada}"),
        &json!([{"op": "replace", "path": "title", "value": "x"}]),
    )
    .await
    .expect(200);
    scim.delete(&format!("/Users/{ada}")).await.expect(204);
    let all = recorded(server.admin(), "", 6).await;

    for name in ["ada%40example.com", "ADA%40EXAMPLE.COM", &ada, "Entra-1"] {
        // The names of a user who is gone are those that stand in its requests.
        let found = recorded(server.admin(), &format!("?q={name}"), 2).await;
        assert!(found.iter().all(|request| all.contains(request)), "{name}");
        assert!(found.iter().all(|request| request["subject"] != "bob"), "{name}");
    }
    let by_id = recorded(server.admin(), &format!("?q={ada}"), 4).await;
    let paths: Vec<&str> = by_id.iter().map(|request| text(&request["path"])).collect();
    let (user, group) = (format!("/Users/{ada}"), format!("/Groups/{staff}"));
    assert_eq!(paths, [user.as_str(), user.as_str(), group.as_str(), "/Users"]);
    assert_eq!(recorded(server.admin(), "?q=staff", 1).await.len(), 2);
    assert_eq!(recorded(server.admin(), "?q=nobody", 0).await.len(), 0);
    let patches = recorded(server.admin(), "?method=patch&status=2xx", 2).await;
    assert_eq!(patches.len(), 2);
    let pages = server.admin().get("/tenants/acme/requests?limit=4").await.expect(200).json();
    let next = text(&pages["next_cursor"]).to_owned();
    let path = format!("/tenants/acme/requests?limit=4&cursor={next}");
    let rest = server.admin().get(&path).await.expect(200).json();
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&pages), count(&rest)), (4, 2));
    assert_eq!(pages["dropped"], 0);
    assert_eq!(pages["is_recording"], true);
}

#[tokio::test]
async fn every_refusal_is_explained() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let ada = scim.create_user("ada").await;
    scim.post("/Users", &json!({"userName": "ADA"})).await.expect(409);
    scim.post("/Users", &json!({"userName": ""})).await.expect(400);
    let patch = json!([{"op": "replace", "path": "no such path!", "value": 1}]);
    scim.patch(&format!("/Users/{ada}"), &patch).await.expect(400);
    scim.get("/Users?filter=nonsense").await.expect(400);
    scim.get("/Me").await.expect(501);
    scim.get("/Users/no-such-user").await.expect(404);
    let broken = scim.request(reqwest::Method::POST, "/Users").body("{\"userName\": ");
    assert_eq!(broken.send().await.unwrap().status(), 400);
    let operations = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ada"}},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "eve"}},
    ]});
    scim.post("/Bulk", &operations).await.expect(200);

    let errors = recorded(server.admin(), "?errors=true", 8).await;

    assert_eq!(errors.len(), 8);
    for request in &errors {
        assert_eq!(request["is_error"], true, "{request}");
        for part in ["meaning", "remedy"] {
            assert!(!text(&request["explanation"][part]).is_empty(), "{request}");
        }
    }
    assert_eq!(errors[0]["failed_operations"], 1);
    let not_json = one(server.admin(), &errors[1]["id"]).await;
    assert_eq!(not_json["request_body"]["omitted"], "not_json");
    assert_eq!(not_json["request_body"]["size"], 13);
    let taken = recorded(server.admin(), "?status=409", 1).await;
    assert_eq!(taken[0]["scim_type"], "uniqueness");
    assert_eq!(taken[0]["subject"], "ADA");
    assert!(text(&taken[0]["explanation"]["meaning"]).contains("user name"));
    for bad in ["?status=x", "?wave=x", "?errors=maybe", "?cursor=x", "?limit=0"] {
        server.admin().get(&format!("/tenants/acme/requests{bad}")).await.expect(400);
    }
    server.admin().get("/tenants/acme/requests/no-such-request").await.expect(404);
    server.admin().get(&format!("/tenants/acme/requests/{ada}")).await.expect(404);
}

#[tokio::test]
async fn what_is_too_fast_is_recorded_and_a_wrong_token_is_not() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let slow = json!({"rate_limit": {"requests_per_second": 1, "burst": 1}});
    server.admin().set_settings("acme", &slow).await;
    scim.with_token("wrong").get("/Users").await.expect(401);
    scim.get("/Users").await.expect(200);
    scim.post("/Users", &json!({"userName": "ada"})).await.expect(429);

    let all = recorded(server.admin(), "", 2).await;

    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["status"], 429);
    let whole = one(server.admin(), &all[0]["id"]).await;
    assert_eq!(whole["request_body"]["omitted"], "not_read");
    assert!(whole["request"]["explanation"]["remedy"].is_string());
}

#[tokio::test]
async fn a_wave_is_downloaded_and_can_be_sent_again() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "1s").await;
    let ada = scim.create_user("ada").await;
    let staff = scim.create_group("Staff").await;
    let patch = patch_op(&add_member(&ada));
    let pretty = serde_json::to_string_pretty(&patch).unwrap();
    let request = scim.request(reqwest::Method::PATCH, &format!("/Groups/{staff}"));
    assert_eq!(request.body(pretty).send().await.unwrap().status(), 204);
    scim.get("/Users?filter=userName%20eq%20%22ada%22").await.expect(200);
    let first = server.admin().wait_until_settled("acme").await;
    scim.create_user("eve").await;
    server.admin().wait_until_settled("acme").await;
    recorded(server.admin(), "", 5).await;

    let path = format!("/tenants/acme/waves/{}/requests", text(&first["id"]));
    let file = server.admin().get(&path).await.expect(200);

    assert_eq!(file.header("content-type"), "application/x-ndjson");
    assert!(file.header("content-disposition").starts_with("attachment; filename=\"wave-"));
    let body = String::from_utf8(file.body).unwrap();
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[2]["body"], patch);
    assert_eq!(
        (&lines[2]["body_state"], &lines[3]["body_state"]),
        (&json!("whole"), &json!("none"))
    );
    assert!(text(&lines[3]["query"]).starts_with("filter="));
    assert!(lines.iter().all(|line| line["offset_ms"].as_i64().is_some_and(|ms| ms >= 0)));

    // To another tenant: the same comes of it.
    let other = server.tenant("other", "60s").await;
    let again = send_again(&other, &lines).await;
    assert_eq!(again, lines.iter().map(|line| line["status"].clone()).collect::<Vec<_>>());
    server.admin().get("/tenants/acme/waves/no-such-wave/requests").await.expect(404);
    let theirs = format!("/tenants/other/waves/{}/requests", text(&first["id"]));
    server.admin().get(&theirs).await.expect(404);
}

/// Sends what a file holds, with the ids that the new tenant gives. Answers the statuses.
async fn send_again(scim: &ScimClient, lines: &[Value]) -> Vec<Value> {
    let (mut statuses, mut ids) = (Vec::new(), Vec::<(String, String)>::new());
    for line in lines {
        let renamed = |mut text: String| {
            for (old, new) in &ids {
                text = text.replace(old, new);
            }
            text
        };
        let query = line["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
        let path = renamed(format!("{}{query}", text(&line["path"])));
        let body: Option<Value> = (!line["body"].is_null())
            .then(|| serde_json::from_str(&renamed(line["body"].to_string())).unwrap());
        let method = text(&line["method"]).parse().unwrap();
        let answer = scim.try_send(method, &path, body.as_ref()).await.unwrap();
        statuses.push(json!(answer.status));
        if answer.status == 201 {
            // What the tenant of the file had called it is in the requests that follow.
            let old = lines
                .iter()
                .find_map(|later| later["body"]["Operations"][0]["value"][0]["value"].as_str());
            let group =
                lines.iter().find_map(|later| text(&later["path"]).strip_prefix("/Groups/"));
            let old = if text(&line["path"]) == "/Users" { old } else { group };
            ids.push((old.unwrap().to_owned(), answer.id()));
        }
    }
    statuses
}

#[tokio::test]
async fn a_tenant_sees_its_own_requests_only() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let other = server.tenant("other", "60s").await;
    scim.create_user("ada").await;
    other.create_user("eve").await;
    let mine = recorded(server.admin(), "", 1).await;

    assert_eq!(mine.len(), 1);
    let theirs = eventually("the other's request", || async {
        let items = server.admin().all("/tenants/other/requests").await;
        items.first().cloned().ok_or_else(|| "none".to_owned())
    })
    .await;
    assert_eq!(theirs["subject"], "eve");
    let id = text(&theirs["id"]);
    server.admin().get(&format!("/tenants/acme/requests/{id}")).await.expect(404);
    server.admin().get(&format!("/tenants/other/requests/{id}")).await.expect(200);
    assert_eq!(server.admin().all("/tenants/acme/requests?q=eve").await, Vec::<Value>::new());
}

#[tokio::test]
async fn nothing_is_recorded_where_that_is_switched_off() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", crate::server::OPERATOR_TOKEN);
    command.args(["--record-requests", "false"]);
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;
    scim.create_user("ada").await;
    let home = server.stop().await;

    let server = Server::start_in(&home).await;
    let page = server.admin().get("/tenants/acme/requests").await.expect(200).json();
    assert_eq!(page["items"], json!([]));
    assert_eq!(page["is_recording"], true);
}

#[tokio::test]
async fn long_bodies_are_cut_and_the_record_is_bounded_in_size() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    server.admin().set_settings("acme", &json!({"retention": {"requests_bytes": 4_000}})).await;
    let staff = scim.create_group("Staff").await;
    let members: Vec<Value> =
        (0..3_000).map(|n| json!({"value": format!("nobody-{n:0>30}")})).collect();
    let operations = json!([{"op": "add", "path": "members", "value": members}]);
    scim.patch(&format!("/Groups/{staff}"), &operations).await.expect(204);

    let patches = recorded(server.admin(), "?method=PATCH", 1).await;
    let whole = one(server.admin(), &patches[0]["id"]).await;
    assert_eq!(whole["request_body"]["is_cut"], true);
    assert!(whole["request_body"]["size"].as_u64().unwrap() > 120_000);
    assert_eq!(text(&whole["request_body"]["text"]).len(), 64 << 10);

    // Each second's block is larger than a tenth of what may be kept.
    eventually("trimmed record", || async {
        for n in 0..10 {
            scim.get(&format!("/Users/nobody-{n}")).await.expect(404);
        }
        match server.admin().all("/tenants/acme/requests?method=PATCH").await.len() {
            0 => Ok(()),
            left => Err(left.to_string()),
        }
    })
    .await;
}
