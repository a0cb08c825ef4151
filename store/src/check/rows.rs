//! Marks, the feed, tokens and waves.

use access::wave::Wave;
use serde_json::Value;

use super::Check;
use crate::key::{self, TenantKey};
use crate::kv::ReadError;
use crate::record::{Mark, Marked};
use crate::snapshot::{decode_json, marked_of};
use crate::table::Table;
use crate::tenant::Token;

type Checked = Result<(), ReadError>;

impl Check<'_> {
    pub(super) fn mark(&mut self, tenant: TenantKey, key: &[u8], payload: &[u8]) -> Checked {
        let mark = Mark::decode(payload)?;
        let counters = self.live.get(&tenant).copied().flatten();
        if counters.is_some_and(|counters| mark.generation > counters.mark) {
            self.problem(Table::Marks, key, "its generation was never given");
        }
        let is_there = match marked_of(key) {
            Some(Marked::Tenant) => true,
            Some(Marked::User(user)) => self.has_account_or_user(tenant, user)?,
            Some(Marked::Group(group)) => self.has_group(tenant, group)?,
            None => false,
        };
        if !is_there {
            self.problem(Table::Marks, key, "what it is on does not exist");
        }
        Ok(())
    }

    pub(super) fn feed_entry(&mut self, tenant: TenantKey, key: &[u8], payload: &[u8]) -> Checked {
        let entry: Value = decode_json(Table::Feed, payload)?;
        let number = key.get(4..).and_then(|number| number.try_into().ok());
        let Some(number) = number.map(u64::from_be_bytes) else {
            self.problem(Table::Feed, key, "the key has a wrong length");
            return Ok(());
        };
        let last = self.feed.insert(tenant, number).unwrap_or_default();
        if number != last + 1 {
            self.problem(Table::Feed, key, &format!("the entry before it is {last}"));
        }
        if entry.get("seq").and_then(Value::as_u64) != Some(number) {
            self.problem(Table::Feed, key, "it says that it has another number");
        }
        Ok(())
    }

    pub(super) fn token(&mut self, key: &[u8], payload: &[u8]) -> Checked {
        let token: Token = decode_json(Table::Tokens, payload)?;
        if key::last_id(key).as_ref() != Some(token.id.as_bytes()) {
            self.problem(Table::Tokens, key, "it lies under another id");
        }
        Ok(())
    }

    pub(super) fn wave(&mut self, key: &[u8], payload: &[u8]) -> Checked {
        let wave: Wave = decode_json(Table::Waves, payload)?;
        if key::last_id(key).as_ref() != Some(wave.id.as_bytes()) {
            self.problem(Table::Waves, key, "it lies under another id");
        }
        Ok(())
    }
}
