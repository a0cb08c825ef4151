//! Where a server lives: a directory for its data, and its logs beside it.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::process::Command;

use super::{clean, slackwater};

/// A data directory with logs beside it; gone with its last owner. Outlives the servers that run
/// in it, one after the other.
#[derive(Clone)]
pub(crate) struct Home(Arc<TempDir>);

impl Home {
    pub(crate) fn new() -> Self {
        Self(Arc::new(TempDir::new().expect("there is room for temporary files")))
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Something beside the data directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same, as soon as this is among it: a line may be written after the answer that it tells
    /// of. What happened before that line has been written, too.
    pub(crate) async fn logs_with(&self, text: &str) -> String {
        super::eventually(text, || async {
            let logs = self.logs();
            if logs.contains(text) { Ok(logs) } else { Err(logs) }
        })
        .await
    }

    /// What the servers wrote to standard error.
    pub(crate) fn logs(&self) -> String {
        let bytes = std::fs::read(self.path("stderr.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `slackwater serve` on this data and a free port, without an operator token.
    pub(crate) fn serve(&self) -> Command {
        self.serve_by(slackwater())
    }

    /// The same by another program, which runs the server for us.
    pub(crate) fn serve_by(&self, mut command: Command) -> Command {
        clean(&mut command);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        command.stdout(Stdio::piped()).stderr(self.log_file());
        command
    }

    fn log_file(&self) -> File {
        let file = OpenOptions::new().create(true).append(true).open(self.path("stderr.log"));
        file.expect("logs can be written")
    }
}
