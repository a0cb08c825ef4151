//! Who gets which access role, and why: the reason this project exists.
//!
//! Everything here is pure. A role is a function of an account's status, its lock, its groups,
//! the tenant's settings and the time; [`decide_role`] is that function, and nothing else in the
//! project decides a role. Around it stand the settings and their validation, the account as the
//! vendor's app sees it, the events that tell of a change, and the recognition of sync waves.
//!
//! Not here: I/O, async, clocks (time is an argument), storage, HTTP.

pub mod account;
pub mod author;
pub mod brake;
pub mod cadence;
pub mod decide;
pub mod duration;
pub mod equipment;
pub mod event;
pub mod exchange;
pub mod expiry;
pub mod explain;
pub mod id;
pub mod lifecycle;
pub mod mapping;
pub mod mapping_check;
pub mod projection;
pub mod quarantine;
pub mod redact;
pub mod settings;
pub mod traffic;
pub mod wave;
pub mod webhook;

pub use account::{Account, Lock, Rule, Status, Why};
pub use author::{Author, AuthorKind};
pub use brake::{Hold, HoldState, Withheld, WithheldReason};
pub use decide::{Decision, Facts, decide_role};
pub use event::{Event, EventType};
pub use id::{GroupId, HoldId, RequestId, TenantId, TokenId, UserId, WaveId, WebhookId};
pub use mapping::{Bindings, RoleRules};
pub use settings::{Settings, SettingsError};
