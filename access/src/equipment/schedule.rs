//! When reminders are sent: a cron expression in a time zone.
//!
//! Five fields, as in crontab(5): minute, hour, day of month, month, day of week. A time that a
//! change of the clocks skips or repeats comes once.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Characters in an expression.
const EXPRESSION_CHARS_MAX: usize = 200;

/// A schedule that was read.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// The expression.
    #[error("expected a cron expression of five fields such as \"0 8 * * 1\": {0}")]
    Expression(String),
    /// The time zone.
    #[error("expected a time zone such as \"UTC\" or \"Europe/Berlin\"")]
    TimeZone,
}

impl Schedule {
    /// Reads a cron expression, and the name of a time zone from the IANA's database.
    pub fn new(expression: &str, time_zone: &str) -> Result<Self, InvalidSchedule> {
        let zone = time_zone_of(time_zone)?;
        if expression.chars().count() > EXPRESSION_CHARS_MAX {
            let reason = format!("it has over {EXPRESSION_CHARS_MAX} characters");
            return Err(InvalidSchedule::Expression(reason));
        }
        let fields = expression.split_whitespace().count();
        if fields != 5 && !expression.trim_start().starts_with('@') {
            return Err(InvalidSchedule::Expression(format!("it has {fields} fields")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        let cron = parser
            .build()
            .parse(expression)
            .map_err(|error| InvalidSchedule::Expression(error.to_string()))?;
        let schedule = Self { cron, zone };
        // The 30th of February.
        if schedule.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(InvalidSchedule::Expression("it names no time that ever comes".into()));
        }
        Ok(schedule)
    }

    /// The first scheduled time after `at`; none if there is none any more.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let at = at.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&at, false).ok()?;
        Some(next.timestamp())
    }
}

/// The time zone with this name.
pub fn time_zone_of(name: &str) -> Result<TimeZone, InvalidSchedule> {
    TimeZone::get(name).map_err(|_| InvalidSchedule::TimeZone)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_str(text).unwrap()
    }

    fn next(expression: &str, zone: &str, after: &str) -> String {
        Schedule::new(expression, zone).unwrap().next_after(at(after)).unwrap().to_string()
    }

    #[test]
    fn a_schedule_is_kept_in_its_time_zone() {
        assert_eq!(next("0 8 * * 1", "UTC", "2026-11-21T00:00:00Z"), "2026-11-23T08:00:00Z");
        assert_eq!(next("0 8 * * 1", "UTC", "2026-11-23T08:00:00Z"), "2026-11-30T08:00:00Z");
        let berlin = "Europe/Berlin";
        assert_eq!(next("0 8 * * *", berlin, "2026-10-24T12:00:00Z"), "2026-10-25T07:00:00Z");
        assert_eq!(next("0 8 * * *", berlin, "2026-10-23T12:00:00Z"), "2026-10-24T06:00:00Z");
    }

    #[test]
    fn a_change_of_the_clocks_neither_loses_nor_repeats_a_time() {
        let schedule = Schedule::new("30 2 * * *", "Europe/Berlin").unwrap();
        for (mut now, end, days) in [
            (at("2026-03-27T12:00:00Z"), at("2026-03-31T12:00:00Z"), 4),
            (at("2026-10-23T12:00:00Z"), at("2026-10-27T12:00:00Z"), 4),
        ] {
            let mut times = Vec::new();
            while let Some(next) = schedule.next_after(now).filter(|next| *next < end) {
                times.push(next.to_string());
                now = next;
            }
            assert_eq!(times.len(), days, "{times:?}");
        }
    }

    #[test]
    fn a_bad_schedule_is_refused() {
        let is_expression = |expression: &str| {
            matches!(Schedule::new(expression, "UTC"), Err(InvalidSchedule::Expression(_)))
        };
        for bad in
            ["", "weekly", "0 8 * *", "0 0 8 * * 1", "60 8 * * *", "0 8 30 2 *", "* * * * * * *"]
        {
            assert!(is_expression(bad), "{bad:?}");
        }
        assert!(is_expression(&"1,".repeat(200)));
        assert_eq!(Schedule::new("0 8 * * *", "Mars").unwrap_err(), InvalidSchedule::TimeZone);
    }
}
