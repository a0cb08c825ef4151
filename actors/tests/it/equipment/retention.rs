//! What retention leaves for the reporter, and what the reporter does where it did not.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Changeset, Collection, Document, DocumentKey, Operation};

use crate::test_tenant::{TestTenant, secs};

/// The reporter's position, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Position(Value);

impl Document for Position {
    const COLLECTION: Collection = Collection::ReporterPositions;

    fn key(&self) -> DocumentKey {
        DocumentKey::text("reporter")
    }
}

impl TestTenant {
    fn trimmed(&self) -> u64 {
        self.snapshot().counts(self.tenant.key()).unwrap().feed_trimmed
    }

    fn position(&self) -> Value {
        let place = DocumentKey::text("reporter");
        let kept = self.snapshot().document::<Position>(self.tenant.key(), &place).unwrap();
        kept.unwrap().value.0
    }

    /// Puts the reporter back, as if it had not read what followed.
    async fn put_reporter_back(&self, feed: u64) {
        let mut position = self.position();
        position["feed"] = json!(feed);
        let put = Operation::put(&Position(position)).unwrap();
        let change = Changeset::new(self.tenant.key(), self.now(), None).with(put);
        self.service.store().commit(change).wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn retention_leaves_what_the_reporter_has_not_read() {
    let acme = TestTenant::new().await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    acme.settle().await;
    acme.disable(ada).await;
    let disabled = acme.feed().last().unwrap()["seq"].as_u64().unwrap();
    for number in 0..20 {
        acme.create_user(&format!("user {number}")).await;
    }

    acme.change_settings(json!({"retention": {"feed_entries": 1}})).await;
    acme.advance(secs(1)).await;
    assert!((1..disabled).contains(&acme.trimmed()), "{}", acme.trimmed());
    acme.settle().await;

    let told = acme.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["account"], json!(ada));
}

#[tokio::test(start_paused = true)]
async fn what_the_reporter_does_not_need_goes_and_is_not_missed() {
    let acme = TestTenant::new().await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    acme.disable(ada).await;
    acme.settle().await;
    let told = acme.told().len();
    assert_eq!(told, 1);

    // Its own events come after the wave that it has read, and no wave follows.
    acme.advance(super::DAY * 60).await;

    assert!(acme.position()["feed"].as_u64() >= Some(acme.trimmed()), "{}", acme.position());
    acme.create_user("bob").await;
    acme.settle().await;
    assert_eq!(acme.told(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_reporter_that_was_overtaken_goes_through_all_holders_once() {
    let acme = TestTenant::new().await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.upload(&[("L-1", "ada"), ("L-2", "bob")]).await;
    acme.disable(ada).await;
    acme.settle().await;
    acme.change_settings(json!({"retention": {"feed_entries": 1}})).await;
    acme.advance(secs(1)).await;
    let trimmed = acme.trimmed();

    acme.put_reporter_back(1).await;
    acme.create_user("eve").await;
    acme.settle().await;
    acme.create_user("joe").await;
    acme.settle().await;

    let later: Vec<Value> =
        acme.told().into_iter().filter(|told| told["seq"].as_u64() > Some(trimmed + 1)).collect();
    assert_eq!(later.len(), 1, "{later:?}, {bob}");
    assert_eq!((&later[0]["account"], &later[0]["reminder"]), (&json!(ada), &json!(false)));
    assert!(acme.position()["feed"].as_u64() > Some(trimmed));
}
