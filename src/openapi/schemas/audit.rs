//! Entries of the audit log. What they hold is decided in the store, where they are made.

use jiff::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An entry of the audit log: what one change did.
#[derive(ToSchema)]
#[schema(examples(json!({
    "seq": 7, "at": "2026-03-01T12:00:00.000Z",
    "actor": {"kind": "token", "label": "first", "token": "01990a5d-ac96-774b-bcce-b302099a8057"},
    "request": "01990a5d-b3f1-7d60-a1b2-0c3d4e5f6a7b",
    "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c",
    "changes": [{"object": "account", "id": "01990a5d-ac96-774b-bcce-b302099a8057",
                 "before": {"role": "default"}, "after": {"role": "loanee"}}],
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
})))]
pub struct AuditEntry {
    /// Its number, from 1, without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// In whose name.
    pub actor: AuditActor,
    /// The request that asked for it: `x-request-id`; null for what nobody asked for.
    #[schema(required)]
    pub request: Option<Uuid>,
    /// The wave that it is a part of.
    #[schema(required)]
    pub wave: Option<Uuid>,
    /// What became of what.
    pub changes: Vec<AuditChange>,
    /// SHA-256, in hex, of this entry and the hash of the one before.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub hash: String,
}

/// In whose name something was changed.
#[derive(ToSchema)]
pub struct AuditActor {
    /// What kind of author.
    pub kind: AuditActorKind,
    /// For a token and a setup link: what operators call it.
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// For a token and a setup link: its id.
    #[schema(nullable = false)]
    pub token: Option<Uuid>,
}

/// What kind of author changed something.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AuditActorKind {
    /// The directory, with a SCIM token.
    Token,
    /// Somebody with the operator token.
    Operator,
    /// Somebody who opened a setup link.
    SetupLink,
    /// The rules.
    Reconciler,
    /// The service itself.
    Service,
}

/// What became of one thing. Of something that stays, `before` and `after` hold what differs.
#[derive(ToSchema)]
pub struct AuditChange {
    /// What kind of thing: `user`, `group`, `account`, `settings`, `token`, …
    pub object: String,
    /// Which one; empty where a tenant has but one.
    pub id: String,
    /// What it was; missing where it is new. Secrets are left out.
    pub before: Option<Value>,
    /// What it is; missing where it is gone. Secrets are left out.
    pub after: Option<Value>,
}
