//! What came is counted, kept, and judged: also over restarts, and never against the directory for
//! the time in which we were down.

use std::sync::Arc;
use std::time::Duration;

use access::cadence::Rhythm;
use access::mapping_check::SeenIn;
use access::traffic::{Counts, minute_of, total};
use access::wave::later;
use actors::traffic::{Answered, KEPT_FOR, TrafficHour};
use jiff::Timestamp;
use scim::schema::ResourceType;
use serde_json::json;
use store::{MemoryStore, Store};

use crate::test_tenant::{START, TestTenant, mins, secs};

const WRITE: Answered =
    Answered { status: 200, is_write: true, is_delete: false, is_reference: false };

async fn in_store(store: &Arc<MemoryStore>) -> TestTenant {
    let store = Arc::clone(store) as Arc<dyn Store>;
    TestTenant::with(store, actors::Limits::default()).await
}

/// The same tenant in another life of the service, so long after the start of the test.
async fn taken_up(store: &Arc<MemoryStore>, after: Duration) -> TestTenant {
    TestTenant::taken_up(Arc::clone(store) as Arc<dyn Store>, later(START, after)).await
}

fn came(acme: &TestTenant) -> Counts {
    let to = minute_of(acme.now()) + 1;
    let from = to - 15 * 24 * 60;
    total(&acme.tenant.shared().minutes(from, to).unwrap(), from, to)
}

fn answered(acme: &TestTenant, answered: Answered) {
    acme.tenant.shared().answered(answered);
}

fn hours(acme: &TestTenant) -> Vec<TrafficHour> {
    let prefix = store::DocumentKey::text("hour");
    let snapshot = acme.tenant.shared().snapshot().unwrap();
    snapshot.documents_within(acme.tenant.key(), &prefix, None, 1_000).unwrap()
}

fn rhythm(acme: &TestTenant) -> access::cadence::Cadence {
    acme.tenant.shared().cadence(&acme.tenant.shared().snapshot().unwrap()).unwrap()
}

/// One wave of the directory, as HTTP counts it.
async fn wave(acme: &TestTenant, name: &str) {
    acme.create_user(name).await;
    answered(acme, WRITE);
}

#[tokio::test(start_paused = true)]
async fn what_came_is_told_at_once_and_written_within_seconds() {
    let acme = TestTenant::new().await;
    for _ in 0..3 {
        answered(&acme, WRITE);
    }
    answered(&acme, Answered { status: 400, is_reference: true, ..WRITE });
    answered(&acme, Answered { status: 404, is_write: false, ..WRITE });
    acme.tenant.shared().refused(true);

    let expected = Counts {
        requests: 5,
        writes: 4,
        failures: 1,
        reference_failures: 1,
        failed_look_ups: 0,
        unauthorized: 1,
        expired: 1,
    };
    assert_eq!(came(&acme), expected);
    assert!(hours(&acme).is_empty());

    acme.advance(secs(11)).await;
    assert_eq!(hours(&acme).len(), 1);
    assert_eq!(came(&acme), expected);
    answered(&acme, WRITE);
    assert_eq!(came(&acme).requests, 6);
    acme.advance(secs(11)).await;
    assert_eq!((came(&acme).requests, hours(&acme).len()), (6, 1));
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_refuses_counts_are_tried_every_ten_seconds_and_written_later() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    // The first round has been.
    acme.advance(mins(2)).await;
    store.fail(Some("the disk is full"));
    let handled = || acme.tenant.shared().housekeeper_observed.state().messages_handled;
    let before = handled();

    for _ in 0..60 {
        answered(&acme, WRITE);
        acme.advance(secs(10)).await;
    }

    // Each time what came is told of and written; and uses of tokens, once a minute.
    assert!(handled() - before <= 2 * 60 + 15, "{}", handled() - before);
    store.fail(None);
    acme.advance(secs(11)).await;
    assert_eq!((hours(&acme).len(), came(&acme).requests), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_nothing_comes_but_once_an_hour_that_we_serve() {
    let acme = TestTenant::new().await;
    let served = |acme: &TestTenant| {
        let shared = acme.tenant.shared();
        let kept = shared.snapshot().unwrap().documents_within::<actors::traffic::Heard>(
            shared.key,
            &store::DocumentKey::text("heard"),
            None,
            1,
        );
        let stretches: Vec<_> =
            kept.unwrap().iter().flat_map(|heard| heard.served.stretches()).collect();
        stretches
    };

    acme.advance(mins(49)).await;
    assert_eq!(served(&acme), []);
    acme.advance(mins(70)).await;

    let [(since, until)] = served(&acme).try_into().unwrap();
    assert_eq!(since, START);
    assert!(until >= later(START, mins(50)), "{until}");
    assert!(hours(&acme).is_empty());
}

#[tokio::test(start_paused = true)]
async fn counts_and_names_survive_a_restart() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    let body = json!({"userName": "ada", "active": true});
    acme.tenant.shared().sent.body(acme.now(), ResourceType::User, &body, "");
    acme.tenant.shared().sent.filter(acme.now(), ResourceType::User, "userName eq \"ada\"", "");
    answered(&acme, WRITE);
    acme.service.stop(secs(5)).await;

    let acme = taken_up(&store, mins(10)).await;
    answered(&acme, WRITE);

    assert_eq!(came(&acme).requests, 2);
    let shared = acme.tenant.shared();
    let sent = shared.sent_names(&shared.snapshot().unwrap()).unwrap();
    assert_eq!(sent.user.keys().collect::<Vec<_>>(), ["active", "username"]);
    assert_eq!(sent.user_filter.keys().collect::<Vec<_>>(), ["username"]);
    assert_eq!((sent.whole_users, sent.whole_groups), (1, 0));
    // A life after it adds to the same hour.
    acme.service.stop(secs(5)).await;
    let acme = taken_up(&store, mins(20)).await;
    assert_eq!((came(&acme).requests, hours(&acme).len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn names_are_noted_day_by_day() {
    let acme = TestTenant::new().await;
    let shared = acme.tenant.shared();
    let note =
        || shared.sent.body(acme.now(), ResourceType::Group, &json!({"displayName": "IT"}), "");
    note();
    acme.advance(Duration::from_hours(48)).await;
    note();
    note();

    let sent = shared.sent_names(&shared.snapshot().unwrap()).unwrap();
    let days = sent.group["displayname"];
    assert_eq!(days.last - days.first, 2);
    assert_eq!(sent.whole_groups, 3);
    assert_eq!(SeenIn::body(ResourceType::Group), SeenIn::Group);
}

#[tokio::test(start_paused = true)]
async fn counts_go_after_two_weeks() {
    let acme = TestTenant::new().await;
    answered(&acme, WRITE);
    acme.advance(KEPT_FOR.saturating_sub(Duration::from_hours(3))).await;
    assert_eq!(hours(&acme).len(), 1);

    acme.advance(Duration::from_hours(5)).await;

    assert!(hours(&acme).is_empty());
    assert_eq!(came(&acme), Counts::default());
}

#[tokio::test(start_paused = true)]
async fn the_next_wave_is_expected_and_its_absence_is_quiet() {
    let acme = TestTenant::new().await;
    assert_eq!(rhythm(&acme).state, Rhythm::Unknown);
    for name in ["ada", "bob", "dan", "eve", "kim"] {
        wave(&acme, name).await;
        acme.advance(mins(40)).await;
    }

    let told = rhythm(&acme);
    assert_eq!((told.state, told.usual_gap), (Rhythm::Expected, Some(mins(40))));
    acme.advance(mins(10)).await;
    let told = rhythm(&acme);
    assert_eq!((told.state, told.overdue), (Rhythm::Quiet, false));
    let window = told.next_expected.unwrap();
    assert!(window.until > acme.now());
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_we_were_down_makes_nobody_overdue() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    for name in ["ada", "bob", "dan", "eve", "kim"] {
        wave(&acme, name).await;
        acme.advance(mins(40)).await;
    }
    let last: Timestamp = acme.now();
    acme.service.stop(secs(5)).await;

    // Down for five days, which is longer than any silence may be.
    let up = later(last, Duration::from_hours(120));
    let acme = TestTenant::taken_up(Arc::clone(&store) as Arc<dyn Store>, up).await;
    acme.advance(mins(5)).await;
    let told = rhythm(&acme);
    assert_eq!((told.state, told.overdue), (Rhythm::Expected, false), "{}", told.words);
    assert!(told.next_expected.unwrap().until <= later(up, mins(50)));

    // Had we served, it would be.
    acme.advance(Duration::from_hours(120)).await;
    let told = rhythm(&acme);
    assert_eq!((told.state, told.overdue), (Rhythm::Overdue, true), "{}", told.words);
    wave(&acme, "zoe").await;
    assert_eq!(rhythm(&acme).state, Rhythm::Wave);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_history_once_the_directory_is_let_in() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    acme.tenant.shared().refused(true);
    acme.service.stop(secs(5)).await;

    let acme = taken_up(&store, mins(10)).await;
    let refused = |acme: &TestTenant| {
        let shared = acme.tenant.shared();
        shared.known(&shared.snapshot().unwrap()).unwrap().refused
    };
    acme.tenant.shared().refused(false);
    assert_eq!((refused(&acme).unauthorized, refused(&acme).expired), (2, 1));
    acme.advance(secs(11)).await;
    assert_eq!((refused(&acme).unauthorized, refused(&acme).expired), (2, 1));

    answered(&acme, WRITE);
    assert_eq!(refused(&acme).unauthorized, 0);
    acme.advance(secs(11)).await;
    assert_eq!(refused(&acme).unauthorized, 0);
    assert_eq!(came(&acme).unauthorized, 2);
}
