//! How the directory logs in: tokens that replace each other, OAuth clients, and failed logins.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, Home, OPERATOR_TOKEN, ScimClient, Server, encode, eventually};

/// Fetches an access token.
async fn fetch(server: &Server, form: &[(&str, &str)]) -> Answer {
    let body: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", encode(v))).collect();
    let request = reqwest::Client::new()
        .post(format!("{}/oauth/token", server.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.join("&"));
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

/// A client that was made: its id and secret.
async fn make_client(server: &Server, tenant: &str, body: &Value) -> (String, String) {
    let path = format!("/tenants/{tenant}/oauth-clients");
    let made = server.admin().post(&path, body).await.expect(201).json();
    assert_eq!(made["token_endpoint"], format!("{}/oauth/token", server.url));
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("client_id"), text("client_secret"))
}

async fn access_token(server: &Server, id: &str, secret: &str) -> (String, u64) {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let granted = fetch(server, &form).await.expect(200);
    assert_eq!(granted.header("cache-control"), "no-store");
    let granted = granted.json();
    assert_eq!(granted["token_type"], "Bearer");
    let token = granted["access_token"].as_str().unwrap().to_owned();
    (token, granted["expires_in"].as_u64().unwrap())
}

#[tokio::test]
async fn a_client_gets_access_tokens_that_open_its_tenant_and_survive_a_restart() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let other = server.tenant("other", "60s").await;
    let (id, secret) = make_client(&server, "acme", &json!({"label": "entra"})).await;
    assert!(id.starts_with("acme."), "{id}");

    let (token, expires_in) = access_token(&server, &id, &secret).await;
    assert_eq!(expires_in, 3_600);
    let made = scim.with_token(&token).post("/Users", &json!({"userName": "ada"})).await;
    let made = made.expect(201);
    other.with_token(&token).get("/Users").await.expect(401);
    let path = format!("/tenants/acme/audit?request={}", made.header("x-request-id"));
    assert_eq!(server.admin().all(&path).await[0]["actor"]["label"], "entra");

    let listed = server.admin().all("/tenants/acme/oauth-clients").await;
    assert_eq!((&listed[0]["client_id"], &listed[0]["label"]), (&json!(id), &json!("entra")));
    assert_eq!(listed[0]["last_used_from"], "127.0.0.1");
    assert!(!json!(listed).to_string().contains("secret"), "{listed:?}");

    let server = Server::start_in(&server.stop().await).await;
    let scim = ScimClient::new(&format!("{}/scim/v2/acme", server.url), &token);
    scim.get("/Users").await.expect(200);
    let path = format!("/tenants/acme/oauth-clients/{id}");
    server.admin().delete(&path).await.expect(204);
    scim.get("/Users").await.expect(401);
    let form =
        [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
    assert_eq!(fetch(&server, &form).await.expect(401).json()["error"], "invalid_client");
    server.admin().delete(&path).await.expect_problem(404, "client");
}

#[tokio::test]
async fn an_access_token_ends_with_its_client() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let (id, secret) = make_client(&server, "acme", &json!({"expires_in": "2s"})).await;
    let (token, expires_in) = access_token(&server, &id, &secret).await;
    assert!(expires_in <= 2, "{expires_in}");

    let scim = scim.with_token(&token);
    eventually("expired access token", || async {
        let status = scim.get("/Users").await.status;
        if status == 401 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_request_for_an_access_token_is_refused_as_the_rfc_says() {
    let server = Server::start().await;
    server.tenant("acme", "60s").await;
    let (id, secret) = make_client(&server, "acme", &json!({})).await;
    let grant = ("grant_type", "client_credentials");
    let (right_id, right_secret) = (("client_id", &*id), ("client_secret", &*secret));
    let unknown = id.replace("acme", "nobody");
    for (form, status, error) in [
        (vec![grant, right_id, ("client_secret", "wrong")], 401, "invalid_client"),
        (vec![grant, ("client_id", "acme.x"), right_secret], 401, "invalid_client"),
        (vec![grant, ("client_id", &unknown), right_secret], 401, "invalid_client"),
        (vec![grant, right_id], 401, "invalid_client"),
        (vec![grant], 401, "invalid_client"),
        (vec![right_id, right_secret], 400, "invalid_request"),
        (vec![grant, grant, right_id, right_secret], 400, "invalid_request"),
        (vec![("grant_type", "password"), right_id, right_secret], 400, "unsupported_grant_type"),
    ] {
        let answer = fetch(&server, &form).await.expect(status);
        assert_eq!(answer.json()["error"], error, "{form:?}");
        assert_eq!(answer.header("www-authenticate").starts_with("Basic"), status == 401);
        assert_eq!(answer.header("cache-control"), "no-store");
    }

    let url = format!("{}/oauth/token", server.url);
    let post = || reqwest::Client::new().post(&url).basic_auth(&id, Some(&secret));
    let form = "application/x-www-form-urlencoded";
    let basic = post().header("content-type", form).body("grant_type=client_credentials&scope=x");
    assert_eq!(basic.send().await.unwrap().status().as_u16(), 200);
    // Entra's "both": in the header and in the body, which must say the same.
    for (in_body, status) in [(secret.as_str(), 200), ("other", 400)] {
        let both = format!("grant_type=client_credentials&client_id={id}&client_secret={in_body}");
        let both = post().header("content-type", form).body(both).send().await.unwrap();
        assert_eq!(both.status().as_u16(), status);
    }
    let no_form = post().json(&json!({"grant_type": "client_credentials"})).send().await.unwrap();
    assert_eq!(no_form.status().as_u16(), 400);
    let get = reqwest::get(&url).await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
}

#[tokio::test]
async fn a_token_that_replaces_another_leaves_it_for_the_overlap() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    let path = "/tenants/acme/tokens";
    let first = admin.all(path).await[0]["id"].clone();

    let body = json!({"label": "new", "replaces": first, "overlap": "2s"});
    let made = admin.post(path, &body).await.expect(201).json();
    assert_eq!(made["replaces"]["id"], first);
    let new = scim.with_token(made["token"].as_str().unwrap());
    scim.get("/Users").await.expect(200);
    new.get("/Users").await.expect(200);

    eventually("end of the overlap", || async {
        let status = scim.get("/Users").await.status;
        if status == 401 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    new.get("/Users").await.expect(200);
    let told = format!("\"expired\":{first}");
    // Who uses an expired token is in the log.
    server.home.logs_with(&told).await;
    // A token that ends anyway does not live longer for being replaced.
    let end = admin.all(path).await[0]["expires_at"].clone();
    let body = json!({"replaces": first, "overlap": "30d"});
    let again = admin.post(path, &body).await.expect(201).json();
    assert_eq!(again["replaces"]["expires_at"], end);
    assert_eq!(admin.all(path).await[0]["expires_at"], end);
    for (body, word) in [
        (json!({"replaces": "x"}), "replaces"),
        (json!({"replaces": "01890a5d-ac96-774b-bcce-b302099a8057"}), "replaces"),
        (json!({"overlap": "1h"}), "overlap"),
        (json!({"replaces": first, "overlap": "soon"}), "overlap"),
    ] {
        admin.post(path, &body).await.expect_problem(422, word);
    }
    assert_eq!(admin.all(path).await.len(), 3);
}

#[tokio::test]
async fn the_last_use_of_a_token_is_shown_and_survives_a_restart() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let path = "/tenants/acme/tokens";
    assert_eq!(server.admin().all(path).await[0]["last_used_at"], Value::Null);

    scim.get("/Users").await.expect(200);
    let shown = server.admin().all(path).await[0].clone();
    assert!(shown["last_used_at"].is_string(), "{shown}");
    assert_eq!(shown["last_used_from"], "127.0.0.1");

    let server = Server::start_in(&server.stop().await).await;
    assert_eq!(server.admin().all(path).await[0], shown);
}

#[tokio::test]
async fn failed_logins_are_slowed_down_and_a_right_token_is_not() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    command.env("SLACKWATER_FAILED_LOGINS_PER_MINUTE", "5");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;
    let wrong = scim.with_token("sw_wrong");

    for _ in 0..5 {
        wrong.get("/Users").await.expect(401);
    }
    let refused = wrong.get("/Users").await.expect_scim_error(429, None);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    let url = format!("{}/admin/v1/tenants", server.url);
    let admin = reqwest::Client::new().get(&url).bearer_auth("wrong").send().await.unwrap();
    Answer::read(admin).await.unwrap().expect_problem(429, "failed logins");
    let (id, secret) = make_client(&server, "acme", &json!({})).await;
    let grant = ("grant_type", "client_credentials");
    let form = [grant, ("client_id", &*id), ("client_secret", "wrong")];
    let oauth = fetch(&server, &form).await.expect(429);
    assert!(!oauth.header("retry-after").is_empty());

    scim.get("/Users").await.expect(200);
    server.admin().get("/tenants").await.expect(200);
    let (token, _) = access_token(&server, &id, &secret).await;
    scim.with_token(&token).get("/Users").await.expect(200);
    // Who presents nothing does not guess.
    let nothing = reqwest::Client::new().request(Method::GET, &url).send().await.unwrap();
    assert_eq!(nothing.status().as_u16(), 401);
    server.stop().await;

    let logs = home.logs();
    let told: Vec<&str> = logs.lines().filter(|line| line.contains("a login failed")).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[0].contains("acme") && told[0].contains("127.0.0.1"), "{}", told[0]);
    assert!(!logs.contains("sw_wrong"));
}

#[tokio::test]
async fn parked_memberships_and_expiring_tokens_are_shown_and_told_of_in_health() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    let health = "/tenants/acme/health";
    let shown = admin.get(health).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["parked"]["count"]), (&json!("ok"), &json!(0)));
    assert_eq!((&shown["tokens_expiring"], &shown["holds"]), (&json!([]), &json!([])));

    let (staff, it) = (scim.create_group("Staff").await, scim.create_group("IT").await);
    for number in 0..5 {
        scim.add_member(&staff, &format!("later-{number}")).await;
    }
    scim.add_member(&it, "later-0").await;
    let path = "/tenants/acme/parked";
    let all = admin.all(path).await;
    assert_eq!(all.len(), 6);
    let mut paged = Vec::new();
    let mut next = format!("{path}?limit=2");
    loop {
        let page = admin.get(&next).await.expect(200).json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    let of_it = admin.all(&format!("{path}?group={it}")).await;
    assert_eq!(of_it.len(), 1);
    assert_eq!((&of_it[0]["value"], &of_it[0]["group_name"]), (&json!("later-0"), &json!("IT")));
    assert!(of_it[0]["since"].as_str() < of_it[0]["expires_at"].as_str());
    admin.get(&format!("{path}?group=x")).await.expect_problem(400, "group");
    admin.get(&format!("{path}?cursor=!")).await.expect_problem(400, "cursor");

    let shown = admin.get(health).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["parked"]["count"]), (&json!("ok"), &json!(6)));
    assert!(shown["parked"]["oldest"].is_string());

    // Replaced just now: it ends within a day.
    let first = admin.all("/tenants/acme/tokens").await[0]["id"].clone();
    let body = json!({"replaces": first, "expires_in": "365d", "overlap": "1h"});
    admin.post("/tenants/acme/tokens", &body).await.expect(201);
    let shown = admin.get(health).await.expect(200).json();
    assert_eq!(shown["tokens_expiring"], json!([]), "its whole life is shorter than a day");
}
