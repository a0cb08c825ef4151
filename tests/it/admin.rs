//! The admin API: what operators and engineers see and do.

mod accounts;
mod audit;
mod changes;
mod events;
mod time;

use serde_json::{Value, json};

use crate::server::{Server, eventually};

const RANDOM_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_tenant_is_made_shown_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin();

    let body = json!({"id": "acme", "name": "Acme Corp"});
    let made = admin.post("/tenants", &body).await.expect(201).json();
    assert_eq!((&made["id"], &made["name"]), (&json!("acme"), &json!("Acme Corp")));
    assert_eq!(made["scim"]["endpoint"], format!("{}/scim/v2/acme", server.url));
    let token = made["scim"]["token"].as_str().unwrap();
    assert!(token.len() >= 40, "256 bits do not fit into {token}");
    admin.post("/tenants", &body).await.expect_problem(409, "");

    let shown = admin.get("/tenants/acme").await.expect(200);
    assert_eq!(shown.json()["name"], "Acme Corp");
    assert_eq!(shown.json()["scim"]["endpoint"], made["scim"]["endpoint"]);
    let listed = admin.get("/tenants").await.expect(200);
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 1);
    for answer in [shown, listed] {
        assert!(!String::from_utf8_lossy(&answer.body).contains(token));
    }

    admin.delete("/tenants/acme").await.expect(204);
    admin.get("/tenants/acme").await.expect_problem(404, "tenant");
    admin.delete("/tenants/acme").await.expect_problem(404, "tenant");
    let again = admin.post("/tenants", &body).await.expect(201).json();
    assert_ne!(again["scim"]["token"], made["scim"]["token"]);
    assert!(admin.feed("acme").await.is_empty());
}

#[tokio::test]
async fn a_bad_new_tenant_is_refused_with_the_key_at_fault() {
    let server = Server::start().await;
    let admin = server.admin();
    let long = "a".repeat(64);
    for id in ["", "Acme", "a b", "a/b", "ä", "a_b", "..", long.as_str()] {
        admin.post("/tenants", &json!({"id": id})).await.expect_problem(422, "id");
    }
    for (body, word) in [
        (json!({}), "id"),
        (json!({"id": 1}), ""),
        (json!({"id": "acme", "colour": "x"}), "colour"),
        (json!({"id": "acme", "name": ""}), "name"),
        (json!({"id": "acme", "name": "x".repeat(10_000)}), "name"),
        (json!([]), ""),
    ] {
        admin.post("/tenants", &body).await.expect_problem(422, word);
    }
    for body in ["{", "", "{\"id\":\"a\",\"id\":\"b\"}"] {
        let request = admin.request(reqwest::Method::POST, "/tenants").body(body);
        let status = request.send().await.unwrap().status().as_u16();
        assert!(matches!(status, 400 | 422), "{body}: {status}");
    }
    assert!(admin.all("/tenants").await.is_empty());
    for id in ["a".repeat(63).as_str(), "0", "-", "a-1"] {
        admin.post("/tenants", &json!({"id": id})).await.expect(201);
    }
}

#[tokio::test]
async fn lists_come_in_pages_that_hold_everything_once() {
    let server = Server::start().await;
    let admin = server.admin();
    let ids: Vec<String> = (0..12).map(|n| format!("t{n:02}")).collect();
    for id in &ids {
        admin.create_tenant(id).await;
    }

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/tenants?limit=5{cursor}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 5);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ids);
    let whole = admin.get("/tenants?limit=12").await.expect(200).json();
    assert_eq!(whole["next_cursor"], Value::Null, "there is no empty last page");
}

#[tokio::test]
async fn a_bad_limit_or_cursor_is_refused_by_name() {
    let server = Server::start().await;
    let admin = server.admin();
    server.tenant("acme", "60s").await;
    for list in ["tokens", "groups", "accounts", "waves", "changes", "audit", "oauth-clients"] {
        let path = format!("/tenants/acme/{list}");
        for limit in ["0", "1001", "-1", "ten", ""] {
            let answer = admin.get(&format!("{path}?limit={limit}")).await;
            answer.expect_problem(400, "limit");
        }
        let answer = admin.get(&format!("{path}?cursor=nonsense")).await;
        answer.expect_problem(400, "cursor");
        admin.get(&format!("{path}?limit=1000&unknown=1")).await.expect(200);
    }
    for (query, word) in [
        ("accounts?status=gone", "status"),
        ("accounts?locked=perhaps", "locked"),
        ("accounts?pending=1", "pending"),
        ("changes?after=x", "after"),
        ("changes?after=-1", "after"),
        ("changes?wait=soon", "wait"),
        ("changes?type=account.exploded", "type"),
    ] {
        let answer = admin.get(&format!("/tenants/acme/{query}")).await;
        answer.expect_problem(400, word);
    }
}

fn defaults() -> Value {
    json!({
        "default_role": "default",
        "disabled_role": "disabled",
        "role_mappings": [],
        "field_mappings": {
            "department": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
        },
        "disable_overrides_lock": true,
        "protected_roles": [],
        "hold": {"share": 0.5, "min_accounts": 100},
        "reconcile": {"settle": "60s", "max_delay": "10m", "sweep_min": "20m", "sweep_max": "40m"},
        "rate_limit": {"requests_per_second": 100, "burst": 200},
        "retention": {
            "feed": "30d",
            "feed_entries": 1_000_000,
            "audit": "400d",
            "waves": "90d",
            "deleted_accounts": "90d",
            "requests": "7d",
            "requests_bytes": 67_108_864
        },
        "equipment": {"schedule": null, "time_zone": "UTC", "email": []}
    })
}

#[tokio::test]
async fn settings_start_with_the_documented_defaults_and_take_merge_patches() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.create_tenant("acme").await;
    let path = "/tenants/acme/settings";
    assert_eq!(admin.get(path).await.expect(200).json(), defaults());

    let patch = json!({
        "default_role": "none",
        "reconcile": {"settle": "250ms"},
        "role_mappings": [{"group": "Staff", "role": "loanee"}],
        "field_mappings": {"title": "title"},
    });
    let patched = admin.set_settings("acme", &patch).await;

    let mut expected = defaults();
    expected["default_role"] = json!("none");
    expected["reconcile"]["settle"] = json!("250ms");
    expected["role_mappings"] = patch["role_mappings"].clone();
    expected["field_mappings"]["title"] = json!("title");
    assert_eq!(patched, expected);
    assert_eq!(admin.get(path).await.expect(200).json(), expected);

    // A null takes a key back to its default (RFC 7396).
    let back = json!({"default_role": null, "reconcile": null, "field_mappings": {"title": null}});
    let patched = admin.set_settings("acme", &back).await;
    expected = defaults();
    expected["role_mappings"] = patch["role_mappings"].clone();
    assert_eq!(patched, expected);
}

#[tokio::test]
async fn bad_settings_are_refused_with_the_key_at_fault_and_change_nothing() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.create_tenant("acme").await;
    let path = "/tenants/acme/settings";
    let mapping = |mapping: Value| json!({"default_role": "x", "role_mappings": [mapping]});
    for (patch, key) in [
        (json!({"default_role": "x", "default_rule": "y"}), "default_rule"),
        (json!({"default_role": ""}), "default_role"),
        (json!({"default_role": 7}), "default_role"),
        (json!({"disabled_role": " "}), "disabled_role"),
        (json!({"default_role": "x", "reconcile": {"settle": "soon"}}), "reconcile.settle"),
        (json!({"reconcile": {"settle": "0s"}}), "reconcile.settle"),
        (json!({"reconcile": {"settle": 60}}), "reconcile.settle"),
        (json!({"reconcile": {"sweep_min": "50m"}}), "reconcile.sweep_min"),
        (json!({"reconcile": {"setle": "1s"}}), "setle"),
        (json!({"rate_limit": {"burst": 0}}), "rate_limit.burst"),
        (json!({"rate_limit": {"requests_per_second": -1}}), "rate_limit.requests_per_second"),
        (json!({"hold": {"share": 2}}), "hold.share"),
        (json!({"retention": {"feed": "0s"}}), "retention.feed"),
        (json!({"protected_roles": [""]}), "protected_roles[0]"),
        (json!({"field_mappings": {"x": "no such attribute"}}), "field_mappings.x"),
        (mapping(json!({"group": "Staff", "role": ""})), "role_mappings[0].role"),
        (mapping(json!({"group": "", "role": "x"})), "role_mappings[0].group"),
        (mapping(json!({"role": "x"})), "role_mappings[0]"),
        (mapping(json!({"group": "a", "group_id": RANDOM_ID, "role": "x"})), "role_mappings[0]"),
        (mapping(json!({"group_id": "nonsense", "role": "x"})), "role_mappings[0]"),
        (json!({"role_mappings": {}}), "role_mappings"),
        (json!([]), ""),
    ] {
        let answer = admin.patch(path, &patch).await.expect_problem(422, key);
        let named = answer.json()["key"].as_str().unwrap_or_default().to_owned();
        assert!(named.contains(key) || key.ends_with(&named), "{key}: {answer:?}");
        assert_eq!(admin.get(path).await.json(), defaults(), "{patch}");
    }
}

#[tokio::test]
async fn unknown_keys_are_refused_by_name_in_every_body() {
    let server = Server::start().await;
    let admin = server.admin();
    let bob = server.tenant("acme", "60s").await.create_user("bob").await;
    let account = format!("/tenants/acme/accounts/{bob}");
    let body = json!({"role": "admin", "surprise": 1});
    for (path, body) in [(format!("{account}/lock"), &body), (format!("{account}/role"), &body)] {
        admin.put(&path, body).await.expect_problem(422, "surprise");
    }
    for path in ["/tenants/acme/tokens", "/tenants/acme/reconcile"] {
        admin.post(path, &json!({"surprise": 1})).await.expect_problem(422, "surprise");
    }
    admin.put(&format!("{account}/role"), &json!({"role": ""})).await.expect_problem(422, "role");
    let soon = json!({"expires_in": "soon"});
    admin.post("/tenants/acme/tokens", &soon).await.expect_problem(422, "");
    let past = json!({"role": "x", "expires_at": "2001-01-01T00:00:00Z"});
    admin.put(&format!("{account}/lock"), &past).await.expect_problem(422, "expires_at");
    assert_eq!(admin.account("acme", &bob).await["role"], "default");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let server = Server::start().await;
    let admin = server.admin();
    server.tenant("acme", "60s").await;
    for path in [
        "/nothing".to_owned(),
        "/tenants/nobody".into(),
        "/tenants/nobody/settings".into(),
        "/tenants/NOT-AN-ID/accounts".into(),
        "/tenants/acme/nothing".into(),
        format!("/tenants/acme/accounts/{RANDOM_ID}"),
        "/tenants/acme/accounts/nonsense".into(),
        format!("/tenants/acme/waves/{RANDOM_ID}"),
        "/tenants/acme/waves/nonsense".into(),
        format!("/tenants/acme/actors/users/{RANDOM_ID}"),
    ] {
        admin.get(&path).await.expect_problem(404, "");
    }
    admin.delete("/tenants/acme/settings").await.expect_problem(405, "");
    server.get("/nothing").await.expect_problem(404, "");
    server.get("/scim/v2").await.expect(401);
}

#[tokio::test]
async fn actors_are_shown_while_they_live() {
    let server = Server::start().await;
    let admin = server.admin();
    let scim = server.tenant("acme", "60s").await;
    let (bob, eve) = (scim.create_user("bob").await, scim.create_user("eve").await);
    scim.set(&bob, "displayName", "Bob").await;

    let shown = admin.get("/tenants/acme/actors").await.expect(200).json();
    for key in [
        "state",
        "mailbox_depth",
        "messages_handled",
        "restarts",
        "last_error",
        "wave",
        "next_sweep",
        "live_users",
        "passivated_users",
        "last_message_at",
        "working_for_ms",
        "slow",
        "busiest_users",
        "busiest_groups",
    ] {
        assert!(shown.get(key).is_some(), "{key}: {shown}");
    }
    assert!(shown["wave"].is_object() && shown["next_sweep"].is_string(), "{shown}");
    assert_eq!(shown["restarts"], 0);
    let listed = admin.get("/actors").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["directory"]["state"], "idle", "{listed}");
    assert!(listed["directory"]["messages_handled"].as_u64().unwrap() >= 1, "{listed}");

    let live = eventually("actor of a user who was changed", || async {
        let shown = admin.get(&format!("/tenants/acme/actors/users/{bob}")).await;
        if shown.status == 200 { Ok(shown.json()) } else { Err(format!("{shown:?}")) }
    })
    .await;
    assert!(live["messages_handled"].as_u64().unwrap() >= 1, "{live}");
    assert_eq!(live["last_error"], Value::Null);
    assert!(live["last_message_at"].is_string(), "{live}");
    let shown = admin.get("/tenants/acme/actors").await.expect(200).json();
    let busiest = shown["busiest_users"].as_array().unwrap();
    assert!(busiest.iter().any(|user| user["id"] == bob.as_str()), "{shown}");
    let path = format!("/tenants/acme/actors/users/{eve}");
    admin.get(&path).await.expect_problem(404, "no live actor");
}

#[tokio::test]
async fn health_readiness_and_metrics_take_no_token() {
    let server = Server::start().await;
    server.tenant("acme", "60s").await.create_user("bob").await;

    server.get("/healthz").await.expect(200);
    server.get("/readyz").await.expect(200);
    let metrics = server.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let metrics = String::from_utf8(metrics.body).unwrap();
    let sample = regex::Regex::new(r"^[a-z_]+(\{[^{}]*\})? [0-9.eE+-]+$").unwrap();
    for line in metrics.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(sample.is_match(line), "{line}");
    }
    for name in ["slackwater_http_requests_total", "slackwater_ready 1"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(!metrics.contains("acme") && !metrics.contains("bob"), "{metrics}");
}
