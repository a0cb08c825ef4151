//! `/tenants/{t}/holds`: mass changes that wait for an operator, and what became of others.

use access::{HoldId, HoldState, UserId};
use actors::Tenant;
use askama::Template;
use axum::extract::{Path, RawQuery, State};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::query::{Filters, Pager, ROWS};
use crate::admin::holds::{HoldChanges, ShownHold, listed, one, resolve};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::app::App;
use crate::web::filters;

/// Open holds that the list shows.
const OPEN_MAX: usize = 200;

#[derive(Template)]
#[template(path = "holds.html")]
struct HoldsPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    open: Vec<ShownHold>,
    past: Vec<ShownHold>,
    limit: Limit,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "hold.html")]
struct HoldPage {
    layout: Layout,
    home: String,
    shown: HoldChanges,
    limit: Limit,
    pager: Pager,
}

/// When a change waits.
struct Limit {
    percent: String,
    min_accounts: u32,
}

/// Open ones, and a page of those that are over.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let before = parameters.cursor::<HoldId>()?;
    let open = match before {
        None => listed(&tenant, Some(HoldState::Open), None, OPEN_MAX)?,
        Some(_) => Vec::new(),
    };
    let mut past = listed(&tenant, None, before, ROWS + 1 + OPEN_MAX)?;
    past.retain(|hold| hold.state != HoldState::Open);
    let more = past.len() > ROWS;
    past.truncate(ROWS);
    let next = past.last().filter(|_| more).map(|last| last.id.to_string());
    let home = format!("/tenants/{}", tenant.shared().id);
    let no_filters = Filters::read(&parameters, &[]);
    let base = format!("{home}/holds");
    render(&HoldsPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Holds")?.live(),
        open,
        past,
        limit: Limit::of(&tenant),
        pager: no_filters.pager(&base, before.is_none(), next.as_deref(), "Older"),
        home,
    })
}

/// One of them, with the changes that wait in it.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, hold)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let after = parameters.cursor::<UserId>()?;
    let shown = one(&app, &tenant, &hold, after, ROWS).await?;
    let next = shown.next_cursor.map(|next| next.to_string());
    let home = format!("/tenants/{}", tenant.shared().id);
    let base = format!("{home}/holds/{}", shown.hold.id);
    let no_filters = Filters::read(&parameters, &[]);
    render(&HoldPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Hold")?.live(),
        home,
        limit: Limit::of(&tenant),
        pager: no_filters.pager(&base, after.is_none(), next.as_deref(), "Next page"),
        shown,
    })
}

/// Makes the changes of a hold.
pub(super) async fn approve(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, hold)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let resolved = resolve(&tenant, &hold, true, visitor.author()).await?;
    let changed = filters::grouped(&resolved.changed.to_string());
    let roles = if resolved.changed == 1 { "role" } else { "roles" };
    let words = format!("Approved: {changed} {roles} changed.");
    Ok(visitor.done(&address_of(&tenant, &resolved.hold), words))
}

/// Leaves its accounts as they are.
pub(super) async fn reject(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, hold)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let resolved = resolve(&tenant, &hold, false, visitor.author()).await?;
    let words = "Rejected: the accounts keep their roles until their groups or the settings \
                 change again.";
    Ok(visitor.done(&address_of(&tenant, &resolved.hold), words))
}

fn address_of(tenant: &Tenant, hold: &ShownHold) -> String {
    format!("/tenants/{}/holds/{}", tenant.shared().id, hold.id)
}

impl Limit {
    fn of(tenant: &Tenant) -> Self {
        let hold = &tenant.shared().config().settings.hold;
        let percent = format!("{:.1}", hold.share * 100.0);
        let percent = percent.trim_end_matches('0').trim_end_matches('.').to_owned();
        Self { percent, min_accounts: hold.min_accounts }
    }
}

impl ShownHold {
    /// What its changes are, or were, for.
    fn cause(&self) -> &'static str {
        match self.trigger.as_str() {
            "wave" => "a wave",
            "max_delay" => "a wave that goes on",
            "sweep" => "a sweep",
            "settings" => "changed settings",
            "lock_expiry" => "a lock that ended",
            "operator" => "a reconciliation that an operator asked for",
            _ => "a reconciliation",
        }
    }

    /// The share of the accounts, in percent.
    fn percent(&self) -> u64 {
        self.accounts.saturating_mul(100).checked_div(self.of).unwrap_or_default()
    }

    /// What has become of it, and the kind of badge that it has.
    fn badge(&self) -> (&'static str, &'static str) {
        match self.state {
            HoldState::Open => ("open", "warn"),
            HoldState::Approved => ("approved", "ok"),
            HoldState::Rejected => ("rejected", "bad"),
            HoldState::Lapsed => ("lapsed", ""),
        }
    }
}
