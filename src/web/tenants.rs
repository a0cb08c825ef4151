//! `/`: all tenants.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::Visitor;
use super::page::{Layout, Shown, render, see_other};
use crate::admin::page::Parameters;
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "tenants.html")]
struct TenantsPage {
    layout: Layout,
    tenants: Vec<store::tenant::Tenant>,
}

/// The list; whoever has but one tenant goes on to it.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Shown {
    if let Some(tenant) = visitor.bound_to() {
        return Ok(see_other(&format!("/tenants/{tenant}")));
    }
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor()?);
    let tenants = app.service().store().snapshot()?.tenants(after.as_ref(), limit)?;
    render(&TenantsPage { layout: Layout::new(&visitor, "Tenants").live(), tenants })
}
