//! Reading from redb: what fails or panics inside it becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use redb::{ReadOnlyTable, ReadTransaction};

use super::definition;
use crate::kv::{Order, Range, RawView, ReadError, Visit};
use crate::table::Table;

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A view of one state of the database. Should the database be opened anew meanwhile, it gives
/// an error, never a mixture of two states.
pub(super) struct RedbView {
    transaction: ReadTransaction,
    /// Tables that were read from: to find one again costs as much as to find a row in it.
    tables: [OnceLock<Box<Rows>>; Table::ALL.len()],
}

impl RedbView {
    pub(super) fn new(transaction: ReadTransaction) -> Self {
        Self { transaction, tables: [const { OnceLock::new() }; Table::ALL.len()] }
    }

    fn rows(&self, table: Table) -> Result<&Rows, ReadError> {
        let Some(rows) = self.tables.get(usize::from(table.number())) else {
            return Err(unavailable("there is no such table"));
        };
        if let Some(rows) = rows.get() {
            return Ok(rows);
        }
        let opened = self.transaction.open_table(definition(table)).map_err(unavailable)?;
        Ok(rows.get_or_init(|| Box::new(opened)))
    }
}

/// A panic inside redb is a damaged page.
fn guarded<T>(table: Table, read: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(ReadError::Damaged { table: table.name() }))
}

fn unavailable(error: impl std::fmt::Display) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

impl RawView for RedbView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        guarded(table, || {
            let value = self.rows(table)?.get(key).map_err(unavailable)?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), ReadError> {
        if range.is_empty() {
            return Ok(());
        }
        guarded(table, || {
            let mut rows =
                self.rows(table)?.range::<&[u8]>(range.as_bounds()).map_err(unavailable)?;
            let next = || match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            for row in std::iter::from_fn(next) {
                let (key, value) = row.map_err(unavailable)?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
