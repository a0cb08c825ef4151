//! The demonstration: one command shows the whole product, and leaves nothing behind.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::server::{Admin, Home, eventually, run, slackwater};

/// How long a line may be waited for: the first wave has to settle before.
const LINE_WAIT_MAX: Duration = Duration::from_mins(1);

/// A demonstration that runs.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Everything that was printed and read so far.
    said: Vec<String>,
}

impl Demo {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = slackwater();
        command.args(["demo", "--listen", "127.0.0.1:0", "--people", "60", "--every", "2s"]);
        command.args(arguments).env("TMPDIR", home.path("")).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, said: Vec::new() }
    }

    /// Reads on to a line that has this in it.
    async fn line_with(&mut self, part: &str) -> String {
        let found = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.said.push(line.clone());
                if line.contains(part) {
                    return Some(line);
                }
            }
            None
        };
        let found = tokio::time::timeout(LINE_WAIT_MAX, found).await.ok().flatten();
        found.unwrap_or_else(|| panic!("no line with {part:?}: {:#?}", self.said))
    }

    /// Stops it with SIGTERM. Answers its exit code.
    async fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        while let Some(line) = self.lines.next_line().await.unwrap() {
            self.said.push(line);
        }
        self.child.wait().await.unwrap().code()
    }
}

fn last_word(line: &str) -> String {
    line.split_whitespace().last().unwrap().to_owned()
}

#[tokio::test]
async fn a_newcomer_sees_roles_change_and_nothing_is_left_behind() {
    let home = Home::new();
    let mut demo = Demo::start(&home, &[]);

    let address = last_word(&demo.line_with("listening on ").await);
    let token = last_word(&demo.line_with("Operator token").await);
    demo.line_with("You uploaded who holds").await;
    let change = demo.line_with(" → ").await;

    let admin = Admin::new(&address, &token);
    let accounts = admin.all("/tenants/acme/accounts").await;
    let count = |wanted: &dyn Fn(&Value) -> bool| accounts.iter().filter(|one| wanted(one)).count();
    assert!(accounts.len() >= 60, "{}", accounts.len());
    assert!(count(&|one| one["role"] == "member") > 0, "a mapped role: {accounts:?}");
    assert!(count(&|one| one["why"]["rule"] == "mapping") > 0);
    let locked: Vec<&Value> = accounts.iter().filter(|one| one["locked"] == true).collect();
    assert_eq!(locked.len(), 1);
    assert_eq!(
        (&locked[0]["role"], locked[0]["lock"]["reason"].is_string()),
        (&"admin".into(), true)
    );
    let equipment = admin.get("/tenants/acme/reports/disabled-with-equipment").await.expect(200);
    assert!(equipment.json()["items"].is_array());
    let webhooks = admin.all("/tenants/acme/webhooks").await;
    assert_eq!(webhooks.len(), 1);
    assert!(change.contains(": ") && change.contains(", "), "name, roles and reason: {change}");
    eventually("an account that left and still holds something", || async {
        let report = admin.get("/tenants/acme/reports/disabled-with-equipment").await.expect(200);
        match report.json()["items"].as_array().unwrap().len() {
            0 => Err("nobody yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;

    assert_eq!(demo.stop().await, Some(0), "{:#?}", demo.said);
    assert!(demo.said.iter().any(|line| line.contains("its data is gone")), "{:#?}", demo.said);
    assert_eq!(std::fs::read_dir(home.path("")).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn data_that_is_to_stay_stays_and_is_gone_on_with() {
    let home = Home::new();
    let data = home.data();
    let data = data.to_str().unwrap();
    let mut first = Demo::start(&home, &["--data", data]);
    first.line_with("You uploaded who holds").await;
    assert_eq!(first.stop().await, Some(0), "{:#?}", first.said);

    let mut second = Demo::start(&home, &["--data", data]);
    second.line_with("You uploaded who holds").await;
    let change = second.line_with(" → ").await;

    assert!(!change.is_empty());
    assert_eq!(second.stop().await, Some(0), "{:#?}", second.said);
    let (code, said, _) = crate::server::run_on(&home.data(), &["check"]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_demonstration_that_cannot_be_is_refused() {
    for (arguments, word) in [
        (&["--people", "0"][..], "people"),
        (&["--every", "soon"], "every"),
        (&["--listen", "nonsense"], "nonsense"),
    ] {
        let (code, out, err) = run(slackwater().arg("demo").args(arguments)).await;
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(word) && out.is_empty(), "{arguments:?}: {out}{err}");
    }
}
