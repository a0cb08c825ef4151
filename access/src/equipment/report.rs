//! The report: who is disabled or deleted and still holds something, an item an asset.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::Status;
use crate::id::UserId;

/// The columns of the report in CSV, in their order.
pub const COLUMNS: [&str; 12] = [
    "asset_id",
    "name",
    "account",
    "user_name",
    "status",
    "since",
    "age_days",
    "manager",
    "manager_display_name",
    "manager_email",
    "state",
    "returned_at",
];
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA_STARTS: [char; 4] = ['=', '+', '-', '@'];
/// What some spreadsheets take for the end of a cell, whatever stands around it.
const CELL_ENDS: [char; 4] = [';', '\t', '\r', '\n'];
/// What is taken off the beginning of a cell before it is looked at.
const PASSED_OVER: [char; 3] = ['\t', '\r', '\n'];
/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// What has become of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Held by an account that is disabled or deleted.
    Held,
    /// It was told of, and the account is active again and still holds it.
    ReEnabled,
    /// It was told of, and the list does not say any more that the account holds it.
    Returned,
}

impl State {
    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "held" => Some(Self::Held),
            "re_enabled" => Some(Self::ReEnabled),
            "returned" => Some(Self::Returned),
            _ => None,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::ReEnabled => "re_enabled",
            Self::Returned => "returned",
        }
    }
}

/// A manager who is a user of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manager {
    /// The SCIM user's id.
    pub id: UserId,
    /// `userName`.
    pub user_name: String,
    /// A name to show.
    pub display_name: String,
    /// The one e-mail address to use.
    pub email: Option<String>,
}

/// One item of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What the administrator's own records call the asset.
    pub asset_id: String,
    /// What it is.
    pub name: String,
    /// Whose it is: the SCIM user's id.
    pub account: UserId,
    /// `userName` of the account.
    pub user_name: String,
    /// Whether the directory lets the user in.
    pub status: Status,
    /// Since when the status is what it is; none where nothing but the id is known any more.
    pub since: Option<Timestamp>,
    /// Whole days since then.
    pub age_days: Option<i64>,
    /// The manager's userName, where it is a user of the tenant; else what the directory sent.
    pub manager: Option<String>,
    /// More of the manager, where it is a user of the tenant.
    pub manager_account: Option<Manager>,
    /// What has become of the item.
    pub state: State,
    /// When the list first did not have it any more.
    pub returned_at: Option<Timestamp>,
}

/// Whole days from `since` to `now`.
pub fn age_days(since: Timestamp, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(since.as_second()).max(0) / DAY_SECONDS
}

/// The report in CSV, with a header; no cell is a formula.
pub fn to_csv(items: &[Item]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(items.len().saturating_mul(200)));
    writer.write_record(COLUMNS)?;
    for item in items {
        writer.write_record(cells(item).map(|cell| defused(&cell)))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn cells(item: &Item) -> [String; 12] {
    let manager = item.manager_account.as_ref();
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        item.asset_id.clone(),
        item.name.clone(),
        item.account.to_string(),
        item.user_name.clone(),
        status_name(item.status).to_owned(),
        time(item.since),
        item.age_days.map(|days| days.to_string()).unwrap_or_default(),
        item.manager.clone().unwrap_or_default(),
        manager.map(|manager| manager.display_name.clone()).unwrap_or_default(),
        manager.and_then(|manager| manager.email.clone()).unwrap_or_default(),
        item.state.as_str().to_owned(),
        time(item.returned_at),
    ]
}

/// What a status is called.
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Disabled => "disabled",
        Status::Deleted => "deleted",
    }
}

/// A cell that no spreadsheet takes for a formula. What comes before an asset's name may be
/// anybody's choice, and administrators open reports in spreadsheets.
///
/// Where the comma is the decimal sign, a spreadsheet takes the cell apart at semicolons, and one
/// that a text is pasted into at tabs and line breaks: what follows those is no formula either.
fn defused(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len());
    if cell.starts_with(PASSED_OVER) {
        safe.push('\'');
    }
    let mut begins = true;
    for c in cell.chars() {
        if begins && FORMULA_STARTS.contains(&c) {
            safe.push('\'');
        }
        safe.push(c);
        // A quote that is read as such leaves nothing before what follows it.
        begins = CELL_ENDS.contains(&c) || (begins && c == '"');
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(name: &str, user_name: &str) -> Item {
        Item {
            asset_id: "L-1".into(),
            name: name.into(),
            account: UserId::from_bytes([1; 16]),
            user_name: user_name.into(),
            status: Status::Disabled,
            since: Some(Timestamp::UNIX_EPOCH),
            age_days: Some(3),
            manager: Some("eve".into()),
            manager_account: None,
            state: State::Held,
            returned_at: None,
        }
    }

    #[test]
    fn an_age_counts_whole_days() {
        let since = Timestamp::from_second(1_000_000).unwrap();
        let age =
            |seconds: i64| age_days(since, Timestamp::from_second(1_000_000 + seconds).unwrap());
        assert_eq!([age(0), age(86_399), age(86_400), age(-5)], [0, 0, 1, 0]);
    }

    #[test]
    fn csv_has_a_header_and_one_line_an_item() {
        let csv = String::from_utf8(to_csv(&[item("ThinkPad, 14\"", "ada")]).unwrap()).unwrap();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert!(lines[0].starts_with("asset_id,name,account,user_name,status,since,"), "{csv}");
        assert!(lines[1].starts_with("L-1,\"ThinkPad, 14\"\"\",01010101-"), "{csv}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn what_could_begin_a_cell_is_no_formula() {
        for (cell, expected) in [
            ("ThinkPad", "ThinkPad"),
            ("Dock - black; 2 + 1", "Dock - black; 2 + 1"),
            ("=1+1", "'=1+1"),
            ("a;=1+1", "a;'=1+1"),
            ("a;\"=1+1", "a;\"'=1+1"),
            ("a\t@b\n-c\r\n+d", "a\t'@b\n'-c\r\n'+d"),
            ("\n=1", "'\n'=1"),
            ("\tx", "'\tx"),
        ] {
            assert_eq!(defused(cell), expected);
        }
    }

    proptest! {
        #[test]
        fn no_cell_is_a_formula(
            name in "[=+@\t\r\n-]?([a;\t\r\n\"=+@-]|.){0,10}",
            user in ".{1,10}",
        ) {
            let csv = to_csv(&[item(&name, &user)]).unwrap();
            let mut reader = csv::Reader::from_reader(csv.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            for cell in &record {
                prop_assert!(!cell.starts_with(PASSED_OVER), "{cell:?}");
                for part in cell.split(CELL_ENDS) {
                    let part = part.trim_start_matches('"');
                    prop_assert!(!part.starts_with(FORMULA_STARTS), "{cell:?}");
                }
            }
            // Nothing is lost.
            prop_assert_eq!(record[1].replace('\'', ""), name.replace('\'', ""));
        }
    }
}
