//! The memory backend: ordered maps, for tests.
//!
//! It runs the same plan as redb does and answers a change before `commit` returns, so that a
//! test with paused time never waits for another thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::changeset::{Changeset, CommitError};
use crate::kv::{Order, Range, RawView, ReadError, Visit};
use crate::plan::{PlanError, Planner};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::writer::Reply;
use crate::{Health, Store};

type Tables = BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Arc<Tables>>,
    failure: Mutex<Option<String>>,
}

impl MemoryStore {
    /// Refuses all changes from now on with this reason, or takes them again.
    pub fn fail(&self, reason: Option<&str>) {
        *lock(&self.failure) = reason.map(str::to_owned);
    }

    /// Changes a row behind everybody's back.
    #[cfg(test)]
    pub(crate) fn tamper(
        &self,
        table: Table,
        key: Vec<u8>,
        with: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>,
    ) {
        let mut tables = lock(&self.tables);
        let rows = Arc::make_mut(&mut tables).entry(table).or_default();
        let before = rows.remove(&key);
        if let Some(value) = with(before) {
            rows.insert(key, value);
        }
    }

    /// The keys of a table.
    #[cfg(test)]
    pub(crate) fn keys(&self, table: Table) -> Vec<Vec<u8>> {
        lock(&self.tables).get(&table).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    fn apply(&self, change: Changeset) -> Result<crate::Committed, CommitError> {
        if let Some(reason) = lock(&self.failure).clone() {
            return Err(CommitError::Unavailable(reason));
        }
        let mut tables = lock(&self.tables);
        let view = MemoryView(Arc::clone(&tables));
        let mut planner = Planner::new(&view);
        let committed = planner.plan(change).map_err(|error| match error {
            PlanError::Refused(refusal) => CommitError::Refused(refusal),
            PlanError::Unavailable(reason) => CommitError::Unavailable(reason),
        })?;
        let writes = planner.into_writes();
        drop(view);
        let tables = Arc::make_mut(&mut tables);
        for (table, key, value) in writes {
            let rows = tables.entry(table).or_default();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(committed)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::new(Arc::new(MemoryView(Arc::clone(&lock(&self.tables))))))
    }

    fn commit(&self, change: Changeset) -> Reply {
        Reply::ready(self.apply(change))
    }

    fn health(&self) -> Health {
        lock(&self.failure).clone().map_or(Health::Ready, Health::Unavailable)
    }
}

/// A poisoned lock still guards whole values: each is replaced in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct MemoryView(Arc<Tables>);

impl RawView for MemoryView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.0.get(&table).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), ReadError> {
        let Some(rows) = self.0.get(&table).filter(|_| !range.is_empty()) else { return Ok(()) };
        let mut rows = rows.range::<[u8], _>(range.as_bounds());
        let next = || match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        };
        for (key, value) in std::iter::from_fn(next) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
