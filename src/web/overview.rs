//! `/tenants/{t}`: the tide of a tenant, and what it left.

use std::time::Duration;

use access::traffic::{Counts, minute_of, total};
use access::wave::Wave;
use actors::Tenant;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use jiff::{SignedDuration, Timestamp};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::rhythm::Rhythm;
use super::tide::{Facts, Range, Tide, draw};
use crate::admin::health::glance::{Concern, Glance, glance};
use crate::admin::health::{Status, look};
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::admin::{open_tenant, waves};
use crate::app::App;
use crate::web::filters;

/// Waves that are drawn: more than that cannot be told apart.
const DRAWN_MAX: usize = 500;
/// Waves in the table.
const LISTED: usize = 15;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    id: String,
    name: String,
    glance: Glance,
    rhythm: Rhythm,
    is_operator: bool,
    /// What somebody should look at, and the page that has more about it.
    concerns: Vec<(Concern, String)>,
    /// Whether the health page marks something, which may be more than the concerns.
    needs_attention: bool,
    range: Range,
    ranges: [Range; 4],
    tides: [Tide; 2],
    summary: Summary,
    waves: Vec<Wave>,
    more_waves: bool,
    next_sweep: Option<Timestamp>,
}

/// The chart in words.
struct Summary {
    came: Counts,
    waves: usize,
    role_changes: u64,
    is_rooted: bool,
}

/// The overview.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let range = Range::from_name(parameters.get("range"));
    let layout = Layout::of_tenant(&visitor, &tenant, "Overview")?.live();
    let glance = glance(&tenant)?;
    let shared = tenant.shared();
    let name = layout.tenant.as_ref().map_or_else(String::new, |heading| heading.name.clone());
    let listed = waves::read(&tenant, None, LISTED)?;
    let (tides, summary) = tide(&tenant, range, &glance)?;
    let is_operator = visitor.is_operator();
    let page = |concern: &Concern| {
        let page = concern.page(glance.last_wave.as_ref(), is_operator);
        (*concern, page)
    };
    let shown = glance.concerns.iter().filter(|concern| !concern.class().is_empty());
    render(&OverviewPage {
        id: shared.id.to_string(),
        name,
        rhythm: Rhythm::of(&glance.cadence),
        is_operator,
        concerns: shown.map(page).collect(),
        needs_attention: look(&tenant)?.status == Status::Attention,
        range,
        ranges: Range::ALL,
        tides,
        summary,
        more_waves: listed.next_cursor.is_some(),
        waves: listed.items,
        next_sweep: shared.next_sweep(),
        glance,
        layout,
    })
}

fn tide(tenant: &Tenant, range: Range, glance: &Glance) -> Result<([Tide; 2], Summary), Problem> {
    let shared = tenant.shared();
    let now = shared.clock.now();
    let from =
        now.checked_sub(SignedDuration::from_mins(range.minutes())).unwrap_or(Timestamp::MIN);
    let (first, last) = (minute_of(from), minute_of(now).saturating_add(1));
    let minutes = shared.minutes(first, last)?;
    let mut shown = waves::read(tenant, None, DRAWN_MAX)?.items;
    shown.retain(|wave| wave.reconciled_at.or(wave.ended_at).unwrap_or(now) >= from);
    let known = shared.known(&shared.snapshot()?)?;
    let served: Vec<(Timestamp, Timestamp)> = known.served.stretches().collect();
    let tides = draw(Facts {
        range,
        now,
        minutes: &minutes,
        waves: &shown,
        expected: glance.cadence.next_expected,
        served: &served,
    });
    let summary = Summary {
        came: total(&minutes, first, last),
        waves: shown.len(),
        role_changes: shown.iter().map(|wave| wave.role_changes).sum(),
        is_rooted: tides.iter().any(|tide| tide.is_rooted),
    };
    Ok((tides, summary))
}

/// How long a wave went on, or has gone on so far.
pub(super) fn lasted(wave: &Wave, now: Timestamp) -> Duration {
    let until = wave.ended_at.unwrap_or(now);
    Duration::try_from(until.duration_since(wave.started_at)).unwrap_or_default()
}
