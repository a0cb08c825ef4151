//! Reading from redb: what fails or panics inside it becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::ReadTransaction;

use super::definition;
use crate::kv::{Order, Range, RawView, ReadError, Visit};
use crate::table::Table;

/// A view of one state of the database. Should the database be opened anew meanwhile, it gives
/// an error, never a mixture of two states.
pub(super) struct RedbView(pub(super) ReadTransaction);

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
            let rows = self.0.open_table(definition(table)).map_err(unavailable)?;
            let value = rows.get(key).map_err(unavailable)?;
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
            let rows = self.0.open_table(definition(table)).map_err(unavailable)?;
            let mut rows = rows.range::<&[u8]>(range.as_bounds()).map_err(unavailable)?;
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
