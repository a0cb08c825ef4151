//! The receiver that `docs/consuming-events.md` shows is one that works.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{hook, path_of, python, serve, until};
use crate::server::{Home, eventually};

/// The first Python block of the page.
fn shown_receiver() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/consuming-events.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```python\n").expect("the page shows a receiver");
    rest.split_once("\n```").expect("its block ends").0.to_owned()
}

#[tokio::test]
async fn the_receiver_of_the_documentation_verifies_and_handles_each_event_once() {
    let home = Home::new();
    let server = serve(&home, None).await;
    let scim = server.tenant("acme", "200ms").await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let made = hook(&server, &format!("http://127.0.0.1:{port}/")).await;
    let script = home.path("receiver.py");
    std::fs::write(&script, shown_receiver()).unwrap();
    let mut child = Command::new(python())
        .arg(&script)
        .current_dir(script.parent().unwrap())
        .env("WEBHOOK_SECRET", made["secret"].as_str().unwrap())
        .env("PORT", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let test = format!("{}/test", path_of(&made));
    eventually("receiver that listens", || async {
        let tested = server.admin().post(&test, &json!({})).await.expect(200).json();
        if tested["delivered"] == true { Ok(()) } else { Err(tested.to_string()) }
    })
    .await;

    let ada = scim.create_user("ada").await;
    scim.disable(&ada).await;
    server.admin().wait_until_settled("acme").await;
    let caught_up = |hook: &serde_json::Value| hook["behind"] == 0 && hook["waiting"] == 0;
    until(&server, &path_of(&made), "caught up", caught_up).await;
    let replay = format!("{}/replay", path_of(&made));
    server.admin().post(&replay, &json!({"after": 0})).await.expect(200);
    until(&server, &path_of(&made), "caught up again", caught_up).await;
    scim.create_user("bob").await;

    // Handled once each, although they came twice; a request without a signature is refused.
    let mut handled: Vec<String> = Vec::new();
    while !handled
        .iter()
        .filter(|line: &&String| line.starts_with("account.created"))
        .count()
        .eq(&2)
    {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        handled.push(line.expect("it goes on").unwrap().expect("it runs"));
    }
    let about_ada: Vec<&String> = handled.iter().filter(|line| line.contains(&ada)).collect();
    let created = format!("account.created {ada}");
    assert_eq!(about_ada.iter().filter(|line| ***line == created).count(), 1, "{handled:?}");
    assert!(about_ada.iter().any(|line| line.starts_with("account.disabled")), "{handled:?}");
    let forged = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let answer = forged.post(url).body("{}").header("webhook-id", "x").send().await.unwrap();
    assert_eq!(answer.status(), 400);
}
