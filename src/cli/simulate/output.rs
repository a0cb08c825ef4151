//! Where reports go.
//!
//! Files are made before the run: whoever waited for hours must not learn then that there is no
//! such directory.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{Failed, print};

/// A file that is there, and written to once.
pub(super) struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    /// Makes the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self, Failed> {
        let made = File::create(path);
        let file = made.map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes all of it.
    pub(super) fn write(mut self, text: &str) -> Result<(), Failed> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush());
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failed {
    Failed::Undone(format!("{}: {error}", path.display()))
}

/// Where the JSON goes, and so what people read.
pub(super) enum Json {
    /// Nowhere.
    Unwanted,
    /// To standard output; people read standard error then.
    Printed,
    /// To a file.
    File(Output),
}

impl Json {
    /// What `--json` says: a file, or `-`.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, Failed> {
        match path {
            None => Ok(Self::Unwanted),
            Some(path) if path == Path::new("-") => Ok(Self::Printed),
            Some(path) => Output::create(path).map(Self::File),
        }
    }

    /// Tells a report to people and to programs.
    pub(super) fn tell(self, report: &impl Serialize, readable: &str) -> Result<(), Failed> {
        let written = || {
            let written = serde_json::to_string_pretty(report);
            written.map_err(|error| Failed::Undone(error.to_string()))
        };
        match self {
            Self::Unwanted => print(readable),
            Self::Printed => {
                whisper(readable);
                print(&format!("{}\n", written()?))
            }
            Self::File(output) => {
                let printed = print(readable);
                output.write(&written()?)?;
                printed
            }
        }
    }
}

/// To standard error. Where nobody reads that, it is lost.
pub(super) fn whisper(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
