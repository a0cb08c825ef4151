//! What only the inside of the writer can test.

use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::conformance::fixture::{at, tenant_id, token};
use crate::kv::{Order, Range, Visit};
use crate::table::Table;
use crate::{Operation, TenantKey};

/// How long a test waits for the writer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Nothing was written yet.
struct Empty;

impl RawView for Empty {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }

    fn scan(&self, _: Table, _: &Range, _: Order, _: Visit<'_>) -> Result<(), ReadError> {
        Ok(())
    }
}

/// Says when a transaction begins, and lets it begin when it is told to.
struct Attended {
    begins: Sender<()>,
    go_on: Receiver<()>,
    /// How many tenants a transaction makes.
    written: Sender<usize>,
    fails: bool,
}

impl Backend for Attended {
    fn view(&self) -> Result<Arc<dyn RawView>, ReadError> {
        // Only the first is waited for.
        let _ = self.begins.send(());
        self.go_on.recv_timeout(WAIT_MAX).unwrap();
        Ok(Arc::new(Empty))
    }

    fn write(&mut self, writes: Writes) -> Result<(), WriteError> {
        let tenants = writes.iter().filter(|(table, ..)| *table == Table::Tenants);
        self.written.send(tenants.count()).unwrap();
        if self.fails { Err(WriteError::NotWritten("no room".into())) } else { Ok(()) }
    }

    fn reopen(&mut self) -> Result<(), String> {
        Ok(())
    }
}

fn create(tenant: &str) -> Changeset {
    Changeset::new(TenantKey::SERVICE, at(0), None).with(Operation::CreateTenant {
        id: tenant_id(tenant),
        name: tenant.to_uppercase(),
        token: Box::new(token(0)),
    })
}

/// A writer that has taken a change, and waits until it may begin to plan it.
struct Begun {
    writer: Writer,
    first: Reply,
    go: Sender<()>,
    writes: Receiver<usize>,
}

impl Begun {
    fn new(fails: bool) -> Self {
        let ((begins, began), (go, go_on)) = (channel(), channel());
        let (written, writes) = channel();
        let writer = Writer::start(Attended { begins, go_on, written, fails }).unwrap();
        let first = writer.submit(create("acme"));
        began.recv_timeout(WAIT_MAX).unwrap();
        Self { writer, first, go, writes }
    }
}

#[test]
fn what_is_handed_in_while_a_transaction_is_planned_goes_with_it() {
    let Begun { writer, first, go, writes } = Begun::new(false);
    let others = ["birch", "cedar"].map(|tenant| writer.submit(create(tenant)));
    go.send(()).unwrap();

    assert_eq!(writes.recv_timeout(WAIT_MAX), Ok(3));
    first.wait_blocking().unwrap();
    for other in others {
        other.wait_blocking().unwrap();
    }
    assert_eq!(writer.queue().changes, 0);
}

#[test]
fn no_transaction_is_larger_than_the_largest() {
    let Begun { writer, first, go, writes } = Begun::new(false);
    let others = (0..BATCH_MAX + 5).map(|number| writer.submit(create(&format!("t-{number}"))));
    let others: Vec<Reply> = others.collect();
    go.send(()).unwrap();
    go.send(()).unwrap();

    assert_eq!(writes.recv_timeout(WAIT_MAX), Ok(BATCH_MAX));
    assert_eq!(writes.recv_timeout(WAIT_MAX), Ok(6));
    first.wait_blocking().unwrap();
    for other in others {
        other.wait_blocking().unwrap();
    }
    assert_eq!(writer.queue().changes, 0);
}

#[test]
fn a_refusal_of_what_joined_is_told_only_if_what_it_rests_on_is_on_disk() {
    for fails in [false, true] {
        let Begun { writer, first, go, writes } = Begun::new(fails);
        let same = writer.submit(create("acme"));
        go.send(()).unwrap();

        assert_eq!(writes.recv_timeout(WAIT_MAX), Ok(1));
        let (first, same) = (first.wait_blocking(), same.wait_blocking());
        if fails {
            assert!(matches!(first, Err(CommitError::Unavailable(_))), "{first:?}");
            assert!(matches!(same, Err(CommitError::Unavailable(_))), "{same:?}");
        } else {
            first.unwrap();
            assert!(matches!(same, Err(CommitError::Refused(_))), "{same:?}");
        }
    }
}
