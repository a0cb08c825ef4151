//! Webhooks: every event arrives, in the order of its account, whatever the receiver does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use access::webhook::{Delivery, DeliveryState, Position, Webhook};
use access::{EventType, UserId, WebhookId};
use actors::service::webhooks::{NewWebhook, Replay, WebhookError, WebhookPatch};
use actors::vault::Vault;
use serde_json::{Value, json};
use store::{Changeset, Log, MemoryStore, Operation, Store};

use crate::receiver::{Does, Receiver};
use crate::test_tenant::{OPERATOR, TestTenant, mins, secs};

const URL: &str = "https://app.example.com/hook";

fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

async fn started() -> (TestTenant, Receiver, WebhookId) {
    let receiver = Receiver::new();
    let acme = TestTenant::sending(Arc::new(MemoryStore::default()), receiver.outbound()).await;
    let id = acme.hook(URL).await;
    (acme, receiver, id)
}

impl TestTenant {
    async fn hook(&self, url: &str) -> WebhookId {
        self.hook_with(NewWebhook { url: url.into(), ..NewWebhook::default() }).await
    }

    async fn hook_with(&self, new: NewWebhook) -> WebhookId {
        self.tenant.create_webhook(new, OPERATOR).await.unwrap().0.id
    }

    fn hook_state(&self, id: WebhookId) -> (Webhook, Position) {
        self.tenant.webhook(id).unwrap()
    }

    async fn patch_hook(&self, id: WebhookId, patch: WebhookPatch) {
        self.tenant.patch_webhook(id, patch, OPERATOR).await.unwrap();
    }

    fn deliveries(&self, id: WebhookId, state: DeliveryState) -> Vec<Delivery> {
        self.tenant.deliveries(id, Some(state), None, usize::MAX).unwrap()
    }

    /// The numbers of all entries of the feed.
    fn all(&self) -> Vec<u64> {
        self.feed().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    }

    /// Roles given by hand, over and over: an event each.
    async fn change_roles(&self, users: &[UserId], times: usize) {
        for time in 0..times {
            for user in users {
                self.set_role(*user, &format!("role-{time}")).await.unwrap();
            }
        }
    }
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

fn is_about(user: UserId) -> impl Fn(&Value) -> bool {
    move |entry| entry["account"] == json!(user)
}

#[tokio::test(start_paused = true)]
async fn every_event_is_delivered_once_and_signed() {
    let (acme, receiver, id) = started().await;
    let user = acme.create_user("ada").await;

    acme.settle().await;

    assert_eq!(sorted(receiver.taken()), acme.all());
    let first = &receiver.arrived()[0];
    assert_eq!(first.url, URL);
    assert_eq!(first.entry, acme.feed()[0]);
    assert_eq!(first.entry["account"], json!(user));
    assert_eq!(
        first.headers["webhook-id"],
        format!("{}_acme", first.entry["id"].as_str().unwrap())
    );
    assert!(first.headers["webhook-signature"].starts_with("v1,"));
    let (_, position) = acme.hook_state(id);
    assert_eq!(position.cursor, acme.feed().len() as u64);
    let delivered = acme.deliveries(id, DeliveryState::Delivered);
    assert_eq!(delivered.len(), acme.feed().len());
    assert!(delivered.is_sorted_by_key(|delivery| std::cmp::Reverse(delivery.seq)));
    assert_eq!((delivered[0].attempts, delivered[0].last_status), (1, Some(200)));
}

#[tokio::test(start_paused = true)]
async fn events_of_one_account_come_in_order_and_accounts_go_side_by_side() {
    let (acme, receiver, _) = started().await;
    let mut users = Vec::new();
    for n in 0..8 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    acme.settle().await;
    receiver.forget();
    receiver.does(|_| Does::Takes(secs(1)));

    acme.change_roles(&users, 5).await;
    acme.advance(secs(8)).await;

    let taken = receiver.taken_by_account();
    assert_eq!(taken.len(), 8);
    // (The receiver itself sees to it that no two of a lane are in flight.)
    assert!(taken.values().all(|numbers| numbers.len() == 5 && numbers.is_sorted()));
    assert_eq!(receiver.in_flight_most(), 8);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_its_receiver_cannot_take_blocks_its_account_alone() {
    let (acme, receiver, id) = started().await;
    let poisoned = acme.create_user("poisoned").await;
    let others = [acme.create_user("ada").await, acme.create_user("bob").await];
    acme.settle().await;
    receiver.forget();
    let is_poison = is_about(poisoned);
    receiver.does(move |entry| Does::Answer(if is_poison(entry) { 500 } else { 200 }));

    acme.change_roles(&[poisoned], 3).await;
    acme.change_roles(&others, 20).await;
    acme.advance(mins(10)).await;

    let taken = receiver.taken_by_account();
    assert!(!taken.contains_key(&poisoned.to_string()));
    assert!(others.iter().all(|user| taken[&user.to_string()].len() == 20));
    let (_, position) = acme.hook_state(id);
    assert_eq!((position.waiting, position.circuit_open_since), (3, None));
    assert_eq!(position.cursor, acme.feed().len() as u64, "the cursor goes on");
    receiver.does(|_| Does::Answer(204));
    // Longer than the longest rest that an event's later tries can draw by now.
    acme.advance(mins(240)).await;
    let of_poisoned = &receiver.taken_by_account()[&poisoned.to_string()];
    assert!(of_poisoned.len() >= 3 && of_poisoned.is_sorted(), "{of_poisoned:?}");
    assert_eq!(acme.hook_state(id).1.waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn retries_come_after_about_1_5_and_30_seconds_with_the_same_id() {
    let (acme, receiver, _) = started().await;
    receiver.does(|_| Does::Answer(500));
    acme.create_user("ada").await;

    acme.advance(secs(58)).await;

    let arrived = receiver.arrived();
    assert!(arrived.len() >= 4, "{}", arrived.len());
    for (pair, mean) in arrived.windows(2).zip([1.0, 5.0, 30.0]) {
        let rest = (pair[1].at - pair[0].at).as_secs_f64();
        assert!((0.5 * mean..1.5 * mean + 0.1).contains(&rest), "{rest} for {mean}");
        assert_eq!(pair[0].headers["webhook-id"], pair[1].headers["webhook-id"]);
    }
    let time = |n: usize| arrived[n].headers["webhook-timestamp"].parse::<u64>().unwrap();
    assert!(time(3) >= time(0) + 15, "each attempt has its own time");
    assert_ne!(arrived[0].headers["webhook-signature"], arrived[3].headers["webhook-signature"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_when_to_come_again_is_heeded() {
    let (acme, receiver, _) = started().await;
    receiver.does(|_| Does::Busy(40));
    acme.create_user("ada").await;

    acme.advance(secs(39)).await;
    assert_eq!(receiver.arrived().len(), 1);
    acme.advance(secs(2)).await;
    assert_eq!(receiver.arrived().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_given_up_after_about_three_days_and_can_be_replayed() {
    let (acme, receiver, id) = started().await;
    let (user, other) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.settle().await;
    receiver.forget();
    let is_poison = is_about(user);
    let first = acme.all().len() as u64 + 1;
    receiver.does(move |entry| {
        Does::Answer(if is_poison(entry) && entry["seq"] == first { 500 } else { 200 })
    });
    acme.change_roles(&[user], 2).await;

    acme.advance(hours(12)).await;
    acme.change_roles(&[other], 1).await;
    acme.advance(hours(12)).await;
    assert!(acme.deliveries(id, DeliveryState::Dead).is_empty());
    for day in 0..6 {
        // Without a success for three days the webhook would be disabled instead.
        acme.set_role(other, &format!("day-{day}")).await.unwrap();
        acme.advance(hours(24)).await;
    }

    let [dead] = acme.deliveries(id, DeliveryState::Dead).try_into().unwrap();
    assert_eq!((dead.seq, dead.attempts, dead.last_status), (first, 14, Some(500)));
    assert_eq!(dead.account, Some(user.to_string()));
    let taken = receiver.taken_by_account()[&user.to_string()].clone();
    assert!(taken.contains(&(first + 1)) && !taken.contains(&first), "its account goes on");
    assert!(acme.hook_state(id).0.disabled.is_none());
    receiver.does(|_| Does::Answer(200));
    acme.tenant.replay_webhook(id, Replay::DeadLetters).await.unwrap();
    acme.advance(secs(5)).await;
    assert!(receiver.taken_by_account()[&user.to_string()].contains(&first));
    assert!(acme.deliveries(id, DeliveryState::Dead).is_empty());
    assert_eq!(acme.hook_state(id).1.dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_for_a_day_gets_everything_in_order() {
    let (acme, receiver, id) = started().await;
    let mut users = Vec::new();
    for n in 0..50 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    acme.settle().await;
    receiver.does(|_| Does::Hangs);
    let before = receiver.arrived().len();

    acme.change_roles(&users, 100).await;
    acme.advance(hours(24)).await;

    let (_, position) = acme.hook_state(id);
    assert!(position.circuit_open_since.is_some());
    assert!(position.waiting < 500, "{} documents", position.waiting);
    let probes = receiver.arrived().len() - before;
    assert!((100..600).contains(&probes), "{probes} probes in a day");
    receiver.does(|_| Does::Answer(200));
    acme.advance(mins(15)).await;

    let all = acme.all();
    let mut taken = sorted(receiver.taken());
    assert!(taken.len() >= 5_050);
    taken.dedup();
    assert_eq!(taken, all);
    for (account, numbers) in receiver.taken_by_account() {
        assert!(numbers.is_sorted(), "{account}: {numbers:?}");
    }
    let (_, position) = acme.hook_state(id);
    assert_eq!((position.waiting, position.dead, position.circuit_open_since), (0, 0, None));
    assert_eq!(position.cursor, all.len() as u64);
    assert!(acme.deliveries(id, DeliveryState::Delivered).len() <= 1_000);
}

#[tokio::test(start_paused = true)]
async fn events_that_cannot_be_taken_do_not_keep_the_circuit_open() {
    let (acme, receiver, id) = started().await;
    let mut users = Vec::new();
    for n in 0..6 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    acme.settle().await;
    let healthy = users[5];
    let is_healthy = is_about(healthy);
    receiver.does(move |entry| Does::Answer(if is_healthy(entry) { 200 } else { 500 }));
    acme.change_roles(&users[..5], 1).await;
    acme.advance(secs(20)).await;
    assert!(acme.hook_state(id).1.circuit_open_since.is_some());

    acme.change_roles(&[healthy], 3).await;
    acme.advance(mins(90)).await;

    assert!(receiver.taken_by_account()[&healthy.to_string()].len() >= 4);
    assert!(acme.hook_state(id).0.disabled.is_none());
}

#[tokio::test(start_paused = true)]
async fn after_three_days_without_a_success_the_webhook_is_disabled_and_keeps_its_place() {
    let (acme, receiver, id) = started().await;
    receiver.does(|_| Does::Answer(502));
    for n in 0..10 {
        acme.create_user(&format!("user-{n}")).await;
    }

    acme.advance(hours(71)).await;
    assert!(acme.hook_state(id).0.disabled.is_none());
    acme.advance(hours(2)).await;
    assert!(acme.hook_state(id).0.disabled.unwrap().reason.contains("three days"));
    assert!(acme.deliveries(id, DeliveryState::Dead).is_empty());
    let arrived = receiver.arrived().len();
    acme.advance(hours(24)).await;
    assert_eq!(receiver.arrived().len(), arrived, "nothing is sent any more");

    receiver.does(|_| Does::Answer(200));
    acme.patch_hook(id, WebhookPatch { active: Some(true), ..WebhookPatch::default() }).await;
    acme.advance(mins(1)).await;
    assert_eq!(sorted(receiver.taken()), acme.all());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_not_asked_again_and_nothing_is_lost() {
    let (acme, receiver, id) = started().await;
    receiver.does(|_| Does::Answer(410));
    let user = acme.create_user("ada").await;
    acme.settle().await;

    let (webhook, position) = acme.hook_state(id);
    assert!(webhook.disabled.unwrap().reason.contains("410"));
    assert_eq!((position.cursor, receiver.arrived().len()), (0, 1));
    acme.tenant.replay_webhook(id, Replay::After(0)).await.unwrap();
    acme.change_roles(&[user], 3).await;
    acme.advance(hours(1)).await;
    assert_eq!(receiver.arrived().len(), 1, "a replay does not enable it");

    receiver.does(|_| Does::Answer(200));
    acme.patch_hook(id, WebhookPatch { active: Some(true), ..WebhookPatch::default() }).await;
    acme.advance(secs(5)).await;
    assert_eq!(sorted(receiver.taken()), acme.all());
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_from_the_cursor() {
    let store = Arc::new(MemoryStore::default());
    let receiver = Receiver::new();
    let acme = TestTenant::sending(store.clone(), receiver.outbound()).await;
    let id = acme.hook(URL).await;
    let (stuck, user) = (acme.create_user("stuck").await, acme.create_user("ada").await);
    acme.settle().await;
    let is_stuck = is_about(stuck);
    receiver.does(move |entry| Does::Answer(if is_stuck(entry) { 500 } else { 200 }));
    acme.change_roles(&[stuck, user], 2).await;
    acme.advance(mins(1)).await;
    acme.service.stop(secs(5)).await;
    let (now, first_life) = (acme.now(), receiver.taken());
    let again: Arc<dyn Store> = store;

    receiver.does(|_| Does::Answer(200));
    let acme = TestTenant::sending_again(again, now, receiver.outbound()).await;
    acme.change_roles(&[user], 1).await;
    acme.advance(mins(30)).await;

    let taken = receiver.taken();
    assert!(first_life.len() >= 4);
    assert_eq!(sorted(taken), acme.all(), "each once: what was done had been written");
    assert_eq!(acme.hook_state(id).1.waiting, 0);
    assert!(receiver.taken_by_account().values().all(|numbers| numbers.is_sorted()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_slows_no_other_webhook() {
    let (acme, receiver, _) = started().await;
    acme.hook("https://slow.example.com/").await;
    let mut users = Vec::new();
    for n in 0..20 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    acme.settle().await;
    receiver.forget();
    receiver.does_by_url(|url| if url.contains("slow") { Does::Hangs } else { Does::Answer(200) });
    let before = acme.all().len();

    acme.change_roles(&users, 10).await;
    acme.advance(secs(1)).await;

    let quick = receiver.arrived().into_iter().filter(|arrived| arrived.url == URL).count();
    assert_eq!(quick, acme.all().len() - before);
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept() {
    let (acme, receiver, id) = started().await;
    let users = [acme.create_user("ada").await, acme.create_user("bob").await];
    acme.settle().await;
    receiver.forget();
    let rate = std::num::NonZeroU32::new(10);
    acme.patch_hook(id, WebhookPatch { requests_per_second: rate, ..WebhookPatch::default() })
        .await;

    acme.change_roles(&users, 50).await;
    acme.advance(secs(5)).await;

    let arrived = receiver.arrived().len();
    assert!((50..=61).contains(&arrived), "{arrived} in 5 s");
    acme.advance(secs(6)).await;
    assert_eq!(receiver.arrived().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_gets_the_types_that_it_asked_for_from_now_on() {
    let (acme, receiver, _) = started().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    receiver.forget();
    let types = vec![EventType::AccountLocked];
    let new =
        NewWebhook { url: "https://locks.example.com/".into(), types, ..NewWebhook::default() };
    let id = acme.hook_with(new).await;

    acme.lock(user, Some("admin")).await.unwrap();
    acme.unlock(user).await.unwrap();
    acme.advance(secs(3)).await;

    let at_locks = receiver.arrived().into_iter().filter(|arrived| arrived.url != URL);
    let types: Vec<Value> = at_locks.map(|arrived| arrived.entry["type"].clone()).collect();
    assert_eq!(types, ["account.locked"]);
    assert_eq!(acme.hook_state(id).1.cursor, acme.all().len() as u64);
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_can_be_replayed() {
    let (acme, receiver, id) = started().await;
    let user = acme.create_user("ada").await;
    acme.change_roles(&[user], 5).await;
    acme.settle().await;
    receiver.forget();

    acme.tenant.replay_webhook(id, Replay::After(2)).await.unwrap();
    acme.advance(secs(2)).await;

    assert_eq!(sorted(receiver.taken()), acme.all()[2..]);
    let beyond = Replay::After(1_000);
    acme.tenant.replay_webhook(id, beyond).await.unwrap();
    acme.change_roles(&[user], 1).await;
    acme.advance(secs(2)).await;
    assert_eq!(receiver.taken().len(), acme.all().len() - 2, "nothing is skipped by it");
}

#[tokio::test(start_paused = true)]
async fn while_a_secret_is_rotated_both_sign() {
    let (acme, receiver, id) = started().await;
    let user = acme.create_user("ada").await;
    let rotate = WebhookPatch { rotate_secret: true, ..WebhookPatch::default() };
    let (_, text) = acme.tenant.patch_webhook(id, rotate, OPERATOR).await.unwrap();
    assert!(text.unwrap().starts_with("whsec_"));

    let signatures = async || {
        receiver.forget();
        acme.change_roles(&[user], 1).await;
        acme.advance(secs(1)).await;
        receiver.arrived().last().unwrap().headers["webhook-signature"].split(' ').count()
    };
    assert_eq!(signatures().await, 2);
    acme.advance(hours(24)).await;
    assert_eq!(signatures().await, 1);
}

#[tokio::test(start_paused = true)]
async fn with_another_key_nothing_is_sent_and_the_webhook_says_why() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let receiver = Receiver::new();
    let right = || receiver.outbound_with(Vault::new(Some(&[1; 32])));
    let acme = TestTenant::sending(Arc::clone(&store), right()).await;
    let id = acme.hook(URL).await;
    acme.service.stop(secs(1)).await;

    let wrong = receiver.outbound_with(Vault::new(Some(&[2; 32])));
    let acme = TestTenant::sending_again(Arc::clone(&store), acme.now(), wrong).await;
    acme.create_user("ada").await;
    acme.settle().await;
    assert!(receiver.arrived().is_empty());
    assert!(acme.hook_state(id).1.trouble.unwrap().contains("another key"));
    acme.service.stop(secs(1)).await;

    let acme = TestTenant::sending_again(Arc::clone(&store), acme.now(), right()).await;
    acme.advance(secs(5)).await;
    assert_eq!(sorted(receiver.taken()), acme.all());
    assert_eq!(acme.hook_state(id).1.trouble, None);
    acme.service.stop(secs(1)).await;

    // A new secret needs nothing of the old key.
    let wrong = receiver.outbound_with(Vault::new(Some(&[2; 32])));
    let acme = TestTenant::sending_again(store, acme.now(), wrong).await;
    acme.patch_hook(id, WebhookPatch { rotate_secret: true, ..WebhookPatch::default() }).await;
    acme.create_user("bob").await;
    acme.settle().await;
    assert_eq!(sorted(receiver.taken()), acme.all());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_webhook_leaves_nothing() {
    let (acme, receiver, id) = started().await;
    receiver.does(|entry| Does::Answer(if entry["seq"] == 1 { 500 } else { 200 }));
    let user = acme.create_user("ada").await;
    acme.change_roles(&[user], 700).await;
    acme.advance(secs(3)).await;
    assert!(acme.hook_state(id).1.waiting > 600);

    acme.tenant.delete_webhook(id, OPERATOR).await.unwrap();
    acme.advance(secs(3)).await;

    assert!(matches!(acme.tenant.webhook(id), Err(WebhookError::NotFound)));
    let (key, snapshot) = (acme.tenant.key(), acme.snapshot());
    assert!(snapshot.documents::<Delivery>(key, None, 1).unwrap().is_empty());
    assert!(snapshot.documents::<Position>(key, None, 1).unwrap().is_empty());
    assert!(snapshot.documents::<Webhook>(key, None, 1).unwrap().is_empty());
    let arrived = receiver.arrived().len();
    acme.change_roles(&[user], 3).await;
    acme.advance(hours(1)).await;
    assert_eq!(receiver.arrived().len(), arrived);
}

#[tokio::test(start_paused = true)]
async fn a_test_sends_a_sample_and_shows_the_answer() {
    let (acme, receiver, id) = started().await;

    let report = acme.tenant.test_webhook(id).await.unwrap();
    assert!(report.delivered);
    assert_eq!((report.status, report.body), (Some(200), b"thanks".to_vec()));
    assert_eq!(receiver.arrived()[0].entry["type"], "webhook.test");
    receiver.does(|_| Does::Hangs);
    let report = acme.tenant.test_webhook(id).await.unwrap();
    assert!(!report.delivered && report.duration <= secs(17), "{report:?}");
    assert!(acme.all().is_empty(), "it is not in the feed");
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_at_random_arrives_in_the_order_of_its_account_also_over_restarts() {
    let store = Arc::new(MemoryStore::default());
    let receiver = Receiver::new();
    let mut acme = TestTenant::sending(store.clone(), receiver.outbound()).await;
    let id = acme.hook(URL).await;
    let mut users = Vec::new();
    for n in 0..20 {
        users.push(acme.create_user(&format!("user-{n}")).await);
    }
    // A small generator of its own: the same numbers in every run.
    let seed = AtomicU64::new(1);
    receiver.does(move |_| {
        let draw = seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).rotate_left(17) % 10;
        match draw {
            0..3 => Does::Answer(503),
            3..5 => Does::Takes(Duration::from_millis(700 * draw)),
            _ => Does::Answer(200),
        }
    });

    for life in 0..4 {
        acme.change_roles(&users, 10).await;
        acme.advance(secs(life * 20)).await;
        acme.service.stop(secs(1)).await;
        let again: Arc<dyn Store> = store.clone();
        acme = TestTenant::sending_again(again, acme.now(), receiver.outbound()).await;
    }
    acme.advance(hours(48)).await;
    receiver.does(|_| Does::Answer(200));
    acme.advance(hours(48)).await;

    let mut taken = sorted(receiver.taken());
    taken.dedup();
    assert_eq!(taken, acme.all());
    for (account, numbers) in receiver.taken_by_account() {
        let mut newest = 0;
        let first_times: Vec<u64> = numbers
            .iter()
            .copied()
            .filter(|n| {
                let is_new = *n > newest;
                newest = newest.max(*n);
                is_new
            })
            .collect();
        let mut distinct = sorted(numbers.clone());
        distinct.dedup();
        assert_eq!(first_times, distinct, "{account}: {numbers:?}");
    }
    let (_, position) = acme.hook_state(id);
    assert_eq!((position.waiting, position.dead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_retention_took_before_it_was_delivered_is_told() {
    let (acme, receiver, id) = started().await;
    acme.patch_hook(id, WebhookPatch { active: Some(false), ..WebhookPatch::default() }).await;
    let user = acme.create_user("ada").await;
    acme.change_roles(&[user], 9).await;
    let trim = Operation::Trim { log: Log::Feed, last: 4, rows_max: 100 };
    let change = Changeset::new(acme.tenant.key(), acme.now(), None).with(trim);
    acme.service.store().commit(change).wait().await.unwrap();

    acme.patch_hook(id, WebhookPatch { active: Some(true), ..WebhookPatch::default() }).await;
    acme.advance(secs(3)).await;

    assert_eq!(receiver.taken()[..6], [5, 6, 7, 8, 9, 10]);
    let [missing] = acme.deliveries(id, DeliveryState::Dead).try_into().unwrap();
    assert_eq!((missing.seq, missing.missing_to), (1, Some(4)));
    let too_old = acme.tenant.replay_webhook(id, Replay::After(3)).await;
    assert!(matches!(too_old, Err(WebhookError::Trimmed { oldest: 5 })), "{too_old:?}");
    acme.tenant.replay_webhook(id, Replay::DeadLetters).await.unwrap();
    assert_eq!(acme.hook_state(id).1.dead, 0, "the notice was read");
}
