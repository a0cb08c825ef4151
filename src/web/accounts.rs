//! `/tenants/{t}/accounts`: all accounts, by what they are.

use access::settings::Settings;
use access::{GroupId, Status};
use actors::Tenant;
use askama::Template;
use axum::extract::{Path, RawQuery, State};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::query::{Filters, Pager, ROWS};
use crate::admin::accounts::{ShownAccount, Wanted, listed};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::web::filters;

const FILTERS: [&str; 6] = ["q", "role", "status", "locked", "pending", "group"];

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    filters: Filters,
    /// Roles that the settings name.
    roles: Vec<String>,
    /// The group that was asked for.
    group: Option<String>,
    accounts: Vec<ShownAccount>,
    /// How many were looked at for this page, if that says anything.
    looked_at: Option<usize>,
    /// Users that the directory has.
    users: u64,
    pager: Pager,
}

/// A page of accounts.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let filters = Filters::read(&parameters, &FILTERS);
    let wanted = Wanted::read(&filters.parameters())?;
    let group = wanted.group.map(|group| group_name(&tenant, group)).transpose()?;
    let after = parameters.cursor()?;
    let is_first = after.is_none();
    let page = listed(&app, &tenant, wanted, after, ROWS).await?;

    let layout = Layout::of_tenant(&visitor, &tenant, "Accounts")?;
    // What takes a look through many is not asked for again with every change.
    let layout = if filters.is_empty() { layout.live() } else { layout };
    let home = format!("/tenants/{}", tenant.shared().id);
    let base = format!("{home}/accounts");
    let is_short = page.next_cursor.is_some() && page.items.len() < ROWS;
    let words = if is_short { "Look further" } else { "Next page" };
    render(&AccountsPage {
        layout,
        pager: filters.pager(&base, is_first, page.next_cursor.as_deref(), words),
        home,
        roles: known_roles(&tenant.shared().config().settings),
        group,
        looked_at: is_short.then_some(page.looked_at),
        accounts: page.items,
        users: tenant.shared().snapshot()?.counts(tenant.key())?.users,
        filters,
    })
}

impl ShownAccount {
    /// What people call it.
    pub(super) fn called(&self) -> &str {
        let name = self.display_name.trim();
        if name.is_empty() { &self.user_name } else { name }
    }

    /// The e-mail address, where the user name does not say it.
    fn other_email(&self) -> Option<&str> {
        let email = self.email.as_deref()?;
        (!email.eq_ignore_ascii_case(&self.user_name)).then_some(email)
    }

    /// Why it is locked, in one line.
    fn lock_words(&self) -> String {
        let Some(lock) = &self.lock else { return String::new() };
        let reason = lock.reason.as_deref().unwrap_or("no reason given");
        format!("By {}: {reason}", lock.by)
    }
}

fn group_name(tenant: &Tenant, group: GroupId) -> Result<String, Problem> {
    let record = tenant.shared().snapshot()?.group(tenant.key(), group)?;
    Ok(record.ok_or_else(|| Problem::not_found("there is no such group"))?.name)
}

/// Every role that the settings name, each once, in the order in which they count.
pub(super) fn known_roles(settings: &Settings) -> Vec<String> {
    let mapped = settings.role_mappings.iter().map(|mapping| &mapping.role);
    let fixed = [&settings.default_role, &settings.disabled_role];
    let mut roles: Vec<String> = Vec::new();
    for role in mapped.chain(fixed).chain(&settings.protected_roles) {
        if !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    roles
}

/// A status in words, and the kind of badge that it has.
pub(super) const fn status_badge(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Active => ("active", "ok"),
        Status::Disabled => ("disabled", "warn"),
        Status::Deleted => ("deleted", ""),
    }
}
