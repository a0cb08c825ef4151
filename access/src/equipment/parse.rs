//! Reading an uploaded list: JSON or CSV, whole or not at all.
//!
//! The first thing that is wrong is named with its line, its column and the reason. A line is what
//! an editor shows: the header of a CSV file is line 1. In JSON it is the number of the row, from 1.

mod rows;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value};

use super::{ASSET_ID_CHARS_MAX, Asset, HOLDER_CHARS_MAX, NAME_CHARS_MAX, ROWS_MAX};

/// The columns of a list; all must be there, in any order.
pub const COLUMNS: [&str; 3] = ["asset_id", "name", "holder"];
/// What Excel puts in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Characters of a text from outside that an error repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// What is wrong with a list. Nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct InvalidList {
    /// Where: a line of a CSV file, the number of a row in JSON; none where it is the whole list.
    pub line: Option<u64>,
    /// Which column, where it is one.
    pub column: Option<String>,
    /// What is wrong, and what was expected.
    pub reason: String,
}

impl InvalidList {
    fn whole(reason: impl Into<String>) -> Self {
        Self { line: None, column: None, reason: reason.into() }
    }

    fn at(line: u64, column: Option<&str>, reason: impl Into<String>) -> Self {
        Self { line: Some(line), column: column.map(str::to_owned), reason: reason.into() }
    }

    fn text(&self) -> String {
        let place = match (self.line, &self.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: "),
            (Some(line), None) => format!("line {line}: "),
            (None, Some(column)) => format!("column {column}: "),
            (None, None) => String::new(),
        };
        format!("{place}{}", self.reason)
    }
}

/// Reads a list in JSON: an array of objects with the columns as keys.
pub fn from_json(bytes: &[u8]) -> Result<Vec<Asset>, InvalidList> {
    let mut list = List::default();
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = rows::Rows(&mut list).deserialize(&mut reader).and_then(|()| reader.end());
    match (list.refused.take(), read) {
        (Some(refused), _) => Err(refused),
        (None, Ok(())) => Ok(list.assets),
        (None, Err(error)) => Err(InvalidList::whole(format!(
            "expected a JSON array of objects with {}: {error}",
            COLUMNS.join(", ")
        ))),
    }
}

/// Reads a list in CSV (RFC 4180), with a header. Semicolons separate as well as commas, since
/// that is what a spreadsheet writes where the comma is the decimal sign.
pub fn from_csv(bytes: &[u8]) -> Result<Vec<Asset>, InvalidList> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let semicolons = first.contains(&b';') && !first.contains(&b',');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(if semicolons { b';' } else { b',' })
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut header: Option<Vec<&'static str>> = None;
    let mut list = List::default();
    let mut lines = Lines::of(bytes);
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(&error))? {
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        match &header {
            None => header = Some(read_header(&record, line)?),
            Some(header) => list.take(line, csv_row(&record, header, line)?)?,
        }
    }
    if header.is_none() {
        let reason = format!("expected a header with {}", COLUMNS.join(", "));
        return Err(InvalidList::at(1, None, reason));
    }
    Ok(list.assets)
}

fn unreadable(error: &csv::Error) -> InvalidList {
    InvalidList::whole(format!("this is not CSV: {error}"))
}

/// Counts lines as an editor does. The reader's own count takes the two bytes that end a line on
/// Windows apart, and a row begins for it with the blank lines before.
struct Lines<'a> {
    /// What was not counted yet, and where it begins.
    rest: &'a [u8],
    passed: u64,
    line: u64,
}

impl<'a> Lines<'a> {
    const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, passed: 0, line: 1 }
    }

    /// The line of the row that the reader found at a byte; rows are asked for in their order.
    fn at(&mut self, byte: u64) -> u64 {
        let ahead = usize::try_from(byte.saturating_sub(self.passed)).unwrap_or(usize::MAX);
        let ahead = ahead.min(self.rest.len());
        let (_, from) = self.rest.split_at(ahead);
        let blank = from.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let (passed, rest) = self.rest.split_at(ahead.saturating_add(blank));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let lines = passed.split(|byte| *byte == b'\n').count();
        self.line += count(lines.saturating_sub(1));
        self.passed += count(passed.len());
        self.rest = rest;
        self.line
    }
}

fn read_header(record: &csv::ByteRecord, line: u64) -> Result<Vec<&'static str>, InvalidList> {
    let mut header: Vec<&'static str> = Vec::new();
    for name in record {
        let name = String::from_utf8_lossy(name);
        let name = name.trim();
        let Some(known) = COLUMNS.into_iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            let reason = format!("there is no such column; expected {}", COLUMNS.join(", "));
            return Err(InvalidList::at(line, Some(&shown(name)), reason));
        };
        if header.contains(&known) {
            return Err(InvalidList::at(line, Some(known), "the column stands there twice"));
        }
        header.push(known);
    }
    match COLUMNS.into_iter().find(|known| !header.contains(known)) {
        Some(missing) => Err(InvalidList::at(line, Some(missing), "the column is missing")),
        None => Ok(header),
    }
}

fn csv_row(
    record: &csv::ByteRecord,
    header: &[&'static str],
    line: u64,
) -> Result<Asset, InvalidList> {
    if record.len() > header.len() {
        let reason = format!("expected {} columns, found {}", header.len(), record.len());
        return Err(InvalidList::at(line, None, reason));
    }
    let mut row = Asset { asset_id: String::new(), name: String::new(), holder: String::new() };
    for (index, column) in header.iter().copied().enumerate() {
        let Some(bytes) = record.get(index) else {
            return Err(InvalidList::at(line, Some(column), "the column is missing in this row"));
        };
        let text = str::from_utf8(bytes)
            .map_err(|_| InvalidList::at(line, Some(column), "expected text in UTF-8"))?;
        row.put(column, text);
    }
    Ok(row)
}

fn json_row(text: &str, line: u64) -> Result<Asset, InvalidList> {
    let reason = |error: &dyn std::fmt::Display| format!("expected a JSON object: {error}");
    let row: Value =
        serde_json::from_str(text).map_err(|error| InvalidList::at(line, None, reason(&error)))?;
    let Value::Object(row) = row else {
        return Err(InvalidList::at(line, None, "expected a JSON object"));
    };
    if let Some(unknown) = row.keys().find(|key| !COLUMNS.contains(&key.as_str())) {
        let reason = format!("there is no such column; expected {}", COLUMNS.join(", "));
        return Err(InvalidList::at(line, Some(&shown(unknown)), reason));
    }
    let mut asset = Asset { asset_id: String::new(), name: String::new(), holder: String::new() };
    for column in COLUMNS {
        asset.put(column, json_text(&row, column, line)?);
    }
    Ok(asset)
}

fn json_text<'a>(
    row: &'a Map<String, Value>,
    column: &str,
    line: u64,
) -> Result<&'a str, InvalidList> {
    match row.get(column) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(InvalidList::at(line, Some(column), "expected a text")),
        None => Err(InvalidList::at(line, Some(column), "the column is missing in this row")),
    }
}

impl Asset {
    fn put(&mut self, column: &str, text: &str) {
        let into = match column {
            "asset_id" => &mut self.asset_id,
            "name" => &mut self.name,
            _ => &mut self.holder,
        };
        text.trim().clone_into(into);
    }
}

/// A list while it is read.
#[derive(Default)]
struct List {
    assets: Vec<Asset>,
    /// The line of each asset's id.
    lines: HashMap<String, u64>,
    /// What was wrong with a row, where the reader has an error type of its own.
    refused: Option<InvalidList>,
}

impl List {
    fn take(&mut self, line: u64, asset: Asset) -> Result<(), InvalidList> {
        if self.assets.len() >= ROWS_MAX {
            let reason = format!("expected at most {ROWS_MAX} rows");
            return Err(InvalidList::at(line, None, reason));
        }
        let texts = [
            ("asset_id", &asset.asset_id, 1, ASSET_ID_CHARS_MAX),
            ("name", &asset.name, 0, NAME_CHARS_MAX),
            ("holder", &asset.holder, 1, HOLDER_CHARS_MAX),
        ];
        for (column, text, chars_min, chars_max) in texts {
            let refused = |reason: &str| InvalidList::at(line, Some(column), reason);
            let chars = text.chars().count();
            if chars < chars_min {
                return Err(refused("expected a text, found an empty one"));
            }
            if chars > chars_max {
                return Err(refused(&format!("expected at most {chars_max} characters")));
            }
            if text.chars().any(char::is_control) {
                return Err(refused("expected one line of text, found a control character"));
            }
        }
        match self.lines.entry(asset.asset_id.clone()) {
            Entry::Occupied(first) => {
                let reason = format!(
                    "{:?} stands in line {} and in line {line}",
                    shown(&asset.asset_id),
                    first.get()
                );
                return Err(InvalidList::at(line, Some("asset_id"), reason));
            }
            Entry::Vacant(vacant) => vacant.insert(line),
        };
        self.assets.push(asset);
        Ok(())
    }
}

/// A text from outside, short enough to be repeated.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
