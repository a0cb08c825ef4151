//! Reminders: at scheduled times, of all who still hold something.

use std::sync::Arc;

use actors::Limits;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::MemoryStore;

use super::{DAY, life};
use crate::test_tenant::{START, TestTenant, secs};

#[tokio::test(start_paused = true)]
async fn reminders_come_on_schedule_until_all_is_returned() {
    let acme = TestTenant::new().await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.upload(&[("L-1", "ada"), ("L-2", "bob")]).await;
    acme.change_settings(json!({"equipment": {"schedule": "0 8 * * 1"}})).await;
    acme.disable(ada).await;
    acme.settle().await;
    assert_eq!(acme.told().len(), 1);

    acme.advance(14 * DAY).await;

    let told = acme.told();
    let reminders: Vec<Timestamp> = told
        .iter()
        .filter(|told| told["reminder"] == true)
        .map(|told| told["at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(reminders.len(), 2);
    for at in reminders {
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        assert_eq!((at.weekday(), at.hour(), at.minute()), (jiff::civil::Weekday::Monday, 8, 0));
    }
    acme.disable(bob).await;
    acme.upload(&[("L-2", "bob")]).await;
    acme.change_settings(json!({"equipment": {"schedule": "0 8 * * *"}})).await;
    acme.advance(DAY).await;
    let last = acme.told().pop().unwrap();
    assert_eq!((&last["account"], &last["reminder"]), (&json!(bob), &json!(true)));
    acme.change_settings(json!({"equipment": {"schedule": null}})).await;
    let before = acme.told().len();
    acme.advance(DAY).await;
    assert_eq!(acme.told().len(), before);
}

#[test]
fn reminders_that_were_missed_are_made_up_for_once() {
    let store = Arc::new(MemoryStore::default());
    life(async {
        let acme = TestTenant::with(store.clone(), Limits::default()).await;
        let ada = acme.create_user("ada").await;
        acme.upload(&[("L-1", "ada")]).await;
        acme.disable(ada).await;
        acme.settle().await;
        acme.change_settings(json!({"equipment": {"schedule": "0 8 * * *"}})).await;
        acme.advance(secs(5)).await;
    });

    life(async {
        let acme = TestTenant::taken_up(store, START + SignedDuration::from_hours(10 * 24)).await;
        acme.advance(secs(5)).await;
        assert_eq!(acme.told().len(), 2);
        acme.advance(DAY).await;
        assert_eq!(acme.told().len(), 3);
    });
}
