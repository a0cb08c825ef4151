//! What the API shows of types of the crates below, as operators read them.
//!
//! Mirrors: the crates below know nothing of this document, and it is written for other readers
//! than they are. `tests/it/openapi.rs` holds real answers against them, and a key that is not
//! described fails there.

pub mod audit;
pub mod equipment;
pub mod health;
pub mod settings;

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

/// An id in examples.
pub const ID: &str = "01990a5d-ac96-774b-bcce-b302099a8057";

/// What went wrong (RFC 9457).
#[derive(ToSchema)]
#[schema(examples(json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
    "detail": "reconcile.settle: expected a duration such as \"60s\"", "key": "reconcile.settle"
}), json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
    "detail": "line 3, column holder: expected 1 to 500 characters", "line": 3, "column": "holder",
    "reason": "expected 1 to 500 characters"
}), json!({
    "type": "about:blank", "title": "Gone", "status": 410,
    "detail": "entries up to 7 have been taken away: read all accounts, then follow the feed after 9",
    "oldest": 8, "latest": 9,
    "start_over": {"read": "/admin/v1/tenants/acme/accounts", "after": 9}
})))]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The key of the settings that is at fault.
    #[schema(nullable = false)]
    pub key: Option<String>,
    /// Where an uploaded list is wrong: the line of a CSV file, or the row in JSON, from 1.
    #[schema(nullable = false)]
    pub line: Option<u64>,
    /// Where an uploaded list is wrong: the column.
    #[schema(nullable = false)]
    pub column: Option<String>,
    /// What is wrong there.
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Where entries of the feed are gone (410): the oldest that is left; null if none is.
    pub oldest: Option<u64>,
    /// Where entries of the feed are gone: the newest.
    #[schema(nullable = false)]
    pub latest: Option<u64>,
    /// Where entries of the feed are gone: how to start over.
    #[schema(inline, nullable = false)]
    pub start_over: Option<StartOver>,
}

/// How a reader of the feed whose place is gone starts over.
#[derive(ToSchema)]
pub struct StartOver {
    /// Read these first, all pages.
    pub read: String,
    /// Then follow the feed after this entry.
    pub after: u64,
}

/// Whether the directory lets the user in.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Active,
    /// `active` is false.
    Disabled,
    /// The SCIM user was deleted.
    Deleted,
}

/// Which rule gave a role.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Rule {
    /// A role mapping whose group holds the user.
    Mapping,
    /// No mapping matched.
    Default,
    /// The user is disabled.
    Disabled,
    /// A lock pins the role.
    Lock,
    /// An operator set it by hand.
    Manual,
    /// The user was deleted.
    Deleted,
}

/// Why an account has its role.
#[derive(ToSchema)]
#[schema(examples(json!({
    "rule": "mapping", "mapping": 0, "group": "Employees", "since": "2026-03-01T12:00:00Z",
    "wave": ID, "request": null
})))]
pub struct Why {
    /// The rule that won.
    pub rule: Rule,
    /// Where the rule is a mapping: its position in `role_mappings`, from 0.
    #[schema(required)]
    pub mapping: Option<u64>,
    /// Where the rule is a mapping: its group.
    #[schema(required)]
    pub group: Option<String>,
    /// Since when this rule gives this role.
    pub since: Timestamp,
    /// The wave that set it.
    #[schema(required)]
    pub wave: Option<Uuid>,
    /// The request that brought it about: `x-request-id`.
    #[schema(required)]
    pub request: Option<Uuid>,
}

/// A lock pins a role, whatever groups or mappings say.
#[derive(ToSchema)]
#[schema(examples(json!({
    "role": "admin", "reason": "on leave", "by": "operator", "since": "2026-03-01T12:00:00Z",
    "expires_at": null
})))]
pub struct Lock {
    /// The pinned role.
    pub role: String,
    /// In the operator's words.
    #[schema(required)]
    pub reason: Option<String>,
    /// Who locked it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
}

/// Whether a wave goes on.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum WaveState {
    /// Writes may still come.
    Open,
    /// No write came for `reconcile.settle`.
    Settled,
}

/// A sync wave: one burst of requests from the directory.
#[derive(ToSchema)]
#[schema(examples(json!({
    "id": ID, "state": "settled", "started_at": "2026-03-01T12:00:00Z",
    "ended_at": "2026-03-01T12:00:09Z", "requests": 42, "creates": 3, "updates": 20, "deletes": 1,
    "errors": 0, "role_changes": 4, "reconciled_at": "2026-03-01T12:01:09Z"
})))]
pub struct Wave {
    /// Its id; newer waves sort later.
    pub id: Uuid,
    /// Whether it goes on.
    pub state: WaveState,
    /// When its first write came.
    pub started_at: Timestamp,
    /// When its last write was done; null while it is open.
    #[schema(required)]
    pub ended_at: Option<Timestamp>,
    /// All its requests, look-ups included.
    pub requests: u64,
    /// Resources made.
    pub creates: u64,
    /// Resources changed.
    pub updates: u64,
    /// Resources deleted.
    pub deletes: u64,
    /// Writes that were refused or failed.
    pub errors: u64,
    /// Roles that its reconciliation changed.
    pub role_changes: u64,
    /// When its reconciliation was done; null before.
    #[schema(required)]
    pub reconciled_at: Option<Timestamp>,
}

/// What a reconciliation did, or would do.
#[derive(ToSchema)]
#[schema(examples(json!({
    "id": ID, "trigger": "operator", "dry_run": true, "examined": 100, "changed": 1,
    "changes": [{
        "account": ID, "user_name": "ada@example.com", "from": "default", "to": "loanee",
        "why": {"rule": "mapping", "mapping": 0, "group": "Employees",
                "since": "2026-03-01T12:00:00Z", "wave": null, "request": null}
    }],
    "truncated": false, "next_cursor": null, "held": null, "kept": [], "duration_ms": 12
})))]
pub struct Report {
    /// The pass's id.
    pub id: String,
    /// Why it ran.
    pub trigger: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Accounts looked at.
    pub examined: u64,
    /// Accounts whose role changed.
    pub changed: u64,
    /// Some of them, by id: the first 1,000, or those of the asked page.
    pub changes: Vec<RoleChange>,
    /// Whether there are more after these.
    pub truncated: bool,
    /// Where the next page of changes starts.
    #[schema(required)]
    pub next_cursor: Option<Uuid>,
    /// Changes that wait for an operator, if there were too many.
    #[schema(required)]
    pub held: Option<Held>,
    /// Accounts that keep a protected role because nobody else has it: at most 1,000.
    pub kept: Vec<RoleChange>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

/// Changes that wait for an operator.
#[derive(ToSchema)]
pub struct Held {
    /// The hold.
    pub hold: Uuid,
    /// How many accounts.
    pub accounts: u64,
}

/// A role that a reconciliation changed, or would change.
#[derive(ToSchema)]
pub struct RoleChange {
    /// The account.
    pub account: Uuid,
    /// Its userName.
    pub user_name: String,
    /// The role before.
    #[schema(required)]
    pub from: Option<String>,
    /// The role after.
    #[schema(required)]
    pub to: Option<String>,
    /// Why.
    pub why: Why,
}

/// Memberships that were taken back because nobody appeared.
#[derive(ToSchema)]
pub struct ExpiredParked {
    /// How many, since the service started.
    pub count: u64,
    /// When the last one was.
    pub last_at: Timestamp,
}

/// What has become of a delivery.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It failed, or waits behind one that did.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was given up; kept until it is replayed.
    Dead,
}
