//! No password and no token that a client sends is found anywhere: not in the files, not in the
//! logs, and not in what the API shows, which is also what is packed in the files.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::recorded;
use crate::server::{Home, OPERATOR_TOKEN, ScimClient, Server, patch_op};

const SECRET: &str = "canary-5f0c1a7e-hunter2";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

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

/// Bodies with a secret in them, in every form that a client may choose. Where it stands in an
/// attribute that is kept with the user, such as one of an extension, the user cannot be made: what
/// is kept of users is no matter of the record.
fn bodies() -> Vec<String> {
    let nested = json!({"method": "PATCH", "path": format!("/Users/{ID}"), "data": patch_op(&json!([
        {"op": "replace", "path": "password", "value": SECRET},
    ]))});
    let mut bodies: Vec<String> = [
        json!({"userName": "one", "password": SECRET}),
        json!({"userName": "two", "urn:ietf:params:scim:schemas:core:2.0:User:passWORD": SECRET}),
        json!({"userName": "three", "credentials": {"old": [SECRET], "new": {"x": SECRET}}}),
        json!({"nickName": "four", "urn:x:y": {"apiKey": SECRET, "client_secret": SECRET}}),
        json!({"nickName": "five", "title": format!("{{\"password\":\"{SECRET}\"}}")}),
        json!({"userName": "six", "custom": [{"type": "password", "value": SECRET}]}),
        json!({"filter": format!("password eq \"{SECRET}\"")}),
        json!([{"password": SECRET}]),
        patch_op(&json!([{"op": "replace", "path": "password", "value": SECRET}])),
        patch_op(&json!([{"op": "Add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": SECRET}])),
        patch_op(&json!([{"op": "add", "value": {"password": SECRET}}])),
        patch_op(&json!([{"op": "add", "path": "emails[password eq \"x\"].value", "value": SECRET}])),
        patch_op(&json!([{"op": "add", "path": format!("emails[secret eq \"{SECRET}\"]"), "value": 1}])),
        json!({"Operations": [nested, {"method": "POST", "bulkId": "a", "path": "/Users",
            "data": {"userName": "seven", "password": SECRET}}]}),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    bodies.extend([
        format!("{{\"userName\":\"eight\",\"p\\u0061ssword\":\"{SECRET}\"}}"),
        format!("{{\"userName\":\"nine\",\"password\":\"{SECRET}\""),
        format!("{{\"userName\":\"ten\",\"password\":\"{SECRET}\"}} trailing"),
        format!("{{\"password\":\"{SECRET}\",\"password\":\"{SECRET}\"}}"),
        format!("userName=x&password={SECRET}"),
        SECRET.to_owned(),
        format!("{}{{\"password\":\"{SECRET}\"}}{}", "[".repeat(60), "]".repeat(60)),
        format!("{}\"{SECRET}\"", " ".repeat(300_000)),
    ]);
    bodies
}

async fn send_all(scim: &ScimClient) -> usize {
    let mut sent = 0;
    let half = format!("{}x", scim.token);
    let with_token = [
        json!({"userName": scim.token, "password": scim.token}).to_string(),
        json!({"displayName": format!("Bearer {half}")}).to_string(),
        patch_op(&json!([{"op": "replace", "path": scim.token, "value": "x"}])).to_string(),
    ];
    for body in bodies().into_iter().chain(with_token) {
        for (method, path) in [
            (Method::POST, "/Users".to_owned()),
            (Method::PUT, format!("/Users/{ID}")),
            (Method::PATCH, format!("/Users/{ID}")),
            (Method::PATCH, format!("/Groups/{ID}")),
            (Method::POST, "/Groups".to_owned()),
            (Method::POST, "/Bulk".to_owned()),
            (Method::POST, "/Users/.search".to_owned()),
        ] {
            // As a resource it would be kept where resources are: that is no matter of the record.
            if body.contains(&scim.token) && method == Method::POST && path.ends_with('s') {
                continue;
            }
            let request = scim.request(method, &path).body(body.clone());
            let agent = format!("agent/{}", scim.token);
            request.header("user-agent", agent).send().await.unwrap();
            sent += 1;
        }
    }
    for query in [
        format!("filter=password%20eq%20%22{SECRET}%22"),
        format!("filter=userName%20eq%20%22x%22%20and%20p%61ssword%20eq%20%22{SECRET}%22"),
        format!("access_token={SECRET}&token={}", scim.token),
        format!("filter=userName%20eq%20%22{}%22", scim.token),
        format!("attributes={}", scim.token),
    ] {
        scim.get(&format!("/Users?{query}")).await;
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn no_password_and_no_token_is_kept_or_shown() {
    let home = Home::new();
    let mut command = home.serve();
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_LOG", "trace");
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;

    let sent = send_all(&scim).await;

    let all = recorded(server.admin(), "", sent).await;
    assert_eq!(all.len(), sent);
    let mut shown = serde_json::to_string(&all).unwrap();
    for request in &all {
        let id = request["id"].as_str().unwrap();
        let whole = server.admin().get(&format!("/tenants/acme/requests/{id}")).await.expect(200);
        shown += &String::from_utf8(whole.body).unwrap();
    }
    for wave in server.admin().waves("acme").await {
        let id = wave["id"].as_str().unwrap();
        let path = format!("/tenants/acme/waves/{id}/requests");
        let file = server.admin().get(&path).await.expect(200);
        assert!(file.body.len() > 10_000);
        shown += &String::from_utf8(file.body).unwrap();
    }
    let audit = server.admin().all("/tenants/acme/audit").await;
    let audit = serde_json::to_string(&audit).unwrap();
    server.stop().await;

    assert!(shown.contains("(redacted)") && shown.contains("userName"));
    for secret in [SECRET, &scim.token, OPERATOR_TOKEN] {
        let at = shown.find(secret).map(|at| &shown[at.saturating_sub(300)..at]);
        assert_eq!(at, None, "{secret} is shown");
        assert!(!home.logs().contains(secret), "{secret} is in the logs");
        assert!(!audit.contains(secret), "{secret} is in the audit log");
        assert_eq!(files_with(&home.data(), secret), Vec::<String>::new(), "{secret}");
    }
}
