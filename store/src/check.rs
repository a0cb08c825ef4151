//! The integrity check: whether all that is kept fits together.
//!
//! Every record of every table is verified and decoded, and every fact that is kept twice is
//! compared: names, external ids and records; members and memberships; counts and what they count;
//! the feed and its last number; marks and what they are on; users and accounts. It reads one
//! [`Snapshot`], needs memory for a tenant's counters but not for its rows, and goes on after a
//! damaged record. What it finds is told by ids: no name, address or value of a customer is in it.
//!
//! Not here: redb's own pages, see [`crate::RedbStore::check_pages`]; repair.

mod resources;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;

use crate::hex::Hex;
use crate::key::{Key, TenantKey};
use crate::kv::ReadError;
use crate::plan::tenants as meta;
use crate::record::Counters;
use crate::snapshot::{Snapshot, decode_json};
use crate::table::Table;
use crate::tenant::{StoredConfig, Tenant};

/// Problems that are told one by one; the rest is counted.
pub const PROBLEMS_TOLD_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows by table, damaged ones included.
    pub rows: Vec<(&'static str, u64)>,
    /// What is wrong, in words; at most [`PROBLEMS_TOLD_MAX`].
    pub problems: Vec<String>,
    /// How many problems there are.
    pub problems_total: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.problems_total == 0
    }
}

/// Checks everything that a snapshot holds.
pub fn check(snapshot: &Snapshot) -> Report {
    let mut check = Check {
        snapshot,
        report: Report::default(),
        live: BTreeMap::new(),
        purging: BTreeSet::new(),
        feed: BTreeMap::new(),
        audit: BTreeMap::new(),
        resources: BTreeMap::new(),
    };
    check.service();
    for table in Table::ALL {
        check.table(table);
    }
    check.totals();
    check.report
}

struct Check<'a> {
    snapshot: &'a Snapshot,
    report: Report,
    /// Tenants that exist; their counters, if they can be read.
    live: BTreeMap<TenantKey, Option<Counters>>,
    purging: BTreeSet<TenantKey>,
    /// The feed number seen last.
    feed: BTreeMap<TenantKey, u64>,
    /// The number and the hash of the audit entry seen last.
    audit: BTreeMap<TenantKey, (u64, [u8; 32])>,
    /// Users and groups counted.
    resources: BTreeMap<TenantKey, (u64, u64)>,
}

/// Where a row is, in words without anything of a customer's in them.
struct Place<'a>(Table, &'a [u8]);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(table, key) = self;
        write!(f, "{}", table.name())?;
        if !table.is_of_a_tenant() {
            return Ok(());
        }
        let Some((tenant, rest)) = key.split_first_chunk::<4>() else { return Ok(()) };
        write!(f, ", tenant {}", u32::from_be_bytes(*tenant))?;
        match table {
            Table::Feed | Table::Audit => match rest.try_into() {
                Ok(number) => write!(f, ", entry {}", u64::from_be_bytes(number)),
                Err(_) => Ok(()),
            },
            Table::Documents => write!(f, ", collection {}", Hex(rest.get(..1).unwrap_or(rest))),
            // A name, or what a client called a user, stands in these keys.
            Table::UserNames | Table::GroupNames | Table::ExternalIds | Table::Parked => Ok(()),
            Table::Members => write!(f, ", {}", Hex(rest.get(..16).unwrap_or(rest))),
            _ if rest.is_empty() => Ok(()),
            _ => write!(f, ", {}", Hex(rest)),
        }
    }
}

impl Check<'_> {
    fn problem(&mut self, table: Table, key: &[u8], what: &str) {
        self.report.problems_total += 1;
        if self.report.problems.len() < PROBLEMS_TOLD_MAX {
            self.report.problems.push(format!("{}: {what}", Place(table, key)));
        }
    }

    /// Learns which tenants there are, so that every other row can be held against them.
    fn service(&mut self) {
        let mut next_tenant = 1;
        let mut purging = BTreeSet::new();
        self.each(Table::Meta, |_, key, payload| {
            let number = key.strip_prefix(meta::PURGE).and_then(|number| number.try_into().ok());
            purging.extend(number.map(u32::from_be_bytes).map(TenantKey));
            if key == meta::NEXT_TENANT {
                next_tenant = payload.try_into().map_or(0, u32::from_le_bytes);
            }
        });
        self.purging = purging;
        self.each(Table::Tenants, |check, key, payload| {
            let Ok(tenant) = decode_json::<Tenant>(Table::Tenants, payload) else { return };
            if tenant.id.as_str().as_bytes() != key {
                check.problem(Table::Tenants, key, "a tenant lies under another id");
            }
            if tenant.key.0 >= next_tenant || check.purging.contains(&tenant.key) {
                check.problem(Table::Tenants, key, "a tenant has a number that is not its own");
            }
            let counters = check.snapshot.counters(tenant.key);
            if matches!(counters, Ok(None)) {
                check.problem(Table::Counters, &Key::tenant(tenant.key).done(), "missing");
            }
            if check.live.insert(tenant.key, counters.ok().flatten()).is_some() {
                check.problem(Table::Tenants, key, "two tenants have one number");
            }
            let config = check.snapshot.get(Table::Configs, &Key::tenant(tenant.key).done());
            if matches!(config, Ok(None)) {
                check.problem(Table::Configs, &Key::tenant(tenant.key).done(), "missing");
            }
        });
    }

    /// Visits the good rows of a table, and says nothing of the others.
    fn each(&mut self, table: Table, mut visit: impl FnMut(&mut Self, &[u8], &[u8])) {
        let snapshot = self.snapshot;
        // That it cannot be read is said when the table is checked.
        let _ = snapshot.pairs(table, &mut |key, payload| {
            if let Ok(payload) = payload {
                visit(self, key, payload);
            }
            ControlFlow::Continue(())
        });
    }

    fn table(&mut self, table: Table) {
        let mut rows = 0;
        let snapshot = self.snapshot;
        let read = snapshot.pairs(table, &mut |key, payload| {
            rows += 1;
            match payload {
                Ok(payload) => self.row(table, key, payload),
                Err(_) => self.problem(table, key, "the record is damaged"),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = read {
            let reason = format!("the table cannot be read to its end: {error}");
            self.problem(table, &[], &reason);
        }
        self.report.rows.push((table.name(), rows));
    }

    fn row(&mut self, table: Table, key: &[u8], payload: &[u8]) {
        if !table.is_of_a_tenant() {
            return self.row_of_the_service(table, key, payload);
        }
        let Some(tenant) =
            key.first_chunk::<4>().map(|number| TenantKey(u32::from_be_bytes(*number)))
        else {
            return self.problem(table, key, "the key is too short");
        };
        if self.purging.contains(&tenant) {
            return;
        }
        let is_the_service = tenant == TenantKey::SERVICE
            && matches!(table, Table::Audit | Table::Counters | Table::Documents);
        if !self.live.contains_key(&tenant) && !is_the_service {
            return self.problem(table, key, "there is no such tenant");
        }
        let checked = match table {
            Table::Configs => decode_json::<StoredConfig>(table, payload).map(drop),
            Table::Counters => Counters::decode(payload).map(drop),
            Table::Users | Table::Groups => self.resource(tenant, table, key, payload),
            Table::UserNames | Table::GroupNames => self.name(table, key, payload),
            Table::ExternalIds => self.external_id(key),
            Table::Members => self.member(tenant, key, payload),
            Table::Memberships => self.membership(tenant, key),
            Table::Parked => self.parked(tenant, key),
            Table::Accounts => self.account(key, payload),
            Table::Marks => self.mark(tenant, key, payload),
            Table::Feed => self.feed_entry(tenant, key, payload),
            Table::Tokens => self.token(key, payload),
            Table::Waves => self.wave(key, payload),
            Table::Audit => self.audit_entry(tenant, key, payload),
            Table::Documents => self.document(key, payload),
            Table::Requests => self.requests(tenant, key, payload),
            Table::Meta | Table::Tenants => Ok(()),
        };
        match checked {
            Ok(()) => {}
            // Another record, which is told of at its own place.
            Err(ReadError::Damaged { table: of }) if of != table.name() => {}
            Err(ReadError::Damaged { .. }) => self.problem(table, key, "cannot be decoded"),
            Err(error) => self.problem(table, key, &error.to_string()),
        }
    }

    fn row_of_the_service(&mut self, table: Table, key: &[u8], payload: &[u8]) {
        match table {
            Table::Tenants if decode_json::<Tenant>(table, payload).is_err() => {
                self.problem(table, key, "cannot be decoded");
            }
            Table::Meta => {
                let fits = match key {
                    meta::NEXT_TENANT => payload.len() == 4,
                    meta::OPERATOR_TOKEN => payload.len() == 32,
                    _ => true,
                };
                if !fits {
                    self.problem(table, key, "cannot be decoded");
                }
            }
            _ => {}
        }
    }

    /// Compares the end of an audit log with what the counters say of it.
    fn audit_total(&mut self, tenant: TenantKey, counters: Option<Counters>) {
        let counters = counters.unwrap_or_default();
        let kept = (counters.audit, counters.audit_hash);
        let trimmed = (counters.audit_trimmed, counters.audit_trimmed_hash);
        if self.audit.get(&tenant).copied().unwrap_or(trimmed) != kept {
            let key = Key::tenant(tenant).done();
            self.problem(Table::Counters, &key, "does not know the end of the audit log");
        }
    }

    /// Compares what was counted with what the counters say.
    fn totals(&mut self) {
        self.audit_total(
            TenantKey::SERVICE,
            self.snapshot.counters(TenantKey::SERVICE).ok().flatten(),
        );
        for (tenant, counters) in std::mem::take(&mut self.live) {
            self.audit_total(tenant, counters);
            let Some(counters) = counters else { continue };
            let key = Key::tenant(tenant).done();
            let (users, groups) = self.resources.get(&tenant).copied().unwrap_or_default();
            let feed = self.feed.get(&tenant).copied().unwrap_or(counters.feed_trimmed);
            for (what, counted, kept) in [
                ("users", users, counters.users),
                ("groups", groups, counters.groups),
                ("feed entries", feed, counters.feed),
            ] {
                if counted != kept {
                    let what = format!("counts {kept} {what}, there are {counted}");
                    self.problem(Table::Counters, &key, &what);
                }
            }
        }
    }
}
