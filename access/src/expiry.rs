//! When somebody is warned that a token is about to expire.

use jiff::Timestamp;

/// Days before its end at which a token is warned of, the most urgent first.
pub const WARNING_DAYS: [u16; 3] = [1, 7, 30];

const DAY_MS: i64 = 86_400_000;

/// The most urgent warning that is due at `now` for what was made at `created_at`: so many days
/// before `expires_at`. None if it has expired, or no warning is due yet. A warning as long before
/// the end as the whole life, or longer, would say nothing new and does not count: a token made
/// for an hour has none.
pub fn warning_due(created_at: Timestamp, expires_at: Timestamp, now: Timestamp) -> Option<u16> {
    let between = |from: Timestamp, to: Timestamp| to.as_millisecond() - from.as_millisecond();
    let (life, left) = (between(created_at, expires_at), between(now, expires_at));
    if left <= 0 {
        return None;
    }
    WARNING_DAYS.into_iter().find(|days| {
        let before = i64::from(*days) * DAY_MS;
        left <= before && life > before
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_millisecond(number * DAY_MS).unwrap()
    }

    #[test]
    fn the_most_urgent_warning_is_due() {
        for (now, due) in [
            (0, None),
            (59, None),
            (60, Some(30)),
            (82, Some(30)),
            (83, Some(7)),
            (88, Some(7)),
            (89, Some(1)),
            (90, None),
            (91, None),
        ] {
            assert_eq!(warning_due(day(0), day(90), day(now)), due, "on day {now}");
        }
    }

    #[test]
    fn a_warning_longer_than_the_whole_life_does_not_count() {
        assert_eq!(warning_due(day(0), day(30), day(0)), None);
        assert_eq!(warning_due(day(0), day(30), day(22)), None);
        assert_eq!(warning_due(day(0), day(30), day(23)), Some(7));
        let hour = Timestamp::from_second(3_600).unwrap();
        assert_eq!(warning_due(day(0), hour, day(0)), None);
    }
}
