//! Why a change was not made.

use access::SettingsError;
use access::lifecycle::ManualError;
use scim::stored::ReviseError;
use store::{CommitError, ReadError, Refusal};

/// Why a change was not made. Unless it says otherwise, nothing changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The protocol refuses it: a bad value, a read-only attribute, no target.
    #[error(transparent)]
    Protocol(#[from] scim::error::Error),
    /// There is no such user, group or account.
    #[error("there is no such resource")]
    NotFound,
    /// The name belongs to another resource.
    #[error("{attribute} is taken by another resource")]
    NotUnique {
        /// The attribute.
        attribute: &'static str,
    },
    /// The resource has another version than the client demands.
    #[error("the resource has another version")]
    VersionMismatch,
    /// The account's state does not allow what the operator asks for.
    #[error(transparent)]
    Manual(#[from] ManualError),
    /// The mass change was approved or rejected already, or has lapsed.
    #[error("the hold is closed")]
    HoldClosed,
    /// Settings were refused.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Somebody else changed the settings since they were read.
    #[error("the settings were changed meanwhile")]
    SettingsMoved,
    /// Too much is in flight already; try again shortly.
    #[error("too many requests are being worked on")]
    Overloaded,
    /// Our own trouble: a disk, a stop, a restart. Try again later. If `outcome_unknown`, the
    /// change may be on disk all the same.
    #[error("the service cannot do this now: {reason}")]
    Unavailable {
        /// For operators; holds nothing of a tenant's data.
        reason: String,
        /// Whether the change may have been made.
        outcome_unknown: bool,
    },
}

impl ChangeError {
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), outcome_unknown: false }
    }

    /// What is stored of a resource is not what was put there.
    pub(crate) fn unreadable() -> Self {
        Self::unavailable("the resource's record cannot be read")
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), outcome_unknown: true }
    }
}

impl From<ReadError> for ChangeError {
    fn from(error: ReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<ReviseError> for ChangeError {
    fn from(error: ReviseError) -> Self {
        match error {
            ReviseError::Refused(error) => error.into(),
            ReviseError::Unreadable(_) => Self::unreadable(),
        }
    }
}

impl From<CommitError> for ChangeError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(refusal) => refusal.into(),
            CommitError::Unavailable(reason) => Self::unavailable(reason),
            CommitError::Unknown(reason) => Self::unknown(reason),
            other => Self::unknown(other.to_string()),
        }
    }
}

impl From<Refusal> for ChangeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotUnique { attribute } => Self::NotUnique { attribute },
            Refusal::Gone | Refusal::NoTenant => Self::NotFound,
            // Retried by whoever decided; those who gave up ask the client to.
            other => Self::unavailable(other.to_string()),
        }
    }
}
