//! The plan: a changeset becomes rows.
//!
//! [`Planner::plan`] is called by the writer for one changeset after the other, each seeing what
//! those before it wrote. Whatever a changeset depends on (is the name free, is this value a user
//! that we know, is the mark still the one that was read) is looked up here, inside the
//! transaction, so that nothing can come in between.

pub(crate) mod audit;
mod documents;
mod members;
mod requests;
mod resources;
pub(crate) mod tenants;
#[cfg(test)]
mod tests;

use access::{Account, Author, Event};
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::changeset::{Changeset, Committed, Operation, Refusal, Requirement};
use crate::key::{self, TenantKey};
use crate::kv::{RawView, ReadError, Writes};
use crate::overlay::Overlay;
use crate::record::{Counters, Mark, Marked};
use crate::snapshot::{decode_json, encode_json, mark_key};
use crate::table::Table;

/// Why a change was not planned: refused by a rule, or the base could not be read.
#[derive(Debug)]
pub(crate) enum PlanError {
    Refused(Refusal),
    Unavailable(String),
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ReadError> for PlanError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { table } => Self::Refused(Refusal::Damaged { table }),
            ReadError::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

type Planned<T> = Result<T, PlanError>;

/// Plans the changes of one transaction.
pub(crate) struct Planner<'a> {
    overlay: Overlay<'a>,
}

/// One changeset being planned.
struct Change<'p, 'a> {
    overlay: &'p mut Overlay<'a>,
    tenant: TenantKey,
    now: Timestamp,
    wave: Option<access::WaveId>,
    author: Author,
    counters: Counters,
    committed: Committed,
    /// What the audit log says of it.
    audit: Vec<audit::Changed>,
    /// Whether the change has deleted its own tenant.
    is_deleted: bool,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(base: &'a dyn RawView) -> Self {
        Self { overlay: Overlay::new(base) }
    }

    /// Adds a changeset to the transaction, or refuses it without a trace.
    pub(crate) fn plan(&mut self, changeset: Changeset) -> Planned<Committed> {
        let planned = Change::plan(&mut self.overlay, changeset);
        if planned.is_ok() {
            self.overlay.keep_change();
        } else {
            self.overlay.drop_change();
        }
        planned
    }

    /// Forgets a change whose planning broke off.
    pub(crate) fn abandon(&mut self) {
        self.overlay.drop_change();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.overlay.is_empty()
    }

    pub(crate) fn into_writes(self) -> Writes {
        self.overlay.into_writes()
    }
}

impl<'p, 'a> Change<'p, 'a> {
    fn plan(overlay: &'p mut Overlay<'a>, changeset: Changeset) -> Planned<Committed> {
        let Changeset { tenant, now, wave, author, require, operations } = changeset;
        let counters = load_counters(overlay, tenant)?;
        let committed = Committed::default();
        let mut change = Change {
            overlay,
            tenant,
            now,
            wave,
            author,
            counters,
            committed,
            audit: Vec::new(),
            is_deleted: false,
        };
        for requirement in &require {
            change.check(requirement)?;
        }
        for operation in operations {
            change.apply(operation)?;
        }
        change.write_audit()?;
        if change.counters != counters && !change.is_deleted {
            let key = key::Key::tenant(tenant).done();
            let payload = change.counters.encode();
            change.overlay.put(Table::Counters, key, payload);
        }
        if change.counters.feed != counters.feed {
            change.committed.feed = Some(change.counters.feed);
        }
        Ok(change.committed)
    }

    fn check(&self, requirement: &Requirement) -> Planned<()> {
        match requirement {
            Requirement::Config(revision) if *revision != self.counters.config => {
                Err(Refusal::ConfigMoved.into())
            }
            Requirement::GroupNames(revision) if *revision != self.counters.names => {
                Err(Refusal::ConfigMoved.into())
            }
            Requirement::Settings(revision) if *revision != self.counters.settings => {
                Err(Refusal::ConfigMoved.into())
            }
            Requirement::Config(_) | Requirement::Settings(_) | Requirement::GroupNames(_) => {
                Ok(())
            }
            Requirement::UserMark { user, generation } => {
                let mark = self.mark_of(Marked::User(*user))?;
                if mark.map(|mark| mark.generation) == *generation {
                    Ok(())
                } else {
                    Err(Refusal::MarkMoved.into())
                }
            }
            Requirement::HasRole { user, role } => self.check_role(*user, role),
            Requirement::Document { collection, key, revision } => {
                self.check_document(*collection, key, *revision)
            }
        }
    }

    fn apply(&mut self, operation: Operation) -> Planned<()> {
        match operation {
            Operation::PutUser { id, expected, record } => self.put_user(id, expected, record),
            Operation::DeleteUser { id, expected } => self.delete_user(id, expected),
            Operation::PutGroup { id, expected, record } => self.put_group(id, expected, record),
            Operation::DeleteGroup { id, expected } => self.delete_group(id, expected),
            Operation::ChangeMembers { group, expected, changes } => {
                self.change_members(group, expected, changes)
            }
            Operation::PutAccount(account) => self.put_account(&account),
            Operation::Mark(marked) => self.mark(marked, false),
            Operation::ClearMark { marked, generation } => self.clear_mark(marked, generation),
            Operation::PutConfig { settings, bindings } => self.put_config(*settings, bindings),
            Operation::PutWave(wave) => {
                let payload = encode_json(Table::Waves, &*wave)?;
                self.overlay.put(Table::Waves, key::wave(self.tenant, wave.id), payload);
                Ok(())
            }
            Operation::Tell(event) => self.tell(&event),
            Operation::CreateTenant { id, name, token } => self.create_tenant(id, name, &token),
            Operation::DeleteTenant { id } => self.delete_tenant(&id),
            Operation::Purge { tenant, rows_max } => self.purge(tenant, rows_max),
            Operation::PutToken(token) => self.put_token(self.tenant, &token),
            Operation::DeleteToken(id) => self.delete_token(id),
            Operation::ExpireToken { token, at } => self.expire_token(token, at),
            Operation::PutOperatorToken(hash) => {
                self.overlay.put(Table::Meta, tenants::OPERATOR_TOKEN.to_vec(), hash.to_vec());
                self.audit.push(audit::Changed::new("operator_token", ""));
                Ok(())
            }
            Operation::PutDocument { collection, key, json } => {
                self.put_document(collection, &key, json)
            }
            Operation::DeleteDocument { collection, key } => self.delete_document(collection, &key),
            Operation::ExpireParked { group, value } => self.expire_parked(group, &value),
            Operation::ForgetAccount(user) => self.forget_account(user),
            Operation::ForgetWave(wave) => {
                self.overlay.delete(Table::Waves, key::wave(self.tenant, wave));
                Ok(())
            }
            Operation::Trim { log, last, rows_max } => self.trim(log, last, rows_max),
            Operation::PutRequests(block) => {
                self.put_requests(&block);
                Ok(())
            }
            Operation::TrimRequests { last, blocks_max } => self.trim_requests(last, blocks_max),
        }
    }

    fn put_account(&mut self, account: &Account) -> Planned<()> {
        let key = key::user(self.tenant, account.id);
        let before = self.overlay.get(Table::Accounts, &key)?;
        let kept = before.as_deref().map_or(Ok(0), crate::record::account_revision)?;
        if kept != account.revision {
            return Err(Refusal::RevisionMoved.into());
        }
        let mut payload = (kept + 1).to_le_bytes().to_vec();
        payload.extend(encode_json(Table::Accounts, account)?);
        self.audit_account(account, before.as_deref())?;
        self.overlay.put(Table::Accounts, key, payload);
        Ok(())
    }

    fn mark_of(&self, marked: Marked) -> Planned<Option<Mark>> {
        let payload = self.overlay.get(Table::Marks, &mark_key(self.tenant, marked))?;
        Ok(payload.as_deref().map(Mark::decode).transpose()?)
    }

    /// Makes or renews a mark. The first touch stays, so that nobody waits for ever in a wave
    /// that goes on; so does the request, unless this one `decides` about memberships.
    fn mark(&mut self, marked: Marked, decides: bool) -> Planned<()> {
        let before = self.mark_of(marked)?;
        self.counters.mark += 1;
        let kept = before.and_then(|mark| mark.request).filter(|_| !decides);
        let mark = Mark {
            generation: self.counters.mark,
            first_touched: before.map_or(self.now, |mark| mark.first_touched),
            wave: self.wave,
            request: kept.or(self.author.request),
        };
        self.overlay.put(Table::Marks, mark_key(self.tenant, marked), mark.encode());
        Ok(())
    }

    fn clear_mark(&mut self, marked: Marked, generation: u64) -> Planned<()> {
        if self.mark_of(marked)?.is_some_and(|mark| mark.generation == generation) {
            self.overlay.delete(Table::Marks, mark_key(self.tenant, marked));
        }
        Ok(())
    }

    /// Appends to the feed. The number is given here, under the one writer, so that a reader who
    /// sees an entry has seen all before it.
    fn tell(&mut self, event: &Event) -> Planned<()> {
        self.counters.feed += 1;
        let sequence = self.counters.feed;
        let entry = FeedEntry { sequence, at: self.now, event };
        let payload = encode_json(Table::Feed, &entry)?;
        self.overlay.put(Table::Feed, key::feed(self.tenant, sequence), payload);
        Ok(())
    }

    fn load_json<T: serde::de::DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> Planned<Option<T>> {
        let payload = self.overlay.get(table, key)?;
        Ok(payload.as_deref().map(|payload| decode_json(table, payload)).transpose()?)
    }
}

/// An entry of the feed, as it is kept and shown.
struct FeedEntry<'a> {
    sequence: u64,
    at: Timestamp,
    event: &'a Event,
}

impl Serialize for FeedEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { sequence, at, event } = self;
        let mut entry = serializer.serialize_map(None)?;
        entry.serialize_entry("seq", sequence)?;
        entry.serialize_entry(
            "id",
            &format_args!("evt_{:011x}{sequence:08x}", at.as_millisecond()),
        )?;
        entry.serialize_entry("type", event.kind.as_str())?;
        entry.serialize_entry("at", &format_args!("{at:.3}"))?;
        for (name, value) in &event.data {
            entry.serialize_entry(name, value)?;
        }
        entry.end()
    }
}

fn load_counters(overlay: &Overlay<'_>, tenant: TenantKey) -> Planned<Counters> {
    match overlay.get(Table::Counters, &key::Key::tenant(tenant).done())? {
        Some(payload) => Ok(Counters::decode(&payload)?),
        // What belongs to no tenant is counted from its first change on.
        None if tenant == TenantKey::SERVICE => Ok(Counters::default()),
        None => Err(Refusal::NoTenant.into()),
    }
}
