//! `/tenants/{t}/health` and `/tenants/{t}/mapping-check`: what somebody should look at, and what
//! helps.

use access::mapping_check::{CheckedRow, MappingCheck, NOTHING_HERE, RowState, Severity};
use access::quarantine::Nearness;
use access::wave::Wave;
use askama::Template;
use axum::extract::{Path, State};

use super::Visitor;
use super::page::{Layout, Shown, render};
use super::rhythm::Rhythm;
use crate::admin::health::glance::last_wave;
use crate::admin::health::{Health, Status, look, mapping_check};
use crate::admin::open_tenant;
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    layout: Layout,
    id: String,
    is_operator: bool,
    health: Health,
    rhythm: Rhythm,
    quarantine: (&'static str, &'static str),
    percent: String,
    /// Whether nothing came yet.
    is_new: bool,
    is_ok: bool,
    last_wave: Option<Wave>,
    /// Requests of the last wave that were refused.
    errors: u64,
    missing: Vec<CheckedRow>,
}

#[derive(Template)]
#[template(path = "mapping_check.html")]
struct MappingPage {
    layout: Layout,
    /// The tenant's first page.
    home: String,
    check: MappingCheck,
    /// How its words are marked.
    severity: &'static str,
    /// Whether nothing came yet.
    is_new: bool,
    parts: [(&'static str, Vec<CheckedRow>); 2],
}

/// Health.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let layout = Layout::of_tenant(&visitor, &tenant, "Health")?.live();
    let mut health = look(&tenant)?;
    let shared = tenant.shared();
    let last_wave = last_wave(shared, &shared.snapshot()?)?;
    let errors = last_wave.as_ref().map_or(0, |wave| wave.errors);
    let rows = std::mem::take(&mut health.mapping_check.rows);
    let quarantine = match health.quarantine.quarantine.state {
        Nearness::Fine => ("fine", "ok"),
        Nearness::Approaching => ("approaching", "warn"),
        Nearness::Likely => ("likely", "bad"),
    };
    let is_missed =
        |row: &CheckedRow| row.state == RowState::Missing && row.severity > Severity::Optional;
    render(&HealthPage {
        id: shared.id.to_string(),
        is_operator: visitor.is_operator(),
        rhythm: Rhythm::of(&health.cadence),
        quarantine,
        percent: format!("{:.1}", health.quarantine.quarantine.share * 100.0),
        is_new: health.cadence.last_heard_at.is_none(),
        is_ok: health.status == Status::Ok && errors == 0,
        last_wave,
        errors,
        missing: rows.into_iter().filter(is_missed).collect(),
        health,
        layout,
    })
}

/// The mapping check.
pub(super) async fn mapping(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let layout = Layout::of_tenant(&visitor, &tenant, "Mapping check")?.live();
    let mut check = mapping_check(&tenant)?;
    let rows = std::mem::take(&mut check.rows);
    let (groups, users): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.resource_type == "Group");
    let shared = tenant.shared();
    let sent = shared.sent_names(&shared.snapshot()?)?;
    render(&MappingPage {
        layout,
        home: format!("/tenants/{}", shared.id),
        severity: match check.worst {
            Some(Severity::Must) => "bad",
            Some(Severity::Should) => "warn",
            Some(Severity::Optional) | None => "info",
        },
        is_new: sent.user.is_empty() && sent.group.is_empty(),
        check,
        parts: [("Users", users), ("Groups", groups)],
    })
}

/// Whether nothing is missed without this row.
fn is_needless(row: &CheckedRow) -> bool {
    row.breaks.as_deref() == Some(NOTHING_HERE)
}

/// The word and the colour of a row's state.
fn badge(row: &CheckedRow) -> (&'static str, &'static str) {
    match (row.state, row.severity) {
        (RowState::Seen, _) => ("seen", "ok"),
        (RowState::Missing, Severity::Must) => ("missing", "bad"),
        (RowState::Missing, Severity::Should) => ("missing", "warn"),
        (RowState::Missing, Severity::Optional) => ("not sent", ""),
        (RowState::Waiting, _) => ("not seen yet", ""),
    }
}
