//! The e-mails, taken by a real SMTP server on loopback: aiosmtpd, which scripts/test.sh installs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::Acme;
use crate::server::{Home, OPERATOR_TOKEN, Server, run};

/// How long the SMTP server may take to start, and a mail to come.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// An SMTP server.
struct Smtp {
    _child: Child,
    said: Lines<BufReader<ChildStdout>>,
    port: u64,
}

impl Smtp {
    async fn start(mode: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv/bin/python");
        let mut child = Command::new(&python)
            .arg(root.join("tests/it/equipment/smtp.py"))
            .arg(mode)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; run scripts/test.sh --prepare", python.display())
            });
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut smtp = Self { _child: child, said, port: 0 };
        smtp.port = smtp.next().await["port"].as_u64().unwrap();
        smtp
    }

    /// The next thing that it says.
    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(WAIT_MAX, self.said.next_line()).await;
        let line = line.expect("a mail comes in time").unwrap().expect("the server goes on");
        serde_json::from_str(&line).unwrap()
    }
}

/// A server that mails through this one.
async fn mailing(home: &Home, smtp_url: &str) -> Server {
    let mut command = home.serve();
    command
        .env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN)
        .env("SLACKWATER_SMTP_URL", smtp_url)
        .env("SLACKWATER_SMTP_FROM", "Slackwater <slackwater@example.com>");
    Server::launch(home, command).await
}

#[tokio::test]
async fn a_wave_that_disables_a_holder_is_mailed_with_the_report_attached() {
    let mut smtp = Smtp::start("auth").await;
    let home = Home::new();
    let url = format!("smtp://sw:smtp-secret@127.0.0.1:{}", smtp.port);
    let acme = Acme::on(mailing(&home, &url).await).await;
    let to = json!(["it@example.com", "office@example.com"]);
    acme.server.admin().set_settings("acme", &json!({"equipment": {"email": to}})).await;
    let body = json!({"userName": "ada\r\nBcc: eve@example.com", "displayName": "Ada"});
    let ada = acme.create(body).await;
    let list = json!([
        {"asset_id": "L-1", "name": "Bücherregal =1+1", "holder": ada},
        {"asset_id": "=L-2", "name": ".", "holder": ada},
    ]);
    acme.upload(&list).await.expect(200);

    acme.scim.disable(&ada).await;
    let mail = smtp.next().await;

    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("slackwater@example.com"), &json!(["it@example.com"]))
    );
    assert_eq!(mail["headers"]["Subject"], "acme: 2 items not returned");
    assert_eq!(mail["headers"]["From"], "Slackwater <slackwater@example.com>");
    assert!(mail["headers"].get("Bcc").is_none(), "{mail}");
    let text = mail["text"].as_str().unwrap();
    assert!(text.lines().any(|line| line == "  L-1  Bücherregal =1+1"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    let [file] = mail["files"].as_array().unwrap().as_slice() else { panic!("{mail}") };
    assert_eq!(
        (&file["name"], &file["type"]),
        (&json!("disabled-with-equipment.csv"), &json!("text/csv"))
    );
    let csv = file["text"].as_str().unwrap();
    assert!(csv.contains("\n'=L-2,") && csv.contains("L-1,Bücherregal =1+1,"), "{csv}");
    // A mail of its own for each: one address that is refused keeps nobody else from theirs.
    let other = smtp.next().await;
    assert_eq!((&other["to"], &other["text"]), (&json!(["office@example.com"]), &mail["text"]));
    let logs = home.logs_with("answered").await;
    assert!(!logs.contains("smtp-secret") && !logs.contains("it@example.com"), "{logs}");
}

#[tokio::test]
async fn a_server_that_is_busy_does_not_get_the_same_mail_at_once() {
    let mut smtp = Smtp::start("busy").await;
    let home = Home::new();
    let acme = Acme::on(mailing(&home, &format!("smtp://127.0.0.1:{}", smtp.port)).await).await;
    let email = json!({"equipment": {"email": ["it@example.com"]}});
    acme.server.admin().set_settings("acme", &email).await;
    let (ada, bob) = (acme.scim.create_user("ada").await, acme.scim.create_user("bob").await);
    acme.upload_csv("asset_id,name,holder\nL-1,,ada\nL-2,,bob\n").await.expect(200);

    acme.scim.disable(&ada).await;
    assert_eq!(smtp.next().await, json!({"refused": true}));
    acme.scim.disable(&bob).await;

    // The mail about Ada waits; the one about Bob is another.
    let text = smtp.next().await["text"].as_str().unwrap().to_owned();
    assert!(text.contains("L-2") && !text.contains("L-1"), "{text}");
}

#[tokio::test]
async fn a_bad_mail_server_ends_the_start_without_being_repeated() {
    let home = Home::new();
    for (key, value) in
        [("SLACKWATER_SMTP_URL", "ftp://sw:smtp-secret@host"), ("SLACKWATER_SMTP_FROM", "nobody")]
    {
        let mut command = home.serve();
        command.env("SLACKWATER_SMTP_URL", "smtp://127.0.0.1:1").env(key, value);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());

        let (code, _, said) = run(&mut command).await;

        assert_eq!(code, 2, "{said}");
        let name = key.trim_start_matches("SLACKWATER_").to_lowercase();
        assert!(said.contains(&name), "{said}");
        assert!(!said.contains("smtp-secret"), "{said}");
    }
}
