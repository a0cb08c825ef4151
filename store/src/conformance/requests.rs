//! The request record.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use access::RequestId;
use access::exchange::{Captured, CapturedBody, Recorded, name_hash};
use access::redact::Redactor;
use jiff::Timestamp;

use super::fixture::Fixture;
use crate::requests::{BlockId, Packer, SealedBlock};
use crate::{Operation, Store};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// An exchange to put.
pub(crate) fn exchange(number: u8, user_name: &str) -> Recorded<'static> {
    let body = format!("{{\"userName\":\"{user_name}\"}}");
    let captured = Captured {
        id: RequestId::from_bytes([number; 16]),
        at: at(i64::from(number)),
        method: "POST",
        path: "/Users",
        query: None,
        user_agent: None,
        presented: "",
        token: None,
        wave: None,
        request: Some(CapturedBody::of(body.as_bytes(), 1_000)),
        status: Some(201),
        duration: Duration::from_millis(3),
        answer: None,
    };
    captured.redacted(&mut Redactor::default()).into_owned()
}

/// Exchanges whose bodies take some rows: hashes, since what repeats itself packs well.
pub(crate) fn large_exchanges() -> Vec<Recorded<'static>> {
    let text = |seed: u8| -> String {
        (0..2_000).map(|n| name_hash(&format!("{seed} {n}")).to_string()).collect()
    };
    (1..=16).map(|number| exchange(number, &text(number))).collect()
}

/// Puts a block.
pub(crate) fn put(
    acme: &Fixture<'_>,
    second: i64,
    records: &[Recorded<'_>],
    written: u64,
) -> SealedBlock {
    let mut packer = Packer::default();
    for record in records {
        packer.add(record).unwrap();
    }
    let block = packer.seal(BlockId::first_at(at(second)), written).unwrap();
    acme.apply([Operation::PutRequests(Arc::new(block.clone()))]);
    block
}

fn ids(acme: &Fixture<'_>) -> Vec<BlockId> {
    let mut found = Vec::new();
    let visit = |id, _: crate::requests::PackedFacts<'_>| {
        found.push(id);
        Ok(ControlFlow::Continue(()))
    };
    acme.snapshot().requests_reversed(acme.tenant, None, visit).unwrap();
    found
}

/// With their bodies, newest block first or oldest first, from any block on.
pub fn exchanges_come_back_as_they_were_put(store: &dyn Store) {
    let (acme, other) = (Fixture::new(store, "acme"), Fixture::new(store, "other"));
    let records: Vec<Recorded<'_>> = (1..5).map(|n| exchange(n, &format!("user {n}"))).collect();
    let first = put(&acme, 10, &records[..2], 0);
    let second = put(&acme, 11, &records[2..], first.written());
    put(&other, 12, &[exchange(9, "eve")], 0);

    assert_eq!(ids(&acme), [second.id(), first.id()]);
    let snapshot = acme.snapshot();
    let mut found = Vec::new();
    snapshot
        .requests(acme.tenant, Some(first.id()), |id, facts| {
            let bodies = snapshot.request_bodies(acme.tenant, id)?.unwrap();
            found.extend(facts.unpack()?.with_bodies(&bodies)?);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(found, records);
    let kept = snapshot.requests_kept(acme.tenant).unwrap().unwrap();
    assert_eq!((kept.oldest, kept.newest), (first.id(), second.id()));
    assert_eq!(kept.bytes(), second.written());
    assert!(BlockId::first_at(at(11)) <= second.id() && BlockId::first_at(at(11)) > first.id());
    assert_eq!(second.id().made_at(), at(11));
}

/// So that a search passes over it.
pub fn a_block_tells_what_it_cannot_hold(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    put(&acme, 10, &[exchange(1, "Ada"), exchange(2, "bob")], 0);

    let visit = |_, facts: crate::requests::PackedFacts<'_>| {
        let may_have = |name: &str| facts.may_have(name_hash(name));
        assert!(may_have("ada") && may_have("BOB"));
        assert!(!may_have("eve") && !may_have(""));
        Ok(ControlFlow::Continue(()))
    };
    acme.snapshot().requests_reversed(acme.tenant, None, visit).unwrap();
}

/// Bodies that fill many rows are read back as one, and go as one.
pub fn large_bodies_are_read_back_and_taken_away(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let records = large_exchanges();
    let block = put(&acme, 1, &records, 0);
    let next = put(&acme, 2, &records[..1], block.written());
    assert!(block.bytes() > 4 * crate::requests::PIECE_BYTES as u64, "{}", block.bytes());

    let read = |block: BlockId| {
        let (snapshot, mut facts) = (acme.snapshot(), None);
        let visit = |id, packed: crate::requests::PackedFacts<'_>| {
            if id == block {
                facts = Some(packed.unpack()?);
            }
            Ok(ControlFlow::Continue(()))
        };
        snapshot.requests(acme.tenant, None, visit).unwrap();
        let bodies = snapshot.request_bodies(acme.tenant, block).unwrap()?;
        Some(facts.unwrap().with_bodies(&bodies).unwrap())
    };
    assert_eq!(read(block.id()).unwrap(), records);

    acme.apply([Operation::TrimRequests { last: block.id(), blocks_max: 1 }]);

    assert_eq!(acme.snapshot().request_bodies(acme.tenant, block.id()).unwrap(), None);
    assert_eq!(read(next.id()).unwrap(), records[..1]);
}

/// In pieces; what stays knows how large it is.
pub fn retention_takes_the_oldest_blocks(store: &dyn Store) {
    let acme = Fixture::new(store, "acme");
    let mut written = 0;
    let blocks: Vec<SealedBlock> = (1..=5)
        .map(|second| {
            let block = put(&acme, second, &[exchange(1, "ada")], written);
            written = block.written();
            block
        })
        .collect();
    let trim =
        |last, blocks_max| acme.apply([Operation::TrimRequests { last, blocks_max }]).more_to_purge;

    assert!(trim(blocks[2].id(), 2));
    assert!(!trim(blocks[2].id(), 2));
    assert_eq!(ids(&acme), [blocks[4].id(), blocks[3].id()]);
    let kept = acme.snapshot().requests_kept(acme.tenant).unwrap().unwrap();
    assert_eq!(kept.bytes(), written - blocks[2].written());
    assert!(!trim(BlockId::first_at(at(100)), 100));
    assert_eq!(acme.snapshot().requests_kept(acme.tenant).unwrap(), None);
}
