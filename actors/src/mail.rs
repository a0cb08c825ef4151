//! E-mail, as far as actors know it: what is to be sent, and that somebody may send it.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// An e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Names it for good, so that a mail that is sent twice can be told to be one: letters,
    /// digits and hyphens.
    pub id: String,
    /// Addresses, as the settings have them.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A CSV file that goes with it.
    pub csv: Option<Attachment>,
    /// When it was written.
    pub at: Timestamp,
}

/// A file that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why a mail was not sent. The texts are for operators and hold no address and no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It may work later: the server is away, or busy.
    #[error("the mail cannot be sent now: {0}")]
    Temporary(String),
    /// It never will: the server refuses it.
    #[error("the mail was refused: {0}")]
    Permanent(String),
}

/// Sends mails. A mail must be sent or given up within a minute.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a mail; done when a server has taken it.
    fn send(&self, mail: Mail) -> BoxFuture<'static, Result<(), MailError>>;
}
