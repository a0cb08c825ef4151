//! Looking through rows for what somebody asks for: accounts, and back in the feed and the audit
//! log.
//!
//! There is no index of what an account looks like or of what an entry is about. A row whose text
//! cannot hold what is looked for is passed over without being parsed, which makes it cheap to look
//! far; what is found is still to be looked at closely. A look ends after so many rows, and says
//! where to go on.

use std::ops::ControlFlow;

use access::{Account, UserId};
use serde_json::Value;

use super::documents::audit_entry;
use super::{Read, Snapshot, damaged, decode_json};
use crate::key::{self, Key, TenantKey};
use crate::kv::{Order, Range};
use crate::record;
use crate::table::Table;

/// What the text of a row must hold to be parsed at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    exact: Vec<String>,
    in_any_case: Option<String>,
}

/// What was found, and how far it was looked.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked<T, P> {
    /// What holds the texts, in order.
    pub found: Vec<T>,
    /// How many rows were looked at.
    pub rows: usize,
    /// The last row that was looked at, if there may be more after it.
    pub more_after: Option<P>,
}

impl Texts {
    /// Also a key of JSON with this value. Where the row has the key twice, either will do.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.exact.push(format!("{}:{}", Value::from(key), Value::from(value)));
        self
    }

    /// Also this value, under whatever key or in a list.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.exact.push(Value::from(value).to_string());
        self
    }

    /// Also an object under this key.
    #[must_use]
    pub fn with_object(mut self, key: &str) -> Self {
        self.exact.push(format!("{}:{{", Value::from(key)));
        self
    }

    /// Also this text, folded by [`scim::casefold::fold`], somewhere in a value.
    #[must_use]
    pub fn with_folded(mut self, folded: &str) -> Self {
        // Other letters have forms that only folding knows, and some are escaped in JSON.
        let is_plain = folded.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            && !folded.contains(['"', '\\']);
        self.in_any_case = is_plain.then(|| folded.to_owned());
        self
    }

    fn may_be_in(&self, json: &[u8], lower: &mut Vec<u8>) -> bool {
        // What is no text is left to the parser to refuse.
        let Ok(text) = std::str::from_utf8(json) else { return true };
        if !self.exact.iter().all(|part| text.contains(part)) {
            return false;
        }
        let Some(folded) = &self.in_any_case else { return true };
        if !text.is_ascii() {
            return true;
        }
        lower.clear();
        lower.extend_from_slice(json);
        lower.make_ascii_lowercase();
        std::str::from_utf8(lower).is_ok_and(|lower| lower.contains(folded))
    }
}

impl Snapshot {
    /// Accounts that may hold `texts`, oldest first, after `after`: at most `limit`, among at most
    /// `rows_max`.
    pub fn accounts_with(
        &self,
        tenant: TenantKey,
        after: Option<UserId>,
        texts: &Texts,
        (limit, rows_max): (usize, usize),
    ) -> Read<Looked<Account, UserId>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(after) = after {
            range = range.after(key::user(tenant, after));
        }
        let mut looked = Looked { found: Vec::new(), rows: 0, more_after: None };
        let (mut last, mut lower) = (None, Vec::new());
        self.scan(Table::Accounts, &range, Order::Ascending, |key, payload| {
            if looked.found.len() >= limit || looked.rows >= rows_max {
                looked.more_after = last;
                return Ok(ControlFlow::Break(()));
            }
            looked.rows += 1;
            last = key::last_id(key).map(UserId::from_bytes);
            if texts.may_be_in(record::account_json(payload)?, &mut lower) {
                looked.found.push(record::decode_account(payload)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(looked)
    }

    /// Entries of the feed that hold `texts` and are wanted, newest first, before the number
    /// `before`: at most `limit`, among at most `rows_max`.
    pub fn feed_back(
        &self,
        tenant: TenantKey,
        before: Option<u64>,
        texts: &Texts,
        limits: (usize, usize),
        wanted: impl FnMut(&Value) -> bool,
    ) -> Read<Looked<Value, u64>> {
        let before = before.map(|before| key::feed(tenant, before));
        self.look_back(Table::Feed, tenant, before, texts, limits, wanted)
    }

    /// The same of the audit log.
    pub fn audit_back(
        &self,
        tenant: TenantKey,
        before: Option<u64>,
        texts: &Texts,
        limits: (usize, usize),
        wanted: impl FnMut(&Value) -> bool,
    ) -> Read<Looked<Value, u64>> {
        let before = before.map(|before| key::audit(tenant, before));
        self.look_back(Table::Audit, tenant, before, texts, limits, wanted)
    }

    fn look_back(
        &self,
        table: Table,
        tenant: TenantKey,
        before: Option<Vec<u8>>,
        texts: &Texts,
        (limit, rows_max): (usize, usize),
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Read<Looked<Value, u64>> {
        let mut range = Range::prefix(&Key::tenant(tenant).done());
        if let Some(before) = before {
            range = range.before(before);
        }
        let mut looked = Looked { found: Vec::new(), rows: 0, more_after: None };
        let (mut last, mut lower) = (None, Vec::new());
        self.scan(table, &range, Order::Descending, |key, payload| {
            if looked.found.len() >= limit || looked.rows >= rows_max {
                looked.more_after = last;
                return Ok(ControlFlow::Break(()));
            }
            looked.rows += 1;
            last = key.last_chunk::<8>().map(|number| u64::from_be_bytes(*number));
            // An audit entry's hash stands before its JSON.
            let hash_bytes = if table == Table::Audit { 32 } else { 0 };
            let json = payload.get(hash_bytes..).ok_or_else(|| damaged(table))?;
            if texts.may_be_in(json, &mut lower) {
                let entry = match table {
                    Table::Audit => audit_entry(payload)?,
                    _ => decode_json(table, payload)?,
                };
                if wanted(&entry) {
                    looked.found.push(entry);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(looked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_in(texts: &Texts, json: &str) -> bool {
        texts.may_be_in(json.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_row_without_the_texts_is_passed_over() {
        let texts = Texts::default().with("role", "loa\"nee").with_object("lock");
        assert!(may_be_in(&texts, r#"{"role":"loa\"nee","lock":{"by":"x"}}"#));
        assert!(!may_be_in(&texts, r#"{"role":"loa\"nee","lock":null}"#));
        assert!(!may_be_in(&texts, r#"{"role":"loanee","lock":{}}"#));
        assert!(may_be_in(&Texts::default().with_value("a"), r#"{"x":["a"]}"#));
    }

    #[test]
    fn a_text_in_any_case_is_found_and_what_only_folding_knows_is_never_passed_over() {
        let texts = Texts::default().with_folded("ada");
        assert!(may_be_in(&texts, r#"{"user_name":"ADA@x"}"#));
        assert!(!may_be_in(&texts, r#"{"user_name":"bob"}"#));
        assert!(may_be_in(&Texts::default().with_folded("kim"), "{\"user_name\":\"\u{212a}im\"}"));
        for special in ["stra\u{df}e", "a\"b", "a\\b", "a\tb"] {
            assert!(may_be_in(&Texts::default().with_folded(special), r#"{"x":"bob"}"#));
        }
    }
}
