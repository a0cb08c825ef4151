//! The request record: put and trim. It is nobody's change, so it is not audited.

use super::{Change, Planned};
use crate::key::{self, Key};
use crate::record::SEAL_BYTES;
use crate::requests::{BlockId, PART_BODIES, PART_FACTS, SealedBlock};
use crate::table::Table;

impl Change<'_, '_> {
    pub(super) fn put_requests(&mut self, block: &SealedBlock) {
        for (part, bytes) in [(PART_FACTS, &block.facts), (PART_BODIES, &block.bodies)] {
            // With room for the checksum: it is large, and need not be moved for that.
            let mut payload = Vec::with_capacity(bytes.len() + SEAL_BYTES);
            payload.extend_from_slice(bytes);
            let row = key::requests(self.tenant, part, block.id.as_bytes());
            self.overlay.put(Table::Requests, row, payload);
        }
    }

    /// Values are not looked at, so that damaged blocks go, too.
    pub(super) fn trim_requests(&mut self, last: BlockId, blocks_max: usize) -> Planned<()> {
        for part in [PART_FACTS, PART_BODIES] {
            let prefix = Key::tenant(self.tenant).byte(part).done();
            let end = key::requests(self.tenant, part, last.as_bytes());
            let more = self.overlay.delete_upto(Table::Requests, &prefix, &end, blocks_max)?;
            self.committed.more_to_purge |= more;
        }
        Ok(())
    }
}
