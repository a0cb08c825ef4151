//! `/tenants/{t}/tokens`: several live tokens at once, so that one can be rotated without an
//! outage.

use std::net::IpAddr;
use std::time::Duration;

use access::duration::HumanDuration;
use access::wave::later;
use access::{Author, TokenId};
use actors::Tenant;
use actors::token_uses::TokenUse;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tenant::Token;
use store::{DocumentKey, Snapshot};
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Live and expired tokens of one tenant.
pub(crate) const TOKENS_MAX: usize = 100;
/// Characters in a label.
const LABEL_CHARS_MAX: usize = 256;
/// How long a token that is replaced still counts, unless it is said otherwise.
const OVERLAP: Duration = Duration::from_hours(24);

/// A token to make.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"label": "second", "expires_in": "365d"})))]
pub(crate) struct NewToken {
    /// What operators call it.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(crate) label: String,
    /// For how long it is good, such as `365d`; for ever where it is missing.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(crate) expires_in: Option<HumanDuration>,
    /// The token that this one takes the place of.
    #[schema(format = "uuid")]
    pub(crate) replaces: Option<String>,
    /// How long that one still counts: 24 h, or such as `7d`.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(crate) overlap: Option<HumanDuration>,
}

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "label": "first",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": null,
    "last_used_at": "2026-03-02T08:00:00Z", "last_used_from": "192.0.2.7"
})))]
pub(crate) struct ShownToken {
    /// Its public half.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// What operators call it.
    pub(crate) label: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    pub(crate) expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    #[schema(required)]
    pub(crate) last_used_at: Option<Timestamp>,
    /// The address that it was used from.
    #[schema(value_type = Option<String>, required)]
    pub(crate) last_used_from: Option<IpAddr>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "label": "second",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": "2027-03-01T12:00:00Z", "token": "sw_…"
})))]
pub(crate) struct MadeToken {
    /// Its public half.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// What operators call it.
    pub(crate) label: String,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Entra's *Secret Token*. It is never shown again.
    pub(crate) token: String,
    /// The token that it replaces, and when that one ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) replaces: Option<ReplacedToken>,
}

/// A token that another one replaces.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplacedToken {
    /// Its public half.
    #[schema(value_type = Uuid)]
    pub(crate) id: TokenId,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

/// Makes a token; it is shown only here.
#[utoipa::path(
    post, path = "/tenants/{tenant}/tokens", tag = "tokens", request_body = Option<NewToken>,
    responses(
        (status = 201, description = "The token", body = MadeToken),
        (status = 409, description = "the tenant has 100 tokens; delete one"),
    )
)]
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = read_body(request).await?;
    let made = make(&app, &tenant, author, new).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

pub(crate) async fn make(
    app: &App,
    tenant: &Tenant,
    author: Author,
    new: NewToken,
) -> Result<MadeToken, Problem> {
    let NewToken { label, expires_in, replaces, overlap } = new;
    check_label(&label)?;
    let now = app.service().clock().now();
    let expires_at = expiry(now, expires_in.as_ref())?;
    let snapshot = tenant.shared().snapshot()?;
    let replaced = match (&replaces, &overlap) {
        (Some(id), overlap) => Some(replaced(&snapshot, tenant, id, overlap.as_ref(), now)?),
        (None, Some(_)) => {
            return Err(Problem::unprocessable("overlap: expected replaces beside it"));
        }
        (None, None) => None,
    };
    let kept = snapshot.tokens(tenant.key(), None, TOKENS_MAX)?;
    drop(snapshot);
    if kept.len() >= TOKENS_MAX {
        return Err(Problem::conflict(format!("the tenant has {TOKENS_MAX} tokens; delete one")));
    }
    let (token, text) =
        store::token::make(label, now, expires_at).map_err(|_| Problem::unavailable())?;
    let ShownToken { id, label, created_at, expires_at, .. } = ShownToken::new(&token, None);
    let made = MadeToken { id, label, created_at, expires_at, token: text, replaces: replaced };
    match &made.replaces {
        Some(old) => {
            let (id, ends_at) = (old.id, old.expires_at);
            app.service().replace_token(tenant.key(), token, id, ends_at, author).await?;
        }
        None => app.service().create_token(tenant.key(), token, author).await?,
    }
    Ok(made)
}

/// The tokens, without their secrets.
#[utoipa::path(
    get, path = "/tenants/{tenant}/tokens", tag = "tokens", params(Paging),
    responses((status = 200, description = "Tokens", body = Page<ShownToken>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<TokenId>::read(&app, &tenant, query.as_deref()).await?;
    let items = listed(&tenant, after, limit.saturating_add(1))?;
    Ok(page(items, limit, |item| item.id.to_string()))
}

pub(crate) fn listed(
    tenant: &Tenant,
    after: Option<TokenId>,
    limit: usize,
) -> Result<Vec<ShownToken>, Problem> {
    let snapshot = tenant.shared().snapshot()?;
    let mut items = Vec::new();
    for token in snapshot.tokens(tenant.key(), after, limit)? {
        let last = last_use(&snapshot, tenant, token.id)?;
        items.push(ShownToken::new(&token, last));
    }
    Ok(items)
}

/// Deletes a token: from now on it opens nothing.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/tokens/{token}", tag = "tokens",
    responses((status = 204, description = "It is deleted"))
)]
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, token)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    remove(&app, &tenant, &token, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) async fn remove(
    app: &App,
    tenant: &Tenant,
    token: &str,
    author: Author,
) -> Result<(), Problem> {
    let token = token.parse().map_err(|_| Problem::not_found("there is no such token"))?;
    app.service().delete_token(tenant.key(), token, author).await?;
    tenant.shared().token_uses.forget(token);
    Ok(())
}

/// The last use of a token or an OAuth client that is known.
pub(super) fn last_use(
    snapshot: &Snapshot,
    tenant: &Tenant,
    token: TokenId,
) -> Result<Option<TokenUse>, Problem> {
    if let Some(seen) = tenant.shared().token_uses.last(token) {
        return Ok(Some(seen));
    }
    let kept = snapshot.document(tenant.key(), &DocumentKey::id(token.as_bytes()))?;
    Ok(kept.map(|kept| kept.value))
}

pub(super) fn check_label(label: &str) -> Result<(), Problem> {
    if label.chars().count() > LABEL_CHARS_MAX {
        let detail = format!("label: expected at most {LABEL_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    Ok(())
}

/// When something that is made now expires.
pub(super) fn expiry(
    now: Timestamp,
    expires_in: Option<&HumanDuration>,
) -> Result<Option<Timestamp>, Problem> {
    if expires_in.is_some_and(|after| after.get().is_zero()) {
        return Err(Problem::unprocessable("expires_in: expected a duration over zero"));
    }
    Ok(expires_in.map(|after| later(now, after.get())))
}

/// When the token that is replaced ends: never later than it would anyway.
fn replaced(
    snapshot: &Snapshot,
    tenant: &Tenant,
    id: &str,
    overlap: Option<&HumanDuration>,
    now: Timestamp,
) -> Result<ReplacedToken, Problem> {
    let no_such_token = || Problem::unprocessable("replaces: there is no such token");
    let id = id.parse().map_err(|_| no_such_token())?;
    let token: Token = snapshot.token(tenant.key(), id)?.ok_or_else(no_such_token)?;
    let ends_at = later(now, overlap.map_or(OVERLAP, HumanDuration::get));
    let expires_at = token.expires_at.map_or(ends_at, |end| end.min(ends_at));
    Ok(ReplacedToken { id, expires_at })
}

impl ShownToken {
    fn new(token: &Token, last: Option<TokenUse>) -> Self {
        let (last_used_at, last_used_from) = last.map(|last| (last.at, last.from)).unzip();
        Self {
            id: token.id,
            label: token.label.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at,
            last_used_from: last_used_from.flatten(),
        }
    }
}
