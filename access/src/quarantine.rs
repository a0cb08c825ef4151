//! Quarantine: how near the directory's job is to being put on hold by Entra itself.
//!
//! Entra puts a provisioning job into quarantine, which slows it to one run a day, at once when
//! its credentials are refused; when at least 5,000 operations failed and those are more than 40 %
//! of all, or more than 40,000, failures of references not counted; and at 60,000 failures of any
//! kind (Microsoft, *Application provisioning in quarantine status*).
//!
//! What Entra counts are objects that wait to be sent again, and it sends each of them again at
//! least once a day. The failures of the last 24 hours are therefore no fewer than those that it
//! counts: a warning comes early rather than late.

use std::time::Duration;

use serde::Serialize;

use crate::traffic::Counts;

/// The time whose failures are looked at.
pub const WINDOW: Duration = Duration::from_hours(24);
/// Failures from which on their share counts.
pub const FAILURES_MIN: u64 = 5_000;
/// The share of failures, in percent, that is too much.
pub const SHARE_PERCENT_MAX: u64 = 40;
/// Failures, those of references left out, that are too many whatever their share.
pub const FAILURES_MAX: u64 = 40_000;
/// Failures of any kind that are too many.
pub const ALL_FAILURES_MAX: u64 = 60_000;

/// How near a job is to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nearness {
    /// Far from it.
    Fine,
    /// Half way to a limit, or a token was refused that may be the directory's.
    Approaching,
    /// A limit is reached, or the directory's own token has expired.
    Likely,
}

/// What was refused for its token since the directory was last heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Requests with a token that does not count.
    pub unauthorized: u64,
    /// Those of them whose token had counted until it expired: they are the directory's.
    pub expired: u64,
}

/// How near a job is to quarantine, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quarantine {
    /// How near.
    pub state: Nearness,
    /// Writes, and look-ups that failed.
    pub operations: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those of them that were about nothing but a manager or members.
    pub reference_failures: u64,
    /// The share of failures that count, from 0 to 1.
    pub share: f64,
    /// Requests with a token that does not count.
    pub unauthorized: u64,
    /// What it means, for an administrator.
    pub words: String,
}

/// Judges what came within [`WINDOW`], and what was refused since the directory was last heard.
pub fn judge(came: &Counts, refused: Refused) -> Quarantine {
    let operations = came.operations();
    let all = came.failures;
    let counted = all.saturating_sub(came.reference_failures);
    let is_above = |percent: u64| counted.saturating_mul(100) > operations.saturating_mul(percent);
    let likely = (counted >= FAILURES_MIN && is_above(SHARE_PERCENT_MAX))
        || counted > FAILURES_MAX
        || all >= ALL_FAILURES_MAX;
    let approaching = (counted >= FAILURES_MIN / 2 && is_above(SHARE_PERCENT_MAX / 2))
        || counted > FAILURES_MAX / 2
        || all >= ALL_FAILURES_MAX / 2;
    let state = if likely || refused.expired > 0 {
        Nearness::Likely
    } else if approaching || refused.unauthorized > 0 {
        Nearness::Approaching
    } else {
        Nearness::Fine
    };
    Quarantine {
        state,
        operations,
        failures: all,
        reference_failures: came.reference_failures,
        share: share_of(counted, operations),
        unauthorized: came.unauthorized,
        words: words(state, (counted, operations), likely, refused),
    }
}

/// A share, to three places: what is shown does not pretend to know more.
fn share_of(part: u64, whole: u64) -> f64 {
    let thousandths = part.saturating_mul(1_000).checked_div(whole).unwrap_or_default();
    f64::from(u32::try_from(thousandths.min(1_000)).unwrap_or(1_000)) / 1_000.0
}

fn words(
    state: Nearness,
    (counted, operations): (u64, u64),
    is_over: bool,
    refused: Refused,
) -> String {
    if refused.expired > 0 {
        return format!(
            "The directory's token has expired: {} came with it since the directory was last let \
             in. Entra puts the job into quarantine at once. Make a new token and put it into \
             Entra, then restart provisioning there.",
            times(refused.expired),
        );
    }
    if is_over {
        return format!(
            "{counted} of {operations} operations failed within 24 hours. Entra has probably put \
             the job into quarantine, and runs it once a day. Look at the failed requests, mend \
             their cause, then restart provisioning in Entra.",
        );
    }
    if refused.unauthorized > 0 {
        return format!(
            "{} came with a wrong token since the directory was last let in. If it was the \
             directory, Entra puts the job into quarantine at once: use Test Connection in Entra \
             to find out.",
            times(refused.unauthorized),
        );
    }
    match (state, counted) {
        (Nearness::Fine, 0) => "No operation failed within 24 hours.".to_owned(),
        (Nearness::Fine, _) => {
            format!(
                "{counted} of {operations} operations failed within 24 hours; that is far \
                     from what Entra puts a job into quarantine for."
            )
        }
        _ => format!(
            "{counted} of {operations} operations failed within 24 hours. From {FAILURES_MIN} \
             failures on, and more than {SHARE_PERCENT_MAX} %, Entra puts the job into quarantine: \
             mend the cause before that.",
        ),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "One request".to_owned() } else { format!("{count} requests") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn came(operations: u64, failures: u64, reference_failures: u64) -> Counts {
        Counts { writes: operations, failures, reference_failures, ..Counts::default() }
    }

    #[test]
    fn failures_are_judged_as_entra_judges_them() {
        use Nearness::{Approaching, Fine, Likely};

        for (operations, failures, of_references, expected) in [
            (0, 0, 0, Fine),
            (100, 100, 0, Fine),
            (4_999, 4_999, 0, Approaching),
            (5_000, 5_000, 0, Likely),
            (12_500, 5_000, 0, Approaching),
            (12_499, 5_000, 0, Likely),
            (1_000_000, 20_000, 0, Fine),
            (1_000_000, 20_001, 0, Approaching),
            (1_000_000, 40_000, 0, Approaching),
            (1_000_000, 40_001, 0, Likely),
            (50_000, 50_000, 50_000, Approaching),
            (60_000, 60_000, 60_000, Likely),
            (5_000, 5_000, 2_600, Fine),
        ] {
            let judged = judge(&came(operations, failures, of_references), Refused::default());
            assert_eq!(judged.state, expected, "{failures} of {operations}, {of_references}");
            assert!(!judged.words.is_empty());
        }
    }

    #[test]
    fn an_expired_token_means_quarantine_and_a_wrong_one_may() {
        let wrong = Refused { unauthorized: 1, expired: 0 };
        let expired = Refused { unauthorized: 1, expired: 1 };

        let judged = judge(&Counts::default(), wrong);
        assert_eq!(judged.state, Nearness::Approaching);
        assert!(judged.words.contains("wrong token"), "{}", judged.words);
        let judged = judge(&Counts::default(), expired);
        assert_eq!(judged.state, Nearness::Likely);
        assert!(judged.words.contains("expired"), "{}", judged.words);
    }

    proptest! {
        #[test]
        fn more_failures_are_never_nearer_to_fine(
            operations in 1_u64..100_000,
            failures in 0_u64..70_000,
            more in 1_u64..1_000,
            of_references in 0_u64..1_000,
        ) {
            let failures = failures.min(operations);
            let few = judge(&came(operations, failures, of_references.min(failures)), Refused::default());
            let many = judge(
                &came(operations + more, failures + more, of_references.min(failures)),
                Refused::default(),
            );
            prop_assert!(many.state >= few.state);
            prop_assert!((0.0..=1.0).contains(&many.share));
        }
    }
}
