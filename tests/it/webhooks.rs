//! Webhooks over HTTP: signed, ordered, delivered at least once whatever the receiver or a crash
//! does, and never into our own network.

mod consumer;
pub(crate) mod receiver;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use self::receiver::{Does, Receiver};
use crate::server::{Home, OPERATOR_TOKEN, Server, eventually};

/// The base64 of 32 bytes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "HxscHRobGBkWFxQVEhMQEQ4PDA0KCwgJBgcEBQIDAAE=";
const HOOKS: &str = "/tenants/acme/webhooks";

/// A server whose webhooks may reach this machine.
async fn serve(home: &Home, key: Option<&str>) -> Server {
    let mut command = home.serve();
    command
        .env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN)
        .env("SLACKWATER_ALLOW_PRIVATE_WEBHOOKS", "1");
    if let Some(key) = key {
        command.env("SLACKWATER_SECRET_KEY", key);
    }
    Server::launch(home, command).await
}

/// Makes a webhook; answers it.
async fn hook(server: &Server, url: &str) -> Value {
    server.admin().post(HOOKS, &json!({"url": url, "types": []})).await.expect(201).json()
}

fn path_of(hook: &Value) -> String {
    format!("{HOOKS}/{}", hook["id"].as_str().unwrap())
}

async fn numbers(server: &Server) -> Vec<u64> {
    server.admin().feed("acme").await.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

/// Waits until the webhook looks like this.
async fn until(server: &Server, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async {
        let shown = server.admin().get(path).await.expect(200).json();
        if is(&shown) { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await
}

/// The Python of the test tools, with what `scripts/requirements.txt` names.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let has_it = std::process::Command::new(&python)
        .args(["-c", "import standardwebhooks"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    assert!(has_it, "{} lacks standardwebhooks: run scripts/test.sh --prepare", python.display());
    python
}

/// Verifies what arrived with each of these secrets, in Python. Answers how many it were.
async fn verified(receiver: &Receiver, secrets: &[&str]) -> usize {
    let arrived = receiver.arrived();
    let requests: Vec<Value> =
        arrived.iter().map(|one| json!({"headers": one.headers, "body": one.body})).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/webhooks/verify.py");
    let mut child = Command::new(python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({"secrets": secrets, "requests": requests}).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

#[tokio::test]
async fn events_arrive_and_another_implementation_verifies_them() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, Some(KEY)).await;
    let scim = server.tenant("acme", "200ms").await;
    let hook = hook(&server, &receiver.url("/hook?for=acme")).await;
    let secret = hook["secret"].as_str().unwrap();

    let user = scim.create_user("ada").await;
    scim.set(&user, "displayName", "Ada Ünïcode 🚢").await;
    server.admin().wait_until_settled("acme").await;
    receiver.has_taken(&numbers(&server).await).await;

    let arrived = receiver.arrived();
    assert_eq!(verified(&receiver, &[secret]).await, arrived.len());
    let feed = server.admin().feed("acme").await;
    let first: Value = serde_json::from_str(&arrived[0].body).unwrap();
    assert_eq!(first["data"], feed[0]);
    assert_eq!((&first["type"], &first["timestamp"]), (&feed[0]["type"], &feed[0]["at"]));
    assert_eq!(arrived[0].headers["content-type"], "application/json");
    let shown = until(&server, &path_of(&hook), "caught up", |hook| hook["behind"] == 0).await;
    assert_eq!((&shown["state"], shown.get("secret")), (&json!("active"), None));
    server.stop().await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_either_verifies() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, Some(KEY)).await;
    let scim = server.tenant("acme", "200ms").await;
    let made = hook(&server, &receiver.url("/")).await;

    let rotate = json!({"rotate_secret": true, "rotate_overlap": "1h"});
    let patched = server.admin().patch(&path_of(&made), &rotate).await.expect(200).json();
    assert!(patched["old_secret_until"].is_string());
    scim.create_user("ada").await;
    receiver.has_taken(&[1]).await;

    let secrets = [made["secret"].as_str().unwrap(), patched["secret"].as_str().unwrap()];
    assert_ne!(secrets[0], secrets[1]);
    assert!(verified(&receiver, &secrets).await >= 1);
}

#[tokio::test]
async fn a_receiver_that_fails_redirects_and_hangs_gets_everything_when_it_is_back() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, None).await;
    let scim = server.tenant("acme", "200ms").await;
    let hook = hook(&server, &receiver.url("/hook")).await;
    let elsewhere = receiver.url("/elsewhere");
    receiver.does(move |arrived| match arrived.entry["seq"].as_u64() {
        Some(1) => Does::Answer(500),
        Some(2) => Does::Redirect(elsewhere.clone()),
        Some(3) => Does::Hang,
        _ => Does::Answer(204),
    });

    for name in ["ada", "bob", "eve", "kim"] {
        scim.create_user(name).await;
    }
    receiver.has_taken(&[4]).await;
    let hung = |hook: &Value| {
        hook["last_error"].as_str().is_some_and(|error| error.contains("no answer within 15 s"))
    };
    let shown = until(&server, &path_of(&hook), "request without an answer", hung).await;
    assert_eq!(shown["state"], "failing");
    let path = format!("{}/deliveries?state=waiting", path_of(&hook));
    let waiting = server.admin().all(&path).await;
    let error = |seq: u64| {
        let of_seq = waiting.iter().find(|delivery| delivery["seq"] == seq);
        of_seq.unwrap()["last_error"].as_str().unwrap().to_owned()
    };
    assert!(error(1).contains("500"), "{waiting:?}");
    assert!(error(2).contains("redirects are not followed"), "{waiting:?}");
    receiver.does(|_| Does::Answer(200));
    let active = json!({"state": "active"});
    server.admin().patch(&path_of(&hook), &active).await.expect(200);

    receiver.has_taken(&numbers(&server).await).await;
    assert!(receiver.arrived().iter().all(|arrived| arrived.path == "/hook"));
    until(&server, &path_of(&hook), "nothing that waits", |hook| hook["waiting"] == 0).await;
}

#[tokio::test]
async fn after_a_kill_every_event_is_delivered_in_the_order_of_its_account() {
    const KILLS: usize = 4;
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let mut server = serve(&home, Some(KEY)).await;
    let mut scim = server.tenant("acme", "200ms").await;
    hook(&server, &receiver.url("/hook")).await;
    let mut users = Vec::new();
    for n in 0..10 {
        users.push(scim.create_user(&format!("user-{n}")).await);
    }
    // Some fail at first.
    receiver.does(|arrived| {
        let seq = arrived.entry["seq"].as_u64().unwrap_or_default();
        Does::Answer(if seq % 17 == 0 && seq % 2 == 0 { 500 } else { 200 })
    });

    for round in 0..KILLS {
        for user in &users {
            for change in 0..3 {
                let path = format!("/tenants/acme/accounts/{user}/role");
                let role = json!({"role": format!("role-{round}-{change}")});
                server.admin().put(&path, &role).await.expect(200);
            }
        }
        let home = server.kill().await;
        server = serve(&home, Some(KEY)).await;
        scim = scim.at(&server.url);
    }
    receiver.does(|_| Does::Answer(200));
    receiver.has_taken(&numbers(&server).await).await;

    let mut last_new: HashMap<String, u64> = HashMap::new();
    for arrived in receiver.arrived().iter().filter(|arrived| arrived.taken) {
        let Some(account) = arrived.entry["account"].as_str() else { continue };
        let seq = arrived.entry["seq"].as_u64().unwrap();
        let last = last_new.entry(account.to_owned()).or_default();
        let known = *last;
        *last = known.max(seq);
        // What comes again is older; what is new follows the one before it.
        let between = server_feed_between(&server, account, known, seq).await;
        assert!(seq <= known || between == 0, "{account}: {seq} came before {between} others");
    }
    let events = numbers(&server).await.len();
    eprintln!("{KILLS} kills, {events} events, {} deliveries", receiver.taken().len());
}

/// Entries of an account strictly between two.
async fn server_feed_between(server: &Server, account: &str, after: u64, before: u64) -> usize {
    let path = format!("/tenants/acme/changes?after={after}&limit=1000");
    let page = server.admin().get(&path).await.expect(200).json();
    let is_between = |entry: &&Value| {
        entry["account"] == account && entry["seq"].as_u64().is_some_and(|seq| seq < before)
    };
    page["items"].as_array().unwrap().iter().filter(is_between).count()
}

#[tokio::test]
async fn with_a_key_secrets_are_not_in_the_data() {
    let home = Home::new();
    let server = serve(&home, Some(KEY)).await;
    server.tenant("acme", "200ms").await;
    let made = hook(&server, "http://127.0.0.1:9/").await;
    let rotate = json!({"rotate_secret": true});
    let patched = server.admin().patch(&path_of(&made), &rotate).await.expect(200).json();
    let secrets = [&made, &patched].map(|hook| hook["secret"].as_str().unwrap().to_owned());
    assert!(!home.logs_with("answered").await.contains("no secret key is configured"));
    server.stop().await;

    let data = std::fs::read(home.data().join("slackwater.redb")).unwrap();
    for secret in &secrets {
        let text = secret.strip_prefix("whsec_").unwrap();
        assert!(!holds(&data, text) && !home.logs().contains(text));
    }

    // Without the key, or with another: nothing is sent, and it says why.
    for (key, reason) in [(None, "no secret key"), (Some(OTHER_KEY), "another key")] {
        let server = serve(&home, key).await;
        let is_told =
            |hook: &Value| hook["reason"].as_str().is_some_and(|why| why.contains(reason));
        let shown = until(&server, &path_of(&made), reason, is_told).await;
        assert_eq!(shown["state"], "failing");
        server.admin().post(&format!("{}/test", path_of(&made)), &json!({})).await.expect(409);
        server.stop().await;
    }
}

#[tokio::test]
async fn without_a_key_the_start_says_so_and_one_that_comes_later_is_used() {
    let home = Home::new();
    let server = serve(&home, None).await;
    server.tenant("acme", "200ms").await;
    let made = hook(&server, "http://127.0.0.1:9/").await;
    let secret = made["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap().to_owned();
    let logs = home.logs_with("answered").await;
    assert_eq!(logs.matches("no secret key is configured").count(), 1);
    server.stop().await;
    let data = || std::fs::read(home.data().join("slackwater.redb")).unwrap();
    assert!(holds(&data(), &secret));

    let server = serve(&home, Some(KEY)).await;
    server.admin().patch(&path_of(&made), &json!({"state": "active"})).await.expect(200);
    server.stop().await;
    // The old page may still be in the file; what counts is that it opens with the key alone now.
    let server = serve(&home, Some(OTHER_KEY)).await;
    until(&server, &path_of(&made), "another key", |hook| hook["state"] == "failing").await;
}

fn holds(data: &[u8], text: &str) -> bool {
    data.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn without_the_flag_nothing_inside_can_be_reached() {
    let server = Server::start().await;
    server.tenant("acme", "200ms").await;
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost./",
        "http://8.8.8.8/",
        "ftp://8.8.8.8/",
        "/hook",
        "https://user@8.8.8.8/",
        "https://8.8.8.8/#part",
    ] {
        let refused = server.admin().post(HOOKS, &json!({"url": url})).await.expect(422).json();
        assert_eq!(refused["key"], "url", "{url}: {refused}");
    }
    assert!(server.admin().all(HOOKS).await.is_empty());
}

#[tokio::test]
async fn a_webhook_that_was_allowed_to_reach_inside_is_not_once_the_flag_is_gone() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, None).await;
    let scim = server.tenant("acme", "200ms").await;
    let made = hook(&server, &receiver.url("/")).await;
    scim.create_user("ada").await;
    receiver.has_taken(&[1]).await;
    server.stop().await;
    let arrived = receiver.arrived().len();

    let server = Server::start_in(&home).await;
    let tested = server.admin().post(&format!("{}/test", path_of(&made)), &json!({})).await;
    let tested = tested.expect(200).json();
    assert_eq!(tested["delivered"], false);
    assert!(tested["error"].as_str().unwrap().contains("private"), "{tested}");
    scim.at(&server.url).create_user("bob").await;
    until(&server, &path_of(&made), "failure", |hook| hook["state"] == "failing").await;
    assert_eq!(receiver.arrived().len(), arrived);
}

#[tokio::test]
async fn a_webhook_is_made_changed_tested_replayed_and_deleted() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, None).await;
    let scim = server.tenant("acme", "200ms").await;
    let admin = server.admin();
    let user = scim.create_user("ada").await;
    let wrong = json!({"url": receiver.url("/"), "types": ["account.created", "account.crated"]});
    let refused = admin.post(HOOKS, &wrong).await.expect(422).json();
    assert!(refused["detail"].as_str().unwrap().contains("account.crated"), "{refused}");
    let new = json!({"url": receiver.url("/"), "types": ["account.locked", "account.created"]});
    let made = admin.post(HOOKS, &new).await.expect(201).json();
    let path = path_of(&made);
    assert_eq!(made["types"], new["types"]);

    let tested = admin.post(&format!("{path}/test"), &json!({})).await.expect(200).json();
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(true), &json!(200)));
    assert_eq!(tested["body"], "noted");
    let lock = format!("/tenants/acme/accounts/{user}/lock");
    admin.put(&lock, &json!({"role": "admin"})).await.expect(200);
    let delivered = format!("{path}/deliveries?state=delivered");
    let [locked] = eventually("delivery", || async {
        let found = admin.all(&delivered).await;
        <[Value; 1]>::try_from(found).map_err(|found| format!("{found:?}"))
    })
    .await;
    assert_eq!((&locked["type"], &locked["account"]), (&json!("account.locked"), &json!(user)));
    assert!(locked["delivered_at"].is_string());

    admin.post(&format!("{path}/replay"), &json!({"after": 0})).await.expect(200);
    receiver.has_taken(&[1]).await;
    admin.post(&format!("{path}/replay"), &json!({})).await.expect(422);
    admin.post(&format!("{path}/replay"), &json!({"dead_letters": true})).await.expect(200);
    admin.patch(&path, &json!({"state": "disabled"})).await.expect(200);
    assert_eq!(admin.get(&path).await.expect(200).json()["state"], "disabled");
    let unknown = admin.patch(&path, &json!({"urls": "x"})).await.expect(422).json();
    assert!(unknown["detail"].as_str().unwrap().contains("urls"));
    admin.delete(&path).await.expect(204);
    admin.get(&path).await.expect(404);
    admin.delete(&path).await.expect(404);
    assert!(admin.all(HOOKS).await.is_empty());

    for _ in 0..20 {
        hook(&server, &receiver.url("/")).await;
    }
    let one_more = json!({"url": receiver.url("/")});
    admin.post(HOOKS, &one_more).await.expect(409);
}

#[tokio::test]
async fn a_receiver_that_answers_410_is_asked_no_more_until_it_is_enabled() {
    let (home, receiver) = (Home::new(), Receiver::start().await);
    let server = serve(&home, None).await;
    let scim = server.tenant("acme", "200ms").await;
    let made = hook(&server, &receiver.url("/")).await;
    receiver.does(|_| Does::Answer(410));
    scim.create_user("ada").await;
    let disabled = |hook: &Value| hook["state"] == "disabled";
    let shown = until(&server, &path_of(&made), "disabled webhook", disabled).await;
    assert!(shown["reason"].as_str().unwrap().contains("410"));

    receiver.does(|_| Does::Answer(200));
    server.admin().patch(&path_of(&made), &json!({"state": "enabled"})).await.expect(200);

    receiver.has_taken(&numbers(&server).await).await;
}

#[tokio::test]
async fn a_bad_secret_key_is_named_and_not_repeated() {
    let mut command = Home::new().serve();
    command.env("SLACKWATER_SECRET_KEY", "c2hvcnQ=").stderr(Stdio::piped());

    let (code, _, err) = crate::server::run(&mut command).await;

    assert_eq!(code, 2, "{err}");
    assert!(err.contains("SLACKWATER_SECRET_KEY") && !err.contains("c2hvcnQ="), "{err}");
}
