//! What the store promises, against every backend, and against files, disks and power that fail.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod agreement;
mod backup;
mod concurrency;
mod conformance;
mod damage;
mod failing_disk;
mod faults;
mod power_loss;
