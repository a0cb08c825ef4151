//! How a directory's rhythm is shown: a word and its colour.

use access::cadence::{self, Cadence};

/// A rhythm, for a badge.
pub struct Rhythm {
    /// The word.
    pub word: &'static str,
    /// The colour: `ok`, `info`, `warn`, `bad`, or none.
    pub class: &'static str,
}

impl Rhythm {
    /// Of what is known.
    pub fn of(cadence: &Cadence) -> Self {
        let (word, class) = match cadence.state {
            cadence::Rhythm::Unknown if cadence.last_heard_at.is_none() => ("not connected", ""),
            cadence::Rhythm::Unknown => ("learning", ""),
            cadence::Rhythm::Wave => ("wave goes on", "info"),
            cadence::Rhythm::Expected => ("on time", "ok"),
            cadence::Rhythm::Quiet => ("quiet", ""),
            cadence::Rhythm::Overdue => ("overdue", "bad"),
        };
        Self { word, class }
    }
}
