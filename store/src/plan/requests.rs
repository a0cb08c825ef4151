//! The request record: put and trim. It is nobody's change, so it is not audited.

use super::{Change, Planned};
use crate::key::{self, Key};
use crate::record::SEAL_BYTES;
use crate::requests::{BlockId, PART_BODIES, PART_FACTS, PIECE_BYTES, PIECES_MAX, SealedBlock};
use crate::table::Table;

impl Change<'_, '_> {
    pub(super) fn put_requests(&mut self, block: &SealedBlock) {
        let facts = key::requests(self.tenant, PART_FACTS, block.id.as_bytes());
        self.put_part(facts, &block.facts);
        for (piece, bytes) in (0..).zip(block.bodies.chunks(PIECE_BYTES)) {
            self.put_part(key::request_bodies(self.tenant, block.id.as_bytes(), piece), bytes);
        }
    }

    fn put_part(&mut self, row: Vec<u8>, bytes: &[u8]) {
        // With room for the checksum: it is large, and need not be moved for that.
        let mut payload = Vec::with_capacity(bytes.len() + SEAL_BYTES);
        payload.extend_from_slice(bytes);
        self.overlay.put(Table::Requests, row, payload);
    }

    /// Values are not looked at, so that damaged blocks go, too.
    pub(super) fn trim_requests(&mut self, last: BlockId, blocks_max: usize) -> Planned<()> {
        let prefix = |part| Key::tenant(self.tenant).byte(part).done();
        let end = key::requests(self.tenant, PART_FACTS, last.as_bytes());
        let gone =
            self.overlay.delete_upto(Table::Requests, &prefix(PART_FACTS), &end, blocks_max)?;
        self.committed.more_to_purge |= gone.is_some();
        // All pieces of a block go with its facts: nothing would find them afterwards.
        let last = gone.as_deref().and_then(key::last_id).map_or(last, BlockId::from_bytes);
        let end = key::request_bodies(self.tenant, last.as_bytes(), u16::MAX);
        let rows_max = blocks_max.saturating_mul(PIECES_MAX);
        let more =
            self.overlay.delete_upto(Table::Requests, &prefix(PART_BODIES), &end, rows_max)?;
        self.committed.more_to_purge |= more.is_some();
        Ok(())
    }
}
