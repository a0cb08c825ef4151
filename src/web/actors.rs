//! `/actors`: the supervision tree, for operators; and the actors of one tenant.
//!
//! Both pages are written from what the admin API answers. They are asked for again every second
//! while somebody looks: what an actor is doing changes without a change of anything else.

use std::time::Duration;

use access::webhook::Webhook;
use access::{GroupId, TenantId, UserId};
use actors::Tenant;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use store::{DocumentKey, ReadError, Snapshot};

use super::Visitor;
use super::page::{Layout, Shown, render};
use crate::admin::actors::shown::{Actor, TenantActors};
use crate::admin::actors::{of_node, of_tenant};
use crate::admin::open_tenant;
use crate::admin::page::{Page, Parameters, paged};
use crate::app::App;
use crate::web::filters;

/// Tenants on a page, each of which takes some lines.
const TENANTS_SHOWN_MAX: usize = 25;
/// Actors that somebody should look at which are named one by one.
const NAMED_MAX: usize = 20;
/// Where pages hear that a second has passed.
const EVERY_SECOND: &str = "/live";

#[derive(Template)]
#[template(path = "actors.html")]
struct ActorsPage {
    layout: Layout,
    figures: Figures,
    troubled: Vec<Row>,
    /// Those that are troubled and not named.
    more_troubled: usize,
    rows: Vec<Row>,
    next_cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "tenant_actors.html")]
struct TenantActorsPage {
    layout: Layout,
    tenant: TenantActors,
    rows: Vec<Row>,
    users: Vec<Row>,
    groups: Vec<Row>,
}

/// What all tenants come to.
#[derive(Default)]
struct Figures {
    tenants: usize,
    users: usize,
    groups: usize,
    /// Messages that wait for the actors that there is one of.
    messages: u64,
    slow: usize,
    restarting: usize,
}

/// An actor in a table.
#[derive(Clone)]
struct Row {
    /// How far below the service it is.
    depth: usize,
    /// What it is there for; nothing in a table of one kind.
    what: &'static str,
    /// Whose it is, if there are several.
    of: Option<String>,
    /// Where there is more about it.
    href: Option<String>,
    actor: Actor,
    /// The tenant that it delivers for, if it is a courier.
    tenant: Option<TenantId>,
    /// What is beneath it and not shown line by line.
    beneath: Option<String>,
}

impl Row {
    fn new(depth: usize, what: &'static str, actor: &Actor) -> Self {
        let actor = actor.clone();
        Self { depth, what, of: None, href: None, actor, tenant: None, beneath: None }
    }

    fn of(self, of: impl Into<String>, href: String) -> Self {
        Self { of: Some(of.into()), href: Some(href), ..self }
    }

    /// Whether somebody should look at it now.
    fn is_troubled(&self) -> bool {
        self.actor.slow || self.actor.state == "restarting"
    }

    /// What is wrong with it. Without figures: it is read out whenever it changes.
    fn trouble(&self) -> &'static str {
        if self.actor.slow { "slow" } else { self.actor.state }
    }

    /// What it is doing, in words.
    fn state(&self) -> String {
        match (self.actor.slow, self.actor.working_for_ms) {
            (true, Some(ms)) => {
                format!("slow: {} at one message", filters::spoken(Duration::from_millis(ms)))
            }
            _ => self.actor.state.to_owned(),
        }
    }

    /// How that is marked; the words say it too.
    fn mark(&self) -> &'static str {
        match self.actor.state {
            "restarting" => "bad",
            _ if self.actor.slow => "warn",
            "working" => "info",
            "starting" | "stopped" => "warn",
            _ => "",
        }
    }
}

/// The service and its tenants.
pub(super) async fn node(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Shown {
    let parameters = Parameters::read(query.as_deref());
    let after = parameters.cursor::<TenantId>()?.map(|after| after.to_string());
    let all = of_node(&app, usize::MAX, None);
    let directory = Row::new(0, "Service", &all.directory);
    let trees = all.items.iter().map(|tenant| rows_of(tenant, 1));
    let everyone = || std::iter::once(directory.clone()).chain(trees.clone().flatten());
    let mut figures = Figures::default();
    for row in everyone() {
        figures.messages = figures.messages.saturating_add(row.actor.mailbox_depth);
        figures.slow += usize::from(row.actor.slow);
        figures.restarting += usize::from(row.actor.state == "restarting");
    }
    for tenant in &all.items {
        figures.tenants += 1;
        figures.users += tenant.live_users;
        figures.groups += tenant.live_groups;
        figures.restarting += tenant.resting_users + tenant.resting_groups;
    }
    let mut troubled: Vec<Row> = everyone().filter(Row::is_troubled).take(NAMED_MAX).collect();
    let more_troubled = everyone().filter(Row::is_troubled).count() - troubled.len();
    let comes_after = |tenant: &&TenantActors| after.as_ref().is_none_or(|at| tenant.tenant > *at);
    let shown = all.items.iter().filter(comes_after).take(TENANTS_SHOWN_MAX + 1).collect();
    let Page { items, next_cursor } =
        paged(shown, TENANTS_SHOWN_MAX, |tenant: &&TenantActors| tenant.tenant.clone());
    let below = items.into_iter().flat_map(|tenant| rows_of(tenant, 1));
    let mut rows: Vec<Row> = std::iter::once(directory.clone()).chain(below).collect();
    let snapshot = app.service().store().snapshot()?;
    name_couriers(rows.iter_mut().chain(&mut troubled), &snapshot)?;
    let layout = every_second(Layout::new(&visitor, "Actors"));
    render(&ActorsPage { layout, figures, troubled, more_troubled, rows, next_cursor })
}

/// The actors of one tenant.
pub(super) async fn tenant(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let live = open_tenant(&app, &tenant).await?;
    let tenant = of_tenant(&app, &live);
    let layout = every_second(Layout::of_tenant(&visitor, &live, "Actors")?);
    let (mut rows, snapshot) = (rows_of(&tenant, 0), live.shared().snapshot()?);
    name_couriers(rows.iter_mut(), &snapshot)?;
    let users = tenant.busiest_users.iter().flatten();
    let users = users.map(|actor| user(&live, &snapshot, actor)).collect::<Result<_, _>>()?;
    let groups = tenant.busiest_groups.iter().flatten();
    let groups = groups.map(|actor| group(&live, &snapshot, actor)).collect::<Result<_, _>>()?;
    render(&TenantActorsPage { layout, tenant, rows, users, groups })
}

fn every_second(layout: Layout) -> Layout {
    Layout { live: Some(EVERY_SECOND.to_owned()), ..layout }
}

/// A tenant's actor, and those beneath it that there is one of; users and groups are counted.
fn rows_of(tenant: &TenantActors, depth: usize) -> Vec<Row> {
    let page = format!("/tenants/{}/actors", tenant.tenant);
    let beneath = |live: usize, resting: usize, one: &str| {
        let many = if live == 1 { one.to_owned() } else { format!("{one}s") };
        let failed = (resting > 0).then(|| format!(", {resting} restarting"));
        format!("{} {many}{}", filters::grouped(&live.to_string()), failed.unwrap_or_default())
    };
    let users = beneath(tenant.live_users, tenant.resting_users, "user");
    let groups = beneath(tenant.live_groups, tenant.resting_groups, "group");
    let own = Row::new(depth, "Tenant", &tenant.own()).of(tenant.tenant.clone(), page);
    let mut rows = vec![Row { beneath: Some(format!("{users}, {groups}")), ..own }];
    for (what, actor) in [
        ("Reconciler", &tenant.reconciler),
        ("Housekeeper", &tenant.housekeeper),
        ("Reporter", &tenant.reporter),
        ("Recorder", &tenant.recorder),
    ] {
        rows.push(Row::new(depth + 1, what, actor));
    }
    for courier in &tenant.couriers {
        let webhook = courier.webhook.map(|webhook| webhook.to_string()).unwrap_or_default();
        let href = format!("/tenants/{}/webhooks/{webhook}", tenant.tenant);
        let row = Row::new(depth + 1, "Courier", courier).of(webhook, href);
        rows.push(Row { tenant: tenant.tenant.parse().ok(), ..row });
    }
    rows
}

/// Calls couriers by the addresses that they deliver to.
fn name_couriers<'a>(
    rows: impl Iterator<Item = &'a mut Row>,
    snapshot: &Snapshot,
) -> Result<(), ReadError> {
    for row in rows {
        let (Some(tenant), Some(webhook)) = (&row.tenant, row.actor.webhook) else { continue };
        let Some(tenant) = snapshot.tenant(tenant)? else { continue };
        let key = DocumentKey::id(webhook.as_bytes());
        let kept = snapshot.document::<Webhook>(tenant.key, &key)?;
        row.of = kept.map(|kept| kept.value.url).or_else(|| row.of.take());
    }
    Ok(())
}

/// A user's actor, by the user's name; by its id where the user is gone.
fn user(tenant: &Tenant, snapshot: &Snapshot, actor: &Actor) -> Result<Row, ReadError> {
    let id = actor.id.clone().unwrap_or_default();
    let href = format!("/tenants/{}/accounts/{id}", tenant.shared().id);
    let account = match id.parse::<UserId>() {
        Ok(user) => snapshot.account(tenant.key(), user)?,
        Err(_) => None,
    };
    let name = account.map_or(id, |account| account.user_name);
    Ok(Row::new(0, "", actor).of(name, href))
}

fn group(tenant: &Tenant, snapshot: &Snapshot, actor: &Actor) -> Result<Row, ReadError> {
    let id = actor.id.clone().unwrap_or_default();
    let record = match id.parse::<GroupId>() {
        Ok(group) => snapshot.group(tenant.key(), group)?,
        Err(_) => None,
    };
    let name = record.map_or(id, |record| record.name);
    Ok(Row { of: Some(name), ..Row::new(0, "", actor) })
}

#[cfg(test)]
mod tests {
    use actors::observe::ActorState;
    use jiff::Timestamp;

    use super::*;

    fn row(state: &'static str, working_since_s: Option<i64>) -> Row {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let state = ActorState {
            state,
            mailbox_depth: 0,
            messages_handled: 0,
            restarts: 0,
            last_error: None,
            last_message_at: None,
            working_since: working_since_s.map(at),
        };
        Row::new(0, "Reconciler", &Actor::new(state, at(100)))
    }

    #[test]
    fn slow_and_restarting_actors_stand_out_in_words_too() {
        for (row, words, mark, is_troubled) in [
            (row("idle", None), "idle", "", false),
            (row("working", Some(96)), "working", "info", false),
            (row("working", Some(95)), "slow: 5.0 s at one message", "warn", true),
            (row("restarting", None), "restarting", "bad", true),
            (row("stopped", None), "stopped", "warn", false),
        ] {
            assert_eq!((row.state().as_str(), row.mark()), (words, mark));
            assert_eq!(row.is_troubled(), is_troubled, "{words}");
        }
    }
}
