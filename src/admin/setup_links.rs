//! `/tenants/{t}/setup-links`: addresses that open a tenant's web pages to the customer's own
//! administrator; see [`crate::web`] for what they may do there.

use std::time::Duration;

use access::duration::HumanDuration;
use access::wave::later;
use access::{Author, TokenId};
use actors::Tenant;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::DocumentKey;
use store::setup_link::{SetupLink, setup_link_key};
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::tokens::{check_label, expiry};
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Links of one tenant, those that have ended included.
pub(crate) const LINKS_MAX: usize = 100;
/// How long a link opens its tenant, unless it is said otherwise.
const LIFE: Duration = Duration::from_hours(7 * 24);
/// The longest that it can.
const LIFE_MAX: Duration = Duration::from_hours(90 * 24);

/// A link to make.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(examples(json!({"label": "Acme's IT", "expires_in": "7d"})))]
pub(crate) struct NewSetupLink {
    /// Whom it is for.
    #[schema(max_length = 256)]
    pub(crate) label: String,
    /// For how long it opens the tenant, such as `7d`; at most 90 days. 7 days where it is
    /// missing.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(crate) expires_in: Option<HumanDuration>,
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057",
    "url": "https://sync.example.com/setup?link=sws_acme.…", "label": "Acme's IT",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-08T12:00:00Z"
})))]
pub(crate) struct MadeSetupLink {
    /// Its public half.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// Opens the tenant's web pages. It is never shown again.
    pub(crate) url: String,
    /// Whom it is for.
    pub(crate) label: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends, and the sessions that it opened.
    pub(crate) expires_at: Timestamp,
}

/// A link, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = SetupLink, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "label": "Acme's IT",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-08T12:00:00Z", "expired": false
})))]
pub(crate) struct ShownSetupLink {
    /// Its public half.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// Whom it is for.
    pub(crate) label: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
    /// Whether it has ended.
    pub(crate) expired: bool,
}

/// Makes a link that opens the tenant's web pages, and nothing else. It is shown only here.
#[utoipa::path(
    post, path = "/tenants/{tenant}/setup-links", tag = "tokens",
    request_body = Option<NewSetupLink>,
    responses(
        (status = 201, description = "The link", body = MadeSetupLink),
        (status = 409, description = "the tenant has 100 setup links; delete one"),
    )
)]
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = read_body(request).await?;
    let made = make(&app, &tenant, &headers, author, new).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

/// The links, without their secrets.
#[utoipa::path(
    get, path = "/tenants/{tenant}/setup-links", tag = "tokens", params(Paging),
    responses((status = 200, description = "Setup links", body = Page<ShownSetupLink>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<TokenId>::read(&app, &tenant, query.as_deref()).await?;
    let links = listed(&app, &tenant, after, limit.saturating_add(1))?;
    Ok(page(links, limit, |link| link.id.to_string()))
}

/// Revokes a link: it opens nothing from now on, and the sessions that it opened end.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/setup-links/{link}", tag = "tokens",
    responses((status = 204, description = "It is revoked"))
)]
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, link)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    revoke(&app, &tenant, &link, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) async fn make(
    app: &App,
    tenant: &Tenant,
    headers: &HeaderMap,
    author: Author,
    new: NewSetupLink,
) -> Result<MadeSetupLink, Problem> {
    let NewSetupLink { label, expires_in } = new;
    check_label(&label)?;
    if expires_in.as_ref().is_some_and(|life| life.get() > LIFE_MAX) {
        return Err(Problem::unprocessable("expires_in: expected at most 90d"));
    }
    let now = app.service().clock().now();
    let expires_at = expiry(now, expires_in.as_ref())?.unwrap_or_else(|| later(now, LIFE));
    if listed(app, tenant, None, LINKS_MAX)?.len() >= LINKS_MAX {
        let detail = format!("the tenant has {LINKS_MAX} setup links; delete one");
        return Err(Problem::conflict(detail));
    }
    let (link, text) = SetupLink::make(&tenant.shared().id, label, now, expires_at)
        .map_err(|_| Problem::unavailable())?;
    app.service().create_setup_link(tenant.key(), &link, author).await?;
    let SetupLink { id, label, created_at, expires_at, .. } = link;
    let url = format!("{}/setup?link={text}", app.base_url(headers));
    Ok(MadeSetupLink { id, url, label, created_at, expires_at })
}

pub(crate) fn listed(
    app: &App,
    tenant: &Tenant,
    after: Option<TokenId>,
    limit: usize,
) -> Result<Vec<ShownSetupLink>, Problem> {
    let now = app.service().clock().now();
    let after = after.map(|after| DocumentKey::id(after.as_bytes()));
    let snapshot = tenant.shared().snapshot()?;
    let links: Vec<SetupLink> = snapshot.documents(tenant.key(), after.as_ref(), limit)?;
    let shown = |link: SetupLink| {
        let expired = !link.counts_at(now);
        let SetupLink { id, label, created_at, expires_at, .. } = link;
        ShownSetupLink { id, label, created_at, expires_at, expired }
    };
    Ok(links.into_iter().map(shown).collect())
}

pub(crate) async fn revoke(
    app: &App,
    tenant: &Tenant,
    link: &str,
    author: Author,
) -> Result<(), Problem> {
    let no_such_link = || Problem::not_found("there is no such setup link");
    let id: TokenId = link.parse().map_err(|_| no_such_link())?;
    let snapshot = tenant.shared().snapshot()?;
    let kept = snapshot.document::<SetupLink>(tenant.key(), &setup_link_key(id))?;
    kept.ok_or_else(no_such_link)?;
    app.service().delete_setup_link(tenant.key(), id, author).await?;
    Ok(())
}
