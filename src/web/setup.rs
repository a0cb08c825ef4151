//! Setup links: the page behind one, and the session that it opens.
//!
//! Opening takes a click on the page: what looks into mails and follows links opens nothing, and a
//! cookie that is `SameSite=Strict` is sent only after a step that began on our own page.

use askama::Template;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use store::setup_link::{PresentedLink, SetupLink, setup_link_key};

use super::forms::Fields;
use super::login::start;
use super::page::{Layout, Shown, render, render_with};
use super::sessions::Who;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::logins::Peer;
use crate::web::filters;

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    layout: Layout,
    link: &'a str,
    /// The tenant's name, if the link opens anything.
    opens: Option<String>,
}

/// The page behind a link.
pub(super) async fn show(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    RawQuery(query): RawQuery,
) -> Shown {
    let parameters = Parameters::read(query.as_deref());
    let link = parameters.get("link").unwrap_or_default();
    let found = find(&app, link)?;
    let layout = Layout::of_nobody("Set up provisioning");
    match found {
        Some((_, name)) => render(&SetupPage { layout, link, opens: Some(name) }),
        None => refuse(&app, peer, layout),
    }
}

/// Opens the tenant of a link.
pub(super) async fn open(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    fields: Fields,
) -> Shown {
    match find(&app, fields.text("link"))? {
        Some((who, _)) => {
            let Who::Setup { tenant, link, .. } = &who else { return Err(unknown().into()) };
            tracing::info!(tenant.id = %tenant, link.id = %link, "a setup link was opened");
            let next = format!("/tenants/{tenant}/configure");
            start(&app, &headers, who, &next)
        }
        None => refuse(&app, peer, Layout::of_nobody("Set up provisioning")),
    }
}

/// Who somebody is by this link, and what the tenant is called.
fn find(app: &App, link: &str) -> Result<Option<(Who, String)>, Problem> {
    let presented = PresentedLink::read(link);
    let snapshot = app.service().store().snapshot()?;
    let tenant = match presented.tenant() {
        Some(tenant) => snapshot.tenant(tenant)?,
        None => None,
    };
    let kept = match (&tenant, presented.id()) {
        (Some(tenant), Some(id)) => {
            snapshot.document::<SetupLink>(tenant.key, &setup_link_key(id))?
        }
        _ => None,
    };
    let kept = kept.map(|kept| kept.value);
    let now = app.service().clock().now();
    let matches = presented.matches(kept.as_ref(), now);
    Ok(tenant.zip(kept).filter(|_| matches).map(|(tenant, link)| {
        let SetupLink { id, label, .. } = link;
        (Who::Setup { tenant: tenant.id, link: id, label }, tenant.name)
    }))
}

fn refuse(app: &App, peer: Option<Extension<Peer>>, layout: Layout) -> Shown {
    let from = peer.map(|Extension(peer)| peer.0);
    app.failed_web_logins().failed(from, "setup", None).map_err(Problem::too_many_failed_logins)?;
    render_with(StatusCode::NOT_FOUND, &SetupPage { layout, link: "", opens: None })
}

fn unknown() -> Problem {
    Problem::not_found("there is no such setup link")
}
