//! `/tenants/{t}/waves`: all waves, and what each of them changed.

use std::time::Duration;

use access::WaveId;
use access::wave::Wave;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;

use super::Visitor;
use super::overview::lasted;
use super::page::{Layout, Shown, render};
use crate::admin::open_tenant;
use crate::admin::page::{Page, Parameters};
use crate::admin::problem::Problem;
use crate::admin::waves::changes::{WaveChange, WaveChanges, of_wave};
use crate::admin::waves::{find, read};
use crate::app::App;
use crate::web::filters;

/// Waves on a page.
const WAVES: usize = 50;
/// Changes on a page.
const CHANGES: usize = 100;

#[derive(Template)]
#[template(path = "waves.html")]
struct WavesPage {
    layout: Layout,
    id: String,
    waves: Vec<Wave>,
    next: Option<String>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "wave.html")]
struct WavePage {
    layout: Layout,
    id: String,
    wave: Wave,
    lasted: Duration,
    changes: Vec<WaveChange>,
    /// Whether the role of any of them changed.
    has_roles: bool,
    next_after: Option<u64>,
    is_first: bool,
    is_trimmed: bool,
}

/// All waves.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let before: Option<WaveId> = parameters.cursor()?;
    let Page { items, next_cursor } = read(&tenant, before, WAVES)?;
    render(&WavesPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Waves")?.live(),
        id: tenant.shared().id.to_string(),
        waves: items,
        next: next_cursor,
        is_first: before.is_none(),
    })
}

/// One wave.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, wave)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let wave = find(&tenant, &wave)?;
    let parameters = Parameters::read(query.as_deref());
    let after: Option<u64> = parameters.parse("after", "a number")?;
    // Entries of large groups are long: they are read where nobody else waits.
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let (of, what) = (tenant.clone(), wave.clone());
    let read = tokio::task::spawn_blocking(move || {
        let read = of_wave(&of, &what, after, CHANGES);
        drop(permits);
        read
    });
    let WaveChanges { items, next_after, is_trimmed } =
        read.await.map_err(|_| Problem::unavailable())??;
    let now: Timestamp = tenant.shared().clock.now();
    render(&WavePage {
        layout: Layout::of_tenant(&visitor, &tenant, "Wave")?.live(),
        id: tenant.shared().id.to_string(),
        lasted: lasted(&wave, now),
        has_roles: items.iter().any(|change| change.is_role),
        changes: items,
        next_after,
        is_first: after.is_none(),
        is_trimmed,
        wave,
    })
}
