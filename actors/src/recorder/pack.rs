//! Making blocks of what is held: secrets go, and what is left is compressed.
//!
//! Not here: when that is done, and what becomes of the blocks ([`super`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use access::exchange::Batch;
use access::redact::Redactor;
use store::ReadError;
use store::requests::{BlockId, Packer};

use super::Written;
use crate::error::ChangeError;
use crate::shared::Shared;

/// Bytes that are packed at once where they are taken, in some hundred microseconds: as much as a
/// tenant sends in a second of a wave at Entra's rate. More goes to a thread of its own; that costs a
/// change of threads, and each of many such threads keeps memory.
const PACKED_HERE_BYTES_MAX: usize = 64 << 10;

/// What makes blocks of batches.
#[derive(Debug, Default)]
pub(super) struct Packing {
    redactor: Redactor,
    packer: Packer,
}

/// Takes out what is secret and makes blocks; of more than a little away from those who answer
/// requests.
pub(super) async fn pack(
    shared: &Shared,
    written: &mut Written,
    (mut newest, mut bytes): (Option<BlockId>, u64),
    mut taken: Vec<Batch>,
) -> Result<(), ChangeError> {
    let now = shared.clock.now();
    let mut packing = std::mem::take(&mut written.packing);
    let bytes_taken: usize = taken.iter().map(Batch::bytes).sum();
    let work = move || {
        let Packing { redactor, packer } = &mut packing;
        let blocks = taken.iter_mut().map(|batch| {
            for captured in batch.iter() {
                packer.add(&captured.redacted(redactor))?;
            }
            batch.clear();
            let block = packer.seal(BlockId::new(now, newest), bytes)?;
            (newest, bytes) = (Some(block.id()), block.written());
            Ok(Arc::new(block))
        });
        let blocks = blocks.collect::<Result<Vec<_>, ReadError>>()?;
        Ok::<_, ReadError>((blocks, taken, packing))
    };
    // A request that cannot be packed takes nobody with it: not the stop of the service, say.
    let packed = if bytes_taken <= PACKED_HERE_BYTES_MAX {
        catch_unwind(AssertUnwindSafe(work)).ok()
    } else {
        tokio::task::spawn_blocking(work).await.ok()
    };
    let packed = packed.ok_or_else(|| ChangeError::unavailable("requests could not be packed"));
    let (blocks, emptied, packing) = packed??;
    let surplus = shared.recorder.held().keep(emptied);
    drop(surplus);
    written.unwritten = blocks;
    written.packing = packing;
    Ok(())
}
