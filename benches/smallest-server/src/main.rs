//! The smallest server that keeps Slackwater's promise: answered means on disk.
//!
//! It parses the same bodies, commits the same rows in the same kind of redb transaction (two-phase,
//! quick repair, as many changes as are queued), and answers with the bytes that it stored. Beyond
//! that it does nothing: it knows no token, schema, uniqueness, tenant or role. Account, dirty mark,
//! feed entry, audit entry, counters and wave are rows of Slackwater's size with nothing in them.
//! What it does in a second is taken for the most that a server built of axum and redb can do on
//! this machine: the ceiling that Slackwater is held against.
//!
//! `smallest-server DIRECTORY` prints where it listens, as Slackwater does. With `fewest-rows` behind
//! the directory it keeps the user and its index rows alone.

use std::io::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::serve::ListenerExt as _;
use redb::{Database, ReadableDatabase, TableDefinition};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;

/// The allocator of Slackwater.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The same as in Slackwater's writer and its options.
const QUEUE_MAX: usize = 8_192;
const BATCH_MAX: usize = 1_024;
const CACHE_BYTES: usize = 256 << 20;
/// A kilobyte, answered without a look at the disk.
const STATIC_BYTES: [u8; 1_024] = [b'x'; 1_024];

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// Id → user.
const USERS: Table = TableDefinition::new("users");
/// Name → id.
const NAMES: Table = TableDefinition::new("names");
/// External id and id.
const EXTERNAL_IDS: Table = TableDefinition::new("external_ids");
/// Id → account.
const ACCOUNTS: Table = TableDefinition::new("accounts");
/// Id → dirty mark.
const MARKS: Table = TableDefinition::new("marks");
/// Number → entry.
const FEED: Table = TableDefinition::new("feed");
/// Number → entry.
const AUDIT: Table = TableDefinition::new("audit");
/// One row, which every change writes.
const COUNTERS: Table = TableDefinition::new("counters");
/// The same.
const WAVES: Table = TableDefinition::new("waves");
const TABLES: [Table; 9] =
    [USERS, NAMES, EXTERNAL_IDS, ACCOUNTS, MARKS, FEED, AUDIT, COUNTERS, WAVES];

/// What Slackwater's values take of the rows that are no user's, in bytes, as a backup of it shows
/// for the users and changes of the benchmark.
const ACCOUNT_BYTES: usize = 557;
const MARK_BYTES: usize = 56;
const FEED_BYTES: usize = 410;
const AUDIT_CREATE_BYTES: usize = 1_605;
const AUDIT_PATCH_BYTES: usize = 401;
const COUNTERS_BYTES: usize = 152;
const WAVE_BYTES: usize = 222;

/// A row to write: the number of its table, key, value.
type Row = (usize, Vec<u8>, Vec<u8>);

/// Rows that belong together, and who waits for them.
struct Change {
    rows: Vec<Row>,
    written: oneshot::Sender<()>,
}

#[derive(Clone)]
struct App {
    database: Arc<Database>,
    queue: SyncSender<Change>,
    /// The last entry's number.
    entries: Arc<AtomicU64>,
    fewest_rows: bool,
}

/// Something that a test program does not handle; the bench sees the status.
struct Failed;

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(_: E) -> Self {
        Self
    }
}

impl App {
    fn open(directory: &Path, fewest_rows: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let path = directory.join("smallest.redb");
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
        let database = Arc::new(database);
        write(&database, Vec::new())?;
        let (queue, changes) = sync_channel(QUEUE_MAX);
        let written = Arc::clone(&database);
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || drain(&written, &changes))?;
        Ok(Self { database, queue, entries: Arc::default(), fewest_rows })
    }

    /// The rows that Slackwater writes beside those of a user; some of them only for a new one.
    fn beside(&self, id: &[u8], is_new: bool) -> Vec<Row> {
        if self.fewest_rows {
            return Vec::new();
        }
        let number = self.entries.fetch_add(1, Ordering::Relaxed).to_be_bytes().to_vec();
        let audit_bytes = if is_new { AUDIT_CREATE_BYTES } else { AUDIT_PATCH_BYTES };
        let mut rows = vec![
            (4, id.to_vec(), vec![b' '; MARK_BYTES]),
            (6, number.clone(), vec![b' '; audit_bytes]),
            (7, Vec::new(), vec![b' '; COUNTERS_BYTES]),
        ];
        if is_new {
            rows.push((3, id.to_vec(), vec![b' '; ACCOUNT_BYTES]));
            rows.push((5, number, vec![b' '; FEED_BYTES]));
            rows.push((8, Vec::new(), vec![b' '; WAVE_BYTES]));
        }
        rows
    }

    fn read(&self, id: Uuid) -> Result<Option<Value>, Failed> {
        let users = self.database.begin_read()?.open_table(USERS)?;
        let user = users.get(id.as_bytes().as_slice())?;
        Ok(user.map(|user| serde_json::from_slice(user.value())).transpose()?)
    }

    /// Has rows written, and waits until they are on disk.
    async fn commit(&self, rows: Vec<Row>) -> Result<(), Failed> {
        let (written, on_disk) = oneshot::channel();
        self.queue.try_send(Change { rows, written })?;
        Ok(on_disk.await?)
    }
}

/// The writer: all changes that are queued, in one transaction.
fn drain(database: &Database, changes: &Receiver<Change>) {
    while let Ok(first) = changes.recv() {
        let mut waiting = vec![first.written];
        let mut rows = first.rows;
        for change in changes.try_iter().take(BATCH_MAX - 1) {
            rows.extend(change.rows);
            waiting.push(change.written);
        }
        // Of the rows that every change writes, one is written.
        rows.sort_unstable();
        rows.dedup_by(|(table, key, _), (before, key_before, _)| {
            table == before && key == key_before
        });
        if write(database, rows).is_err() {
            // Those who wait hear that their writer is gone.
            return;
        }
        for written in waiting {
            // Whoever hung up does not take the change back.
            let _ = written.send(());
        }
    }
}

/// Writes rows, which are in order, in one durable transaction; without any it makes the tables.
fn write(database: &Database, rows: Vec<Row>) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    let mut rows = rows.into_iter().peekable();
    let makes_all = rows.peek().is_none();
    for (number, definition) in TABLES.into_iter().enumerate() {
        if !makes_all && rows.peek().is_none_or(|(of, ..)| *of != number) {
            continue;
        }
        let mut table = transaction.open_table(definition)?;
        while let Some((_, key, value)) = rows.next_if(|(of, ..)| *of == number) {
            table.insert(key.as_slice(), value.as_slice())?;
        }
    }
    Ok(transaction.commit()?)
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response {
    (status, [(CONTENT_TYPE, "application/scim+json")], body.into()).into_response()
}

async fn create(State(app): State<App>, body: Bytes) -> Result<Response, Failed> {
    let mut user: Value = serde_json::from_slice(&body)?;
    let id = Uuid::now_v7();
    user["id"] = id.to_string().into();
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let (id, stored) = (id.as_bytes().to_vec(), serde_json::to_vec(&user)?);
    let mut rows = vec![
        (0, id.clone(), stored.clone()),
        (1, text(&user["userName"]), id.clone()),
        (2, [text(&user["externalId"]), id.clone()].concat(), Vec::new()),
    ];
    rows.extend(app.beside(&id, true));
    app.commit(rows).await?;
    Ok(answer(StatusCode::CREATED, stored))
}

/// Takes `{"Operations": [{"path": name, "value": value}]}`, and sets that attribute.
async fn change(
    State(app): State<App>,
    UrlPath(id): UrlPath<Uuid>,
    body: Bytes,
) -> Result<Response, Failed> {
    let mut patch: Value = serde_json::from_slice(&body)?;
    let Some(mut user) = app.read(id)? else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let operation = &mut patch["Operations"][0];
    let value = operation["value"].take();
    user[operation["path"].as_str().unwrap_or_default()] = value;
    let stored = serde_json::to_vec(&user)?;
    let mut rows = vec![(0, id.as_bytes().to_vec(), stored.clone())];
    rows.extend(app.beside(id.as_bytes(), false));
    app.commit(rows).await?;
    Ok(answer(StatusCode::OK, stored))
}

async fn fixed() -> Response {
    answer(StatusCode::OK, STATIC_BYTES.as_slice())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next().ok_or(Error::other("name a directory"))?;
    let fewest_rows = arguments.any(|argument| argument == "fewest-rows");
    let app = App::open(Path::new(&directory), fewest_rows)?;
    let router = Router::new()
        .route("/Users", post(create))
        .route("/Users/{id}", patch(change))
        .route("/static", get(fixed))
        .with_state(app);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Slackwater does the same; without it answers wait for each other.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
