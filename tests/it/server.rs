//! The server under test: the built binary as a child process with a data directory of its own,
//! and clients that speak the words of those who use it.
//!
//! A server is killed when it is dropped. Nothing here sleeps and hopes: what takes time is polled
//! until a deadline, and a missed deadline says what was waited for.

mod admin;
mod answer;
mod home;
mod scim;

use std::future::Future;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub(crate) use self::admin::{Admin, replay};
pub(crate) use self::answer::Answer;
pub(crate) use self::home::Home;
pub(crate) use self::scim::{ScimClient, add_member, encode, patch_op, remove_member, user};

/// The operator token that servers are started with.
pub(crate) const OPERATOR_TOKEN: &str = "operator-token-of-the-tests";
/// How long a server may take to listen, and to end.
const START_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long any one thing that is polled for may take.
const POLL_WAIT_MAX: Duration = Duration::from_secs(30);
/// The pause between two polls.
const POLL_REST: Duration = Duration::from_millis(20);

/// A running server.
pub(crate) struct Server {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// `http://HOST:PORT`.
    pub(crate) url: String,
    /// What was written to standard output up to the line about listening.
    pub(crate) said: Vec<String>,
    /// Where its data and logs are.
    pub(crate) home: Home,
    admin: Admin,
}

impl Server {
    /// A server with a data directory of its own.
    pub(crate) async fn start() -> Self {
        Self::start_in(&Home::new()).await
    }

    /// A server on this data.
    pub(crate) async fn start_in(home: &Home) -> Self {
        let mut command = home.serve();
        command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
        Self::launch(home, command).await
    }

    /// The server that this command starts; it must come to listen.
    pub(crate) async fn launch(home: &Home, mut command: Command) -> Self {
        let mut child = command.spawn().expect("the built binary can be started");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut said = Vec::new();
        let listening = async {
            while let Ok(Some(line)) = stdout.next_line().await {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return Some(url.to_owned());
                }
                said.push(line);
            }
            None
        };
        let url = tokio::time::timeout(START_WAIT_MAX, listening).await.ok().flatten();
        let url = url.unwrap_or_else(|| panic!("the server does not listen; {}", home.logs()));
        let admin = Admin::new(&url, OPERATOR_TOKEN);
        Self { child, stdout, url, said, home: home.clone(), admin }
    }

    /// The admin API.
    pub(crate) fn admin(&self) -> &Admin {
        &self.admin
    }

    /// GET of something that takes no token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let sent = http_client().get(format!("{}{path}", self.url)).send().await;
        Answer::read(sent.unwrap()).await.unwrap()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server was not waited for")
    }

    /// A tenant whose rate limit is out of the way and whose waves settle after `settle`.
    pub(crate) async fn tenant(&self, id: &str, settle: &str) -> ScimClient {
        let scim = self.admin.create_tenant(id).await;
        let settings = serde_json::json!({
            "rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000},
            "reconcile": {"settle": settle},
        });
        self.admin.set_settings(id, &settings).await;
        scim
    }

    /// Kills it with SIGKILL, as a power cut would, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Home {
        self.child.kill().await.expect("the server can be killed");
        self.home.clone()
    }

    /// Asks it to stop with SIGTERM.
    pub(crate) async fn ask_to_stop(&self) {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(asked.expect("there is a kill command").success());
    }

    /// Waits until it has ended. Answers how, and what it still wrote to standard output.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, Vec<String>) {
        let ended = tokio::time::timeout(START_WAIT_MAX, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("the server does not end")).unwrap();
        let mut said = Vec::new();
        while let Ok(Some(line)) = self.stdout.next_line().await {
            said.push(line);
        }
        (status, said)
    }

    /// Stops it, and sees to it that it ended well.
    pub(crate) async fn stop(mut self) -> Home {
        self.ask_to_stop().await;
        let (status, _) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.home.logs());
        self.home.clone()
    }
}

/// The built binary, without what this environment may set for it.
pub(crate) fn slackwater() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slackwater"));
    clean(&mut command);
    command
}

/// Takes what the binary reads out of a command's environment, and its input.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLACKWATER_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
}

/// Runs a command to its end: its exit code, standard output and standard error.
pub(crate) async fn run(command: &mut Command) -> (i32, String, String) {
    let done = tokio::time::timeout(POLL_WAIT_MAX, command.output()).await;
    let output = done.expect("the command ends in time").expect("the command can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("the command was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

/// Runs `slackwater COMMAND … --data DIR`.
pub(crate) async fn run_on(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(slackwater().args(arguments).arg("--data").arg(data)).await
}

/// Polls until it is so. Otherwise the poll says what is in the way.
pub(crate) async fn eventually<T, F>(what: &str, mut poll: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + POLL_WAIT_MAX;
    loop {
        let obstacle = match poll().await {
            Ok(found) => return found,
            Err(obstacle) => obstacle,
        };
        assert!(Instant::now() < deadline, "no {what} in {POLL_WAIT_MAX:?}: {obstacle}");
        tokio::time::sleep(POLL_REST).await;
    }
}

/// A client that reaches the server and nothing else.
fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_mins(1))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // It speaks plain HTTP to this machine: no certificates are needed.
        .tls_certs_only([])
        .build()
        .expect("an HTTP client can be made")
}
