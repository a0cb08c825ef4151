//! What is learned from waves, and what is not.

use proptest::prelude::*;

use super::*;
use crate::id::WaveId;
use crate::wave::{Wave, WaveState};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const SETTLE: Duration = Duration::from_mins(1);
const CYCLE: Duration = Duration::from_mins(40);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn wave(from: i64, until: i64) -> Wave {
    let begun = Wave::begun(WaveId::new(at(from)), at(from));
    Wave { state: WaveState::Settled, ended_at: Some(at(until)), ..begun }
}

fn served(stretches: &[(i64, i64)]) -> Served {
    let mut served = Served::default();
    for (since, until) in stretches {
        served.note(at(*since), at(*until));
    }
    served
}

/// What is told at `now` after waves of a minute at these times.
fn told(waves: &[i64], stretches: &[(i64, i64)], now: i64) -> Cadence {
    let waves: Vec<Wave> = waves.iter().map(|at| wave(*at, at + MINUTE)).collect();
    let served = served(stretches);
    let learned = learn(&cycles(&waves, SETTLE), &served);
    tell(Facts {
        learned: &learned,
        served: &served,
        is_open: false,
        last_heard_at: None,
        now: at(now),
    })
}

/// Waves every 40 minutes from 8 to 18 o'clock, Monday to Friday, for so many days.
fn office_hours(days: i64) -> Vec<i64> {
    let hours = (0..days)
        .filter(|day| day % 7 < 5)
        .flat_map(|day| (0..15).map(move |cycle| day * DAY + 8 * HOUR + cycle * 40 * MINUTE));
    hours.collect()
}

#[test]
fn too_few_waves_tell_nothing() {
    for waves in [&[][..], &[0], &[0, 40 * MINUTE], &[0, 40 * MINUTE, 80 * MINUTE]] {
        let told = told(waves, &[(0, 30 * DAY)], 30 * DAY);
        assert_eq!((told.state, told.overdue), (Rhythm::Unknown, false), "{waves:?}");
        assert_eq!(told.next_expected, None);
        assert!(!told.words.is_empty());
    }
}

#[test]
fn waves_close_together_are_one_cycle() {
    let waves = [wave(0, 30), wave(120, 600), wave(800, 900), wave(2_400, 2_460)];

    let found = cycles(&waves, SETTLE);

    let expected = [(0, 900), (2_400, 2_460)];
    let expected = expected.map(|(from, to)| Cycle { started_at: at(from), ended_at: at(to) });
    assert_eq!(found, expected);
}

#[test]
fn the_next_wave_is_expected_a_usual_gap_after_the_last_one() {
    let waves: Vec<i64> = (0..10).map(|cycle| cycle * 40 * MINUTE).collect();
    let last = 9 * 40 * MINUTE;

    let told = told(&waves, &[(0, last + 10 * MINUTE)], last + 10 * MINUTE);

    assert_eq!((told.state, told.usual_gap), (Rhythm::Expected, Some(CYCLE)));
    let window = told.next_expected.unwrap();
    assert_eq!((window.from, window.until), (at(last + 36 * MINUTE), at(last + 44 * MINUTE)));
}

#[test]
fn a_wave_on_demand_moves_neither_the_usual_gap_nor_the_window_much() {
    let mut waves: Vec<i64> = (0..12).map(|cycle| cycle * 40 * MINUTE).collect();
    waves.push(5 * 40 * MINUTE + 17 * MINUTE);
    waves.sort_unstable();

    let told = told(&waves, &[(0, DAY)], 11 * 40 * MINUTE + MINUTE);

    assert_eq!(told.usual_gap, Some(CYCLE));
}

#[test]
fn silence_after_the_window_is_quiet_and_not_overdue() {
    let waves = office_hours(14);
    let saturday = 12 * DAY;

    let told = told(&waves, &[(0, saturday)], saturday);

    assert_eq!((told.state, told.overdue), (Rhythm::Quiet, false));
    assert!(told.words.contains("nothing changed"), "{}", told.words);
    // What did not come with one cycle comes with another.
    let window = told.next_expected.unwrap();
    assert!(window.until >= at(saturday) && window.from < at(saturday + 2 * HOUR), "{window:?}");
}

#[test]
fn neither_nights_nor_weekends_are_ever_overdue() {
    let waves = office_hours(28);
    for hour in 0..28 * 24 {
        let now = hour * HOUR;
        let came: Vec<i64> = waves.iter().copied().filter(|at| *at <= now).collect();
        let told = told(&came, &[(0, now)], now);
        assert!(!told.overdue, "after {hour} hours: {}", told.words);
    }
}

#[test]
fn a_silence_far_longer_than_any_before_is_overdue() {
    let (waves, last) = (office_hours(12), 11 * DAY + 18 * HOUR);

    assert!(!told(&waves, &[(0, last + 3 * DAY)], last + 3 * DAY).overdue);
    let told = told(&waves, &[(0, last + 5 * DAY)], last + 5 * DAY);

    assert_eq!((told.state, told.overdue), (Rhythm::Overdue, true));
    assert!(told.words.contains("provisioning"), "{}", told.words);
}

#[test]
fn a_directory_that_is_never_silent_is_missed_within_hours() {
    let waves: Vec<i64> = (0..9 * 36).map(|cycle| cycle * 40 * MINUTE).collect();
    let last = *waves.last().unwrap();

    assert!(!told(&waves, &[(0, last + 3 * HOUR)], last + 3 * HOUR).overdue);
    assert!(told(&waves, &[(0, last + 5 * HOUR)], last + 5 * HOUR).overdue);
}

#[test]
fn time_in_which_we_were_down_is_no_silence() {
    let waves: Vec<i64> = (0..9 * 36).map(|cycle| cycle * 40 * MINUTE).collect();
    let last = *waves.last().unwrap();
    let (down, up) = (last + HOUR, last + 3 * DAY);

    let told = told(&waves, &[(0, down), (up, up + HOUR)], up + HOUR);

    assert_eq!((told.state, told.overdue), (Rhythm::Quiet, false));
}

#[test]
fn after_a_break_the_next_wave_is_expected_from_now_on() {
    let waves: Vec<i64> = (0..10).map(|cycle| cycle * 40 * MINUTE).collect();
    let (down, up) = (6 * HOUR + 10 * MINUTE, 9 * HOUR);

    let told = told(&waves, &[(0, down), (up, up + MINUTE)], up + MINUTE);

    assert_eq!(told.state, Rhythm::Expected);
    let window = told.next_expected.unwrap();
    assert_eq!((window.from, window.until), (at(up), at(up + 44 * MINUTE)));
}

#[test]
fn a_gap_in_which_we_were_down_teaches_nothing() {
    let waves = [0, 40 * MINUTE, 80 * MINUTE, 120 * MINUTE, 20 * HOUR];

    let told = told(&waves, &[(0, 3 * HOUR), (19 * HOUR, 21 * HOUR)], 20 * HOUR + 2 * MINUTE);

    assert_eq!((told.gaps, told.usual_gap), (3, Some(CYCLE)));
    assert_eq!(serde_json::to_value(&told).unwrap()["usual_gap"], "40m");
}

#[test]
fn a_restart_is_no_break() {
    let served = served(&[(0, HOUR), (HOUR + 30, 2 * HOUR)]);

    assert!(served.covers(at(0), at(2 * HOUR)));
    assert_eq!(served.up_since(at(2 * HOUR)), Some(at(0)));
}

#[test]
fn a_length_of_time_is_told_in_its_largest_unit() {
    for (seconds, words) in [
        (1, "1 second"),
        (60, "60 seconds"),
        (2_400, "40 minutes"),
        (3_600 * 14, "14 hours"),
        (86_400 * 3, "3 days"),
    ] {
        assert_eq!(in_words(Duration::from_secs(seconds)), words);
    }
}

proptest! {
    #[test]
    fn a_stretch_is_never_counted_twice(
        stretches in prop::collection::vec((0_i64..100_000, 0_i64..10_000), 0..80),
        from in 0_i64..100_000,
        length in 0_i64..100_000,
    ) {
        let mut at_now = 0;
        let mut served = Served::default();
        for (gap, length) in stretches {
            served.note(at(at_now + gap), at(at_now + gap + length));
            at_now += gap + length;
        }
        let within = served.time_within(at(from), at(from + length));
        prop_assert!(within <= Duration::from_secs(u64::try_from(length).unwrap()));
        prop_assert!(served.stretches().count() <= 64);
    }

    #[test]
    fn what_is_told_holds_together(
        gaps in prop::collection::vec(1_i64..200_000, 0..60),
        silence in 0_i64..2_000_000,
        down in 0_i64..2_000_000,
    ) {
        let mut waves = vec![0];
        for gap in gaps {
            waves.push(waves.last().unwrap() + gap);
        }
        let last = *waves.last().unwrap();
        let now = last + silence;
        let whole = told(&waves, &[(0, now)], now);
        let mut parts = vec![(0, last)];
        if down < silence {
            parts.push((last + down, now));
        }
        let partly = told(&waves, &parts, now);

        prop_assert_eq!(whole.overdue, whole.state == Rhythm::Overdue);
        prop_assert_eq!(whole.usual_gap.is_some(), whole.next_expected.is_some());
        for window in whole.next_expected.iter().chain(&partly.next_expected) {
            prop_assert!(window.from <= window.until && window.until >= at(now));
        }
        // To have been down makes nobody more overdue.
        prop_assert!(whole.overdue || !partly.overdue);
        if let Some(overdue_at) = whole.overdue_at {
            prop_assert!(overdue_at >= at(now));
        }
    }
}
