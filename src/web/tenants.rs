//! `/`: all tenants at a glance, the worst first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actors::Tenant;
use askama::Template;
use axum::extract::{RawQuery, State};
use jiff::{SignedDuration, Timestamp};
use scim::casefold::fold;
use store::tenant::Tenant as KeptTenant;
use store::{ReadError, Snapshot, TenantKey};

use super::Visitor;
use super::forms::percent_encode;
use super::page::{Layout, Shown, render, see_other};
use super::rhythm::Rhythm;
use crate::admin::health::glance::{Glance, glance};
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::web::filters;

/// Tenants that are put in order; more than that are shown by their ids.
const ORDERED_MAX: usize = 1_000;
/// Tenants on a page.
const PAGE: usize = 50;
/// How long a glance is good enough.
const GLANCE_LASTS: SignedDuration = SignedDuration::from_secs(5);

/// What was last seen of each tenant.
#[derive(Default)]
pub struct Glances(Mutex<HashMap<TenantKey, (Timestamp, Glance)>>);

#[derive(Template)]
#[template(path = "tenants.html")]
struct TenantsPage {
    layout: Layout,
    rows: Vec<Row>,
    count: usize,
    troubled: usize,
    more: bool,
    q: String,
    previous: Option<String>,
    next: Option<String>,
}

/// A tenant in the list.
struct Row {
    id: String,
    name: String,
    glance: Glance,
    rhythm: Rhythm,
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
    let page: usize = parameters.parse("page", "a number")?.unwrap_or(0);
    let q = parameters.get("q").unwrap_or_default().trim().to_owned();
    let mut kept = sought(&app.service().store().snapshot()?, &q, ORDERED_MAX + 1)?;
    let more = kept.len() > ORDERED_MAX;
    kept.truncate(ORDERED_MAX);
    let mut live = Vec::with_capacity(kept.len());
    for tenant in kept {
        // One that cannot be opened does not keep the others from being shown.
        if let Ok(open) = app.service().tenant(&tenant).await {
            live.push((tenant, open));
        }
    }
    let glances = tokio::task::spawn_blocking(move || {
        let now = app.service().clock().now();
        let rows = live.into_iter().map(|(tenant, open)| {
            let glance = app.glances().of(&open, now)?;
            let (id, name) = (tenant.id.to_string(), tenant.name);
            Ok(Row { id, name, rhythm: Rhythm::of(&glance.cadence), glance })
        });
        rows.collect::<Result<Vec<Row>, Problem>>()
    });
    let mut rows = glances.await.map_err(|_| Problem::unavailable())??;
    rows.sort_by(|one, other| other.glance.rank.cmp(&one.glance.rank).then(one.id.cmp(&other.id)));
    let count = rows.len();
    let troubled = rows.iter().filter(|row| row.glance.rank > 1).count();
    let start = page.saturating_mul(PAGE);
    let has_next = start.saturating_add(PAGE) < count;
    let rows: Vec<Row> = rows.into_iter().skip(start).take(PAGE).collect();
    let to = |page: usize| format!("/?page={page}&q={}", percent_encode(&q));
    render(&TenantsPage {
        layout: Layout::new(&visitor, "Tenants").live(),
        rows,
        count,
        troubled,
        more,
        previous: page.checked_sub(1).map(to),
        next: has_next.then(|| to(page.saturating_add(1))),
        q,
    })
}

/// The first tenants, by id, that have these words in their id or name; at most `limit`.
fn sought(snapshot: &Snapshot, q: &str, limit: usize) -> Result<Vec<KeptTenant>, ReadError> {
    let words = fold(q);
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let read = snapshot.tenants(after.as_ref(), limit)?;
        let is_last = read.len() < limit;
        after = read.last().map(|tenant| tenant.id.clone());
        found.extend(read.into_iter().filter(|tenant| {
            tenant.id.as_str().contains(&words) || fold(&tenant.name).contains(&words)
        }));
        if is_last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

impl Glances {
    /// A tenant at a glance, as it was a few seconds ago at most.
    fn of(&self, tenant: &Tenant, now: Timestamp) -> Result<Glance, Problem> {
        let key = tenant.key();
        let seen = {
            let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.get(&key).filter(|(at, _)| now.duration_since(*at) < GLANCE_LASTS).cloned()
        };
        if let Some((_, glance)) = seen {
            return Ok(glance);
        }
        let fresh = glance(tenant)?;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > ORDERED_MAX {
            // Tenants that were deleted are among them.
            seen.clear();
        }
        seen.insert(key, (now, fresh.clone()));
        Ok(fresh)
    }
}
