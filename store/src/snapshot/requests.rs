//! The request record, block by block.

use std::ops::{Bound, ControlFlow};

use super::{Flow, Read, Snapshot};
use crate::key::{self, Key, TenantKey};
use crate::kv::{Order, Range};
use crate::record;
use crate::requests::{BlockBodies, BlockId, PART_FACTS, PackedFacts};
use crate::table::Table;

impl Snapshot {
    /// Visits blocks, newest first, from `from` on; damaged ones are passed over.
    pub fn requests_reversed(
        &self,
        tenant: TenantKey,
        from: Option<BlockId>,
        visit: impl FnMut(BlockId, PackedFacts<'_>) -> Read<Flow>,
    ) -> Read<()> {
        let mut range = Range::prefix(&Key::tenant(tenant).byte(PART_FACTS).done());
        if let Some(from) = from {
            range.to = Bound::Included(key::requests(tenant, PART_FACTS, from.as_bytes()));
        }
        self.request_blocks(&range, Order::Descending, visit)
    }

    /// Visits blocks, oldest first, from `from` on; damaged ones are passed over.
    pub fn requests(
        &self,
        tenant: TenantKey,
        from: Option<BlockId>,
        visit: impl FnMut(BlockId, PackedFacts<'_>) -> Read<Flow>,
    ) -> Read<()> {
        let mut range = Range::prefix(&Key::tenant(tenant).byte(PART_FACTS).done());
        if let Some(from) = from {
            range.from = Bound::Included(key::requests(tenant, PART_FACTS, from.as_bytes()));
        }
        self.request_blocks(&range, Order::Ascending, visit)
    }

    fn request_blocks(
        &self,
        range: &Range,
        order: Order,
        mut visit: impl FnMut(BlockId, PackedFacts<'_>) -> Read<Flow>,
    ) -> Read<()> {
        let mut failed = None;
        self.view.scan(Table::Requests, range, order, &mut |key, sealed| {
            let payload = record::open(Table::Requests, key, sealed);
            let facts = payload.and_then(PackedFacts::read);
            let (Some(id), Ok(facts)) = (key::last_id(key), facts) else {
                // One that is damaged does not hide the others. `check` tells where it is.
                tracing::warn!("a block of the request record is damaged");
                return ControlFlow::Continue(());
            };
            visit(BlockId::from_bytes(id), facts).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            })
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The bodies of a block.
    pub fn request_bodies(&self, tenant: TenantKey, block: BlockId) -> Read<Option<BlockBodies>> {
        let first = key::request_bodies(tenant, block.as_bytes(), 0);
        let mut packed = Vec::new();
        self.scan(Table::Requests, &Range::prefix(&first), Order::Ascending, |_, piece| {
            packed.extend_from_slice(piece);
            Ok(ControlFlow::Continue(()))
        })?;
        (!packed.is_empty()).then(|| BlockBodies::decode(&packed)).transpose()
    }

    /// The oldest block and the newest, with the bytes that were written before the oldest and up
    /// to the newest; damaged blocks are passed over.
    pub fn requests_kept(&self, tenant: TenantKey) -> Read<Option<RequestsKept>> {
        let ends = |order| {
            let range = Range::prefix(&Key::tenant(tenant).byte(PART_FACTS).done());
            let mut found = None;
            self.view.scan(Table::Requests, &range, order, &mut |key, sealed| {
                let payload = record::open(Table::Requests, key, sealed);
                let facts = payload.and_then(PackedFacts::read);
                found = key::last_id(key).map(BlockId::from_bytes).zip(
                    facts
                        .ok()
                        .map(|facts| (facts.written.saturating_sub(facts.own), facts.written)),
                );
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(found)
        };
        let oldest = ends(Order::Ascending)?;
        let newest = if oldest.is_some() { ends(Order::Descending)? } else { None };
        Ok(oldest.zip(newest).map(|((oldest, (before, _)), (newest, (_, written)))| RequestsKept {
            oldest,
            newest,
            before,
            written,
        }))
    }
}

/// How much of the request record there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestsKept {
    /// The oldest block.
    pub oldest: BlockId,
    /// The newest block.
    pub newest: BlockId,
    /// Bytes that were written before the oldest.
    pub before: u64,
    /// Bytes that were written up to and with the newest.
    pub written: u64,
}

impl RequestsKept {
    /// Bytes that all blocks have.
    pub const fn bytes(&self) -> u64 {
        self.written.saturating_sub(self.before)
    }
}
