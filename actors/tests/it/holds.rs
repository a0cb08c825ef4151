//! Mass changes wait for an operator, and everything else goes through.

use std::sync::Arc;

use access::{GroupId, Hold, HoldState, UserId, WithheldReason};
use actors::ChangeError;
use serde_json::json;
use store::{DocumentKey, MemoryStore, Store};

use crate::test_tenant::{OPERATOR, TestTenant, mins, secs};

struct Company {
    acme: TestTenant,
    staff: GroupId,
    people: Vec<UserId>,
}

/// Ten people in Staff, who are loanees for it; more than half of ten is a mass change.
async fn company() -> Company {
    company_in(Arc::new(MemoryStore::default())).await
}

async fn company_in(store: Arc<dyn Store>) -> Company {
    let acme = TestTenant::with(store, actors::Limits::default()).await;
    acme.change_settings(json!({"hold": {"share": 0.5, "min_accounts": 10}})).await;
    acme.map(&[("Staff", "loanee"), ("Guests", "guest")]).await;
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(acme.create_user(&format!("person-{number}")).await);
    }
    let ids: Vec<String> = people.iter().map(ToString::to_string).collect();
    let staff = acme.create_group("Staff", &ids).await;
    acme.settle().await;
    Company { acme, staff, people }
}

impl Company {
    async fn leave(&self, people: &[UserId]) {
        for person in people {
            self.acme.remove_member(self.staff, *person).await;
        }
    }

    fn with_role(&self, role: &str) -> usize {
        self.people.iter().filter(|person| self.acme.role_of(**person) == role).count()
    }

    fn holds(&self) -> Vec<Hold> {
        let all = DocumentKey::default();
        let key = self.acme.tenant.key();
        self.acme.snapshot().documents_reversed(key, &all, None, 9).unwrap()
    }

    /// The one hold that there is.
    fn hold(&self) -> Hold {
        let holds = self.holds();
        assert_eq!(holds.len(), 1, "{holds:?}");
        holds[0].clone()
    }

    async fn resolve(&self, approve: bool) -> u64 {
        let hold = self.hold().id;
        self.acme.tenant.resolve_hold(hold, approve, OPERATOR).await.unwrap().1.changed
    }
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_takes_too_many_mapped_roles_is_held_and_told_of() {
    let company = company().await;

    company.leave(&company.people[..6]).await;
    company.acme.settle().await;

    assert_eq!(company.with_role("loanee"), 10);
    let hold = company.hold();
    assert_eq!((hold.state, hold.accounts, hold.of), (HoldState::Open, 6, 10));
    assert_eq!(hold.trigger, "wave");
    let feed = company.acme.feed();
    let told = feed.iter().find(|entry| entry["type"] == "hold.opened").unwrap();
    assert_eq!((&told["hold"], &told["accounts"]), (&json!(hold.id), &json!(6)));
    let held = company.acme.account(company.people[0]).withheld.unwrap();
    assert_eq!((held.reason, held.role.as_str()), (WithheldReason::Held, "default"));
    assert!(!company.acme.is_pending(company.people[0]));
}

#[tokio::test(start_paused = true)]
async fn half_of_the_accounts_is_not_more_than_half() {
    let company = company().await;

    company.leave(&company.people[..5]).await;
    company.acme.settle().await;

    assert_eq!(company.with_role("default"), 5);
    assert_eq!(company.holds(), []);
}

#[tokio::test(start_paused = true)]
async fn everything_else_in_the_wave_goes_through() {
    let company = company().await;
    let joiner = company.acme.create_user("joiner").await;
    company.acme.add_member(company.staff, joiner).await;
    company.leave(&company.people[..7]).await;
    company.acme.disable(company.people[0]).await;
    company.acme.delete(company.people[1]).await;

    assert_eq!(company.acme.role_of(company.people[0]), "disabled");
    company.acme.settle().await;

    assert_eq!(company.acme.role_of(joiner), "loanee");
    assert_eq!(company.acme.role_of(company.people[0]), "disabled");
    assert_eq!(company.acme.role_of(company.people[1]), "none");
    // Five of ten are left to lose a mapped role, which is not more than half.
    assert_eq!(company.holds(), []);
}

#[tokio::test(start_paused = true)]
async fn a_better_mapping_is_no_loss_and_a_later_one_is() {
    let company = company().await;
    let ids: Vec<String> = company.people.iter().map(ToString::to_string).collect();
    company.acme.create_group("Guests", &ids).await;
    company.leave(&company.people).await;
    company.acme.settle().await;
    assert_eq!(company.with_role("loanee"), 10);
    company.resolve(true).await;
    assert_eq!(company.with_role("guest"), 10);

    for person in &company.people {
        company.acme.add_member(company.staff, *person).await;
    }
    company.acme.settle().await;

    assert_eq!(company.with_role("loanee"), 10);
    assert_eq!(company.holds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_approved_hold_is_applied_at_once() {
    let company = company().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;

    assert_eq!(company.resolve(true).await, 8);

    assert_eq!(company.with_role("default"), 8);
    let hold = company.hold();
    assert_eq!(hold.state, HoldState::Approved);
    assert_eq!(hold.closed_by.as_deref(), Some("operator"));
    assert!(hold.done_at.is_some());
    assert_eq!(company.acme.account(company.people[0]).withheld, None);
    let again = company.acme.tenant.resolve_hold(hold.id, false, OPERATOR).await;
    assert!(matches!(again, Err(ChangeError::HoldClosed)), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_change_stays_away_until_groups_change_again() {
    let company = company().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;

    assert_eq!(company.resolve(false).await, 0);
    company.acme.advance(mins(90)).await;

    assert_eq!(company.with_role("loanee"), 10);
    let kept = company.acme.account(company.people[0]).withheld.unwrap();
    assert_eq!(kept.reason, WithheldReason::Rejected);

    let first = company.people[0].to_string();
    company.acme.create_group("Choir", &[first]).await;
    company.acme.settle().await;
    assert_eq!(company.acme.role_of(company.people[0]), "default");
    assert_eq!(company.with_role("loanee"), 9);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_change_comes_back_with_changed_rules_and_not_with_other_settings() {
    let company = company().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;
    company.resolve(false).await;

    company.acme.change_settings(json!({"reconcile": {"settle": "50s"}})).await;
    assert_eq!(company.with_role("loanee"), 10);

    company.acme.map(&[("Staff", "loanee")]).await;
    assert_eq!(company.with_role("default"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_leaves_what_is_held_and_closes_a_hold_that_nobody_waits_in() {
    let company = company().await;
    company.leave(&company.people[..6]).await;
    company.acme.settle().await;
    company.acme.advance(mins(90)).await;
    assert_eq!(company.with_role("loanee"), 10);
    assert_eq!(company.hold().state, HoldState::Open);

    for person in &company.people[..6] {
        company.acme.add_member(company.staff, *person).await;
    }
    company.acme.settle().await;
    assert_eq!(company.acme.account(company.people[0]).withheld, None);
    company.acme.advance(mins(50)).await;

    assert_eq!(company.hold().state, HoldState::Lapsed);
    assert_eq!(company.with_role("loanee"), 10);
}

/// One by one, each after the others' `max_delay`: still one wave.
#[tokio::test(start_paused = true)]
async fn a_wave_that_goes_on_cannot_be_a_mass_change_in_small_pieces() {
    let company = company().await;
    company.acme.change_settings(json!({"reconcile": {"max_delay": "2m"}})).await;

    for person in &company.people[..8] {
        company.acme.remove_member(company.staff, *person).await;
        for _ in 0..5 {
            company.acme.advance(secs(30)).await;
            company.acme.set(company.people[9], "title", json!(company.acme.now())).await.unwrap();
        }
    }
    company.acme.settle().await;

    assert_eq!(company.with_role("default"), 5);
    assert!(!company.holds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_carried_out_after_a_crash() {
    let store = Arc::new(MemoryStore::default());
    let company = company_in(Arc::clone(&store) as Arc<dyn Store>).await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;
    let hold = company.hold();
    let approved = Hold { state: HoldState::Approved, ..hold };
    let change = store::Changeset::new(company.acme.tenant.key(), company.acme.now(), None)
        .with(store::Operation::put(&approved).unwrap());
    store.commit(change).wait().await.unwrap();
    let now = company.acme.now();
    company.acme.service.stop(secs(1)).await;

    let acme = TestTenant::taken_up(store, now).await;
    acme.advance(secs(5)).await;

    let company = Company { acme, ..company };
    assert_eq!(company.with_role("default"), 8);
    assert!(company.hold().done_at.is_some());
}

/// Most of them at `max_delay`, the others when the wave has settled: one wave, one hold.
#[tokio::test(start_paused = true)]
async fn what_a_later_pass_of_the_wave_would_take_joins_its_hold() {
    let company = company().await;
    company.acme.change_settings(json!({"reconcile": {"max_delay": "2m"}})).await;
    company.leave(&company.people[..6]).await;
    for _ in 0..5 {
        company.acme.advance(secs(30)).await;
        company.acme.set(company.people[9], "title", json!(company.acme.now())).await.unwrap();
    }
    assert_eq!(company.hold().accounts, 6);

    company.leave(&company.people[6..9]).await;
    company.acme.settle().await;

    assert_eq!(company.with_role("loanee"), 10);
    assert_eq!(company.hold().accounts, 9);
    assert_eq!(company.resolve(true).await, 9);
}

/// An operator rejects what was shown; what the directory has changed since is decided anew.
#[tokio::test(start_paused = true)]
async fn a_rejection_does_not_cover_what_came_after_it_was_shown() {
    let company = company().await;
    company.acme.map(&[("Admins", "admin"), ("Staff", "loanee")]).await;
    let admins = company.acme.create_group("Admins", &[]).await;
    company.acme.settle().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;
    let (first, second) = (company.people[0], company.people[1]);
    company.acme.add_member(admins, first).await;

    company.resolve(false).await;
    company.acme.settle().await;

    assert_eq!(company.acme.role_of(first), "admin");
    assert_eq!(company.acme.role_of(second), "loanee");
    assert_eq!(company.acme.account(first).withheld, None);
}

#[tokio::test(start_paused = true)]
async fn a_hold_shows_what_the_rules_give_by_now() {
    let company = company().await;
    let guests = company.acme.create_group("Guests", &[]).await;
    company.acme.settle().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;
    assert_eq!(company.acme.account(company.people[0]).withheld.unwrap().role, "default");

    company.acme.add_member(guests, company.people[0]).await;
    company.acme.settle().await;

    let held = company.acme.account(company.people[0]).withheld.unwrap();
    assert_eq!((held.reason, held.role.as_str()), (WithheldReason::Held, "guest"));
}

/// A decision that was committed, and of which the reconciler never heard.
#[tokio::test(start_paused = true)]
async fn an_approval_that_was_not_carried_out_is_found_and_can_be_asked_for_again() {
    let company = company().await;
    company.leave(&company.people[..8]).await;
    company.acme.settle().await;
    let approved = Hold { state: HoldState::Approved, ..company.hold() };
    let change = store::Changeset::new(company.acme.tenant.key(), company.acme.now(), None)
        .with(store::Operation::put(&approved).unwrap());
    company.acme.service.store().commit(change).wait().await.unwrap();

    company.acme.advance(mins(50)).await;

    assert_eq!(company.with_role("default"), 8);
    assert!(company.hold().done_at.is_some());
}

/// Approved as soon as it is opened, while its accounts are still being marked, by somebody who
/// leaves a protected role to nobody.
#[tokio::test(start_paused = true)]
async fn a_hold_approved_while_it_is_filled_ends_and_keeps_the_last_in_a_protected_role() {
    let company = company().await;
    company.acme.change_settings(json!({"protected_roles": ["loanee"]})).await;
    let store = Arc::clone(company.acme.service.store());
    let tenant = company.acme.tenant.key();
    let mut feed = company.acme.tenant.shared().feed();
    let approver = tokio::spawn(async move {
        let all = DocumentKey::default();
        let opened = || store.snapshot().unwrap().documents_reversed::<Hold>(tenant, &all, None, 1);
        loop {
            if let Some(hold) = opened().unwrap().pop() {
                let approved = Hold { state: HoldState::Approved, ..hold };
                let change = store::Changeset::new(tenant, approved.opened_at, None)
                    .with(store::Operation::put(&approved).unwrap());
                return store.commit(change).wait().await.unwrap();
            }
            // Which tells of the hold before its accounts are asked.
            feed.changed().await.unwrap();
        }
    });
    company.leave(&company.people).await;
    company.acme.settle().await;
    approver.await.unwrap();
    company.acme.advance(mins(50)).await;

    assert_eq!(company.with_role("default"), 9);
    let withheld = company.people.iter().filter_map(|id| company.acme.account(*id).withheld);
    let reasons: Vec<WithheldReason> = withheld.map(|withheld| withheld.reason).collect();
    assert_eq!(reasons, [WithheldReason::LastProtected]);
}
