//! What the directory sent and got is written down in time, bounded, and without holding anybody up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use access::RequestId;
use access::exchange::{Captured, CapturedBody, Recorded};
use access::wave::later;
use actors::Limits;
use serde_json::json;
use store::{MemoryStore, Store};

use crate::test_tenant::{OPERATOR, START, TestTenant, mins, secs};

const BLOCK: usize = 512;
/// What is written in one transaction.
const AT_ONCE: usize = 4 * BLOCK;

fn record(acme: &TestTenant, count: usize) -> usize {
    record_answered(acme, count, 201)
}

fn record_answered(acme: &TestTenant, count: usize, status: u16) -> usize {
    let left = |n| {
        let body = json!({"userName": format!("user-{n}"), "password": "hunter2"}).to_string();
        let now = acme.now();
        acme.tenant.shared().recorder.record(&Captured {
            id: RequestId::new(now),
            at: now,
            method: "POST",
            path: "/Users",
            query: None,
            user_agent: None,
            presented: "the-bearer-of-this-test",
            token: None,
            wave: None,
            request: Some(CapturedBody::of(body.as_bytes(), 10_000)),
            status: Some(status),
            duration: Duration::from_millis(2),
            answer: None,
        })
    };
    (0..count).filter(|n| left(*n)).count()
}

fn kept(acme: &TestTenant) -> Vec<Recorded<'static>> {
    let (snapshot, tenant) = (acme.service.store().snapshot().unwrap(), acme.tenant.key());
    let mut found = Vec::new();
    let read = snapshot.requests(tenant, None, |id, facts| {
        let bodies = snapshot.request_bodies(tenant, id)?.unwrap();
        found.extend(facts.unpack()?.with_bodies(&bodies)?);
        Ok(ControlFlow::Continue(()))
    });
    read.unwrap();
    found
}

async fn in_store(store: &Arc<MemoryStore>) -> TestTenant {
    TestTenant::with(Arc::clone(store) as Arc<dyn Store>, Limits::default()).await
}

async fn set_retention(acme: &TestTenant, retention: serde_json::Value) {
    let patch = json!({"retention": retention});
    acme.tenant.patch_settings(&patch, &OPERATOR).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_are_written_within_a_second_and_without_secrets() {
    let acme = TestTenant::new().await;
    assert_eq!(record(&acme, 3), 3);
    acme.advance(Duration::from_millis(900)).await;
    assert_eq!(kept(&acme).len(), 0);

    acme.advance(Duration::from_millis(200)).await;

    let kept = kept(&acme);
    let bodies: Vec<&str> = kept.iter().map(|record| &*record.request).collect();
    let body = |n| json!({"userName": format!("user-{n}"), "password": "(redacted)"}).to_string();
    assert_eq!(bodies, [body(0), body(1), body(2)]);
    assert_eq!(acme.tenant.shared().recorder.held_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_requests_that_come_too_fast_ten_a_second_are_written_and_of_others_all() {
    let acme = TestTenant::new().await;
    for _ in 0..2 {
        record_answered(&acme, 1_000, 429);
        record_answered(&acme, 30, 409);
        record(&acme, 40);
        acme.advance(secs(2)).await;
    }

    let kept = kept(&acme);

    let with = |status| kept.iter().filter(|record| record.facts.status == Some(status)).count();
    assert_eq!((with(429), with(409), with(201)), (20, 60, 80));
    assert_eq!(acme.tenant.shared().recorder.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_written_as_soon_as_it_is_some_blocks() {
    let acme = TestTenant::new().await;
    record(&acme, AT_ONCE - 1);
    acme.advance(Duration::from_millis(10)).await;
    assert_eq!(kept(&acme).len(), 0);

    record(&acme, 11);
    acme.advance(Duration::from_millis(10)).await;
    assert!((AT_ONCE..=AT_ONCE + 10).contains(&kept(&acme).len()));

    acme.advance(secs(1)).await;
    assert_eq!(kept(&acme).len(), AT_ONCE + 10);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_at_rest_keeps_no_buffers_however_much_came_last() {
    let acme = TestTenant::new().await;
    let recorder = &acme.tenant.shared().recorder;
    for count in [AT_ONCE + 700, 3 * BLOCK, 2] {
        record(&acme, count);
        acme.advance(secs(3)).await;

        assert_eq!((recorder.held_requests(), recorder.spare_buffers()), (0, 0), "{count}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_write_that_nobody_asked_for_is_written_in_time() {
    let acme = TestTenant::new().await;
    record(&acme, 1);
    acme.service.write_requests(secs(1)).await;
    record(&acme, 1);

    acme.advance(secs(2)).await;

    assert_eq!(kept(&acme).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_refuses_is_held_up_to_a_limit_and_written_later() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    store.fail(Some("the disk is full"));
    let left = record(&acme, 100_000);
    let recorder = &acme.tenant.shared().recorder;
    assert!((BLOCK..100_000).contains(&left), "{left}");
    assert_eq!(recorder.dropped(), 100_000 - left as u64);
    acme.advance(mins(5)).await;
    assert!(recorder.held_requests() >= left - AT_ONCE);

    store.fail(None);
    acme.advance(secs(2)).await;

    assert_eq!(kept(&acme).len(), left);
    assert_eq!(record(&acme, 1), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_refuses_it_is_tried_once_a_second_however_much_comes() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    store.fail(Some("the disk is full"));
    let handled = || acme.tenant.shared().recorder.observed.state().messages_handled;
    let before = handled();

    for _ in 0..60 {
        record(&acme, BLOCK / 4);
        acme.advance(secs(1)).await;
    }

    assert!((30..=70).contains(&(handled() - before)), "{}", handled() - before);
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_what_is_held_and_the_next_life_goes_on_behind_it() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    record(&acme, 5);
    acme.service.stop(secs(5)).await;

    let acme = TestTenant::taken_up(store, later(START, mins(1))).await;
    assert_eq!(kept(&acme).len(), 5);
    let first = acme.service.store().snapshot().unwrap().requests_kept(acme.tenant.key());
    record(&acme, 5);
    acme.advance(secs(2)).await;

    let both = acme.service.store().snapshot().unwrap().requests_kept(acme.tenant.key());
    let (first, both) = (first.unwrap().unwrap(), both.unwrap().unwrap());
    assert!(both.bytes() > first.bytes() && both.newest > first.newest);
    assert_eq!(both.oldest, first.oldest);
    assert_eq!(kept(&acme).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn requests_go_after_a_week() {
    let acme = TestTenant::new().await;
    record(&acme, 5);
    acme.advance(Duration::from_hours(6 * 24)).await;
    record(&acme, 3);
    assert_eq!(kept(&acme).len(), 5);

    acme.advance(Duration::from_hours(24) + mins(26)).await;

    assert_eq!(kept(&acme).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_requests_go_where_there_is_too_much_and_the_newest_stay() {
    let acme = TestTenant::new().await;
    for _ in 0..100 {
        record(&acme, 20);
        acme.advance(secs(2)).await;
    }
    let size = || {
        let snapshot = acme.service.store().snapshot().unwrap();
        snapshot.requests_kept(acme.tenant.key()).unwrap().unwrap().bytes()
    };
    let all = size();

    set_retention(&acme, json!({"requests_bytes": all / 2})).await;
    acme.advance(secs(1)).await;
    assert!(size() <= all / 2 && size() > all / 3, "{} of {all}", size());
    for _ in 0..200 {
        record(&acme, 20);
        acme.advance(secs(2)).await;
    }
    assert!(size() <= all / 2 + all / 16, "{} of {all}", size());

    set_retention(&acme, json!({"requests_bytes": 1})).await;
    acme.advance(secs(1)).await;
    assert_eq!(kept(&acme).len(), 20);
}
