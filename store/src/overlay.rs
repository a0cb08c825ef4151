//! An overlay: writes that are not on disk yet, seen as if they were.
//!
//! The writer plans many changes against one view of the disk. Each is planned in an overlay of
//! its own, which is thrown away if the change is refused and laid onto the batch's if not. So
//! one refused change cannot leave a trace, rows that many changes write are written once, and
//! what reaches the backend is sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};

use crate::kv::{Order, Range, RawView, ReadError, Writes};
use crate::record;
use crate::table::Table;

/// Payloads by table and key; none is a deletion.
type Layer = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

/// A key and its payload.
type Pair = (Vec<u8>, Vec<u8>);

pub(crate) struct Overlay<'a> {
    base: &'a dyn RawView,
    batch: Layer,
    change: Layer,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(base: &'a dyn RawView) -> Self {
        Self { base, batch: Layer::new(), change: Layer::new() }
    }

    /// The payload at `key`, as the current change sees it.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let place = (table, key.to_vec());
        if let Some(written) = self.change.get(&place).or_else(|| self.batch.get(&place)) {
            return Ok(written.clone());
        }
        let Some(sealed) = self.base.get(table, key)? else { return Ok(None) };
        record::open(table, key, &sealed).map(|payload| Some(payload.to_vec()))
    }

    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, payload: Vec<u8>) {
        self.change.insert((table, key), Some(payload));
    }

    pub(crate) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.change.insert((table, key), None);
    }

    /// All pairs whose key starts with `prefix`, in key order, at most `limit`.
    pub(crate) fn with_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Pair>, ReadError> {
        let mut pairs: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for layer in [&self.batch, &self.change] {
            let written = layer.range((table, prefix.to_vec())..);
            let inside =
                written.take_while(|((at, key), _)| *at == table && key.starts_with(prefix));
            pairs.extend(inside.map(|((_, key), payload)| (key.clone(), payload.clone())));
        }
        let mut damaged = None;
        // Rows not on disk yet do not count: they may lie behind rows of the disk, and which ones
        // are "the first" must not depend on what else is in the batch.
        let mut found = 0;
        self.base.scan(table, &Range::prefix(prefix), Order::Ascending, &mut |key, sealed| {
            if found >= limit {
                return ControlFlow::Break(());
            }
            if !pairs.contains_key(key) {
                match record::open(table, key, sealed) {
                    Ok(payload) => {
                        pairs.insert(key.to_vec(), Some(payload.to_vec()));
                        found += 1;
                    }
                    Err(error) => {
                        damaged = Some(error);
                        return ControlFlow::Break(());
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = damaged {
            return Err(error);
        }
        let kept = pairs.into_iter().filter_map(|(key, payload)| Some((key, payload?)));
        Ok(kept.take(limit).collect())
    }

    /// Deletes rows whose key starts with `prefix`, at most `limit`, and answers how many. Their
    /// values are not looked at, so that a damaged one can be deleted too.
    pub(crate) fn delete_prefix(
        &mut self,
        table: Table,
        prefix: &[u8],
        limit: usize,
    ) -> Result<usize, ReadError> {
        let mut keys = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for layer in [&self.batch, &self.change] {
            let written = layer.range((table, prefix.to_vec())..);
            let inside =
                written.take_while(|((at, key), _)| *at == table && key.starts_with(prefix));
            for ((_, key), payload) in inside {
                let (to, from) =
                    if payload.is_some() { (&mut keys, &mut gone) } else { (&mut gone, &mut keys) };
                from.remove(key);
                to.insert(key.clone());
            }
        }
        // As above: rows not on disk yet do not count.
        let mut found = 0;
        self.base.scan(table, &Range::prefix(prefix), Order::Ascending, &mut |key, _| {
            if found >= limit {
                return ControlFlow::Break(());
            }
            if !gone.contains(key) {
                keys.insert(key.to_vec());
                found += 1;
            }
            ControlFlow::Continue(())
        })?;
        let deleted = keys.len().min(limit);
        for key in keys.into_iter().take(limit) {
            self.delete(table, key);
        }
        Ok(deleted)
    }

    /// Deletes rows whose key starts with `prefix` and comes no later than `last`, at most `limit`
    /// of those on disk. Answers the last that goes, if there are more. Values are not looked at.
    pub(crate) fn delete_upto(
        &mut self,
        table: Table,
        prefix: &[u8],
        last: &[u8],
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let mut range = Range::prefix(prefix);
        range.to = Bound::Included(last.to_vec());
        let mut keys = Vec::new();
        self.base.scan(table, &range, Order::Ascending, &mut |key, _| {
            keys.push(key.to_vec());
            if keys.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let last = keys.last().filter(|_| more).cloned();
        for key in keys {
            self.delete(table, key);
        }
        Ok(last)
    }

    /// Makes the current change part of the batch.
    pub(crate) fn keep_change(&mut self) {
        // Not `append`, which goes through the whole batch for each change.
        self.batch.extend(std::mem::take(&mut self.change));
    }

    /// Forgets the current change.
    pub(crate) fn drop_change(&mut self) {
        self.change.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The batch, sealed and in order.
    pub(crate) fn into_writes(self) -> Writes {
        let seal = |((table, key), payload): ((Table, Vec<u8>), Option<Vec<u8>>)| {
            let sealed = payload.map(|payload| record::seal(table, &key, payload));
            (table, key, sealed)
        };
        self.batch.into_iter().map(seal).collect()
    }
}
