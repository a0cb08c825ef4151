//! Secrets stay where they belong: tokens and passwords show up in no log, no metric, no error and
//! no answer, and a password is not even kept.

use std::path::Path;

use serde_json::json;

use crate::server::{Home, OPERATOR_TOKEN, Server, patch_op};

const PASSWORD: &str = "canary-password-5f0c1a7e";
const TOKEN: &str = "canary-token-93b1d6aa";
const NAME: &str = "canary-name-17c2e4f0";

/// The files under a folder that hold these bytes.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test]
async fn secrets_show_up_nowhere() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_LOG", "trace");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;
    let mut answers: Vec<u8> = Vec::new();

    let body = json!({"userName": NAME, "displayName": NAME, "password": PASSWORD});
    let made = scim.post("/Users", &body).await.expect(201);
    let path = format!("/Users/{}", made.id());
    answers.extend(&made.body);
    answers.extend(scim.put(&path, &body).await.expect(200).body);
    for operations in [
        json!([{"op": "replace", "path": "password", "value": PASSWORD}]),
        json!([{"op": "add", "value": {"password": PASSWORD}}]),
        json!([{"op": "replace", "path": "active", "value": PASSWORD}]),
    ] {
        answers.extend(scim.patch(&path, &operations).await.body);
    }
    answers.extend(scim.get("/Users?attributes=password").await.body);
    // Where a filter is echoed, the password in it is the client's own; but it is not logged.
    scim.get(&format!("/Users?filter=password%20eq%20%22{PASSWORD}%22")).await;
    answers.extend(scim.get("/Schemas").await.body);
    for token in [TOKEN, OPERATOR_TOKEN] {
        answers.extend(scim.with_token(token).get("/Users").await.expect(401).body);
    }
    let broken = scim.request(reqwest::Method::POST, "/Users").body(format!("{{\"{PASSWORD}"));
    broken.send().await.unwrap();
    let metrics = String::from_utf8(server.get("/metrics").await.expect(200).body).unwrap();
    let feed = serde_json::to_string(&server.admin().feed("acme").await).unwrap();
    let patch = patch_op(&json!([{"op": "replace", "path": "nonsense", "value": TOKEN}]));
    scim.try_send(reqwest::Method::PATCH, &path, Some(&patch)).await.unwrap();
    server.stop().await;

    let logs = home.logs();
    assert!(logs.contains("\"level\":\"DEBUG\""), "there is something to look at");
    let answers = String::from_utf8(answers).unwrap();
    let half = &scim.token[scim.token.len() / 2..];
    for secret in [PASSWORD, TOKEN, OPERATOR_TOKEN, scim.token.as_str(), half] {
        assert!(!logs.contains(secret), "in the logs: {secret}");
        assert!(!metrics.contains(secret), "in the metrics: {secret}");
        assert!(!answers.contains(secret), "in an answer: {secret}");
        assert!(!feed.contains(secret), "in the feed: {secret}");
        assert_eq!(files_with(&home.data(), secret), Vec::<String>::new(), "in the data: {secret}");
    }
    assert!(!logs.contains(NAME), "an attribute of a user is in the logs");
    assert!(!metrics.contains(NAME) && !metrics.contains("acme"), "{metrics}");
    assert!(!files_with(&home.data(), NAME).is_empty(), "the data can be looked into");
}

#[tokio::test]
async fn every_event_is_one_line_of_json_whatever_names_hold() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_LOG", "debug");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;

    for name in ["a\r\nb", "\u{1b}[31mred", "x\u{2028}y", "\"}\n{\"level\":\"ERROR\""] {
        let body = json!({"userName": name, "displayName": name});
        scim.post("/Users", &body).await;
        scim.get(&format!("/Users/{}", crate::server::encode(name))).await.expect(404);
    }
    server.stop().await;

    for line in home.logs().lines() {
        let event: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON, {error}: {line:?}"));
        assert!(event["level"].is_string(), "{line}");
        assert!(line.bytes().all(|byte| byte >= 0x20), "{line:?}");
    }
}
