//! The release build as a process of its own, which ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The operator's token.
pub(crate) const OPERATOR: &str = "operator-token-of-the-benchmark";

/// A server.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Where it listens: `http://HOST:PORT`.
    pub(crate) base: String,
}

impl Running {
    /// Starts one on this data, and waits until it listens.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_slackwater"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .arg("--data")
            .arg(data)
            .env("SLACKWATER_ADMIN_TOKEN", OPERATOR)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        Self { child, base }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was asked to end is gone already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}
