//! `/tenants/{t}/tokens`: several live tokens at once, so that one can be rotated without an
//! outage.

use access::TokenId;
use access::duration::HumanDuration;
use access::wave::later;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::tenant::Token;
use utoipa::ToSchema;

use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Live and expired tokens of one tenant.
const TOKENS_MAX: usize = 100;
/// Characters in a label.
const LABEL_CHARS_MAX: usize = 256;

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"label": "second", "expires_in": "365d"})))]
struct NewToken {
    /// What operators call it.
    #[serde(default)]
    #[schema(max_length = 256)]
    label: String,
    /// For how long it is good, such as `365d`; for ever where it is missing.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    expires_in: Option<HumanDuration>,
}

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "label": "first",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": null
})))]
struct ShownToken {
    /// Its public half.
    #[schema(value_type = Uuid)]
    id: TokenId,
    /// What operators call it.
    label: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    expires_at: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "label": "second",
    "created_at": "2026-03-01T12:00:00Z", "expires_at": "2027-03-01T12:00:00Z", "token": "sw_…"
})))]
struct MadeToken {
    /// Its public half.
    #[schema(value_type = Uuid)]
    id: TokenId,
    /// What operators call it.
    label: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it ends; null: never.
    #[schema(required)]
    expires_at: Option<Timestamp>,
    /// Entra's *Secret Token*. It is never shown again.
    token: String,
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
    let NewToken { label, expires_in } = read_body(request).await?;
    if label.chars().count() > LABEL_CHARS_MAX {
        let detail = format!("label: expected at most {LABEL_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    if expires_in.as_ref().is_some_and(|after| after.get().is_zero()) {
        return Err(Problem::unprocessable("expires_in: expected a duration over zero"));
    }
    let kept = tenant.shared().snapshot()?.tokens(tenant.key(), None, TOKENS_MAX)?;
    if kept.len() >= TOKENS_MAX {
        return Err(Problem::conflict(format!("the tenant has {TOKENS_MAX} tokens; delete one")));
    }
    let now = app.service().clock().now();
    let expires_at = expires_in.map(|after| later(now, after.get()));
    let (token, text) =
        store::token::make(label, now, expires_at).map_err(|_| Problem::unavailable())?;
    let ShownToken { id, label, created_at, expires_at } = shown(&token);
    let body = MadeToken { id, label, created_at, expires_at, token: text };
    app.service().create_token(tenant.key(), token, author).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &body))
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
    let tokens = tenant.shared().snapshot()?.tokens(tenant.key(), after, limit + 1)?;
    let items = tokens.iter().map(shown).collect();
    Ok(page(items, limit, |item: &ShownToken| item.id.to_string()))
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
    let token = token.parse().map_err(|_| Problem::not_found("there is no such token"))?;
    app.service().delete_token(tenant.key(), token, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn shown(token: &Token) -> ShownToken {
    ShownToken {
        id: token.id,
        label: token.label.clone(),
        created_at: token.created_at,
        expires_at: token.expires_at,
    }
}
