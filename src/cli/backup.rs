//! `slackwater backup`, `restore` and `check`.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use store::backup::BackupError;
use store::{OpenError, RedbStore, RedbStoreOptions, Store};

use super::Failed;

/// How long a connection to a running service may take to come about.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a running service may be silent while it sends a backup.
const READ_WAIT_MAX: Duration = Duration::from_mins(1);

fn undone(error: impl std::fmt::Display) -> Failed {
    Failed::Undone(error.to_string())
}

/// Writes a backup: through a running service if the data is in use, else from the files.
pub(super) fn backup(
    dest: &Path,
    data: &Path,
    listen: Option<&str>,
    admin_token: Option<&str>,
) -> Result<(), Failed> {
    if let (Some(listen), Some(token)) = (listen, admin_token)
        && online(dest, listen, token)?
    {
        println!("backup written to {}", dest.display());
        return Ok(());
    }
    if !RedbStore::exists_in(data) {
        return Err(undone(format!("there is no data in {}", data.display())));
    }
    let store = open(data).map_err(|error| match error {
        OpenError::InUse { path } => undone(format!(
            "the data in {} is in use by a running service; name it by SLACKWATER_LISTEN and \
             SLACKWATER_ADMIN_TOKEN",
            path.display()
        )),
        error => error.into(),
    })?;
    let mut out = BufWriter::new(create(dest)?);
    let written = store
        .snapshot()
        .map_err(undone)
        .and_then(|snapshot| store::backup::write(&snapshot, &mut out).map_err(Failed::from))
        .and_then(|_| finish(out));
    if written.is_err() {
        discard(dest);
    }
    written?;
    println!("backup written to {}", dest.display());
    Ok(())
}

fn open(data: &Path) -> Result<RedbStore, OpenError> {
    RedbStore::open(data, &RedbStoreOptions::default())
}

/// A new file: a backup never overwrites anything.
fn create(dest: &Path) -> Result<File, Failed> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(dest);
    file.map_err(|error| undone(format!("{}: {error}", dest.display())))
}

fn finish(out: BufWriter<File>) -> Result<(), Failed> {
    let file = out.into_inner().map_err(|error| undone(error.error()))?;
    file.sync_all().map_err(undone)
}

fn discard(dest: &Path) {
    if let Err(error) = std::fs::remove_file(dest) {
        eprintln!("slackwater: {} is incomplete and could not be removed: {error}", dest.display());
    }
}

/// Fetches a backup from a running service. Answers false if none runs there.
fn online(dest: &Path, listen: &str, token: &str) -> Result<bool, Failed> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(undone)?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT_MAX)
            .read_timeout(READ_WAIT_MAX)
            .no_proxy()
            // It speaks plain HTTP to this machine: no certificates are needed.
            .tls_certs_only([])
            .build()
            .map_err(undone)?;
        let request = client.get(format!("http://{listen}/admin/v1/backup")).bearer_auth(token);
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(false),
            Err(error) => return Err(undone(error.without_url())),
        };
        if !answer.status().is_success() {
            return Err(undone(format!("the service on {listen} answered {}", answer.status())));
        }
        let mut out = BufWriter::new(create(dest)?);
        let received = async {
            while let Some(piece) = answer.chunk().await.map_err(|e| undone(e.without_url()))? {
                out.write_all(&piece).map_err(undone)?;
            }
            finish(out)
        }
        .await
        .and_then(|()| {
            let mut written = BufReader::new(File::open(dest).map_err(undone)?);
            store::backup::verify(&mut written).map(drop).map_err(Failed::from)
        });
        if received.is_err() {
            discard(dest);
        }
        received.map(|()| true)
    })
}

/// Builds a data directory from a backup.
pub(super) fn restore(src: &Path, data: &Path) -> Result<(), Failed> {
    let file = File::open(src).map_err(|error| undone(format!("{}: {error}", src.display())))?;
    let mut source = BufReader::new(file);
    let restored = store::backup::restore(&mut source, data, &RedbStoreOptions::default());
    let summary = restored?;
    println!("{} rows restored into {}", summary.rows, data.display());
    Ok(())
}

/// Checks pages and records.
pub(super) fn check(data: &Path) -> Result<(), Failed> {
    if !RedbStore::exists_in(data) {
        return Err(undone(format!("there is no data in {}", data.display())));
    }
    if !RedbStore::check_pages(data)? {
        return Err(Failed::Damaged("pages of the database are damaged".to_owned()));
    }
    let store = open(data)?;
    let report = store::check::check(&store.snapshot().map_err(undone)?);
    for (table, rows) in &report.rows {
        println!("{table}: {rows}");
    }
    if report.is_clean() {
        println!("no problems found");
        return Ok(());
    }
    for problem in &report.problems {
        eprintln!("slackwater: {problem}");
    }
    Err(Failed::Damaged(format!("{} problems found", report.problems_total)))
}

impl From<BackupError> for Failed {
    fn from(error: BackupError) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        if error.is_damage() { Self::Damaged(message) } else { Self::Undone(message) }
    }
}
