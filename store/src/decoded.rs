//! Rows that are read again and again: who sends a request, and where to.
//!
//! A row is read and checked each time; only what its bytes mean is remembered. So nobody needs to
//! say when one has changed: other bytes are decoded anew.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;

use crate::kv::ReadError;
use crate::snapshot::decode_json;
use crate::table::Table;

/// Rows that are remembered: as many tokens as are in use at once, or more.
const ROWS_MAX: usize = 4_096;

/// What rows of one kind meant when they were read last.
pub struct Decoded<T> {
    rows: RwLock<HashMap<Vec<u8>, Row<T>>>,
}

struct Row<T> {
    payload: Vec<u8>,
    value: Arc<T>,
}

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        Self { rows: RwLock::default() }
    }
}

impl<T> std::fmt::Debug for Decoded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned> Decoded<T> {
    /// What the row at `key` means, whose payload this is.
    pub(crate) fn of(
        &self,
        table: Table,
        key: &[u8],
        payload: Vec<u8>,
    ) -> Result<Arc<T>, ReadError> {
        {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(row) = rows.get(key).filter(|row| row.payload == payload) {
                return Ok(Arc::clone(&row.value));
            }
        }
        let value = Arc::new(decode_json(table, &payload)?);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS_MAX {
            // Rare, and soon filled again: not worth remembering who was read when.
            rows.clear();
        }
        rows.insert(key.to_vec(), Row { payload, value: Arc::clone(&value) });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(decoded: &Decoded<String>, key: u32, text: &str) -> Arc<String> {
        let payload = serde_json::to_vec(text).unwrap();
        decoded.of(Table::Tokens, &key.to_be_bytes(), payload).unwrap()
    }

    #[test]
    fn a_row_that_changed_is_decoded_anew_and_one_that_did_not_is_not() {
        let decoded = Decoded::default();

        let first = of(&decoded, 1, "one");

        assert!(Arc::ptr_eq(&first, &of(&decoded, 1, "one")));
        assert_eq!(*of(&decoded, 2, "two"), "two");
        assert_eq!(*of(&decoded, 1, "changed"), "changed");
        assert!(decoded.of(Table::Tokens, &1_u32.to_be_bytes(), b"{".to_vec()).is_err());
        assert_eq!(*of(&decoded, 1, "one"), "one");
    }

    #[test]
    fn not_more_rows_are_remembered_than_may_be() {
        let decoded = Decoded::default();

        for key in 0..10_000 {
            of(&decoded, key, "same");
        }

        assert!(decoded.rows.read().unwrap().len() <= ROWS_MAX);
    }
}
