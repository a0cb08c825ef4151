//! The chart of a few days, without a server.

use access::WaveId;
use access::traffic::{Counts, minute_of};
use access::wave::WaveState;
use jiff::SignedDuration;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_795_050_000, 0);

fn ago(minutes: i64) -> Timestamp {
    NOW - SignedDuration::from_mins(minutes)
}

fn minutes(came: &[(i64, u64, u64)]) -> Minutes {
    let counts = |requests, failures| Counts { requests, failures, ..Counts::default() };
    let minutes = came
        .iter()
        .map(|(ago_m, requests, failures)| (minute_of(ago(*ago_m)), counts(*requests, *failures)));
    minutes.collect()
}

fn wave(ago_m: i64, changes: u64) -> Wave {
    let begun = Wave::begun(WaveId::new(ago(ago_m)), ago(ago_m));
    Wave {
        state: WaveState::Settled,
        ended_at: Some(ago(ago_m - 3)),
        reconciled_at: Some(ago(ago_m - 4)),
        role_changes: changes,
        ..begun
    }
}

fn drawn(range: Range, minutes: &Minutes, waves: &[Wave], expected: Option<Window>) -> [Tide; 2] {
    draw(Facts { range, now: NOW, minutes, waves, expected, served: &[] })
}

#[test]
fn nothing_is_drawn_as_still_water() {
    for range in Range::ALL {
        for tide in drawn(range, &Minutes::new(), &[], None) {
            assert!(tide.area.starts_with('M') && tide.area.ends_with('Z'), "{}", tide.area);
            assert!(!tide.area.contains("NaN") && !tide.area.contains('C'), "{}", tide.area);
            assert!(tide.times.len() >= 3 && tide.heights.len() == 2);
        }
    }
}

#[test]
fn waves_slack_moments_and_failures_are_marked_where_they_were() {
    let came = minutes(&[(60, 400, 0), (59, 300, 7), (58, 100, 0)]);
    let waves = [wave(60, 12), wave(20, 0), wave(60 * 24 * 30, 5)];

    let [wide, narrow] = drawn(Range::Hours, &came, &waves, None);

    for tide in [&wide, &narrow] {
        assert_eq!(tide.waves.len(), 2);
        let labels: Vec<&str> = tide.slacks.iter().map(|slack| slack.label.as_str()).collect();
        assert_eq!(labels, ["12", ""]);
        assert_eq!(
            tide.slacks.iter().map(|slack| slack.changed).collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(tide.failures.len(), 1);
        assert!(tide.failures[0].title.starts_with("7 of"));
    }
}

#[test]
fn the_next_wave_is_expected_ahead_of_now_and_what_has_passed_is_not() {
    let window = |from, until| Some(Window { from: ago(from), until: ago(until) });
    let nothing = Minutes::new();

    let [wide, _] = drawn(Range::Hours, &nothing, &[], window(-30, -40));
    let expected = wide.expected.unwrap();
    let x: f64 = expected.x.parse().unwrap();
    assert!(x > wide.now.parse().unwrap(), "{expected:?}");

    let [wide, _] = drawn(Range::Hours, &nothing, &[], window(40, 30));
    assert_eq!(wide.expected, None);
    // Half of it has passed.
    let [wide, _] = drawn(Range::Hours, &nothing, &[], window(5, -5));
    assert_eq!(wide.expected.unwrap().x, wide.now);
}

#[test]
fn a_large_first_cycle_does_not_flatten_the_rest() {
    let mut came = vec![(20 * 60, 4_000, 0)];
    came.extend((1..20).map(|cycle| (cycle * 60 - 30, 10, 0)));
    let [wide, _] = drawn(Range::Day, &minutes(&came), &[], None);
    assert!(wide.is_rooted);

    let even: Vec<_> = (1..20).map(|cycle| (cycle * 60 - 30, 10, 0)).collect();
    let [wide, _] = drawn(Range::Day, &minutes(&even), &[], None);
    assert!(!wide.is_rooted);
}

#[test]
fn moments_close_together_share_a_mark_and_nothing_is_lost() {
    let waves: Vec<Wave> = (1..100).map(|at| wave(at * 60, at.unsigned_abs())).collect();
    let [wide, narrow] = drawn(Range::Week, &Minutes::new(), &waves, None);

    for tide in [&wide, &narrow] {
        let places: Vec<f64> = tide.slacks.iter().map(|slack| slack.x.parse().unwrap()).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= MARK_ROOM - 0.2), "{places:?}");
        assert!(tide.slacks.iter().all(|slack| !slack.is_single));
        let told: u64 = tide
            .slacks
            .iter()
            .map(|slack| slack.title.rsplit_once(": ").unwrap().1.split(' ').next().unwrap())
            .map(|changes| changes.parse::<u64>().unwrap())
            .sum();
        assert_eq!(told, (1..100).sum::<u64>());
    }
}

#[test]
fn when_we_did_not_serve_is_marked() {
    let minutes = Minutes::new();
    let served = [(ago(300), ago(200)), (ago(100), NOW)];
    let facts = Facts {
        range: Range::Hours,
        now: NOW,
        minutes: &minutes,
        waves: &[],
        expected: None,
        served: &served,
    };

    let [wide, _] = draw(facts);

    assert_eq!(wide.down.len(), 1);
    assert!(wide.down[0].title.starts_with("Not serving"));
}
