//! A simulated Entra directory: provisioning cycles, as Entra makes them, against any SCIM endpoint.
//!
//! It knows SCIM from the outside alone, as a client does, so that it can be pointed at any service
//! provider. May depend on HTTP clients and on clocks; not on `store`, `actors` or the faces beside
//! it.

pub mod progress;
pub mod report;
pub mod watch;
