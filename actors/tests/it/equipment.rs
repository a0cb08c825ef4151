//! Equipment: who is told of what disabled accounts still hold, when, and how often.

mod mail;
mod reminders;
mod retention;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use access::UserId;
use access::equipment::Asset;
use access::equipment::report::{Item, State};
use actors::Limits;
use actors::equipment::report::{self, Wanted};
use actors::equipment::upload::Uploaded;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::MemoryStore;

use crate::stores::{FullStore, PanickingStore};
use crate::test_tenant::{Done, OPERATOR, START, TestTenant, mins, secs};

const DAY: Duration = Duration::from_hours(24);

impl TestTenant {
    async fn try_upload(&self, list: &[(&str, &str)]) -> Done<Uploaded> {
        let asset = |(asset_id, holder): &(&str, &str)| Asset {
            asset_id: (*asset_id).into(),
            name: format!("name of {asset_id}"),
            holder: (*holder).into(),
        };
        let turn = self.tenant.upload_turn().await?;
        let list = self.tenant.match_equipment(list.iter().map(asset).collect())?;
        self.tenant.replace_equipment(turn, list, OPERATOR).await
    }

    /// Uploads assets with their holders.
    async fn upload(&self, list: &[(&str, &str)]) -> Uploaded {
        let uploaded = self.try_upload(list).await.unwrap();
        self.advance(secs(1)).await;
        uploaded
    }

    fn report(&self, state: State) -> Vec<Item> {
        let wanted = Wanted { state: Some(state), ..Wanted::default() };
        report::read(self.tenant.shared(), &wanted, None, usize::MAX).unwrap().0
    }

    /// The assets in that state.
    fn assets(&self, state: State) -> Vec<String> {
        self.report(state).into_iter().map(|item| item.asset_id).collect()
    }

    /// What was told of equipment.
    fn told(&self) -> Vec<Value> {
        let feed = self.feed().into_iter();
        feed.filter(|entry| entry["type"] == "equipment.unreturned").collect()
    }

    async fn create_managed(&self, name: &str, manager: UserId) -> UserId {
        let enterprise = json!({"manager": {"value": manager}});
        let body = json!({"userName": name, (scim::urn::ENTERPRISE_USER): enterprise});
        self.try_create_user(body).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_disabled_and_holds_something_is_told_of_once_when_the_wave_has_settled() {
    let acme = TestTenant::new().await;
    let eve = acme.create_user("eve").await;
    let (ada, bob) = (acme.create_managed("ada", eve).await, acme.create_user("bob").await);
    acme.upload(&[("L-2", "ada"), ("L-1", "ADA"), ("L-3", "bob"), ("L-4", "eve")]).await;
    acme.settle().await;

    acme.disable(ada).await;
    acme.advance(secs(59)).await;
    assert_eq!(acme.told(), Vec::<Value>::new());
    acme.settle().await;

    let [told] = acme.told().try_into().unwrap();
    assert_eq!(told["account"], json!(ada));
    assert_eq!((&told["user_name"], &told["status"]), (&json!("ada"), &json!("disabled")));
    assert_eq!((&told["manager"], &told["reminder"]), (&json!("eve"), &json!(false)));
    assert_eq!(told["since"], json!(acme.account(ada).status_since));
    let assets = json!([{"asset_id": "L-1", "name": "name of L-1"}, {"asset_id": "L-2", "name": "name of L-2"}]);
    assert_eq!((&told["assets"], &told["assets_count"]), (&assets, &json!(2)));
    acme.set(bob, "title", json!("Countess")).await.unwrap();
    acme.settle().await;
    assert_eq!(acme.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_disables_many_tells_of_each_of_them_once() {
    let acme = TestTenant::new().await;
    let mut users = Vec::new();
    let names: Vec<String> = (0..250).map(|number| format!("user{number}")).collect();
    for name in &names {
        users.push(acme.create_user(name).await);
    }
    let list: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    acme.upload(&list).await;
    acme.settle().await;

    for user in &users {
        acme.disable(*user).await;
    }
    acme.settle().await;

    let account = |told: &Value| told["account"].as_str().unwrap().parse().unwrap();
    let mut told: Vec<UserId> = acme.told().iter().map(account).collect();
    told.sort_unstable();
    users.sort_unstable();
    assert!(told == users, "{} of {} were told of", told.len(), users.len());
}

#[tokio::test(start_paused = true)]
async fn who_is_deleted_still_holds_what_they_held_and_has_the_manager_of_then() {
    let acme = TestTenant::new().await;
    let eve = acme.create_user("eve").await;
    let ada = acme.create_managed("ada", eve).await;
    acme.upload(&[("L-1", "ada")]).await;

    acme.delete(ada).await;
    acme.settle().await;

    let [told] = acme.told().try_into().unwrap();
    assert_eq!((&told["status"], &told["manager"]), (&json!("deleted"), &json!("eve")));
    let [item] = acme.report(State::Held).try_into().unwrap();
    assert_eq!((item.account, item.manager.as_deref()), (ada, Some("eve")));
    assert_eq!(item.manager_account.unwrap().id, eve);
    // Also under a list that was uploaded afterwards.
    acme.upload(&[("L-1", "ada")]).await;
    assert_eq!(acme.report(State::Held)[0].manager.as_deref(), Some("eve"));
}

#[tokio::test(start_paused = true)]
async fn who_is_enabled_again_is_shown_apart_and_told_of_again_when_disabled_again() {
    let acme = TestTenant::new().await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    acme.disable(ada).await;
    acme.settle().await;
    assert_eq!(acme.assets(State::Held), ["L-1"]);

    acme.enable(ada).await;
    acme.settle().await;
    assert_eq!(acme.assets(State::Held), Vec::<String>::new());
    assert_eq!(acme.assets(State::ReEnabled), ["L-1"]);

    acme.disable(ada).await;
    acme.settle().await;
    assert_eq!(acme.assets(State::ReEnabled), Vec::<String>::new());
    assert_eq!(acme.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_enabled_before_the_wave_has_settled_is_not_told_of() {
    let acme = TestTenant::new().await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;

    acme.disable(ada).await;
    acme.enable(ada).await;
    acme.settle().await;

    assert_eq!(acme.told(), Vec::<Value>::new());
    assert_eq!(acme.assets(State::ReEnabled), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_list_any_more_was_returned_and_is_shown_for_ninety_days() {
    let acme = TestTenant::new().await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada"), ("L-2", "ada")]).await;
    acme.disable(ada).await;
    acme.settle().await;

    acme.upload(&[("L-2", "ada")]).await;
    let returned_at = acme.now();
    assert_eq!(acme.assets(State::Held), ["L-2"]);
    let [returned] = acme.report(State::Returned).try_into().unwrap();
    assert_eq!((returned.asset_id.as_str(), returned.account), ("L-1", ada));
    let late = returned_at.duration_since(returned.returned_at.unwrap());
    assert!(late < SignedDuration::from_secs(2), "{late}");

    acme.upload(&[("L-1", "ada")]).await;
    assert_eq!(acme.assets(State::Returned), ["L-2"]);
    acme.upload(&[]).await;
    assert_eq!(acme.assets(State::Returned), ["L-1", "L-2"]);
}

#[test]
fn what_was_returned_is_shown_for_ninety_days() {
    let store = Arc::new(MemoryStore::default());
    life(async {
        let acme = TestTenant::with(store.clone(), Limits::default()).await;
        let ada = acme.create_user("ada").await;
        acme.upload(&[("L-1", "ada")]).await;
        acme.disable(ada).await;
        acme.settle().await;
        acme.upload(&[]).await;
    });

    for (days, shown) in [(89, 1), (91, 0)] {
        life(async {
            let now = START + SignedDuration::from_hours(days * 24);
            let acme = TestTenant::taken_up(store.clone(), now).await;
            acme.advance(secs(1)).await;
            assert_eq!(acme.assets(State::Returned).len(), shown, "after {days} days");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_appears_after_the_upload_is_found() {
    let acme = TestTenant::new().await;
    let uploaded = acme.upload(&[("L-1", "ada"), ("L-2", "nobody")]).await;
    assert_eq!((uploaded.matched, uploaded.unmatched), (0, 2));
    assert_eq!(uploaded.unmatched_holders, ["ada", "nobody"]);

    let ada = acme.create_user("ada").await;
    acme.settle().await;
    acme.disable(ada).await;
    acme.settle().await;

    assert_eq!(acme.assets(State::Held), ["L-1"]);
    assert_eq!(acme.told().len(), 1);
    // Renamed to what a holder says.
    let bob = acme.create_user("bob").await;
    acme.set(bob, "userName", json!("nobody")).await.unwrap();
    acme.disable(bob).await;
    acme.settle().await;
    assert_eq!(acme.assets(State::Held), ["L-1", "L-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_appears_in_the_open_wave_is_in_the_report_already() {
    let acme = TestTenant::new().await;
    acme.upload(&[("L-1", "ada"), ("L-2", "nobody")]).await;

    let ada = acme.create_user("ada").await;
    acme.disable(ada).await;

    assert_eq!(acme.assets(State::Held), ["L-1"]);
    acme.settle().await;
    assert_eq!(acme.assets(State::Held), ["L-1"]);
    assert_eq!(acme.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_was_disabled_before_the_first_list_in_the_wave_that_is_open_is_told_of() {
    let acme = TestTenant::new().await;
    let (ada, bob) = (acme.create_user("ada").await, acme.create_user("bob").await);
    acme.disable(bob).await;
    acme.settle().await;

    acme.disable(ada).await;
    acme.upload(&[("L-1", "ada"), ("L-2", "bob")]).await;
    assert_eq!(acme.told(), Vec::<Value>::new());
    acme.settle().await;

    // Of Bob, whose wave was over, the report tells, and reminders.
    let [told] = acme.told().try_into().unwrap();
    assert_eq!(told["account"], json!(ada));
    assert_eq!(acme.assets(State::Held).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_did_not_get_to_its_end_leaves_the_old_one_standing() {
    let store = Arc::new(FullStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    acme.disable(ada).await;
    acme.settle().await;
    let many: Vec<String> = (0..1_700).map(|number| format!("N-{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|id| (id.as_str(), "ada")).collect();

    // Four pieces, and then the change by which it counts.
    for pieces in 0..=4 {
        store.take_only(pieces);
        acme.try_upload(&many).await.unwrap_err();
        assert_eq!(acme.assets(State::Held), ["L-1"], "after {pieces} pieces");
    }

    store.take_only(usize::MAX);
    acme.advance(mins(5)).await;
    assert_eq!(acme.assets(State::Held), ["L-1"]);
    assert_eq!(acme.asset_rows(), 1);
    acme.upload(&many).await;
    assert_eq!(acme.assets(State::Held).len(), 1_700);
    assert_eq!(acme.asset_rows(), 1_700);
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_one_entry_in_the_audit_log() {
    let acme = TestTenant::new().await;
    acme.create_user("ada").await;
    acme.settle().await;
    let audit = || {
        let mut entries = Vec::new();
        let visit = |entry: Value| {
            entries.push(entry);
            ControlFlow::Continue(())
        };
        acme.snapshot().audit(acme.tenant.key(), 0, visit).unwrap();
        entries
    };
    let before = audit().len();

    acme.upload(&[("L-1", "ada"), ("L-2", "ada"), ("L-3", "nobody")]).await;
    acme.upload(&[]).await;

    let entries = audit().split_off(before);
    let [first, second] = entries.try_into().unwrap();
    for (entry, assets) in [(first, 3), (second, 0)] {
        let entry = entry.to_string();
        assert!(entry.contains("equipment_list") && entry.contains("operator"), "{entry}");
        assert!(entry.contains(&format!("\"assets\":{assets}")), "{entry}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reporter_that_panics_is_started_again_and_tells() {
    let store = Arc::new(PanickingStore::default());
    let acme = TestTenant::with(store.clone(), Limits::default()).await;
    let ada = acme.create_user("ada").await;
    acme.upload(&[("L-1", "ada")]).await;
    acme.disable(ada).await;
    acme.settle().await;
    // Nobody but the reporter reads at ten past eleven.
    let sweeps = json!({"sweep_min": "30d", "sweep_max": "30d"});
    let equipment = json!({"schedule": "10 11 * * *"});
    acme.change_settings(json!({"reconcile": sweeps, "equipment": equipment})).await;
    let due: Timestamp = "2026-11-18T11:10:00Z".parse().unwrap();
    let wait = due.duration_since(acme.now()).unsigned_abs();
    acme.advance(wait.saturating_sub(secs(1))).await;

    store.panic_next(1);
    acme.advance(secs(30)).await;

    assert_eq!(store.panics_left(), 0);
    assert_eq!(acme.told().len(), 2);
    assert_eq!(acme.tenant.shared().reporter_observed.state().restarts, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_uploaded_is_what_is_reported(
        lists in prop::collection::vec(prop::collection::btree_map("[ -~]{1,12}", 0..4_usize, 0..12), 1..4)
    ) {
        life(async {
            let acme = TestTenant::new().await;
            let names = ["ada", "bob", "eve", "joe"];
            for name in names {
                let user = acme.create_user(name).await;
                if name != "joe" {
                    acme.disable(user).await;
                }
            }
            for list in &lists {
                let rows: Vec<(&str, &str)> =
                    list.iter().map(|(id, holder)| (id.as_str(), names[*holder])).collect();
                acme.upload(&rows).await;
                let mut expected: Vec<&str> =
                    rows.iter().filter(|(_, holder)| *holder != "joe").map(|(id, _)| *id).collect();
                let mut found = acme.assets(State::Held);
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected);
            }
        });
    }
}

impl TestTenant {
    /// Rows of all lists that are kept.
    fn asset_rows(&self) -> usize {
        use actors::equipment::documents::AssetRow;

        let rows = self.snapshot().documents::<AssetRow>(self.tenant.key(), None, usize::MAX);
        rows.unwrap().len()
    }
}

#[test]
fn a_wave_that_settled_before_a_crash_is_told_of_after_it() {
    let store = Arc::new(MemoryStore::default());
    life(async {
        let acme = TestTenant::with(store.clone(), Limits::default()).await;
        let ada = acme.create_user("ada").await;
        acme.upload(&[("L-1", "ada")]).await;
        acme.settle().await;
        acme.disable(ada).await;
        acme.advance(secs(30)).await;
    });

    for _ in 0..2 {
        life(async {
            let acme = TestTenant::taken_up(store.clone(), START + mins(10)).await;
            acme.settle().await;
            assert_eq!(acme.told().len(), 1);
        });
    }
}

fn life<T>(of: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(of)
}
