//! `/tenants/{t}/tokens`: several live tokens at once, so that one can be rotated without an
//! outage.

use access::TokenId;
use access::duration::HumanDuration;
use access::wave::later;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::tenant::Token;

use super::page::page;
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Live and expired tokens of one tenant.
const TOKENS_MAX: usize = 100;
/// Characters in a label.
const LABEL_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[serde(default)]
    label: String,
    expires_in: Option<HumanDuration>,
}

/// POST: makes a token; it is shown only here.
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
    let mut body = shown(&token);
    if let Value::Object(body) = &mut body {
        body.insert("token".to_owned(), text.into());
    }
    app.service().create_token(tenant.key(), token, author).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &body))
}

/// GET: the tokens, without their secrets.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<TokenId>::read(&app, &tenant, query.as_deref()).await?;
    let tokens = tenant.shared().snapshot()?.tokens(tenant.key(), after, limit + 1)?;
    let items = tokens.iter().map(shown).collect();
    Ok(page(items, limit, |item: &Value| item["id"].as_str().unwrap_or_default().to_owned()))
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
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn shown(token: &Token) -> Value {
    json!({
        "id": token.id,
        "label": token.label,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    })
}
