//! Marks, the feed, tokens and waves.

use access::wave::Wave;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Check;
use crate::document::Collection;
use crate::key::{self, TenantKey};
use crate::kv::ReadError;
use crate::record::{Mark, Marked};
use crate::requests::{BlockFacts, BlockId, PART_BODIES, PART_FACTS};
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
        let counters = self.live.get(&tenant).copied().flatten();
        let trimmed = counters.map_or(0, |counters| counters.feed_trimmed);
        let last = self.feed.insert(tenant, number).unwrap_or(trimmed);
        if number != last + 1 {
            self.problem(Table::Feed, key, &format!("the entry before it is {last}"));
        }
        if entry.get("seq").and_then(Value::as_u64) != Some(number) {
            self.problem(Table::Feed, key, "it says that it has another number");
        }
        Ok(())
    }

    pub(super) fn audit_entry(&mut self, tenant: TenantKey, key: &[u8], payload: &[u8]) -> Checked {
        let damaged = || ReadError::Damaged { table: Table::Audit.name() };
        let (hash, json) = payload.split_first_chunk::<32>().ok_or_else(damaged)?;
        let number = key.get(4..).and_then(|number| number.try_into().ok());
        let Some(number) = number.map(u64::from_be_bytes) else {
            self.problem(Table::Audit, key, "the key has a wrong length");
            return Ok(());
        };
        let counters = match self.live.get(&tenant) {
            Some(counters) => *counters,
            None => self.snapshot.counters(tenant).ok().flatten(),
        };
        let trimmed = counters.map_or(0, |counters| counters.audit_trimmed);
        let before = self.audit.insert(tenant, (number, *hash));
        let trimmed_hash = counters.map_or([0; 32], |counters| counters.audit_trimmed_hash);
        let (last, hash_before) = before.unwrap_or((trimmed, trimmed_hash));
        if number != last + 1 {
            self.problem(Table::Audit, key, &format!("the entry before it is {last}"));
        }
        if crate::plan::audit::chained(&hash_before, json) != *hash {
            self.problem(Table::Audit, key, "it does not continue the entry before it");
        }
        Ok(())
    }

    pub(super) fn document(&mut self, key: &[u8], payload: &[u8]) -> Checked {
        let _: Box<RawValue> = decode_json(Table::Documents, payload)?;
        let collection = key.get(4).copied().and_then(Collection::from_number);
        if collection.is_none() {
            self.problem(Table::Documents, key, "there is no such collection");
        }
        Ok(())
    }

    /// Each block has both parts, and what the one says of the other is so.
    pub(super) fn requests(&mut self, tenant: TenantKey, key: &[u8], payload: &[u8]) -> Checked {
        let (whole, piece) = key.split_at_checked(21).unwrap_or((key, &[]));
        let has_piece = key.get(4) == Some(&PART_BODIES) && piece.len() == 2;
        let is_key = whole.len() == 21 && (piece.is_empty() || has_piece);
        let Some(block) = key::last_id(whole).map(BlockId::from_bytes).filter(|_| is_key) else {
            self.problem(Table::Requests, key, "the key has a wrong length");
            return Ok(());
        };
        match key.get(4) {
            Some(&PART_FACTS) => {
                let facts = BlockFacts::decode(payload)?;
                match self.snapshot.request_bodies(tenant, block) {
                    Ok(Some(bodies)) if facts.fits(&bodies) => {}
                    Ok(_) => self.problem(Table::Requests, key, "its bodies are missing"),
                    // A piece of them is missing, or damaged, which is told of at its own place too.
                    Err(_) => self.problem(Table::Requests, key, "its bodies cannot be read"),
                }
            }
            Some(&PART_BODIES) => {
                let facts = self
                    .snapshot
                    .get(Table::Requests, &key::requests(tenant, PART_FACTS, block.as_bytes()));
                if matches!(facts, Ok(None)) {
                    self.problem(Table::Requests, key, "nothing tells what it holds");
                }
            }
            _ => self.problem(Table::Requests, key, "there is no such part"),
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
