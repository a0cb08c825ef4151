//! What a preview says, a dry run says, and what then happens, is the same.

use std::collections::BTreeMap;

use access::{GroupId, UserId};
use actors::service::{Page, Report};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::test_tenant::{OPERATOR, TestTenant};

type Roles = BTreeMap<UserId, Option<String>>;
/// Who would change, from what, to what.
type Changes = BTreeMap<UserId, (Option<String>, Option<String>)>;

fn changes_of(report: &Report) -> Changes {
    let change = |change: &actors::service::RoleChange| {
        (change.account, (change.from.clone(), change.to.clone()))
    };
    report.changes.iter().map(change).collect()
}

fn between(before: &Roles, after: &Roles) -> Changes {
    let differing = before.iter().filter(|(user, role)| after.get(user) != Some(role));
    differing.map(|(user, role)| (*user, (role.clone(), after[user].clone()))).collect()
}

impl TestTenant {
    fn all_roles(&self) -> Roles {
        let accounts = self.snapshot().accounts(self.tenant.key(), None, usize::MAX).unwrap();
        accounts.into_iter().map(|account| (account.id, account.role)).collect()
    }

    async fn preview(&self, patch: &Value, page: Page) -> Report {
        self.tenant.preview_settings(patch, page, OPERATOR).await.unwrap()
    }
}

#[derive(Debug, Clone)]
struct Tenant {
    /// The groups of each user, by number.
    memberships: Vec<Vec<usize>>,
    disabled: Vec<bool>,
    by_hand: Vec<Option<&'static str>>,
    locked: Vec<bool>,
    before: Value,
    after: Value,
}

const GROUPS: usize = 3;

fn settings() -> impl Strategy<Value = Value> {
    let role = || prop::sample::select(vec!["admin", "editor", "viewer"]);
    let mappings = prop::collection::vec((0..GROUPS, role()), 0..=GROUPS).prop_map(|mut all| {
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|(group, _)| seen.insert(*group));
        all
    });
    let protected = prop::sample::subsequence(vec!["admin", "editor", "viewer"], 0..=2);
    (mappings, role(), protected, any::<bool>()).prop_map(|(mappings, default, protected, overrides)| {
        let mapping = |(group, role): &(usize, &str)| json!({"group": format!("group-{group}"), "role": role});
        json!({
            "role_mappings": mappings.iter().map(mapping).collect::<Vec<_>>(),
            "default_role": default,
            "protected_roles": protected,
            "disable_overrides_lock": overrides,
        })
    })
}

fn tenants() -> impl Strategy<Value = Tenant> {
    let users = 8;
    let groups = prop::sample::subsequence((0..GROUPS).collect::<Vec<_>>(), 0..=GROUPS);
    let by_hand = prop::option::weighted(0.2, prop::sample::select(vec!["admin", "guest"]));
    (
        prop::collection::vec(groups, users),
        prop::collection::vec(prop::bool::weighted(0.2), users),
        prop::collection::vec(by_hand, users),
        prop::collection::vec(prop::bool::weighted(0.2), users),
        settings(),
        settings(),
    )
        .prop_map(|(memberships, disabled, by_hand, locked, before, after)| Tenant {
            memberships,
            disabled,
            by_hand,
            locked,
            before,
            after,
        })
}

async fn build(described: &Tenant) -> TestTenant {
    let acme = TestTenant::new().await;
    acme.change_settings(described.before.clone()).await;
    let mut members: Vec<Vec<String>> = vec![Vec::new(); GROUPS];
    let mut users = Vec::new();
    for (number, groups) in described.memberships.iter().enumerate() {
        let user = acme.create_user(&format!("user-{number}")).await;
        for group in groups {
            members[*group].push(user.to_string());
        }
        users.push(user);
        acme.advance(std::time::Duration::from_millis(2)).await;
    }
    let mut groups: Vec<GroupId> = Vec::new();
    for (number, members) in members.iter().enumerate() {
        groups.push(acme.create_group(&format!("group-{number}"), members).await);
    }
    for (user, _) in users.iter().zip(&described.disabled).filter(|(_, disabled)| **disabled) {
        acme.disable(*user).await;
    }
    acme.settle().await;
    for (user, role) in users.iter().zip(&described.by_hand) {
        if let Some(role) = role {
            // Refused for the disabled, who stay as they are.
            let _ = acme.set_role(*user, role).await;
        }
    }
    for (user, _) in users.iter().zip(&described.locked).filter(|(_, locked)| **locked) {
        acme.lock(*user, Some("admin")).await.unwrap();
    }
    acme
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Preview, dry run and the real run name the same accounts, with the same roles.
    #[test]
    fn preview_dry_run_and_the_real_run_agree(described in tenants()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().start_paused(true).build().unwrap();
        let (previewed, happened, dry, real) = runtime.block_on(async {
            let acme = build(&described).await;
            let before = acme.all_roles();
            let previewed = changes_of(&acme.preview(&described.after, Page::default()).await);
            assert_eq!(acme.all_roles(), before, "a preview changes nothing");
            acme.change_settings(described.after.clone()).await;
            let happened = between(&before, &acme.all_roles());

            let before = acme.all_roles();
            let dry = changes_of(&acme.dry_run().await);
            let report = acme.tenant.reconcile(false, Page::default(), OPERATOR).await.unwrap();
            let real = between(&before, &acme.all_roles());
            assert_eq!(changes_of(&report), real);
            (previewed, happened, dry, real)
        });
        prop_assert_eq!(previewed, happened);
        prop_assert_eq!(dry, real);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_preview_comes_in_pages() {
    let acme = TestTenant::new().await;
    for number in 0..25 {
        acme.create_user(&format!("user-{number}")).await;
        acme.advance(std::time::Duration::from_millis(2)).await;
    }
    acme.settle().await;
    let patch = json!({"default_role": "viewer"});

    let mut page = Page { after: None, limit: 10 };
    let mut sizes = Vec::new();
    let mut accounts = Vec::new();
    loop {
        let report = acme.preview(&patch, page).await;
        assert_eq!(report.changed, 25);
        sizes.push(report.changes.len());
        accounts.extend(report.changes.iter().map(|change| change.account));
        let Some(next) = report.next_cursor else { break };
        page.after = Some(next);
    }

    assert_eq!(sizes, [10, 10, 5]);
    assert!(accounts.is_sorted() && accounts.len() == 25);
}

#[tokio::test(start_paused = true)]
async fn an_account_pending_in_the_open_wave_is_not_in_the_preview() {
    let acme = TestTenant::new().await;
    let settled = acme.create_user("settled").await;
    acme.settle().await;
    acme.create_user("pending").await;

    let report = acme.preview(&json!({"default_role": "viewer"}), Page::default()).await;

    assert_eq!(changes_of(&report).into_keys().collect::<Vec<_>>(), [settled]);
}

/// Settings that are applied again take back what was changed by hand, and the preview says so.
#[tokio::test(start_paused = true)]
async fn the_preview_names_who_was_changed_by_hand() {
    let acme = TestTenant::new().await;
    let user = acme.create_user("ada").await;
    acme.settle().await;
    acme.set_role(user, "by-hand").await.unwrap();
    let patch = json!({"default_role": "default"});

    let report = acme.preview(&patch, Page::default()).await;
    acme.change_settings(patch).await;

    assert_eq!(changes_of(&report).into_keys().collect::<Vec<_>>(), [user]);
    assert_eq!(acme.role_of(user), "default");
}
