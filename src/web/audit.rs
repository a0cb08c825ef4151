//! `/tenants/{t}/audit` and `/audit`: who changed what, and the export of it.

mod shown;

use access::TenantId;
use actors::Tenant;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use store::TenantKey;

use self::shown::{Entry, Names};
use super::Visitor;
use super::page::{Layout, Shown, render};
use super::query::{Filters, Pager, ROWS};
use crate::admin::audit::{ACTORS, Wanted, export, listed};
use crate::admin::open_tenant;
use crate::admin::page::Parameters;
use crate::answer::Answer;
use crate::app::App;
use crate::web::filters;

const FILTERS: [&str; 4] = ["actor", "object", "id", "request"];
const EXPORT: &str = "application/jsonl";

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    layout: Layout,
    /// The tenant's first page; empty for the service's own log.
    home: String,
    filters: Filters,
    actors: Vec<(&'static str, &'static str)>,
    entries: Vec<Entry>,
    /// How many were looked at for this page, if that says anything.
    looked_at: Option<usize>,
    /// Whether retention has taken older entries away.
    is_trimmed: bool,
    export: String,
    pager: Pager,
}

/// What was changed of a tenant.
pub(super) async fn of_tenant(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let layout = Layout::of_tenant(&visitor, &tenant, "Audit")?;
    show(&app, layout, Some(&tenant), query.as_deref()).await
}

/// What was changed that belongs to no tenant.
pub(super) async fn of_service(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Shown {
    let layout = Layout::new(&visitor, "Audit of the service");
    show(&app, layout, None, query.as_deref()).await
}

/// A tenant's log as a file of JSON lines.
pub(super) async fn export_of_tenant(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let id = &tenant.shared().id;
    export_of(&app, tenant.key(), Some(id), query.as_deref())
}

/// The service's own log as a file of JSON lines.
pub(super) async fn export_of_service(State(app): State<App>, RawQuery(query): RawQuery) -> Shown {
    export_of(&app, TenantKey::SERVICE, None, query.as_deref())
}

async fn show(app: &App, layout: Layout, tenant: Option<&Tenant>, query: Option<&str>) -> Shown {
    let parameters = Parameters::read(query);
    let filters = Filters::read(&parameters, &FILTERS);
    let wanted = Wanted::read(&filters.parameters())?;
    let before = parameters.cursor::<u64>()?;
    let key = tenant.map_or(TenantKey::SERVICE, Tenant::key);
    let page = listed(app, key, wanted, before, ROWS).await?;

    let snapshot = app.service().store().snapshot()?;
    let mut names = Names::new(&snapshot, tenant.map(Tenant::key));
    let entries: Result<Vec<Entry>, _> =
        page.items.iter().map(|entry| Entry::read(entry, &mut names)).collect();
    let home = tenant.map_or_else(String::new, |tenant| format!("/tenants/{}", tenant.shared().id));
    let base = format!("{home}/audit");
    let is_short = page.next_cursor.is_some() && page.items.len() < ROWS;
    let words = if is_short { "Look further back" } else { "Older" };
    let is_last = page.next_cursor.is_none();
    let actors = ACTORS.into_iter().map(|kind| (kind, shown::actor_words(kind)));
    render(&AuditPage {
        layout,
        actors: std::iter::once(("", "anybody")).chain(actors).collect(),
        entries: entries?,
        looked_at: is_short.then_some(page.looked_at),
        is_trimmed: is_last && snapshot.counts(key)?.audit_trimmed > 0,
        export: filters.address(&format!("{base}/export"), &[]),
        pager: filters.pager(&base, before.is_none(), page.next_cursor.as_deref(), words),
        home,
        filters,
    })
}

fn export_of(app: &App, key: TenantKey, id: Option<&TenantId>, query: Option<&str>) -> Shown {
    let filters = Filters::read(&Parameters::read(query), &FILTERS);
    let wanted = Wanted::read(&filters.parameters())?;
    let mut answer: Answer = export::start(app, key, EXPORT, 0, wanted)?;
    let name = id.map_or("service", TenantId::as_str);
    let disposition = format!("attachment; filename=\"audit-{name}.jsonl\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(answer)
}
