//! Webhooks whose receiver cannot take some events: nobody else waits, and nothing is given up early.

use std::sync::Arc;
use std::time::Duration;

use access::webhook::{Delivery, DeliveryState, Position, Webhook};
use access::{EventType, UserId, WebhookId};
use actors::service::webhooks::{NewWebhook, WebhookPatch};
use serde_json::{Value, json};
use store::{Changeset, MemoryStore, Operation};

use crate::receiver::{Does, Receiver};
use crate::test_tenant::{OPERATOR, TestTenant, mins, secs};

const URL: &str = "https://app.example.com/hook";

/// A tenant with a webhook of its own.
struct Hooked {
    acme: TestTenant,
    receiver: Receiver,
    id: WebhookId,
}

impl Hooked {
    async fn new() -> Self {
        Self::of_types(Vec::new()).await
    }

    async fn of_types(types: Vec<EventType>) -> Self {
        let receiver = Receiver::new();
        let acme = TestTenant::sending(Arc::new(MemoryStore::default()), receiver.outbound()).await;
        let new = NewWebhook { url: URL.into(), types, ..NewWebhook::default() };
        let id = acme.tenant.create_webhook(new, OPERATOR).await.unwrap().0.id;
        Self { acme, receiver, id }
    }

    /// Users that are known to the receiver.
    async fn users<const COUNT: usize>(&self) -> [UserId; COUNT] {
        let mut users = Vec::new();
        for n in 0..COUNT {
            users.push(self.acme.create_user(&format!("user-{n}")).await);
        }
        self.acme.settle().await;
        self.receiver.forget();
        users.try_into().unwrap()
    }

    /// From now on events of these accounts get this answer, others 200.
    fn poison(&self, users: &[UserId], status: u16) {
        let users: Vec<Value> = users.iter().map(|user| json!(user)).collect();
        self.receiver.does(move |entry| {
            Does::Answer(if users.contains(&entry["account"]) { status } else { 200 })
        });
    }

    async fn set_roles(&self, users: &[UserId], role: &str) {
        for user in users {
            self.acme.set_role(*user, role).await.unwrap();
        }
    }

    fn state(&self) -> (Webhook, Position) {
        self.acme.tenant.webhook(self.id).unwrap()
    }

    fn deliveries(&self, state: DeliveryState) -> Vec<Delivery> {
        self.acme.tenant.deliveries(self.id, Some(state), None, usize::MAX).unwrap()
    }

    /// How many events of this account were taken.
    fn taken_of(&self, user: UserId) -> usize {
        self.receiver.taken_by_account().get(&user.to_string()).map_or(0, Vec::len)
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

#[tokio::test(start_paused = true)]
async fn events_that_cannot_be_taken_are_not_given_up_before_three_days() {
    let hooked = Hooked::new().await;
    let users: [UserId; 9] = hooked.users().await;
    let (poisoned, healthy) = users.split_at(8);
    hooked.poison(poisoned, 500);
    hooked.set_roles(poisoned, "poison").await;

    for round in 0..60 {
        hooked.set_roles(healthy, &format!("role-{round}")).await;
        hooked.acme.advance(secs(2)).await;
    }
    assert!(hooked.deliveries(DeliveryState::Dead).is_empty());
    let asked = hooked.receiver.arrived().len() - hooked.taken_of(healthy[0]);
    assert!(asked < 120, "{asked} attempts at 8 events in two minutes");
    for round in 0..140 {
        hooked.set_roles(healthy, &format!("later-{round}")).await;
        hooked.acme.advance(mins(30)).await;
    }
    assert!(hooked.deliveries(DeliveryState::Dead).is_empty(), "not yet three days");
    for round in 0..240 {
        hooked.set_roles(healthy, &format!("last-{round}")).await;
        hooked.acme.advance(mins(30)).await;
    }

    let dead = hooked.deliveries(DeliveryState::Dead);
    assert!(dead.len() >= 8, "at least the first event of each");
    assert!(dead.iter().all(|dead| dead.attempts == 14), "{dead:?}");
    assert!(hooked.state().0.disabled.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_outage_uses_up_no_attempts() {
    let hooked = Hooked::new().await;
    let users: [UserId; 12] = hooked.users().await;
    hooked.receiver.does(|_| Does::Answer(500));
    hooked.set_roles(&users, "role").await;
    hooked.acme.advance(hours(60)).await;

    let waiting = hooked.deliveries(DeliveryState::Waiting);
    assert!(!waiting.is_empty());
    assert!(waiting.iter().all(|waiting| waiting.attempts <= 2), "{waiting:?}");
    hooked.receiver.does(|_| Does::Answer(200));
    hooked.acme.advance(mins(11)).await;
    assert!(users.iter().all(|user| hooked.taken_of(*user) >= 1));
    assert_eq!(hooked.state().1.waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_healthy_waits_for_nobody_on_a_quiet_tenant() {
    for (poisoned_count, status) in [(2, 500), (2, 502), (6, 500)] {
        let hooked = Hooked::new().await;
        let users: [UserId; 12] = hooked.users().await;
        let (poisoned, healthy) = users.split_at(poisoned_count);
        hooked.poison(poisoned, status);
        hooked.set_roles(poisoned, "poison").await;

        for user in healthy {
            hooked.acme.advance(mins(37)).await;
            hooked.set_roles(&[*user], "role").await;
            hooked.acme.advance(secs(5)).await;
            assert_eq!(hooked.taken_of(*user), 1, "{poisoned_count} accounts answer {status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_where_a_webhook_changes_while_it_is_to_be_disabled() {
    let hooked = Hooked::new().await;
    let [stuck, gone] = hooked.users().await;
    let (stuck_json, gone_json) = (json!(stuck), json!(gone));
    hooked.receiver.does(move |entry| match &entry["account"] {
        account if *account == stuck_json => Does::Answer(500),
        account if *account == gone_json => Does::Answer(410),
        _ => Does::Answer(200),
    });
    // A change that the courier has not heard of yet.
    let changed = Webhook { requests_per_second: 77.try_into().unwrap(), ..hooked.state().0 };
    let (tenant, now) = (hooked.acme.tenant.key(), hooked.acme.now());
    let change = Changeset::new(tenant, now, None).with(Operation::put(&changed).unwrap());
    hooked.acme.service.store().commit(change).wait().await.unwrap();

    hooked.set_roles(&[stuck, gone], "role").await;
    hooked.acme.advance(secs(3)).await;
    assert!(hooked.state().0.disabled.is_some(), "410, read again");
    hooked.receiver.does(|_| Does::Answer(200));
    let active = WebhookPatch { active: Some(true), ..WebhookPatch::default() };
    hooked.acme.tenant.patch_webhook(hooked.id, active, OPERATOR).await.unwrap();
    hooked.acme.advance(mins(2)).await;

    assert_eq!((hooked.taken_of(stuck), hooked.taken_of(gone)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_with_a_single_lane_is_disabled_before_anything_is_given_up() {
    for status in [500, 503] {
        let hooked = Hooked::of_types(vec![EventType::WaveSettled]).await;
        hooked.receiver.does(move |_| Does::Answer(status));
        for n in 0..3 {
            hooked.acme.create_user(&format!("user-{n}")).await;
            hooked.acme.settle().await;
        }
        assert!(!hooked.receiver.arrived().is_empty());
        hooked.acme.advance(hours(1)).await;
        let is_open = hooked.state().1.circuit_open_since.is_some();
        assert_eq!(is_open, status == 503, "only what an endpoint's failure looks like opens it");

        hooked.acme.advance(hours(24 * 10)).await;

        assert!(hooked.state().0.disabled.unwrap().reason.contains("three days"));
        assert!(hooked.deliveries(DeliveryState::Dead).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_makes_a_failing_webhook_try_now() {
    let hooked = Hooked::new().await;
    let [user] = hooked.users().await;
    hooked.poison(&[user], 500);
    hooked.set_roles(&[user], "role").await;
    hooked.acme.advance(hours(30)).await;
    let before = hooked.deliveries(DeliveryState::Waiting);
    let activate = async || {
        let active = WebhookPatch { active: Some(true), ..WebhookPatch::default() };
        hooked.acme.tenant.patch_webhook(hooked.id, active, OPERATOR).await.unwrap();
        hooked.acme.advance(secs(3)).await;
    };

    let asked = hooked.receiver.arrived().len();
    activate().await;
    assert_eq!(hooked.receiver.arrived().len(), asked + 1);
    let after = hooked.deliveries(DeliveryState::Waiting);
    let schedule = |delivery: &Delivery| (delivery.attempts, delivery.next_attempt_at);
    assert_eq!(schedule(&after[0]), schedule(&before[0]), "it is not counted");
    hooked.receiver.does(|_| Does::Answer(200));
    activate().await;
    assert!(hooked.taken_of(user) >= 1);
}
