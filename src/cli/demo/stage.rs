//! What is set up for the demonstration, and what happens in it, wave by wave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::operator::{CallError, Operator};
use super::receiver::Receiver;
use super::{DemoError, words};
use crate::cli::serve::say;
use crate::simulate::client::{self, Client, ClientOptions, Token};
use crate::simulate::dialect::Dialect;
use crate::simulate::measure::Measure;
use crate::simulate::tenant::{Tenant, TenantOptions};
use crate::simulate::watch::Unwatched;

/// The tenant.
pub(super) const TENANT: &str = "acme";
const TENANT_NAME: &str = "Acme Corp";
/// Groups of the simulated directory, and the roles that they give.
pub(super) const MAPPINGS: [(&str, &str); 5] = [
    ("IT Admins", "admin"),
    ("Engineering", "developer"),
    ("Finance", "approver"),
    ("Support", "agent"),
    ("Employees", "member"),
];
/// The role of everybody else.
pub(super) const DEFAULT_ROLE: &str = "guest";
/// Groups of the directory.
const GROUPS: usize = 18;
/// How long a wave must be over before it counts as settled: long enough to be seen.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// Of the time from wave to wave, so much is waited at most.
const SETTLE_SHARE: u32 = 4;
/// How long the first wave may take to settle before the story goes on without.
const SETTLED_WAIT_MAX: Duration = Duration::from_mins(2);
const POLL_REST: Duration = Duration::from_millis(100);
/// People who are touched by each later wave: of a hundred, and at least.
const CHURN_PERCENT: f64 = 5.0;
const CHURN_PEOPLE_MIN: f64 = 12.0;
const CHURN_PERCENT_MAX: f64 = 40.0;
/// Requests under way at once, as Entra has it.
const CONCURRENCY: usize = 5;
const LOCK_REASON: &str = "Runs the year-end close; ask Finance first";
/// What the app hears of: whatever changes a role.
const EVENTS: [&str; 4] =
    ["account.created", "account.role_changed", "account.disabled", "account.deleted"];

/// The service, and what is known of it.
pub(super) struct Stage {
    address: String,
    operator: Operator,
    settle: String,
}

impl Stage {
    /// At this address, with so much time from wave to wave.
    pub(super) fn new(address: &str, operator: Operator, every: Duration) -> Self {
        let settle = settle_of(every);
        Self { address: address.to_owned(), operator, settle }
    }

    /// How long a wave must be over, as the settings have it.
    pub(super) fn settle(&self) -> &str {
        &self.settle
    }

    /// Makes the tenant with its mappings, and a directory that may push to it.
    pub(super) async fn prepare(&self, people: u64, seed: u64) -> Result<Tenant, DemoError> {
        let token = self.tenant().await?;
        let mappings: Vec<Value> =
            MAPPINGS.iter().map(|(group, role)| json!({"group": group, "role": role})).collect();
        let settings = json!({
            "default_role": DEFAULT_ROLE,
            "role_mappings": mappings,
            "reconcile": {"settle": self.settle},
            "rate_limit": {"requests_per_second": 1_000, "burst": 1_000},
        });
        self.call(Method::PATCH, "/settings", &settings).await?;
        let client = Client::new(ClientOptions {
            http: client::http()?,
            base: format!("{}/scim/v2/{TENANT}", self.address),
            token: Token::new(token),
            rate: None,
            measure: Arc::new(Measure::start()),
            watch: Arc::new(Unwatched),
            tenant: 0,
        })?;
        let options = TenantOptions {
            number: 0,
            seed,
            users: usize::try_from(people).unwrap_or(usize::MAX),
            groups: GROUPS,
            churn_percent: churn_percent(people),
            // Waves are close enough together for people to watch.
            apart: Duration::ZERO,
            concurrency: CONCURRENCY,
            dialect: Dialect::Entra,
        };
        Ok(Tenant::new(options, client))
    }

    /// Makes the tenant, or finds it in data that was kept. Answers a token for the directory.
    async fn tenant(&self) -> Result<String, DemoError> {
        let tenant = json!({"id": TENANT, "name": TENANT_NAME});
        let made = self.operator.call(Method::POST, "/tenants", Some(&tenant)).await;
        let token = match made {
            Ok(made) => made.pointer("/scim/token").cloned(),
            Err(error) if error.is(StatusCode::CONFLICT) => {
                let token = json!({"label": "demo", "expires_in": "30d"});
                self.call(Method::POST, "/tokens", &token).await?.get("token").cloned()
            }
            Err(error) => return Err(error.into()),
        };
        let token = token.as_ref().and_then(Value::as_str).map(str::to_owned);
        token.ok_or(DemoError::NotUnderstood("the making of a tenant"))
    }

    /// Everybody is pushed. Once that has settled, somebody is locked and equipment is uploaded.
    pub(super) async fn first_wave(&self, directory: &mut Tenant) -> Result<(), DemoError> {
        self.wave(directory, 1).await?;
        let settled = self.settled().await?;
        let accounts = self.operator.all(&format!("/tenants/{TENANT}/accounts")).await?;
        let mut roles: BTreeMap<String, u64> = BTreeMap::new();
        for account in &accounts {
            if let Some(role) = account.get("role").and_then(Value::as_str) {
                *roles.entry(role.to_owned()).or_default() += 1;
            }
        }
        say(&words::first_roles(&roles, settled))?;
        self.lock_somebody(&accounts).await?;
        self.hand_out_equipment(&accounts).await
    }

    /// Locks an administrator; where there is none, somebody who has a role becomes one by it.
    async fn lock_somebody(&self, accounts: &[Value]) -> Result<(), DemoError> {
        let is_admin = |account: &&Value| account.get("role").is_some_and(|role| role == "admin");
        // Data that was kept has accounts of people who are gone.
        let has_role = |account: &&Value| account.get("role").is_some_and(Value::is_string);
        let chosen = accounts.iter().find(is_admin);
        let Some(account) = chosen.or_else(|| accounts.iter().find(has_role)) else {
            return Ok(());
        };
        let id = account.get("id").and_then(Value::as_str).unwrap_or_default();
        let lock = json!({"role": "admin", "reason": LOCK_REASON});
        let locked = self.call(Method::PUT, &format!("/accounts/{id}/lock"), &lock).await?;
        let url = format!("{}/tenants/{TENANT}/accounts/{id}", self.address);
        Ok(say(&words::locked(&locked, LOCK_REASON, &url))?)
    }

    /// Two of three have a laptop, and some a telephone.
    async fn hand_out_equipment(&self, accounts: &[Value]) -> Result<(), DemoError> {
        let mut assets = Vec::new();
        for (number, account) in (1..).zip(accounts) {
            let holder = account.get("user_name");
            if number % 3 != 0 {
                let id = format!("LT-{number:04}");
                assets.push(json!({"asset_id": id, "name": "Laptop", "holder": holder}));
            }
            if number % 5 == 0 {
                let id = format!("PH-{number:04}");
                assets.push(json!({"asset_id": id, "name": "Phone", "holder": holder}));
            }
        }
        let count = assets.len() as u64;
        self.call(Method::PUT, "/equipment", &Value::Array(assets)).await?;
        let url = format!("{}/tenants/{TENANT}/equipment", self.address);
        Ok(say(&words::equipment(count, &url))?)
    }

    /// Lets the app hear of what changes roles from now on. Where the data was kept, the app of the
    /// last time is forgotten.
    pub(super) async fn subscribe(&self, receiver: &Receiver) -> Result<(), DemoError> {
        for old in self.operator.all(&format!("/tenants/{TENANT}/webhooks")).await? {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            let path = format!("/tenants/{TENANT}/webhooks/{id}");
            self.operator.call(Method::DELETE, &path, None).await?;
        }
        let webhook = json!({"url": receiver.url, "types": EVENTS});
        let made = self.call(Method::POST, "/webhooks", &webhook).await?;
        let secret = made.get("secret").and_then(Value::as_str).unwrap_or_default();
        let learned = receiver.learn(secret);
        learned.then_some(()).ok_or(DemoError::NotUnderstood("the making of a webhook"))
    }

    /// Wave after wave, for good.
    pub(super) async fn later_waves(
        &self,
        directory: &mut Tenant,
        every: Duration,
    ) -> Result<(), DemoError> {
        let mut waves = tokio::time::interval(every.max(POLL_REST));
        waves.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick comes at once.
        waves.tick().await;
        for number in 2_u64.. {
            waves.tick().await;
            self.wave(directory, number).await?;
        }
        Ok(())
    }

    /// Sends one wave, and says what it was.
    async fn wave(&self, directory: &mut Tenant, number: u64) -> Result<(), DemoError> {
        let (before, _) = directory.client.counts();
        let began = Instant::now();
        let events = directory.wave(&Unwatched).await;
        if directory.client.is_quarantined() {
            return Err(DemoError::Quarantined);
        }
        let (after, _) = directory.client.counts();
        let requests = after.saturating_sub(before);
        Ok(say(&words::wave(number, &events, requests, began.elapsed(), &self.settle))?)
    }

    /// Waits until the newest wave has settled and its roles are decided; not for ever. Answers
    /// whether it has.
    async fn settled(&self) -> Result<bool, DemoError> {
        let deadline = Instant::now() + SETTLED_WAIT_MAX;
        while Instant::now() < deadline {
            let page = self.operator.get(&format!("/tenants/{TENANT}/waves?limit=1")).await?;
            if page.pointer("/items/0/reconciled_at").is_some_and(Value::is_string) {
                return Ok(true);
            }
            tokio::time::sleep(POLL_REST).await;
        }
        Ok(false)
    }

    /// A call about the tenant.
    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, CallError> {
        self.operator.call(method, &format!("/tenants/{TENANT}{path}"), Some(body)).await
    }
}

/// The time to settle, as the settings write it.
fn settle_of(every: Duration) -> String {
    let settle = (every / SETTLE_SHARE).clamp(POLL_REST, SETTLE_MAX);
    if settle.subsec_millis() == 0 {
        format!("{}s", settle.as_secs())
    } else {
        format!("{}ms", settle.as_millis())
    }
}

/// Enough to see something in each wave, also where there are few people.
fn churn_percent(people: u64) -> f64 {
    let people = f64::from(u32::try_from(people).unwrap_or(u32::MAX)).max(1.0);
    CHURN_PERCENT.max(CHURN_PEOPLE_MIN * 100.0 / people).min(CHURN_PERCENT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_has_settled_well_before_the_next_one() {
        let settles = [20_000, 60_000, 2_000, 4_000, 100].map(Duration::from_millis).map(settle_of);

        assert_eq!(settles, ["5s", "5s", "500ms", "1s", "100ms"]);
    }

    #[test]
    fn something_happens_also_where_there_are_few_people() {
        let percents = [300, 60, 1].map(churn_percent);

        assert!((percents[0] - 5.0).abs() < 1e-9, "{percents:?}");
        assert!((percents[1] - 20.0).abs() < 1e-9, "{percents:?}");
        assert!((percents[2] - 40.0).abs() < 1e-9, "{percents:?}");
    }
}
