//! `/tenants/{t}/groups`: the groups that the directory pushed, and the role that each gives.

use access::GroupId;
use askama::Template;
use axum::extract::{Path, RawQuery, State};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::query::{Filters, Pager, ROWS};
use crate::admin::groups::{Group, listed};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    groups: Vec<Group>,
    /// Groups that the directory has.
    count: u64,
    /// Mappings whose group was not pushed: their place, the group's name, the role.
    waiting: Vec<(usize, String, String)>,
    pager: Pager,
}

/// A page of groups.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let after = parameters.cursor::<GroupId>()?;
    let mut groups = listed(&tenant, after, ROWS + 1)?;
    let more = groups.len() > ROWS;
    groups.truncate(ROWS);
    let next = groups.last().filter(|_| more).map(|last| last.id.to_string());
    let config = tenant.shared().config();
    let mappings = config.rules.mappings.iter().enumerate();
    let waiting = mappings.filter(|(_, mapping)| mapping.group.is_none());
    let waiting =
        waiting.map(|(place, mapping)| (place + 1, mapping.label.clone(), mapping.role.clone()));
    let home = format!("/tenants/{}", tenant.shared().id);
    let base = format!("{home}/groups");
    let no_filters = Filters::read(&parameters, &[]);
    render(&GroupsPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Groups")?.live(),
        home,
        groups,
        count: tenant.shared().snapshot()?.counts(tenant.key())?.groups,
        waiting: waiting.collect(),
        pager: no_filters.pager(&base, after.is_none(), next.as_deref(), "Next page"),
    })
}
