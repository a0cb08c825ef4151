//! The OpenAPI document: complete, true to what is served, and the same everywhere.

mod answers;
mod document;

use reqwest::Method;
use serde_json::{Value, json};

use self::document::Document;
use crate::server::{Answer, ScimClient, Server, eventually, run, slackwater};

const RANDOM_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const ADMIN: &str = "/admin/v1";
const TENANT: &str = "/tenants/{tenant}";
const SCIM: &str = "/scim/v2/{tenant}";
const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

#[tokio::test]
async fn the_command_prints_what_the_service_serves() {
    let server = Server::start().await;
    let served = server.get("/openapi.json").await.expect(200);
    assert_eq!(served.header("content-type"), "application/json");
    let (code, printed, _) = run(slackwater().arg("openapi")).await;
    assert_eq!(code, 0);
    assert_eq!(printed.as_bytes(), served.body);

    let document = served.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["servers"][0]["url"], "/");
}

#[tokio::test]
async fn every_operation_says_what_it_takes_answers_and_refuses() {
    let document = Document::of(&Server::start().await).await;
    let mut ids: Vec<&str> = Vec::new();
    for (path, method, operation) in document.operations() {
        let place = format!("{method} {path}");
        let text = |key: &str| operation[key].as_str().unwrap_or_default();
        assert!(!text("summary").is_empty(), "{place}");
        ids.push(text("operationId"));
        let tag = &operation["tags"][0];
        let tags = document.json["tags"].as_array().unwrap();
        assert!(tags.iter().any(|known| known["name"] == *tag), "{place}: {tag}");

        let responses = operation["responses"].as_object().unwrap();
        let takes_token = path.starts_with("/admin/") || path.starts_with("/scim/");
        assert_eq!(operation.get("security").is_some(), takes_token, "{place}");
        for status in ["401", "503"] {
            let described = responses.contains_key(status);
            assert!(described || !takes_token, "{place} may answer {status}");
        }
        assert!(
            responses.contains_key("404") || !path.starts_with("/admin/v1/tenants/"),
            "{place}"
        );
        let bodies = responses.values().chain(operation.get("requestBody"));
        for (media_type, content) in bodies.filter_map(|body| body["content"].as_object()).flatten()
        {
            document.check_example(&format!("{place} {media_type}"), content);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{place}: {parameter}");
        }
    }
    let number = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), number, "an operationId stands twice");
}

#[tokio::test]
async fn every_example_is_what_its_schema_says() {
    let document = Document::of(&Server::start().await).await;
    for (name, schema) in document.json["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            document.validate(name, &json!({"$ref": reference(name)}), example);
        }
    }
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

#[tokio::test]
async fn every_described_operation_of_the_admin_api_is_served() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let mut probed = 0;
    for (path, method, _) in document.operations() {
        let Some(path) = path.strip_prefix(ADMIN) else { continue };
        let path = filled_in(path, "nobody");
        let method: Method = method.to_uppercase().parse().unwrap();
        let answer = server.admin().request(method, &path).body("{}").send().await.unwrap();
        let answer = Answer::read(answer).await.unwrap();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status != 405 && !body.contains("nothing at this path"), "{path}: {body}");
        probed += 1;
    }
    assert!(probed >= 20, "{probed}");
}

#[tokio::test]
async fn every_described_operation_of_scim_is_served_and_every_endpoint_described() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let scim = server.tenant("acme", "60s").await;
    let described = document.operations();
    let scim_paths = described.iter().filter_map(|(path, ..)| path.strip_prefix(SCIM));
    for path in scim_paths {
        let methods: Vec<&str> = described
            .iter()
            .filter(|(other, ..)| other.strip_prefix(SCIM) == Some(path))
            .map(|(_, method, _)| *method)
            .collect();
        for method in &methods {
            let answer = send(&scim, &method.to_uppercase(), path).await;
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let unknown = ["nothing at this path", "no such endpoint"];
            let is_there = unknown.iter().all(|words| !body.contains(words));
            assert!(answer.status != 405 && is_there, "{method} {path}: {answer:?}");
        }
        if path == "/Me" {
            continue;
        }
        // A method that nothing takes: the answer names all that are taken.
        let refused = send(&scim, "BREW", path).await.expect(405);
        let mut allowed: Vec<String> =
            refused.header("allow").split(", ").map(str::to_lowercase).collect();
        let mut methods = methods.clone();
        allowed.sort();
        methods.sort_unstable();
        assert_eq!(allowed, methods, "{path}");
    }
    let types = scim.get("/ResourceTypes").await.expect(200).json();
    for endpoint in types["Resources"].as_array().unwrap().iter().map(|t| &t["endpoint"]) {
        let endpoint = endpoint.as_str().unwrap();
        for path in
            [endpoint.to_owned(), format!("{endpoint}/{{id}}"), format!("{endpoint}/.search")]
        {
            let is_described = document.json["paths"].get(format!("{SCIM}{path}")).is_some();
            assert!(is_described, "{path}");
        }
    }
}

/// Sends it as it stands in the document, with an id of nobody's.
async fn send(scim: &ScimClient, method: &str, path: &str) -> Answer {
    let name = if path.starts_with("/Schemas") { USER_SCHEMA } else { "User" };
    let path = filled_in(path, "acme").replace("{name}", name);
    let request = scim.request(method.parse().unwrap(), &path).body("{}");
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

/// A path with an id of nobody's in the place of its placeholders.
fn filled_in(path: &str, tenant: &str) -> String {
    let fill = |part| match part {
        "{tenant}" => tenant,
        // Not an id: the caller's to fill.
        "{name}" => part,
        part if part.starts_with('{') => RANDOM_ID,
        part => part,
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn real_answers_are_as_described() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let admin = server.admin();
    let check = |method: &str, path: &str, answer: Answer| {
        document.check(method, &format!("{ADMIN}{path}"), &answer);
        answer
    };
    let of = |rest: &str| format!("{TENANT}{rest}");

    let made = admin.post("/tenants", &json!({"id": "other", "name": "Other"})).await.expect(201);
    check("post", "/tenants", made);
    let taken = admin.post("/tenants", &json!({"id": "other"})).await.expect(409);
    check("post", "/tenants", taken);
    check("post", "/tenants", admin.post("/tenants", &json!({"id": "No!"})).await.expect(422));
    let scim = server.tenant("acme", "200ms").await;
    check("get", "/tenants", admin.get("/tenants").await.expect(200));
    check("get", TENANT, admin.get("/tenants/acme").await.expect(200));
    check("get", TENANT, admin.get("/tenants/nobody").await.expect(404));

    let token = json!({"label": "second", "expires_in": "30d"});
    let token = check("post", &of("/tokens"), admin.post("/tenants/acme/tokens", &token).await);
    check("get", &of("/tokens"), admin.get("/tenants/acme/tokens").await.expect(200));
    let path = format!("/tenants/acme/tokens/{}", token.id());
    check("delete", &of("/tokens/{token}"), admin.delete(&path).await.expect(204));

    let path = "/tenants/acme/settings";
    check("get", &of("/settings"), admin.get(path).await.expect(200));
    let bad = admin.patch(path, &json!({"reconcile": {"settle": "soon"}})).await.expect(422);
    check("patch", &of("/settings"), bad);
    let mappings = json!({"role_mappings": [
        {"group": "Staff", "role": "loanee"}, {"group_id": RANDOM_ID, "role": "admin"},
    ]});
    check("patch", &of("/settings"), admin.patch(path, &mappings).await.expect(200));

    let (bob, eve) = (scim.create_user("bob").await, scim.create_user("eve").await);
    let group = scim.create_group("Staff").await;
    scim.add_member(&group, &bob).await;
    check("get", &of("/waves"), admin.get("/tenants/acme/waves").await.expect(200));
    check("get", &of("/actors"), admin.get("/tenants/acme/actors").await.expect(200));
    let path = format!("/tenants/acme/actors/users/{bob}");
    scim.set(&bob, "displayName", "Bob").await;
    let live = eventually("live actor", || async {
        let answer = admin.get(&path).await;
        if answer.status == 200 { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;
    check("get", &of("/actors/users/{user}"), live);
    check("get", "/actors", admin.get("/actors").await.expect(200));
    let wave = admin.wait_until_settled("acme").await;
    let path = format!("/tenants/acme/waves/{}", wave["id"].as_str().unwrap());
    check("get", &of("/waves/{wave}"), admin.get(&path).await.expect(200));
    scim.post("/Users", &json!({"userName": "bob"})).await.expect(409);
    let requests = eventually("recorded refusal", || async {
        let answer = admin.get("/tenants/acme/requests?errors=true").await.expect(200);
        let is_there = answer.json()["items"][0]["status"] == 409;
        if is_there { Ok(answer) } else { Err(format!("{answer:?}")) }
    })
    .await;
    let requests = check("get", &of("/requests"), requests).json();
    let request = requests["items"][0]["id"].as_str().unwrap();
    let request = admin.get(&format!("/tenants/acme/requests/{request}")).await.expect(200);
    check("get", &of("/requests/{request}"), request);
    let bad = admin.get("/tenants/acme/requests?status=x").await.expect(400);
    check("get", &of("/requests"), bad);
    let lines = admin.get(&format!("{path}/requests")).await.expect(200).body;
    for line in String::from_utf8(lines).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        document.validate("wave", &json!({"$ref": "#/components/schemas/WaveRequest"}), &line);
    }
    check("get", &of("/groups"), admin.get("/tenants/acme/groups").await.expect(200));
    check("get", &of("/health"), admin.get("/tenants/acme/health").await.expect(200));
    check("get", &of("/traffic"), admin.get("/tenants/acme/traffic").await.expect(200));
    let bad = admin.get("/tenants/acme/traffic?from=soon").await.expect(400);
    check("get", &of("/traffic"), bad);

    let path = format!("/tenants/acme/accounts/{bob}");
    let lock = json!({"role": "admin", "reason": "on leave", "expires_at": "2999-01-01T00:00:00Z"});
    let locked = admin.put(&format!("{path}/lock"), &lock).await.expect(200);
    check("put", &of("/accounts/{account}/lock"), locked);
    let role = json!({"role": "admin"});
    let refused = admin.put(&format!("{path}/role"), &role).await.expect(409);
    check("put", &of("/accounts/{account}/role"), refused);
    check("get", &of("/accounts/{account}"), admin.get(&path).await.expect(200));
    let unlocked = admin.delete(&format!("{path}/lock")).await.expect(200);
    check("delete", &of("/accounts/{account}/lock"), unlocked);
    let set = admin.put(&format!("{path}/role"), &role).await.expect(200);
    check("put", &of("/accounts/{account}/role"), set);
    let dry_run = json!({"dry_run": true});
    let report = admin.post("/tenants/acme/reconcile", &dry_run).await.expect(200);
    let report = check("post", &of("/reconcile"), report).json();
    assert_eq!(report["changed"], 1, "{report}");
    admin.post("/tenants/acme/reconcile", &json!({})).await.expect(200);
    let every_loss_waits = json!({"hold": {"share": 0.0, "min_accounts": 0}});
    let path = "/tenants/acme/settings/preview";
    let preview = admin.post(path, &json!({"role_mappings": []})).await.expect(200);
    check("post", &of("/settings/preview"), preview);
    admin.set_settings("acme", &every_loss_waits).await;

    scim.disable(&eve).await;
    scim.enable(&eve).await;
    scim.delete_user(&eve).await;
    let renamed = json!([{"op": "replace", "path": "displayName", "value": "All staff"}]);
    scim.patch(&format!("/Groups/{group}"), &renamed).await;
    scim.delete(&format!("/Groups/{group}")).await.expect(204);
    admin.wait_until_settled("acme").await;
    check("get", &of("/accounts"), admin.get("/tenants/acme/accounts").await.expect(200));
    let holds = check("get", &of("/holds"), admin.get("/tenants/acme/holds").await.expect(200));
    let path = format!("/tenants/acme/holds/{}", holds.json()["items"][0]["id"].as_str().unwrap());
    check("get", &of("/holds/{hold}"), admin.get(&path).await.expect(200));
    let approved = admin.post(&format!("{path}/approve"), &json!({})).await.expect(200);
    check("post", &of("/holds/{hold}/approve"), approved);
    let closed = admin.post(&format!("{path}/reject"), &json!({})).await.expect(409);
    check("post", &of("/holds/{hold}/reject"), closed);
    let bad = admin.get("/tenants/acme/accounts?limit=0").await.expect(400);
    check("get", &of("/accounts"), bad);

    let feed = admin.get("/tenants/acme/changes?limit=1000").await.expect(200);
    let feed = check("get", &of("/changes"), feed).json();
    let mapping = &document.json["components"]["schemas"]["FeedEntry"]["discriminator"]["mapping"];
    for kind in mapping.as_object().unwrap().keys() {
        let is_seen = feed["items"].as_array().unwrap().iter().any(|entry| entry["type"] == *kind);
        assert!(is_seen || LATER.contains(&kind.as_str()), "{kind} was not produced");
    }
    check("delete", TENANT, admin.delete("/tenants/other").await.expect(204));
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        document.check("get", path, &server.get(path).await.expect(200));
    }
    document.check("get", &format!("{ADMIN}/tenants"), &server.get("/admin/v1/tenants").await);

    let scim_path = format!("{SCIM}/Users");
    let body = crate::server::user("ada");
    document.check("post", &scim_path, &scim.post("/Users", &body).await.expect(201));
    document.check("post", &scim_path, &scim.post("/Users", &body).await.expect(409));
    document.check("get", &scim_path, &scim.get("/Users").await.expect(200));
    document.check("get", &scim_path, &scim.with_token("wrong").get("/Users").await.expect(401));
    document.check("get", &format!("{SCIM}/Me"), &scim.get("/Me").await.expect(501));
    document.check("get", &format!("{SCIM}/Schemas"), &scim.get("/Schemas").await.expect(200));
}

/// Event types that this test does not make. The first comes in `answers`; the second only days
/// before a token's end, and rounds come too late to wait for them.
const LATER: &[&str] = &["equipment.unreturned", "token.expiring"];

#[tokio::test]
async fn settings_that_the_schema_gives_as_an_example_are_taken_and_come_back() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    server.admin().create_tenant("acme").await;
    let schemas = &document.json["components"]["schemas"];
    let example = &schemas["Settings"]["examples"][0];
    let answer = server.admin().patch("/tenants/acme/settings", example).await.expect(200);
    assert_eq!(answer.json(), *example);
    let patch: Value = schemas["SettingsPatch"]["examples"][0].clone();
    server.admin().patch("/tenants/acme/settings", &patch).await.expect(200);
}
