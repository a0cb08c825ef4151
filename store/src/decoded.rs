//! Rows that are read again and again: who sends a request, and where to.
//!
//! What a row's bytes mean is remembered, and in which view it was read last: there it is what it was.
//! In every other view it is read and checked again. So nobody needs to say when one has changed: other
//! bytes are decoded anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use serde::de::DeserializeOwned;

use crate::kv::{RawView, ReadError};
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
    /// Holds on to the place of the view, so that no other can be taken for it.
    read_in: Mutex<Weak<dyn RawView>>,
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
    /// What the row at `key` means, if it was read in this view last.
    pub(crate) fn read_in(&self, view: &Arc<dyn RawView>, key: &[u8]) -> Option<Arc<T>> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let row = rows.get(key)?;
        let read_in = row.read_in.lock().unwrap_or_else(PoisonError::into_inner);
        std::ptr::addr_eq(read_in.as_ptr(), Arc::as_ptr(view)).then(|| Arc::clone(&row.value))
    }

    /// What the row at `key` means, whose payload this is in this view.
    pub(crate) fn of(
        &self,
        table: Table,
        key: &[u8],
        payload: Vec<u8>,
        view: &Arc<dyn RawView>,
    ) -> Result<Arc<T>, ReadError> {
        let read_in = Arc::downgrade(view);
        {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(row) = rows.get(key).filter(|row| row.payload == payload) {
                *row.read_in.lock().unwrap_or_else(PoisonError::into_inner) = read_in;
                return Ok(Arc::clone(&row.value));
            }
        }
        let value = Arc::new(decode_json(table, &payload)?);
        let read_in = Mutex::new(read_in);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= ROWS_MAX {
            // Rare, and soon filled again: not worth remembering who was read when.
            rows.clear();
        }
        rows.insert(key.to_vec(), Row { payload, value: Arc::clone(&value), read_in });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Order, Range, Visit};

    /// A view in which nothing is looked up.
    struct NoRows;

    impl RawView for NoRows {
        fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
            Ok(None)
        }

        fn scan(&self, _: Table, _: &Range, _: Order, _: Visit<'_>) -> Result<(), ReadError> {
            Ok(())
        }
    }

    fn view() -> Arc<dyn RawView> {
        Arc::new(NoRows)
    }

    fn of(decoded: &Decoded<String>, key: u32, text: &str) -> Arc<String> {
        let payload = serde_json::to_vec(text).unwrap();
        decoded.of(Table::Tokens, &key.to_be_bytes(), payload, &view()).unwrap()
    }

    #[test]
    fn a_row_that_changed_is_decoded_anew_and_one_that_did_not_is_not() {
        let decoded = Decoded::default();

        let first = of(&decoded, 1, "one");

        assert!(Arc::ptr_eq(&first, &of(&decoded, 1, "one")));
        assert_eq!(*of(&decoded, 2, "two"), "two");
        assert_eq!(*of(&decoded, 1, "changed"), "changed");
        assert!(decoded.of(Table::Tokens, &1_u32.to_be_bytes(), b"{".to_vec(), &view()).is_err());
        assert_eq!(*of(&decoded, 1, "one"), "one");
    }

    #[test]
    fn a_row_is_known_without_being_read_only_in_the_view_that_it_was_read_in_last() {
        let (decoded, key) = (Decoded::<String>::default(), b"key");
        let (first, second) = (view(), view());
        let read = |view, text: &str| {
            let payload = serde_json::to_vec(text).unwrap();
            decoded.of(Table::Tokens, key, payload, view).unwrap()
        };

        assert_eq!(decoded.read_in(&first, key), None);
        read(&first, "one");
        assert_eq!(decoded.read_in(&first, key).as_deref().map(String::as_str), Some("one"));
        assert_eq!(decoded.read_in(&second, key), None);
        read(&second, "changed");
        assert_eq!(decoded.read_in(&second, key).as_deref().map(String::as_str), Some("changed"));
        assert_eq!(decoded.read_in(&first, key), None);
    }

    #[test]
    fn a_view_that_is_gone_is_not_taken_for_a_later_one() {
        let (decoded, key) = (Decoded::<String>::default(), b"key");
        for _ in 0..1_000 {
            let view = view();
            assert_eq!(decoded.read_in(&view, key), None);
            decoded.of(Table::Tokens, key, b"\"text\"".to_vec(), &view).unwrap();
        }
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
