//! What a plan costs.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::conformance::fixture::{Fixture, add, new_group, value};
use crate::kv::{Order, Range, Visit};
use crate::memory::MemoryStore;

/// Counts how often the disk is asked.
#[derive(Default)]
struct Counting {
    rows: std::collections::BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    asked: AtomicUsize,
}

impl RawView for Counting {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.rows.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: &Range,
        _: Order,
        visit: Visit<'_>,
    ) -> Result<(), ReadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let bounds = range.as_bounds();
        for ((at, key), value) in &self.rows {
            let inside =
                *at == table && std::ops::RangeBounds::<[u8]>::contains(&bounds, key.as_slice());
            if inside && visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn the_last_change_of_a_batch_costs_what_the_second_did() {
    // The rows of a tenant with a group, and the changesets, are those of the suite.
    let memory = MemoryStore::default();
    let acme = Fixture::new(&memory, "acme");
    acme.apply([new_group(1, "Everybody")]);
    let mut view = Counting::default();
    for table in Table::ALL {
        for key in memory.keys(table) {
            let sealed = Cell::new(None);
            memory.tamper(table, key.clone(), |value| {
                sealed.set(value.clone());
                value
            });
            view.rows.insert((table, key), sealed.into_inner().unwrap());
        }
    }
    let mut planner = Planner::new(&view);
    let asked: Vec<usize> = (1..=1_024)
        .map(|number| {
            let before = view.asked.load(Ordering::Relaxed);
            let change = acme.new_user(number, &format!("user-{number}"), Some("same"));
            assert!(planner.plan(change.with(add(1, &[&value(number)]))).is_ok());
            view.asked.load(Ordering::Relaxed) - before
        })
        .collect();
    assert_eq!(asked.last(), asked.get(1));
    assert!(asked[1] < 16, "{} reads", asked[1]);
}
