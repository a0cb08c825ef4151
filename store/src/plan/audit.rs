//! The audit log: what each change did to what, by whom.
//!
//! An entry is made here, in the transaction, out of the rows that really change: nobody who
//! changes something can forget it, and no change is kept without its entry. Entries continue each
//! other: each carries the SHA-256 of itself and the hash of the one before, so that one that was
//! altered or taken out shows.

use access::{Account, GroupId, UserId, WaveId};
use scim::raw_object::RawObject;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Change, PlanError, Planned};
use crate::document::{Collection, DocumentKey};
use crate::hex::Hex;
use crate::key;
use crate::kv::ReadError;
use crate::table::Table;

/// Members that one entry names; the counts tell of the rest.
const NAMED_MAX: usize = 1_000;

/// What became of one thing. Of something that stays, only what differs.
#[derive(Serialize)]
pub(super) struct Changed {
    object: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    seq: u64,
    at: String,
    actor: &'a access::Author,
    request: Option<access::RequestId>,
    wave: Option<WaveId>,
    changes: &'a [Changed],
}

impl Changed {
    pub(super) fn new(object: &'static str, id: impl Into<String>) -> Self {
        Self { object, id: id.into(), before: None, after: None }
    }

    pub(super) fn before(mut self, value: &Value) -> Self {
        self.before = to_raw_value(value).ok();
        self
    }

    pub(super) fn after(mut self, value: &Value) -> Self {
        self.after = to_raw_value(value).ok();
        self
    }
}

impl Change<'_, '_> {
    /// Writes the change's entry, if it changed anything that is audited.
    pub(super) fn write_audit(&mut self) -> Planned<()> {
        if self.audit.is_empty() || self.is_deleted {
            return Ok(());
        }
        self.counters.audit += 1;
        let entry = Entry {
            seq: self.counters.audit,
            at: format!("{:.3}", self.now),
            actor: &self.author,
            request: self.author.request,
            wave: self.wave,
            changes: &self.audit,
        };
        let json = crate::snapshot::encode_json(Table::Audit, &entry)?;
        let hash = chained(&self.counters.audit_hash, &json);
        self.counters.audit_hash = hash;
        let mut payload = hash.to_vec();
        payload.extend(json);
        self.overlay.put(Table::Audit, key::audit(self.tenant, self.counters.audit), payload);
        Ok(())
    }

    /// A resource or a document was put or deleted: both as JSON objects.
    pub(super) fn audit_json(
        &mut self,
        object: &'static str,
        id: String,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        secret_keys: &[&str],
    ) -> Planned<()> {
        let mut changed = Changed::new(object, id);
        match (before, after) {
            // What comes or goes stands there whole, and need not be taken apart.
            (None, Some(json)) if secret_keys.is_empty() => changed.after = Some(raw(json)?),
            (Some(json), None) if secret_keys.is_empty() => changed.before = Some(raw(json)?),
            (before, after) => {
                let is_new_or_gone = before.is_none() || after.is_none();
                let mut before = before.map(attributes).transpose()?.unwrap_or_default();
                let mut after = after.map(attributes).transpose()?.unwrap_or_default();
                if !is_new_or_gone {
                    before.keep_differences(&mut after);
                }
                if before.0.is_empty() && after.0.is_empty() {
                    return Ok(());
                }
                let hidden = to_raw_value("(secret)").map_err(|_| damaged())?;
                for side in [&mut before, &mut after] {
                    redact(side, secret_keys, &hidden);
                }
                changed.before = whole(&before)?;
                changed.after = whole(&after)?;
            }
        }
        self.audit.push(changed);
        Ok(())
    }

    pub(super) fn audit_document(
        &mut self,
        collection: Collection,
        key: &DocumentKey,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Planned<()> {
        let named: Option<Value> =
            after.or(before).and_then(|json| serde_json::from_slice(json).ok());
        let id = named.as_ref().and_then(|json| json.get("id")).and_then(Value::as_str);
        let id = id.map_or_else(|| Hex(key.as_bytes()).to_string(), str::to_owned);
        self.audit_json(collection.name(), id, before, after, collection.secret_keys())
    }

    /// An account changed: its access, that is. What else it shows is its user's, who has an entry.
    pub(super) fn audit_account(
        &mut self,
        account: &Account,
        before: Option<&[u8]>,
    ) -> Planned<()> {
        let mut before = before.map(access_of).transpose()?.unwrap_or_default();
        let shown = access_shown(account)?;
        let after = shown.iter().map(|(key, value)| ((*key).into(), &**value));
        let mut after = RawObject(after.collect());
        before.keep_differences(&mut after);
        if before.0.is_empty() && after.0.is_empty() {
            return Ok(());
        }
        let mut changed = Changed::new("account", account.id.to_string());
        changed.before = whole(&before)?;
        changed.after = whole(&after)?;
        self.audit.push(changed);
        Ok(())
    }

    pub(super) fn audit_forgotten_account(&mut self, user: UserId, payload: &[u8]) -> Planned<()> {
        // Not what it showed of a person, which is what goes here.
        let mut before = attributes(payload.get(8..).unwrap_or_default())?;
        before.0.retain(|(key, _)| key == "status" || key == "status_since");
        let mut changed = Changed::new("account", user.to_string());
        changed.before = whole(&before)?;
        self.audit.push(changed);
        Ok(())
    }

    /// A tenant's settings changed: those that did.
    pub(super) fn audit_settings(&mut self, before: Option<&[u8]>, after: &[u8]) -> Planned<()> {
        fn settings(json: &[u8]) -> Planned<RawObject<'_>> {
            let settings = attributes(json)?.get("settings").ok_or_else(damaged)?;
            attributes(settings.get().as_bytes())
        }
        let mut before = before.map(settings).transpose()?.unwrap_or_default();
        let mut after = settings(after)?;
        before.keep_differences(&mut after);
        if !before.0.is_empty() || !after.0.is_empty() {
            let mut changed = Changed::new("settings", "");
            changed.before = whole(&before)?;
            changed.after = whole(&after)?;
            self.audit.push(changed);
        }
        Ok(())
    }

    /// Users, groups and values that joined or left a group.
    pub(super) fn audit_members(
        &mut self,
        group: GroupId,
        joined: &[String],
        left: &[String],
        parked: &[String],
        unparked: &[String],
    ) {
        let users = |users: &[String]| users.iter().take(NAMED_MAX).cloned().collect();
        let side = |members: Vec<String>, count: usize, parked: &[String]| {
            let named: Vec<&String> = parked.iter().take(NAMED_MAX).collect();
            json!({"members": members, "members_count": count, "parked": named})
        };
        let is_empty = |users: &[String], values: &[String]| users.is_empty() && values.is_empty();
        let mut changed = Changed::new("group", group.to_string());
        if !is_empty(left, unparked) {
            changed = changed.before(&side(users(left), left.len(), unparked));
        }
        if !is_empty(joined, parked) {
            changed = changed.after(&side(users(joined), joined.len(), parked));
        }
        if changed.before.is_some() || changed.after.is_some() {
            self.audit.push(changed);
        }
    }
}

/// The hash of an entry that follows one with the hash `previous`.
pub(crate) fn chained(previous: &[u8; 32], json: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(previous).chain_update(json).finalize().into()
}

fn damaged() -> PlanError {
    ReadError::Damaged { table: Table::Audit.name() }.into()
}

fn attributes(json: &[u8]) -> Planned<RawObject<'_>> {
    serde_json::from_slice(json).map_err(|_| damaged())
}

/// What an account says of its access; the rest is its user's.
const ACCESS: [(&str, Access); 5] = [
    ("status", |account| to_raw_value(&account.status)),
    ("role", |account| to_raw_value(&account.role)),
    ("lock", |account| to_raw_value(&account.lock)),
    ("why", |account| to_raw_value(&account.why)),
    ("withheld", |account| to_raw_value(&account.withheld)),
];

type Access = fn(&Account) -> serde_json::Result<Box<RawValue>>;

fn access_shown(account: &Account) -> Planned<Vec<(&'static str, Box<RawValue>)>> {
    let mut all = Vec::with_capacity(ACCESS.len());
    for (key, of) in ACCESS {
        let value = of(account).map_err(|_| damaged())?;
        if value.get() != "null" {
            all.push((key, value));
        }
    }
    Ok(all)
}

/// The same, from the account's row.
fn access_of(payload: &[u8]) -> Planned<RawObject<'_>> {
    let mut all = attributes(payload.get(8..).unwrap_or_default())?;
    let is_access = |key: &str| ACCESS.iter().any(|(known, _)| *known == key);
    all.0.retain(|(key, value)| is_access(key) && value.get() != "null");
    Ok(all)
}

fn raw(json: &[u8]) -> Planned<Box<RawValue>> {
    serde_json::from_slice(json).map_err(|_| damaged())
}

fn whole(attributes: &RawObject<'_>) -> Planned<Option<Box<RawValue>>> {
    if attributes.0.is_empty() {
        return Ok(None);
    }
    to_raw_value(attributes).map(Some).map_err(|_| damaged())
}

fn redact<'a>(attributes: &mut RawObject<'a>, secret_keys: &[&str], hidden: &'a RawValue) {
    for (_, value) in attributes.0.iter_mut().filter(|(name, _)| secret_keys.contains(&&**name)) {
        *value = hidden;
    }
}

#[cfg(test)]
mod tests {
    use access::{Lock, Status, Withheld, WithheldReason};

    use super::*;
    use crate::conformance::fixture;

    /// Both sides of an entry are compared as texts, and come from different places.
    #[test]
    fn an_account_says_the_same_of_its_access_as_its_row() {
        let mut account = fixture::account(fixture::user(1), Status::Active, 3);
        let plain = account.clone();
        account.role = Some("editor \u{fc} \"".into());
        account.lock = Some(Lock {
            role: "admin".into(),
            reason: Some("on call".into()),
            by: "operator".into(),
            since: fixture::at(1),
            expires_at: Some(fixture::at(2)),
        });
        account.withheld = Some(Withheld {
            reason: WithheldReason::LastProtected,
            hold: None,
            role: "guest".into(),
            since: fixture::at(3),
            decided_on: u64::MAX,
        });
        account.why.mapping = Some(3);
        account.why.group = Some("Editors".into());
        account.why.wave = Some(fixture::wave(1));
        for account in [plain, account] {
            let mut row = 3_u64.to_le_bytes().to_vec();
            row.extend(serde_json::to_vec(&account).unwrap());

            let shown = access_shown(&account).unwrap();
            assert!(!shown.is_empty());
            let shown = shown.iter().map(|(key, value)| ((*key).into(), &**value));
            let mut shown = RawObject(shown.collect());
            let mut kept = access_of(&row).unwrap();
            kept.keep_differences(&mut shown);
            assert!(kept.0.is_empty() && shown.0.is_empty(), "{kept:?}, {shown:?}");
        }
    }
}
