//! What is kept of equipment.

use access::{Author, Status, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Collection, Document, DocumentKey};

use super::NOBODY;

/// One asset of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRow {
    /// Which list it belongs to.
    pub generation: u64,
    /// What the administrator's own records call it.
    pub asset_id: String,
    /// What it is.
    pub name: String,
    /// Who holds it, as sent.
    pub holder: String,
    /// The account that this means; none yet, if nobody matches.
    pub account: Option<UserId>,
    /// The account's manager when it was matched, as the directory names it: once the user is
    /// deleted nobody else knows.
    pub manager: Option<String>,
}

impl AssetRow {
    /// What the keys of an account's rows start with.
    pub(crate) fn prefix(generation: u64, account: UserId) -> DocumentKey {
        DocumentKey::default().then_number(generation).then_id(account.as_bytes())
    }
}

impl Document for AssetRow {
    const COLLECTION: Collection = Collection::Assets;

    fn key(&self) -> DocumentKey {
        Self::prefix(self.generation, self.account.unwrap_or(NOBODY)).then_text(&self.asset_id)
    }
}

/// The list that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquipmentList {
    /// Its rows are those of this generation.
    pub generation: u64,
    /// How many assets it has.
    pub assets: u64,
    /// How many of them had a holder who was known when it was uploaded.
    pub matched: u64,
    /// How many had not.
    pub unmatched: u64,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// By whom.
    pub uploaded_by: Author,
    /// The feed's last number when holders were matched.
    pub feed: u64,
}

impl EquipmentList {
    /// Where it is: there is one at most.
    pub fn place() -> DocumentKey {
        DocumentKey::text("current")
    }
}

impl Document for EquipmentList {
    const COLLECTION: Collection = Collection::EquipmentLists;

    fn key(&self) -> DocumentKey {
        Self::place()
    }
}

/// What has been told of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The account.
    pub account: UserId,
    /// Its `userName` then.
    pub user_name: String,
    /// Its status then.
    pub status: Status,
    /// Since when it had that.
    pub since: Timestamp,
    /// Its manager, as the directory names it.
    pub manager: Option<String>,
    /// When it was first told of.
    pub first_reported_at: Timestamp,
    /// When it was last told of.
    pub last_reported_at: Timestamp,
    /// How often it was told of.
    pub times: u64,
    /// What it held, at most [`Notice::ASSETS_MAX`].
    pub assets: Vec<ReportedAsset>,
}

/// An asset that was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedAsset {
    /// What the administrator's own records call it.
    pub asset_id: String,
    /// What it is.
    pub name: String,
    /// When a list first said that the account does not hold it any more.
    pub returned_at: Option<Timestamp>,
}

impl Notice {
    /// Assets that are remembered of an account.
    pub const ASSETS_MAX: usize = 1_000;
}

impl Document for Notice {
    const COLLECTION: Collection = Collection::EquipmentNotices;

    fn key(&self) -> DocumentKey {
        DocumentKey::user(self.account)
    }
}
