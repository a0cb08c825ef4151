//! Real answers of the calls around the accounts, held against the document: logins, equipment,
//! webhooks, and history.

use serde_json::{Value, json};

use super::document::Document;
use super::{ADMIN, RANDOM_ID, TENANT};
use crate::server::{Answer, Home, OPERATOR_TOKEN, ScimClient, Server, encode, eventually};
use crate::webhooks::receiver::{Does, Receiver};

const ACME: &str = "/tenants/acme";

/// A server with the tenant acme, and the document that it serves.
struct Described {
    server: Server,
    document: Document,
    scim: ScimClient,
}

impl Described {
    async fn start() -> Self {
        let home = Home::new();
        let mut command = home.serve();
        command
            .env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN)
            .env("SLACKWATER_ALLOW_PRIVATE_WEBHOOKS", "1");
        let server = Server::launch(&home, command).await;
        let document = Document::of(&server).await;
        let scim = server.tenant("acme", "200ms").await;
        Self { server, document, scim }
    }

    /// Sends it to the tenant, and holds the answer against what is said of `path`.
    #[track_caller]
    fn check(&self, method: &str, path: &str, answer: Answer) -> Answer {
        self.document.check(method, &format!("{ADMIN}{TENANT}{path}"), &answer);
        answer
    }

    async fn get(&self, path: &str, sent: &str) -> Answer {
        self.check("get", path, self.server.admin().get(&format!("{ACME}{sent}")).await)
    }

    async fn post(&self, path: &str, sent: &str, body: &Value) -> Answer {
        self.check("post", path, self.server.admin().post(&format!("{ACME}{sent}"), body).await)
    }

    /// Sends it with a header.
    async fn get_as(&self, path: &str, accept: &str) -> Answer {
        let request = self.server.admin().request(reqwest::Method::GET, &format!("{ACME}{path}"));
        let sent = request.header("accept", accept).send().await.unwrap();
        self.check("get", path, Answer::read(sent).await.unwrap())
    }
}

#[tokio::test]
async fn real_answers_about_logins_are_as_described() {
    let acme = Described::start().await;
    let first = acme.get("/tokens", "/tokens").await.expect(200).json()["items"][0].clone();
    let replace = json!({"label": "new", "replaces": first["id"], "overlap": "1h"});
    acme.post("/tokens", "/tokens", &replace).await.expect(201);
    acme.post("/tokens", "/tokens", &json!({"overlap": "1h"})).await.expect(422);

    let body = json!({"label": "entra", "expires_in": "2d"});
    let made = acme.post("/oauth-clients", "/oauth-clients", &body).await.expect(201).json();
    acme.post("/oauth-clients", "/oauth-clients", &json!({"expires_in": "soon"})).await.expect(422);
    let fetch = async |secret: &str, grant: &str| {
        let id = encode(made["client_id"].as_str().unwrap());
        let request = reqwest::Client::new()
            .post(format!("{}/oauth/token", acme.server.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type={grant}&client_id={id}&client_secret={secret}"));
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        acme.document.check("post", "/oauth/token", &answer);
        answer
    };
    let secret = made["client_secret"].as_str().unwrap();
    let granted = fetch(secret, "client_credentials").await.expect(200).json();
    fetch("wrong", "client_credentials").await.expect(401);
    fetch(secret, "password").await.expect(400);
    let token = granted["access_token"].as_str().unwrap();
    acme.scim.with_token(token).get("/Users").await.expect(200);
    let clients = acme.get("/oauth-clients", "/oauth-clients").await.expect(200).json();
    assert!(clients["items"][0]["last_used_at"].is_string(), "{clients}");

    let body = json!({"label": "Acme's IT", "expires_in": "2d"});
    let link = acme.post("/setup-links", "/setup-links", &body).await.expect(201).json();
    acme.post("/setup-links", "/setup-links", &json!({"expires_in": "91d"})).await.expect(422);
    acme.get("/setup-links", "/setup-links").await.expect(200);
    let path = format!("{ACME}/setup-links/{}", link["id"].as_str().unwrap());
    acme.check(
        "delete",
        "/setup-links/{link}",
        acme.server.admin().delete(&path).await.expect(204),
    );
    acme.check(
        "delete",
        "/setup-links/{link}",
        acme.server.admin().delete(&path).await.expect(404),
    );

    let health = acme.get("/health", "/health").await.expect(200).json();
    assert_eq!(health["status"], "ok", "{health}");
    let path = format!("{ACME}/oauth-clients/{}", made["id"].as_str().unwrap());
    let deleted = acme.server.admin().delete(&path).await.expect(204);
    acme.check("delete", "/oauth-clients/{client}", deleted);
    let again = acme.server.admin().delete(&path).await.expect(404);
    acme.check("delete", "/oauth-clients/{client}", again);
}

#[tokio::test]
async fn real_answers_about_equipment_are_as_described() {
    let acme = Described::start().await;
    let (ada, bob) = (acme.scim.create_user("ada").await, acme.scim.create_user("bob").await);
    acme.scim.set(&ada, "displayName", "Ada").await;
    let put = async |media_type: &str, list: String| {
        let path = format!("{ACME}/equipment");
        let request = acme.server.admin().request(reqwest::Method::PUT, &path);
        let sent = request.header("content-type", media_type).body(list).send().await.unwrap();
        acme.check("put", "/equipment", Answer::read(sent).await.unwrap())
    };
    put("text/csv", "asset_id,name,holder\nA,Phone,ada\nB,Phone,bob\n".into()).await.expect(200);
    let list = json!([
        {"asset_id": "A", "name": "Phone", "holder": "ada"},
        {"asset_id": "B", "name": "Phone", "holder": "bob"},
        {"asset_id": "C", "name": "Phone", "holder": "nobody"},
    ]);
    put("application/json", list.to_string()).await.expect(200);
    let bad = put("text/csv", "asset_id,name,holder\nA,Phone,\n".into()).await.expect(422).json();
    assert_eq!((&bad["line"], &bad["column"]), (&json!(2), &json!("holder")));
    assert!(bad["reason"].is_string(), "{bad}");
    put("application/json", json!([{"asset_id": "A"}]).to_string()).await.expect(422);
    put("application/json", "{".into()).await.expect(422);
    put("application/xml", "<list/>".into()).await.expect(415);

    acme.scim.disable(&ada).await;
    acme.scim.delete_user(&bob).await;
    eventually("entries about equipment", || async {
        let feed = acme.get("/changes", "/changes?type=equipment.unreturned").await.expect(200);
        let feed = feed.json();
        if feed["items"].as_array().unwrap().len() == 2 { Ok(()) } else { Err(feed.to_string()) }
    })
    .await;
    let report = "/reports/disabled-with-equipment";
    let page = acme.get(report, report).await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2, "{page}");
    acme.get(report, &format!("{report}?state=lost")).await.expect(400);
    let csv = acme.get_as(report, "text/csv").await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
}

#[tokio::test]
async fn real_answers_about_webhooks_are_as_described() {
    const ONE: &str = "/webhooks/{webhook}";
    let acme = Described::start().await;
    let receiver = Receiver::start().await;
    receiver.does(|arrived| match arrived.entry["type"].as_str() {
        Some("account.created") => Does::Answer(500),
        _ => Does::Answer(200),
    });
    let body = json!({"url": receiver.url("/"), "types": ["account.created", "wave.settled"]});
    let made = acme.post("/webhooks", "/webhooks", &body).await.expect(201).json();
    assert!(made["secret"].is_string());
    let bad = json!({"url": "ftp://example.com"});
    acme.post("/webhooks", "/webhooks", &bad).await.expect(422);
    acme.post("/webhooks", "/webhooks", &json!({"url": 1})).await.expect(422);
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());

    let tested = acme.post(&format!("{ONE}/test"), &format!("{path}/test"), &json!({})).await;
    assert_eq!(tested.expect(200).json()["delivered"], true);
    acme.scim.create_user("ada").await;
    acme.server.admin().wait_until_settled("acme").await;
    let deliveries = format!("{path}/deliveries");
    eventually("delivery of each outcome", || async {
        let items = acme.get(&format!("{ONE}/deliveries"), &deliveries).await.expect(200).json();
        let has = |state: &str| {
            items["items"].as_array().unwrap().iter().any(|item| item["state"] == state)
        };
        if has("waiting") && has("delivered") { Ok(()) } else { Err(items.to_string()) }
    })
    .await;
    let odd = format!("{deliveries}?state=odd");
    acme.get(&format!("{ONE}/deliveries"), &odd).await.expect(400);
    acme.get(ONE, &path).await.expect(200);
    acme.get("/webhooks", "/webhooks").await.expect(200);
    acme.get("/actors", "/actors").await.expect(200);

    let replay = async |body: Value| {
        acme.post(&format!("{ONE}/replay"), &format!("{path}/replay"), &body).await
    };
    replay(json!({"dead_letters": true})).await.expect(200);
    replay(json!({"after": 0})).await.expect(200);
    replay(json!({})).await.expect(422);
    let patch = async |body: Value| {
        let answer = acme.server.admin().patch(&format!("{ACME}{path}"), &body).await;
        acme.check("patch", ONE, answer)
    };
    let rotated = patch(json!({"rotate_secret": true, "rotate_overlap": "1d"})).await.expect(200);
    assert!(rotated.json()["old_secret_until"].is_string());
    let disabled = patch(json!({"state": "disabled"})).await.expect(200).json();
    assert_eq!(disabled["state"], "disabled");
    let health = acme.get("/health", "/health").await.expect(200).json();
    assert_eq!(health["webhooks_failing"], json!([made["id"]]), "{health}");
    patch(json!({"types": ["nothing"]})).await.expect(422);
    let deleted = acme.server.admin().delete(&format!("{ACME}{path}")).await.expect(204);
    acme.check("delete", ONE, deleted);
    acme.get(ONE, &path).await.expect(404);
}

#[tokio::test]
async fn real_answers_about_history_are_as_described() {
    let acme = Described::start().await;
    let admin = acme.server.admin();
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let staff = acme.scim.create_group("Staff").await;
    let bob = acme.scim.create_user("bob").await;
    acme.scim.add_member(&staff, &bob).await;
    acme.scim.add_member(&staff, RANDOM_ID).await;
    acme.get("/parked", "/parked").await.expect(200);
    let parked = acme.get("/parked", &format!("/parked?group={staff}")).await.expect(200).json();
    assert_eq!(parked["items"][0]["value"], RANDOM_ID);
    acme.get("/parked", "/parked?group=Staff").await.expect(400);
    admin.wait_until_settled("acme").await;

    let audit = acme.get("/audit", "/audit").await.expect(200).json();
    assert!(!audit["items"].as_array().unwrap().is_empty());
    acme.get("/audit", "/audit?actor=nobody").await.expect(400);
    acme.get("/audit", "/audit?after=first").await.expect(400);
    for lines in ["application/jsonl", "application/x-ndjson", "application/x-jsonlines"] {
        let export = acme.get_as("/audit", lines).await.expect(200);
        assert_eq!(export.header("content-type"), lines);
        let schema = json!({"$ref": "#/components/schemas/AuditEntry"});
        for line in String::from_utf8(export.body).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            acme.document.validate("audit export", &schema, &entry);
        }
    }
    let service = admin.get("/audit").await.expect(200);
    acme.document.check("get", &format!("{ADMIN}/audit"), &service);

    let accounts = acme.get("/accounts", "/accounts").await.expect(200).json();
    assert!(accounts["feed"].is_u64(), "{accounts}");
    let stream = admin.request(reqwest::Method::GET, &format!("{ACME}/changes"));
    let stream = stream.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let described = format!("{ADMIN}{TENANT}/changes");
    let described = &acme.document.json["paths"][described]["get"]["responses"]["200"]["content"];
    assert!(described["text/event-stream"].is_object());
    drop(stream);

    admin.set_settings("acme", &json!({"retention": {"feed_entries": 1}})).await;
    let gone = eventually("trimmed feed", || async {
        let answer = acme.get("/changes", "/changes?after=0").await;
        if answer.status == 410 { Ok(answer.json()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    assert!(gone["start_over"]["read"].is_string(), "{gone}");
    let hook = json!({"url": "http://127.0.0.1:9/", "after": 0});
    let hook = acme.post("/webhooks", "/webhooks", &hook).await;
    assert!([201, 410].contains(&hook.status), "{hook:?}");
}
