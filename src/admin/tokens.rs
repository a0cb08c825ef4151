//! `/tenants/{t}/tokens`: several live tokens at once, so that one can be rotated without an
//! outage.

use std::net::IpAddr;
use std::time::Duration;

use access::TokenId;
use access::duration::HumanDuration;
use access::wave::later;
use actors::Tenant;
use actors::token_uses::TokenUse;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tenant::Token;
use store::{DocumentKey, Snapshot};

use super::page::page;
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Live and expired tokens of one tenant.
const TOKENS_MAX: usize = 100;
/// Characters in a label.
const LABEL_CHARS_MAX: usize = 256;
/// How long a token that is replaced still counts, unless it is said otherwise.
const OVERLAP: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[serde(default)]
    label: String,
    expires_in: Option<HumanDuration>,
    /// The token that this one takes the place of.
    replaces: Option<String>,
    /// How long that one still counts.
    overlap: Option<HumanDuration>,
}

/// A token that was made; its text is shown only here.
#[derive(Serialize)]
struct MadeToken {
    #[serde(flatten)]
    shown: ShownToken,
    token: String,
    /// The token that it replaces, and when that one ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<ReplacedToken>,
}

#[derive(Serialize)]
struct ReplacedToken {
    id: TokenId,
    expires_at: Timestamp,
}

/// A token without its secret.
#[derive(Serialize)]
struct ShownToken {
    id: TokenId,
    label: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    last_used_from: Option<IpAddr>,
}

/// POST: makes a token, in place of another one perhaps.
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let NewToken { label, expires_in, replaces, overlap } = read_body(request).await?;
    check_label(&label)?;
    let now = app.service().clock().now();
    let expires_at = expiry(now, expires_in.as_ref())?;
    let snapshot = tenant.shared().snapshot()?;
    let replaced = match (&replaces, &overlap) {
        (Some(id), overlap) => Some(replaced(&snapshot, &tenant, id, overlap.as_ref(), now)?),
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
    let made = MadeToken { shown: ShownToken::new(&token, None), token: text, replaces: replaced };
    match &made.replaces {
        Some(old) => {
            let (id, ends_at) = (old.id, old.expires_at);
            app.service().replace_token(tenant.key(), token, id, ends_at, author).await?;
        }
        None => app.service().create_token(tenant.key(), token, author).await?,
    }
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

/// GET: the tokens, without their secrets.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<TokenId>::read(&app, &tenant, query.as_deref()).await?;
    let snapshot = tenant.shared().snapshot()?;
    let mut items = Vec::new();
    for token in snapshot.tokens(tenant.key(), after, limit + 1)? {
        let last = last_use(&snapshot, &tenant, token.id)?;
        items.push(ShownToken::new(&token, last));
    }
    Ok(page(items, limit, |item| item.id.to_string()))
}

/// DELETE: from now on it opens nothing.
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, token)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let token = token.parse().map_err(|_| Problem::not_found("there is no such token"))?;
    app.service().delete_token(tenant.key(), token, author).await?;
    tenant.shared().token_uses.forget(token);
    Ok(answer::empty(StatusCode::NO_CONTENT))
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
