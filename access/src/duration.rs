//! Durations as people write them: `250ms`, `60s`, `20m`, `2h`, `30d`.
//!
//! One unit a duration, no fractions, no sign. The same type reads settings, options and query
//! parameters, so that a duration means the same everywhere.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time, kept with the text it was written as: `60s` is not given back as `1m`.
/// At most 3,650 days.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration {
    duration: Duration,
    text: Box<str>,
}

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as \"250ms\", \"60s\", \"20m\", \"2h\" or \"30d\"")]
pub struct InvalidDuration;

const MILLISECONDS_MAX: u64 = 3_650 * 86_400_000;
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl HumanDuration {
    /// A duration of the settings' defaults, with the text that reads as it.
    pub(crate) fn default_of(duration: Duration, text: &str) -> Self {
        Self { duration, text: text.into() }
    }

    /// As the standard library's type.
    pub const fn get(&self) -> Duration {
        self.duration
    }
}

/// Equal lengths are equal, however they are written.
impl PartialEq for HumanDuration {
    fn eq(&self, other: &Self) -> bool {
        self.duration == other.duration
    }
}

impl Eq for HumanDuration {}

impl FromStr for HumanDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(InvalidDuration)?;
        match number.checked_mul(*length) {
            Some(total) if total <= MILLISECONDS_MAX => {
                Ok(Self { duration: Duration::from_millis(total), text: text.into() })
            }
            _ => Err(InvalidDuration),
        }
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<HumanDuration> for String {
    fn from(duration: HumanDuration) -> Self {
        duration.text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_prints() {
        for text in ["250ms", "60s", "20m", "36h", "30d", "0s"] {
            assert_eq!(text.parse::<HumanDuration>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<HumanDuration>(), "1m".parse());
    }

    #[test]
    fn a_text_without_a_known_unit_is_refused() {
        for bad in
            ["", "5", "s", "-5s", "1.5s", "5 s", "5S", "5w", "99999999999999999999s", "4000d"]
        {
            assert_eq!(bad.parse::<HumanDuration>(), Err(InvalidDuration), "{bad:?}");
        }
    }
}
