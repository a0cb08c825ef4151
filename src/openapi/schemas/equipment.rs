//! Equipment: the list that is uploaded, what came of it, and the report.

use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Status;

/// A row of a list of equipment.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"asset_id": "LT-17", "name": "Laptop", "holder": "ada@example.com"})))]
pub struct Asset {
    /// What your own records call it; once in a list.
    #[schema(min_length = 1, max_length = 200)]
    pub asset_id: String,
    /// What it is.
    #[schema(max_length = 500)]
    pub name: String,
    /// Who has it: a SCIM id, an `externalId`, a `userName` or an e-mail address, looked for in
    /// this order.
    #[schema(min_length = 1, max_length = 500)]
    pub holder: String,
}

/// What came of an upload.
#[derive(ToSchema)]
#[schema(examples(json!({
    "assets": 2, "matched": 1, "unmatched": 1, "unmatched_holders": ["nobody@example.com"]
})))]
pub struct Uploaded {
    /// Assets in the list.
    pub assets: u64,
    /// Those whose holder is known.
    pub matched: u64,
    /// Those whose holder is not: they are matched when somebody appears.
    pub unmatched: u64,
    /// The first hundred of these holders, in the list's order.
    pub unmatched_holders: Vec<String>,
}

/// An asset that a disabled or deleted account holds, or held.
#[derive(ToSchema)]
#[schema(examples(json!({
    "asset_id": "LT-17", "name": "Laptop", "account": "01990a5d-ac96-774b-bcce-b302099a8057",
    "user_name": "ada@example.com", "status": "disabled", "since": "2026-03-01T12:00:00Z",
    "age_days": 3, "manager": "grace@example.com",
    "manager_account": {"id": "01990a5d-b2c4-7e11-9d3f-6c1f2a7b8d90",
                        "user_name": "grace@example.com", "display_name": "Grace Hopper",
                        "email": "grace@example.com"},
    "state": "held", "returned_at": null
})))]
pub struct ReportItem {
    /// What the administrator's own records call the asset.
    pub asset_id: String,
    /// What it is.
    pub name: String,
    /// Whose it is: the SCIM user's id.
    pub account: Uuid,
    /// `userName` of the account.
    pub user_name: String,
    /// Whether the directory lets the user in.
    pub status: Status,
    /// Since when; null where nothing but the id is known any more.
    #[schema(required)]
    pub since: Option<Timestamp>,
    /// Whole days since then.
    #[schema(required)]
    pub age_days: Option<i64>,
    /// The manager's userName, where it is a user of the tenant; else what the directory sent.
    #[schema(required)]
    pub manager: Option<String>,
    /// More of the manager, where it is a user of the tenant.
    #[schema(required)]
    pub manager_account: Option<Manager>,
    /// What has become of the item.
    pub state: ReportState,
    /// When the list first did not have it any more.
    #[schema(required)]
    pub returned_at: Option<Timestamp>,
}

/// A manager who is a user of the tenant.
#[derive(ToSchema)]
pub struct Manager {
    /// The SCIM user's id.
    pub id: Uuid,
    /// `userName`.
    pub user_name: String,
    /// A name to show.
    pub display_name: String,
    /// The one e-mail address to use.
    #[schema(required)]
    pub email: Option<String>,
}

/// What has become of an item of the report.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ReportState {
    /// Held by an account that is disabled or deleted.
    Held,
    /// It was told of, and the account is active again and still holds it.
    ReEnabled,
    /// It was told of, and the list does not say any more that the account holds it.
    Returned,
}

/// Which items of the report are asked for.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum WantedReportState {
    /// Held by an account that is disabled or deleted.
    Held,
    /// Active again.
    ReEnabled,
    /// No longer in the list.
    Returned,
    /// All of these.
    All,
}
