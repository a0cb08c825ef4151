//! What is told of a sync's health: failures as Entra counts them, the attribute mapping, and
//! traffic, which outlives a restart.

use serde_json::{Value, json};

use crate::server::{ScimClient, Server, add_member, encode, eventually};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const HEALTH: &str = "/tenants/acme/health";
const TRAFFIC: &str = "/tenants/acme/traffic";

async fn health(server: &Server) -> Value {
    server.admin().get(HEALTH).await.expect(200).json()
}

/// What came in all.
async fn total(server: &Server, key: &str) -> u64 {
    let traffic = server.admin().get(TRAFFIC).await.expect(200).json();
    let points = traffic["points"].as_array().unwrap();
    points.iter().map(|point| point[key].as_u64().unwrap()).sum()
}

fn row<'a>(health: &'a Value, scim: &str) -> &'a Value {
    let rows = health["mapping_check"]["rows"].as_array().unwrap();
    let of = |row: &&Value| row["scim"].as_str().unwrap().ends_with(scim);
    rows.iter().find(of).unwrap_or_else(|| panic!("there is no row {scim}: {rows:#?}"))
}

/// A user as Entra makes one.
async fn create(scim: &ScimClient, name: &str) -> String {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": name, "userName": format!("{name}@example.com"), "active": true,
        "displayName": name, "name": {"givenName": name, "familyName": null},
        "emails": [{"primary": true, "type": "work", "value": format!("{name}@example.com")}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT"},
        "meta": {"resourceType": "User"}, "roles": [],
    });
    scim.post("/Users", &body).await.expect(201).id()
}

#[tokio::test]
async fn failures_are_counted_as_entra_counts_them() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;

    let ada = create(&scim, "ada").await;
    let filter = encode("userName eq \"nobody\"");
    scim.get(&format!("/Users?filter={filter}")).await.expect(200);
    // What is not there is no failure to who looks, or deletes.
    scim.get(&format!("/Users/{NOBODY}")).await.expect(404);
    scim.delete(&format!("/Users/{NOBODY}")).await.expect(404);
    let bad = json!([{"op": "replace", "path": "no such thing", "value": 1}]);
    scim.patch(&format!("/Users/{ada}"), &bad).await.expect(400);
    scim.get("/Users?filter=nonsense").await.expect(400);
    scim.patch(&format!("/Groups/{NOBODY}"), &add_member(&ada)).await.expect(404);

    let health = health(&server).await;
    let quarantine = &health["quarantine"];
    let counted = ["operations", "failures", "reference_failures", "unauthorized"]
        .map(|key| quarantine[key].as_u64().unwrap());
    assert_eq!(counted, [5, 3, 1, 0], "{quarantine}");
    assert_eq!((&quarantine["state"], &health["status"]), (&json!("fine"), &json!("ok")));
    assert_eq!(total(&server, "requests").await, 7);
    assert_eq!(total(&server, "writes").await, 4);
}

#[tokio::test]
async fn an_expired_token_means_quarantine_until_the_directory_is_let_in_again() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let body = json!({"label": "short", "expires_in": "1s"});
    let made = server.admin().post("/tenants/acme/tokens", &body).await.expect(201).json();
    let short = scim.with_token(made["token"].as_str().unwrap());

    eventually("expired token", || async {
        let status = short.get("/Users").await.status;
        if status == 401 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let refused = health(&server).await;
    assert_eq!(refused["quarantine"]["state"], "likely", "{refused}");
    assert!(refused["quarantine"]["words"].as_str().unwrap().contains("expired"));
    assert_eq!(refused["status"], "attention");

    scim.get("/Users").await.expect(200);
    let again = health(&server).await;
    assert_eq!(again["quarantine"]["state"], "fine", "{again}");
    assert!(again["quarantine"]["unauthorized"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn the_mapping_check_sees_both_dialects_and_says_what_is_missing() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let waiting = health(&server).await;
    assert_eq!(row(&waiting, "active")["state"], "waiting");

    let body = json!({"userName": "ada", "displayName": "Ada"});
    let ada = scim.post("/Users", &body).await.expect(201).id();
    let missing = health(&server).await;
    assert_eq!(row(&missing, "active")["state"], "missing");
    assert!(row(&missing, "active")["breaks"].as_str().unwrap().contains("disabled"));
    assert_eq!(missing["mapping_check"]["worst"], "must");
    assert_eq!(missing["status"], "attention");

    // Entra's own dialect, then the one of aadOptscim062020.
    let path = format!("/Users/{ada}");
    let plain = json!([
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": "emails[type eq \"other\"].Value", "value": "a@example.com"},
        {"op": "Add", "value": ada, "path":
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"},
    ]);
    scim.patch(&path, &plain).await.expect(200);
    let flagged = json!([{"op": "replace", "value": {
        "name.givenName": "Ada", "active": true,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "7",
    }}]);
    scim.patch(&path, &flagged).await.expect(200);
    scim.find("/Users", "externalId eq \"ada\"").await;

    let seen = health(&server).await;
    for scim in
        ["active", "\"other\"].value", ":manager", "name.givenName", ":employeeNumber", "userName"]
    {
        let row = row(&seen, scim);
        assert_eq!((&row["state"], &row["breaks"]), (&json!("seen"), &Value::Null), "{row}");
    }
    assert_eq!(row(&seen, "title")["state"], "waiting");
    assert_eq!(row(&seen, ":department")["used_by"], json!(["department"]));
    assert_eq!(seen["mapping_check"]["users_matched_by"], json!(["externalId"]));
    assert_eq!(seen["mapping_check"]["worst"], Value::Null);
    assert_eq!(seen["status"], "ok");
}

#[tokio::test]
async fn traffic_and_what_was_seen_survive_a_restart() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    for name in ["ada", "bob", "eve"] {
        create(&scim, name).await;
    }
    scim.get("/Users").await.expect(200);
    assert_eq!(total(&server, "requests").await, 4);

    let server = Server::start_in(&server.stop().await).await;
    let scim = scim.at(&server.url);
    assert_eq!(total(&server, "requests").await, 4);
    assert_eq!(total(&server, "writes").await, 3);
    create(&scim, "dan").await;
    assert_eq!(total(&server, "requests").await, 5);
    let health = health(&server).await;
    assert_eq!(row(&health, "active")["state"], "seen");
    assert!(health["cadence"]["last_heard_at"].is_string(), "{health}");

    // What was counted is written within seconds: a kill loses no more than those.
    eventually("written counts", || async {
        let traffic = server.admin().get(TRAFFIC).await.json();
        let until = traffic["served"].as_array().unwrap().len();
        if until > 0 { Ok(()) } else { Err(traffic.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn who_is_enabled_again_and_is_in_no_group_is_told_of() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    let (ada, bob) = (create(&scim, "ada").await, create(&scim, "bob").await);
    let group = scim.create_group("Staff").await;
    scim.add_member(&group, &bob).await;
    for user in [&ada, &bob] {
        scim.disable(user).await;
        scim.enable(user).await;
    }

    let health = health(&server).await;
    let gaps = health["known_gaps"].as_array().unwrap();
    let restored = gaps.iter().find(|gap| gap["gap"] == "memberships_after_restore").unwrap();
    assert_eq!(restored["seen"], 1, "{restored}");
    assert_eq!(restored["accounts"][0]["account"], json!(ada));
    let cleared = gaps.iter().find(|gap| gap["gap"] == "cleared_attributes").unwrap();
    assert_eq!(cleared["seen"], Value::Null);
    assert!(cleared["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
}

#[tokio::test]
async fn a_time_that_ends_before_it_begins_is_refused() {
    let server = Server::start().await;
    server.tenant("acme", "60s").await;
    let admin = server.admin();

    let path = format!("{TRAFFIC}?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z");
    admin.get(&path).await.expect_problem(400, "from");
    admin.get(&format!("{TRAFFIC}?from=yesterday")).await.expect_problem(400, "from");
    let long = format!("{TRAFFIC}?from=1970-01-01T00:00:00Z&to=2026-03-01T00:00:00Z");
    assert_eq!(admin.get(&long).await.expect(200).json()["from"], "2026-02-15T00:00:00Z");
}
