//! The plain interface that a backend implements: ordered pairs of bytes, in tables.
//!
//! A backend knows nothing of users or roles, and the logic above knows nothing of the backend.

use std::ops::{Bound, ControlFlow};

use crate::table::Table;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A record fails its checksum or cannot be decoded: it is refused, never served.
    #[error("a record in table {table} is damaged")]
    Damaged {
        /// The table.
        table: &'static str,
    },
    /// The storage failed, or is being opened again.
    #[error("the storage cannot be read: {0}")]
    Unavailable(String),
}

/// Which keys a scan visits.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
}

impl Range {
    /// All keys that start with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        let to = match crate::key::after_prefix(prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        Self { from: Bound::Included(prefix.to_vec()), to }
    }

    /// The same, but only what comes after `key`.
    pub(crate) fn after(mut self, key: Vec<u8>) -> Self {
        self.from = Bound::Excluded(key);
        self
    }

    /// The same, but only what comes before `key`.
    pub(crate) fn before(mut self, key: Vec<u8>) -> Self {
        self.to = Bound::Excluded(key);
        self
    }

    pub(crate) fn all() -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// The bounds in the form that ordered maps take.
    pub(crate) fn as_bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice))
    }

    /// Whether no key can be in it; ordered maps panic on a range that ends before it starts.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Excluded(to) | Bound::Included(to),
            ) => from >= to,
            _ => false,
        }
    }
}

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// What a scan calls for each pair; it ends the scan with `Break`.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A consistent view of sealed pairs.
pub(crate) trait RawView: Send + Sync {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    fn scan(
        &self,
        table: Table,
        range: &Range,
        order: Order,
        visit: Visit<'_>,
    ) -> Result<(), ReadError>;
}

/// Pairs to write in one transaction, in key order within each table; none deletes.
pub(crate) type Writes = Vec<(Table, Vec<u8>, Option<Vec<u8>>)>;
