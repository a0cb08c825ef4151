//! What has been kept long enough goes, and what is about to end is told of.

use std::sync::Arc;
use std::time::Duration;

use access::wave::later;
use access::{Author, TokenId};
use actors::Limits;
use actors::token_uses::TokenUse;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::oauth::{AccessToken, OAuthClient, client_key};
use store::tenant::Token;
use store::{DocumentKey, MemoryStore, Store};

use crate::test_tenant::{OPERATOR, START, TestTenant, mins, secs};

/// The time within which a new life of the service has gone its first round.
const A_ROUND: Duration = secs(60);

const fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

async fn in_store(store: &Arc<MemoryStore>) -> TestTenant {
    TestTenant::with(Arc::clone(store) as Arc<dyn Store>, Limits::default()).await
}

/// The same tenant in another life of the service, so long after the start of the test, after its
/// first round.
async fn after(store: &Arc<MemoryStore>, earlier: TestTenant, time: Duration) -> TestTenant {
    earlier.service.stop(secs(5)).await;
    let acme = TestTenant::taken_up(Arc::clone(store) as Arc<dyn Store>, later(START, time)).await;
    acme.advance(A_ROUND).await;
    acme
}

fn of_type(acme: &TestTenant, name: &str) -> Vec<Value> {
    acme.feed().into_iter().filter(|entry| entry["type"] == name).collect()
}

async fn create_token(acme: &TestTenant, expires_at: Option<Timestamp>) -> TokenId {
    let (id, now) = (TokenId::new(acme.now()), acme.now());
    let label = "entra".to_owned();
    let token = Token { id, label, secret_sha256: [1; 32], created_at: now, expires_at };
    acme.service.create_token(acme.tenant.key(), token, OPERATOR).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn entries_of_the_feed_go_after_a_month_of_running() {
    let acme = TestTenant::new().await;
    acme.create_user("ada").await;
    acme.settle().await;
    let last = acme.feed().len();

    acme.advance(days(29)).await;
    assert_eq!(acme.feed().len(), last);
    acme.create_user("bob").await;
    acme.advance(days(1) + mins(70)).await;

    let counts = acme.snapshot().counts(acme.tenant.key()).unwrap();
    assert_eq!(counts.feed_trimmed, last as u64);
    assert_eq!(acme.feed()[0]["seq"], last as u64 + 1);
    assert_eq!(acme.waves().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn history_goes_when_it_has_been_kept_long_enough() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.delete(ada).await;
    acme.settle().await;
    let audited = acme.snapshot().counts(acme.tenant.key()).unwrap().audit;

    let acme = after(&store, acme, days(89)).await;
    assert_eq!(acme.account(ada).role, None);
    assert_eq!(acme.waves().len(), 1);

    let acme = after(&store, acme, days(91)).await;
    let key = acme.tenant.key();
    assert_eq!(acme.snapshot().account(key, ada).unwrap(), None);
    assert_eq!(acme.role_of(bob), "default");
    assert!(acme.waves().is_empty());
    assert_eq!(acme.snapshot().counts(key).unwrap().audit_trimmed, 0);

    let acme = after(&store, acme, days(401)).await;
    let counts = acme.snapshot().counts(key).unwrap();
    // That the account was forgotten is younger.
    assert_eq!((counts.audit_trimmed, counts.audit), (audited, audited + 1));
    assert_eq!(acme.role_of(bob), "default");
}

#[tokio::test(start_paused = true)]
async fn the_feed_holds_no_more_entries_than_it_may_as_soon_as_settings_say_so() {
    let acme = TestTenant::new().await;
    for number in 0..1_500 {
        acme.create_user(&format!("user {number}")).await;
    }
    let last = acme.feed().len() as u64;

    acme.change_settings(json!({"retention": {"feed_entries": 7}})).await;
    acme.advance(secs(1)).await;

    let numbers: Vec<u64> = acme.feed().iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert_eq!(numbers, (last - 6..=last).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_token_about_to_expire_is_told_of_once_for_each_threshold() {
    let store = Arc::new(MemoryStore::default());
    let mut acme = in_store(&store).await;
    let end = later(acme.now(), days(40));
    let token = create_token(&acme, Some(end)).await;
    create_token(&acme, None).await;
    create_token(&acme, Some(later(acme.now(), mins(60)))).await;
    let mut told = Vec::new();
    for day in [0, 9, 11, 12, 32, 34, 38, 39, 40] {
        acme = after(&store, acme, days(day)).await;
        acme.advance(mins(70)).await;
        let warnings = of_type(&acme, "token.expiring");
        for warning in &warnings {
            assert_eq!(warning["token"], json!(token));
            assert_eq!(warning["label"], "entra");
            assert_eq!(warning["expires_at"], end.to_string());
        }
        told.push(warnings.last().map_or(0, |warning| warning["days"].as_u64().unwrap()));
    }
    assert_eq!(told, [0, 0, 30, 30, 30, 7, 7, 1, 1]);

    let days_told: Vec<u64> =
        of_type(&acme, "token.expiring").iter().filter_map(|w| w["days"].as_u64()).collect();
    assert_eq!(days_told, [30, 7, 1]);
}

#[tokio::test(start_paused = true)]
async fn of_several_thresholds_that_have_passed_the_most_urgent_is_told_of() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    create_token(&acme, Some(later(acme.now(), days(40)))).await;

    let acme = after(&store, acme, days(39) + mins(10)).await;
    acme.advance(mins(130)).await;

    let warnings = of_type(&acme, "token.expiring");
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0]["days"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_nobody_appears_for_is_taken_back_after_thirty_days() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    let staff = acme.create_group("Staff", &["entra-7".to_owned()]).await;
    let key = acme.tenant.key();
    let parked = |acme: &TestTenant| acme.snapshot().all_parked(key, None, 9).unwrap().len();

    let acme = after(&store, acme, days(29)).await;
    assert_eq!(parked(&acme), 1);
    let acme = after(&store, acme, days(30) + mins(1)).await;

    assert_eq!(parked(&acme), 0);
    let expired = of_type(&acme, "group.members_changed").pop().unwrap();
    assert_eq!(expired["expired"], json!(["entra-7"]));
    assert_eq!(acme.tenant.shared().expired_parked().unwrap().count, 1);
    let body = json!({"userName": "ada", "externalId": "entra-7"});
    acme.try_create_user(body).await.unwrap();
    assert!(acme.members(staff).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_last_use_of_a_token_is_written_within_two_minutes_and_at_the_end() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    let token = create_token(&acme, None).await;
    let key = DocumentKey::id(token.as_bytes());
    let kept = |acme: &TestTenant| {
        let kept = acme.snapshot().document::<TokenUse>(acme.tenant.key(), &key).unwrap();
        kept.map(|kept| kept.value.at)
    };
    let uses = &acme.tenant.shared().token_uses;

    let first = acme.now();
    uses.used(token, first, Some([192, 0, 2, 1].into()));
    assert_eq!(kept(&acme), None);
    acme.advance(mins(2)).await;
    assert_eq!(kept(&acme), Some(first));
    let last = acme.now();
    uses.used(token, last, None);
    acme.service.stop(secs(5)).await;
    assert_eq!(kept(&acme), Some(last));

    let acme = after(&store, acme, mins(10)).await;
    let (tenant, author) = (acme.tenant.key(), OPERATOR);
    acme.service.delete_token(tenant, token, author).await.unwrap();
    acme.advance(mins(70)).await;
    assert_eq!(kept(&acme), None);
}

#[tokio::test(start_paused = true)]
async fn access_tokens_go_when_they_have_expired_and_with_their_client() {
    let store = Arc::new(MemoryStore::default());
    let acme = in_store(&store).await;
    let (tenant, now) = (acme.tenant.key(), acme.now());
    let (client, _) = OAuthClient::make("entra".into(), now, None).unwrap();
    acme.service.create_client(tenant, &client, OPERATOR).await.unwrap();
    let kept = acme.snapshot().document(tenant, &client_key(client.id)).unwrap().unwrap();
    let tokens = |acme: &TestTenant| {
        let tokens: Vec<AccessToken> = acme.snapshot().documents(tenant, None, 9_999).unwrap();
        tokens.len()
    };
    for life in [mins(60), mins(300), mins(300)] {
        let (token, _) = AccessToken::make(client.id, now, later(now, life)).unwrap();
        acme.service.keep_access_token(tenant, &kept, &token).await.unwrap();
    }

    let acme = after(&store, acme, mins(61)).await;
    assert_eq!(tokens(&acme), 2);
    for _ in 0..300 {
        let (token, _) = AccessToken::make(client.id, now, later(now, mins(300))).unwrap();
        acme.service.keep_access_token(tenant, &kept, &token).await.unwrap();
    }
    assert_eq!(tokens(&acme), 256, "the oldest make room");

    acme.service.delete_client(tenant, client.id, Author::service()).await.unwrap();
    assert_eq!(tokens(&acme), 0);
    let (token, _) = AccessToken::make(client.id, now, later(now, mins(300))).unwrap();
    let refused = acme.service.keep_access_token(tenant, &kept, &token).await;
    assert!(refused.is_err(), "a client that was deleted meanwhile gets no token");
}
