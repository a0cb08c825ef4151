//! Equipment: who holds what, as an administrator sends it, and the report of who should not.
//!
//! An [`Asset`] is a row of the uploaded list. [`parse`] reads the list and refuses it whole for
//! one bad row, [`matching`] finds the account that a row's holder means, [`report`] is what is
//! shown of those who are disabled and still hold something, and [`schedule`] says when it is sent
//! again.
//!
//! Not here: where the list is kept, who is told, e-mail, HTTP.

pub mod matching;
pub mod parse;
pub mod report;
pub mod schedule;

use serde::{Deserialize, Serialize};

/// Rows that a list may have.
pub const ROWS_MAX: usize = 200_000;
/// Bytes of a list as uploaded.
pub const LIST_BYTES_MAX: usize = 32 << 20;
/// Characters in an asset's id.
pub const ASSET_ID_CHARS_MAX: usize = 200;
/// Characters in an asset's name.
pub const NAME_CHARS_MAX: usize = 500;
/// Characters in a holder. An e-mail address has at most 254, a userName can have more.
pub const HOLDER_CHARS_MAX: usize = 500;

/// One thing that somebody holds, as uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asset {
    /// What the administrator's own records call it; once in a list.
    pub asset_id: String,
    /// What it is, for people. May be empty.
    pub name: String,
    /// Who holds it: a SCIM id, externalId, userName or primary e-mail address.
    pub holder: String,
}
