//! Replay: a wave that was downloaded does to another tenant what it did to its own.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::server::{Admin, Home, ScimClient, Server, eventually, run, slackwater};

/// Mappings of both tenants, so that roles can be compared too.
async fn with_roles(admin: &Admin, tenant: &str) {
    let settings = json!({
        "default_role": "guest",
        "role_mappings": [{"group": "Staff", "role": "member"}],
    });
    admin.set_settings(tenant, &settings).await;
}

/// A wave with all that a directory does, refusals included.
async fn push(scim: &ScimClient) {
    let mut users = Vec::new();
    for n in 0..12 {
        let name = format!("user{n}@example.com");
        let filter = format!("userName eq \"{name}\"");
        scim.find("/Users", &filter).await;
        let body =
            json!({"userName": name, "externalId": format!("e-{n}"), "password": "hunter22"});
        users.push(scim.post("/Users", &body).await.expect(201).id());
    }
    scim.post("/Users", &json!({"userName": "USER0@example.com"})).await.expect(409);
    scim.get("/Users/01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c").await.expect(404);
    let staff = scim.create_group("Staff").await;
    for user in &users[..8] {
        scim.add_member(&staff, user).await;
    }
    scim.remove_member(&staff, &users[7]).await;
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", users[6])}]);
    scim.patch(&format!("/Groups/{staff}"), &remove).await.expect(204);
    scim.set(&users[1], "userName", "renamed@example.com").await;
    scim.post("/Users", &json!({"userName": "user1@example.com"})).await.expect(201);
    scim.disable(&users[2]).await;
    scim.delete_user(&users[3]).await;
    scim.get(&format!("/Users/{}", users[3])).await.expect(404);
}

/// Downloads the newest wave of `acme` to a file.
async fn download(admin: &Admin, home: &Home, requests: usize) -> PathBuf {
    let wave = admin.wait_until_settled("acme").await;
    let path = format!("/tenants/acme/waves/{}/requests", wave["id"].as_str().unwrap());
    let body = eventually("the whole wave", || async {
        let body = String::from_utf8(admin.get(&path).await.expect(200).body).unwrap();
        let lines = body.lines().count();
        if lines >= requests { Ok(body) } else { Err(format!("{lines} lines")) }
    })
    .await;
    let file = home.path("wave.jsonl");
    std::fs::write(&file, body).unwrap();
    file
}

/// Runs the replay. Answers its exit code and what it printed.
async fn replay(file: &PathBuf, scim: &ScimClient, arguments: &[&str]) -> (i32, String) {
    let mut command = slackwater();
    command.args(["simulate", "--endpoint", &scim.endpoint, "--rate", "0", "--replay"]).arg(file);
    command.args(arguments).env("SLACKWATER_SIMULATE_TOKENS", &scim.token);
    let (code, out, err) = run(&mut command).await;
    assert!(!out.contains(&scim.token) && !err.contains(&scim.token), "tokens are not shown");
    (code, format!("{out}{err}"))
}

/// What accounts look like beside the ids that their tenant gave.
async fn accounts(admin: &Admin, tenant: &str) -> Vec<Value> {
    admin.wait_until_settled(tenant).await;
    let all = admin.all(&format!("/tenants/{tenant}/accounts")).await;
    let names = |groups: &Value| -> Vec<Value> {
        groups.as_array().unwrap().iter().map(|group| group["display_name"].clone()).collect()
    };
    let shown = |one: &Value| {
        json!([
            one["user_name"],
            one["external_id"],
            one["status"],
            one["role"],
            names(&one["groups"])
        ])
    };
    let mut shown: Vec<Value> = all.iter().map(shown).collect();
    shown.sort_by_key(Value::to_string);
    shown
}

/// Requests of the wave: without the first look-up, which came before it.
const REQUESTS: usize = 41;

#[tokio::test]
async fn the_same_statuses_and_accounts_come_of_it() {
    let server = Server::start().await;
    let (acme, scratch) = (server.tenant("acme", "4s").await, server.tenant("scratch", "4s").await);
    for tenant in ["acme", "scratch"] {
        with_roles(server.admin(), tenant).await;
    }
    push(&acme).await;
    let file = download(server.admin(), &server.home, REQUESTS).await;

    let (code, said) = replay(&file, &scratch, &["--speed", "max"]).await;

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Every answer has the status that was recorded."), "{said}");
    assert!(said.contains("left out: 12 redacted values"), "{said}");
    let (theirs, ours) =
        (accounts(server.admin(), "scratch").await, accounts(server.admin(), "acme").await);
    assert_eq!(theirs, ours);
}

#[tokio::test]
async fn copies_do_not_get_into_each_others_way() {
    let server = Server::start().await;
    let (acme, scratch) = (server.tenant("acme", "4s").await, server.tenant("scratch", "4s").await);
    push(&acme).await;
    let file = download(server.admin(), &server.home, REQUESTS).await;

    let (code, said) = replay(&file, &scratch, &["--speed", "max", "--multiply", "3"]).await;

    assert_eq!(code, 0, "{said}");
    let (theirs, ours) =
        (accounts(server.admin(), "scratch").await, accounts(server.admin(), "acme").await);
    assert_eq!(theirs.len(), ours.len() * 3);
    let groups = server.admin().all("/tenants/scratch/groups").await;
    assert!(groups.iter().all(|group| group["members"] == groups[0]["members"]), "{groups:?}");
    assert_eq!(groups.len(), 3);
}

#[tokio::test]
async fn another_status_than_recorded_is_told_and_ends_with_1() {
    let server = Server::start().await;
    let (acme, scratch) = (server.tenant("acme", "4s").await, server.tenant("scratch", "4s").await);
    push(&acme).await;
    let file = download(server.admin(), &server.home, REQUESTS).await;
    // Somebody has the name already.
    scratch.create_user("user5@example.com").await;

    let (code, said) = replay(&file, &scratch, &["--speed", "max"]).await;

    assert_eq!(code, 1, "{said}");
    assert!(said.contains("POST /Users: 409 instead of 201"), "{said}");
    assert!(said.contains("were not sent"), "what follows of it is not sent: {said}");
}

#[tokio::test]
async fn a_recording_is_sent_at_the_pace_at_which_it_was_made() {
    let server = Server::start().await;
    let scratch = server.tenant("scratch", "60s").await;
    let line = |offset_ms: u64, n: u64| {
        json!({
            "offset_ms": offset_ms, "method": "POST", "path": "/Users", "query": null,
            "body": {"userName": format!("user{n}")}, "body_state": "whole", "status": 201,
        })
    };
    let file = server.home.path("wave.jsonl");
    std::fs::write(&file, format!("{}\n{}\n", line(0, 1), line(4_000, 2))).unwrap();
    let began = std::time::Instant::now();

    let (code, said) = replay(&file, &scratch, &["--speed", "4"]).await;

    assert_eq!(code, 0, "{said}");
    assert!(began.elapsed() >= std::time::Duration::from_secs(1), "{said}");
    server.stop().await;
}
