//! Who may change what, and when.
//!
//! ```text
//! Directory                 finds or starts tenants; supervises them
//! └─ TenantActor            routes; counts the wave; bounds what is in flight
//!    ├─ UserActor …         the only writer of one user and its account
//!    ├─ GroupActor …        the only writer of one group
//!    ├─ ReconcilerActor     settle timer, random sweep timer, passes
//!    ├─ CourierActor …      brings events to one webhook's receiver
//!    ├─ ReporterActor       tells of equipment that disabled accounts still hold
//!    ├─ RecorderActor       writes down what the directory sent and got
//!    └─ HousekeeperActor    retention, warnings, uses of tokens
//! ```
//!
//! From outside this is a [`Service`], which finds a [`Tenant`], which takes requests. Behind
//! them each request goes to the actor of its tenant, and from there to the actor of its user or
//! group, so that changes to one thing are serialized; what a request means is decided by pure
//! functions; the answer is given when the change is on disk.
//!
//! Promises: nothing is answered before it is committed. Every wait has a limit, and so have
//! queues: a permit is taken before a message is sent, because mailboxes have no bound of their
//! own. A panic costs one request its answer, and nobody else anything.
//!
//! Not here: HTTP, tokens, rate limits, the storage engine. Reads do not pass through actors.

pub mod cadence;
pub mod clock;
pub mod config;
pub mod courier;
pub mod equipment;
pub mod error;
pub mod housekeeper;
pub mod live;
pub mod mail;
pub mod observe;
pub mod reconciler;
pub mod recorder;
pub mod reporter;
pub mod sent;
pub mod service;
pub mod shared;
pub mod token_uses;
pub mod traffic;
pub mod vault;
pub mod version;

mod directory;
mod group;
mod tenant;
mod trace;
mod user;

pub use clock::{Clock, SystemClock, TokioClock};
pub use error::ChangeError;
pub use mail::Mailer;
pub use service::{Limits, Service, Tenant};
pub use version::Precondition;
