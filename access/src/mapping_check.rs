//! The mapping check: which rows of Entra's attribute mapping were seen in what it sent, which are
//! missing, and what that breaks.
//!
//! An administrator who takes a row out of the mapping hears of it from nobody: the attribute is
//! simply never sent. The most dangerous one is `active`, without which nobody is ever disabled.
//! What was seen is noted by name and day. A row counts as missing only when enough whole resources
//! came without it: Entra leaves out what a user does not have, and a change names only what
//! changed.

mod rows;
pub mod sent;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use scim::schema::ResourceType;
use serde::{Deserialize, Serialize};

pub use self::rows::NOTHING_HERE;
use self::rows::{MEMBERS, ROWS, Row};
use crate::settings::Settings;

/// Names that are noted for one tenant.
pub const NAMES_MAX: usize = 256;
/// Whole resources after which a row is missing that every one of them has.
const WHOLE_FOR_EACH: u32 = 1;
/// Whole resources after which any row is missing; no more are counted.
pub const WHOLE_FOR_ALL: u32 = 5;

/// Which kind of thing a name was seen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SeenIn {
    /// A body for a user.
    #[serde(rename = "user")]
    User,
    /// A body for a group.
    #[serde(rename = "group")]
    Group,
    /// A filter that looks for users.
    #[serde(rename = "user_filter")]
    UserFilter,
    /// A filter that looks for groups.
    #[serde(rename = "group_filter")]
    GroupFilter,
}

impl SeenIn {
    /// A body for a resource of this type.
    pub const fn body(resource_type: ResourceType) -> Self {
        match resource_type {
            ResourceType::User => Self::User,
            ResourceType::Group => Self::Group,
        }
    }

    /// A filter that looks for resources of this type.
    pub const fn filter(resource_type: ResourceType) -> Self {
        match resource_type {
            ResourceType::User => Self::UserFilter,
            ResourceType::Group => Self::GroupFilter,
        }
    }
}

/// When a name was first and last seen, in days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The first day.
    pub first: i64,
    /// The last day.
    pub last: i64,
}

/// What a directory sent: the names of attributes, never their values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// Names in bodies for users.
    pub user: BTreeMap<String, Days>,
    /// Names in bodies for groups.
    pub group: BTreeMap<String, Days>,
    /// Names in filters that look for users.
    pub user_filter: BTreeMap<String, Days>,
    /// Names in filters that look for groups.
    pub group_filter: BTreeMap<String, Days>,
    /// Whole users that came, up to [`WHOLE_FOR_ALL`].
    pub whole_users: u32,
    /// Whole groups that came, up to [`WHOLE_FOR_ALL`].
    pub whole_groups: u32,
}

impl Sent {
    /// Notes that a name was seen. One that is too many is passed over.
    pub fn note(&mut self, seen_in: SeenIn, name: &str, day: i64) {
        let known =
            self.user.len() + self.group.len() + self.user_filter.len() + self.group_filter.len();
        let names = match seen_in {
            SeenIn::User => &mut self.user,
            SeenIn::Group => &mut self.group,
            SeenIn::UserFilter => &mut self.user_filter,
            SeenIn::GroupFilter => &mut self.group_filter,
        };
        if let Some(days) = names.get_mut(name) {
            days.first = days.first.min(day);
            days.last = days.last.max(day);
        } else if known < NAMES_MAX {
            names.insert(name.to_owned(), Days { first: day, last: day });
        }
    }

    /// Notes that so many whole resources came.
    pub fn note_whole(&mut self, resource_type: ResourceType, count: u32) {
        let whole = match resource_type {
            ResourceType::User => &mut self.whole_users,
            ResourceType::Group => &mut self.whole_groups,
        };
        *whole = whole.saturating_add(count).min(WHOLE_FOR_ALL);
    }

    fn names(&self, resource_type: ResourceType) -> &BTreeMap<String, Days> {
        match resource_type {
            ResourceType::User => &self.user,
            ResourceType::Group => &self.group,
        }
    }

    fn whole(&self, resource_type: ResourceType) -> u32 {
        match resource_type {
            ResourceType::User => self.whole_users,
            ResourceType::Group => self.whole_groups,
        }
    }
}

/// The day of a time, counted from 1970.
pub fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

fn date_of(day: i64) -> Date {
    let at = Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or(Timestamp::MAX);
    Offset::UTC.to_datetime(at).date()
}

/// How much a row matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing that matters here is missed without it.
    Optional,
    /// Something is missed without it.
    Should,
    /// Access is wrong without it.
    Must,
}

/// Whether a row was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It was.
    Seen,
    /// Enough came to know that it is not sent.
    Missing,
    /// Too little came to know.
    Waiting,
}

/// A row of the attribute mapping, as checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedRow {
    /// `User` or `Group`.
    pub resource_type: &'static str,
    /// The attribute in Entra; none for one that only a field mapping names.
    pub entra: Option<&'static str>,
    /// The attribute in SCIM.
    pub scim: String,
    /// How much it matters.
    pub severity: Severity,
    /// Whether it was seen.
    pub state: RowState,
    /// The first day on which it was seen.
    pub first_seen: Option<Date>,
    /// The last day on which it was seen.
    pub last_seen: Option<Date>,
    /// The account fields that field mappings take from it.
    pub used_by: Vec<String>,
    /// What is missed without it; none for one that was seen.
    pub breaks: Option<String>,
}

/// The mapping check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingCheck {
    /// The worst that is missing; none if nothing is.
    pub worst: Option<Severity>,
    /// The rows, users before groups.
    pub rows: Vec<CheckedRow>,
    /// The attributes by which the directory looks for users.
    pub users_matched_by: Vec<String>,
    /// The attributes by which the directory looks for groups.
    pub groups_matched_by: Vec<String>,
    /// What came besides, of users: neither in Entra's default mapping nor in a field mapping.
    pub others: Vec<String>,
    /// What it means, for an administrator.
    pub words: String,
}

/// Checks what a directory sent against Entra's default mapping and the tenant's field mappings.
pub fn check(sent: &Sent, settings: &Settings) -> MappingCheck {
    let fields: Vec<(&String, &String, Option<String>)> = settings
        .field_mappings
        .iter()
        .map(|(field, path)| (field, path, sent::canonical(ResourceType::User, path)))
        .collect();
    let is_of = |row: &Row, name: &str| {
        row.resource_type == ResourceType::User && row.names.contains(&name)
    };
    let mut rows: Vec<CheckedRow> = Vec::new();
    for row in ROWS {
        let of_row =
            fields.iter().filter(|(.., name)| name.as_deref().is_some_and(|name| is_of(row, name)));
        let used_by = of_row.map(|(field, ..)| (*field).clone()).collect();
        rows.push(checked(sent, row, used_by));
    }
    let groups_from = rows.iter().position(|row| row.resource_type == ResourceType::Group.name());
    let mut own: BTreeMap<&str, (&str, Vec<String>)> = BTreeMap::new();
    for (field, path, name) in &fields {
        let Some(name) = name.as_deref().filter(|name| !ROWS.iter().any(|row| is_of(row, name)))
        else {
            continue;
        };
        own.entry(name).or_insert((path, Vec::new())).1.push((*field).clone());
    }
    let own_rows = own.iter().map(|(name, (path, used_by))| own_row(sent, name, path, used_by));
    let at = groups_from.unwrap_or(rows.len());
    rows.splice(at..at, own_rows.collect::<Vec<_>>());

    let known: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.names.iter().copied()).collect();
    let is_other =
        |name: &&String| !known.contains(name.as_str()) && !own.contains_key(name.as_str());
    let missing = rows.iter().filter(|row| row.state == RowState::Missing);
    let worst = missing.map(|row| row.severity).max();
    MappingCheck {
        worst,
        words: words(sent, &rows),
        users_matched_by: shown(&sent.user_filter, ResourceType::User),
        groups_matched_by: shown(&sent.group_filter, ResourceType::Group),
        others: sent.user.keys().filter(is_other).cloned().collect(),
        rows,
    }
}

fn checked(sent: &Sent, row: &Row, used_by: Vec<String>) -> CheckedRow {
    let names = sent.names(row.resource_type);
    let days = row.names.iter().filter_map(|name| names.get(*name));
    let days = days.copied().reduce(|one, other| Days {
        first: one.first.min(other.first),
        last: one.last.max(other.last),
    });
    let severity =
        if used_by.is_empty() { row.severity } else { row.severity.max(Severity::Should) };
    let enough = if row.is_in_each() { WHOLE_FOR_EACH } else { WHOLE_FOR_ALL };
    let state = state_of(days, enough, sent.whole(row.resource_type));
    let breaks = if used_by.is_empty() {
        row.breaks.to_owned()
    } else if row.severity == Severity::Optional {
        breaks_fields(&used_by)
    } else {
        format!("{} {}", row.breaks, breaks_fields(&used_by))
    };
    CheckedRow {
        resource_type: row.resource_type.name(),
        entra: Some(row.entra),
        scim: row.scim.to_owned(),
        severity,
        state,
        first_seen: days.map(|days| date_of(days.first)),
        last_seen: days.map(|days| date_of(days.last)),
        used_by,
        breaks: days.is_none().then_some(breaks),
    }
}

/// A row that Entra's default mapping lacks, and a field mapping needs.
fn own_row(sent: &Sent, name: &str, path: &str, used_by: &[String]) -> CheckedRow {
    let days = sent.user.get(name).copied();
    let breaks = format!(
        "{} Entra's default mapping lacks this attribute: add a row for it.",
        breaks_fields(used_by),
    );
    CheckedRow {
        resource_type: ResourceType::User.name(),
        entra: None,
        scim: path.to_owned(),
        severity: Severity::Should,
        state: state_of(days, WHOLE_FOR_ALL, sent.whole_users),
        first_seen: days.map(|days| date_of(days.first)),
        last_seen: days.map(|days| date_of(days.last)),
        used_by: used_by.to_vec(),
        breaks: days.is_none().then_some(breaks),
    }
}

fn breaks_fields(fields: &[String]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|field| format!("\u{201c}{field}\u{201d}")).collect();
    format!("The account field {} stays empty.", fields.join(", "))
}

fn state_of(days: Option<Days>, enough: u32, whole: u32) -> RowState {
    match days {
        Some(_) => RowState::Seen,
        None if whole >= enough => RowState::Missing,
        None => RowState::Waiting,
    }
}

/// Names in filters, as mapping pages write them where they are known.
fn shown(names: &BTreeMap<String, Days>, resource_type: ResourceType) -> Vec<String> {
    let written = |name: &String| {
        let row = ROWS
            .iter()
            .find(|row| row.resource_type == resource_type && row.names.contains(&name.as_str()));
        row.map_or_else(|| name.clone(), |row| row.scim.to_owned())
    };
    names.keys().map(written).collect()
}

fn words(sent: &Sent, rows: &[CheckedRow]) -> String {
    if sent.user.is_empty() && sent.group.is_empty() {
        return "The directory has not sent any user or group yet.".to_owned();
    }
    let missing = |severity: Severity| {
        let of = |row: &&CheckedRow| row.state == RowState::Missing && row.severity == severity;
        // An extension's whole name says nothing that the last part of it does not.
        let short = |row: &'_ CheckedRow| match row.scim.strip_prefix("urn:") {
            Some(rest) => rest.rsplit(':').next().unwrap_or(rest).to_owned(),
            None => row.scim.clone(),
        };
        let names: Vec<String> = rows.iter().filter(of).map(short).collect();
        names.join(", ")
    };
    let (must, should) = (missing(Severity::Must), missing(Severity::Should));
    match (must.is_empty(), should.is_empty()) {
        (false, _) if must == MEMBERS => format!(
            "Never sent, and needed: {must}. Add it to the attribute mapping, or nobody is in \
             these groups."
        ),
        (false, _) => format!("Never sent, and needed: {must}. Add it to the attribute mapping."),
        (true, false) => format!("Never sent, and missed: {should}."),
        (true, true) if sent.whole_users < WHOLE_FOR_ALL => {
            "What is needed was seen, as far as anything came. A few more users tell the rest."
                .to_owned()
        }
        (true, true) => "Everything that is needed was seen.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
