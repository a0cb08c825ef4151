//! The request record: put and trim. It is nobody's change, so it is not audited.

use super::{Change, Planned};
use crate::key::{self, Key};
use crate::requests::{BlockId, PART_BODIES, PART_FACTS, SealedBlock};
use crate::table::Table;

impl Change<'_, '_> {
    pub(super) fn put_requests(&mut self, block: SealedBlock) {
        let SealedBlock { id, facts, bodies, .. } = block;
        let row = |part| key::requests(self.tenant, part, id.as_bytes());
        let (facts_row, bodies_row) = (row(PART_FACTS), row(PART_BODIES));
        self.overlay.put(Table::Requests, facts_row, facts);
        self.overlay.put(Table::Requests, bodies_row, bodies);
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
