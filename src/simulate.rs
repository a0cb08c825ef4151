//! A simulated Entra directory: provisioning cycles, as Entra makes them, against any SCIM endpoint.
//!
//! Each tenant has a directory that is drawn from a seed ([`directory`]). Wave 1 is the initial
//! cycle; before each further one things happen to people ([`churn`]), and an incremental cycle
//! sends the difference ([`cycle`]) in one of Entra's dialects ([`dialect`]), paced and tried again as
//! Entra does ([`client`]). In the end the target can be read back and compared ([`verify`]). The same
//! options send the same requests.
//!
//! It knows SCIM from the outside alone, as a client does, so that it can be pointed at any service
//! provider. May depend on HTTP clients and on clocks; not on `store`, `actors` or the faces beside
//! it.

mod address;
pub mod admin;
pub mod attribute;
pub mod churn;
pub mod client;
pub mod cycle;
pub mod dialect;
pub mod directory;
pub mod links;
mod list;
pub mod measure;
pub mod operation;
pub mod people;
pub mod perform;
pub mod progress;
pub mod replay;
pub mod report;
mod run;
pub mod tenant;
pub mod verify;
pub mod watch;

pub(crate) use run::base_of;
pub use run::{Options, SimulateError, Target, run};
