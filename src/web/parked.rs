//! `/tenants/{t}/parked`: memberships that wait for users whom nobody has pushed yet.

use actors::housekeeper::ExpiredParked;
use askama::Template;
use axum::extract::{Path, RawQuery, State};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::query::{Filters, Pager, ROWS};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::admin::parked::{ParkedItem, listed};
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "parked.html")]
struct ParkedPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    parked: Vec<ParkedItem>,
    /// Those that were taken back since the service started.
    expired: Option<ExpiredParked>,
    is_filtered: bool,
    /// Whether nothing came from the directory yet.
    is_new: bool,
    pager: Pager,
}

/// A page of them.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let filters = Filters::read(&parameters, &["group"]);
    let group = filters.parameters().parse("group", "the id of a group")?;
    let is_first = parameters.get("cursor").is_none();
    let page = listed(&app, &tenant, group, parameters.cursor()?, ROWS).await?;
    let home = format!("/tenants/{}", tenant.shared().id);
    let base = format!("{home}/parked");
    let words = if page.items.len() < ROWS { "Look further" } else { "Next page" };
    let cadence = tenant.shared().cadence(&tenant.shared().snapshot()?)?;
    render(&ParkedPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Parked memberships")?.live(),
        home,
        parked: page.items,
        expired: tenant.shared().expired_parked(),
        is_filtered: !filters.is_empty(),
        is_new: cadence.last_heard_at.is_none(),
        pager: filters.pager(&base, is_first, page.next_cursor.as_deref(), words),
    })
}
