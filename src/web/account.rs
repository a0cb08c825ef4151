//! `/tenants/{t}/accounts/{id}`: one account: what it has, why, what would change it, what happened
//! to it; and what operators do to it by hand.

mod history;
mod resource;

use access::duration::HumanDuration;
use access::wave::later;
use actors::observe::ActorState;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use self::history::{History, What};
use super::Visitor;
use super::accounts::known_roles;
use super::forms::Fields;
use super::page::{Layout, Shown, render};
use crate::admin::accounts::{self, NewLock, NewRole, ShownAccount};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::web::filters;

/// For how long an account can be locked at a click.
const LOCKED_FOR: [(&str, &str); 6] = [
    ("", "when it is unlocked"),
    ("1h", "in 1 hour"),
    ("8h", "in 8 hours"),
    ("1d", "in 1 day"),
    ("7d", "in 7 days"),
    ("30d", "in 30 days"),
];

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    /// Where groups are mapped.
    configure: String,
    account: ShownAccount,
    /// The mapped fields, as text.
    fields: Vec<(String, String)>,
    /// Roles that the settings name.
    roles: Vec<String>,
    locked_for: [(&'static str, &'static str); 6],
    /// How long a wave must be quiet to count as settled.
    settle: String,
    history: History,
    /// Whether the history begins with an older entry than the newest.
    is_older: bool,
    /// As the directory would read it.
    resource: Option<String>,
    /// What its actor is doing, if it is live.
    actor: Option<ActorState>,
}

/// The page of one account.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, account)): Path<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let account = accounts::one(&tenant, &account)?;
    let before = Parameters::read(query.as_deref()).parse("before", "the number of an entry")?;
    let history = history::read(&app, &tenant, account.id, before).await?;
    let shared = tenant.shared();
    let endpoint = app.scim_endpoint(&headers, &shared.id);
    let settings = &shared.config().settings;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fields = account.fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let title = filters::shortened(&filters::readable(account.called()), 60);
    render(&AccountPage {
        layout: Layout::of_tenant(&visitor, &tenant, &title)?.live(),
        home: format!("/tenants/{}", shared.id),
        configure: format!("/tenants/{}/configure", shared.id),
        fields,
        roles: known_roles(settings),
        locked_for: LOCKED_FOR,
        settle: settings.reconcile.settle.to_string(),
        history,
        is_older: before.is_some(),
        resource: resource::read(&tenant, account.id, &endpoint)?,
        actor: shared.live_user(account.id).map(|observed| observed.state()),
        account,
    })
}

/// Locks an account to a role, for a reason.
pub(super) async fn lock(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, account)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let reason = fields.filled("reason").map(str::to_owned);
    if reason.is_none() {
        return Err(Problem::unprocessable("reason: expected why it is locked").into());
    }
    let role = fields.filled("role").map(str::to_owned);
    let new = NewLock { role, reason, expires_at: lock_end(&app, &fields)? };
    let locked = accounts::put_lock(&app, &tenant, &account, new, visitor.author()).await?;
    let words = match locked.role.as_deref().filter(|_| locked.why.rule == access::Rule::Lock) {
        Some(role) => format!("Locked. Its role is “{role}” until the lock ends."),
        None => "Locked. The lock counts as soon as the account is active again.".to_owned(),
    };
    Ok(visitor.done(&address_of(&tenant, &locked), words))
}

/// Gives an account back to the rules.
pub(super) async fn unlock(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, account)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let free = accounts::take_lock(&tenant, &account, visitor.author()).await?;
    let role = free.role.as_deref().unwrap_or("none");
    let words = format!("Unlocked. By the rules its role is “{role}”.");
    Ok(visitor.done(&address_of(&tenant, &free), words))
}

/// Sets a role by hand.
pub(super) async fn set_role(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, account)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = NewRole { role: fields.text("role").to_owned() };
    let changed = accounts::give_role(&tenant, &account, new, visitor.author()).await?;
    let role = changed.role.as_deref().unwrap_or("none");
    let words = format!("Its role is “{role}” until it is next reconciled.");
    Ok(visitor.done(&address_of(&tenant, &changed), words))
}

impl ShownAccount {
    /// What takes it out of a lock, or lets it in again, and the role that it then has.
    fn if_freed(&self) -> Option<(&'static str, &str)> {
        let without = self.why.lost.iter().find(|lost| lost.rule != access::Rule::Disabled);
        match self.why.rule {
            access::Rule::Lock => Some(("Unlocked", self.shadow_role.as_deref()?)),
            access::Rule::Disabled => {
                without.map(|lost| ("Enabled again in the directory", lost.role.as_str()))
            }
            _ => None,
        }
    }
}

fn address_of(tenant: &actors::Tenant, account: &ShownAccount) -> String {
    format!("/tenants/{}/accounts/{}", tenant.shared().id, account.id)
}

/// When a lock ends: at the moment that was filled in, or after the duration that was chosen.
fn lock_end(app: &App, fields: &Fields) -> Result<Option<Timestamp>, Problem> {
    if let Some(until) = fields.parse::<DateTime>("until", "a date and a time")? {
        let at = until.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let refused = |_| Problem::unprocessable("until: expected a date and a time");
        return at.map(Some).map_err(refused);
    }
    let chosen = fields.parse::<HumanDuration>("for", "a duration such as 8h")?;
    Ok(chosen.map(|length| later(app.service().clock().now(), length.get())))
}
