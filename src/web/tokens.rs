//! Tokens, and OAuth clients.

use std::time::Duration;

use access::wave::later;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use jiff::Timestamp;

use super::Visitor;
use super::forms::Fields;
use super::made::MadePage;
use super::page::{Layout, Shown, render};
use crate::admin::oauth_clients::{self, CLIENTS_MAX, NewClient, ShownClient};
use crate::admin::open_tenant;
use crate::admin::tokens::{self, NewToken, ShownToken, TOKENS_MAX};
use crate::app::App;
use crate::web::filters;

/// From when on an end is shown as near, and as very near.
const SOON: Duration = Duration::from_hours(30 * 24);
const VERY_SOON: Duration = Duration::from_hours(7 * 24);

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    layout: Layout,
    base: String,
    now: Timestamp,
    tokens: Vec<ShownToken>,
    clients: Vec<ShownClient>,
    token_endpoint: String,
}

/// How near an end is: a class of the stylesheet, and words.
fn nearness(expires_at: Option<&Timestamp>, now: &Timestamp) -> Option<(&'static str, String)> {
    let (end, now) = (*expires_at?, *now);
    let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
    if end <= now {
        Some(("bad", "ended".to_owned()))
    } else if end <= later(now, VERY_SOON) {
        Some(("bad", format!("ends in {}", filters::spoken(left))))
    } else if end <= later(now, SOON) {
        Some(("warn", format!("ends in {}", filters::spoken(left))))
    } else {
        None
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    render(&TokensPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Tokens")?.live(),
        base: format!("/tenants/{}", tenant.shared().id),
        now: app.service().clock().now(),
        tokens: tokens::listed(&tenant, None, TOKENS_MAX)?,
        clients: oauth_clients::listed(&tenant, None, CLIENTS_MAX)?,
        token_endpoint: app.token_endpoint(&headers),
    })
}

/// Makes a token, in the place of another one or beside the others.
pub(super) async fn make(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let replaces = fields.filled("replaces").map(str::to_owned);
    let overlap = fields.parse("overlap", "a duration such as 7d")?;
    let new = NewToken {
        label: fields.text("label").to_owned(),
        expires_in: fields.parse("expires_in", "a duration such as 365d")?,
        overlap: overlap.filter(|_| replaces.is_some()),
        replaces,
    };
    let made = tokens::make(&app, &tenant, visitor.author(), new).await?;
    let endpoint = app.scim_endpoint(&headers, &tenant.shared().id);
    MadePage {
        layout: Layout::of_tenant(&visitor, &tenant, "A new token")?,
        heading: match made.label.as_str() {
            "" => "A new token".to_owned(),
            label => format!("A new token: {label}"),
        },
        advice: "Paste it into Entra as Secret Token, and press Test Connection there.",
        parts: vec![("Tenant URL", endpoint), ("Secret Token", made.token)],
        next: format!("/tenants/{}/tokens", tenant.shared().id),
        next_text: "It is copied: back to the tokens",
    }
    .shown()
}

/// Deletes a token.
pub(super) async fn delete(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, token)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    tokens::remove(&app, &tenant, &token, visitor.author()).await?;
    let path = format!("/tenants/{}/tokens", tenant.shared().id);
    Ok(visitor.done(&path, "The token is deleted: it opens nothing any more."))
}

/// Makes an OAuth client.
pub(super) async fn make_client(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = NewClient {
        label: fields.text("label").to_owned(),
        expires_in: fields.parse("expires_in", "a duration such as 365d")?,
    };
    let made = oauth_clients::make(&app, &tenant, &headers, visitor.author(), new).await?;
    MadePage {
        layout: Layout::of_tenant(&visitor, &tenant, "A new OAuth client")?,
        heading: match made.label.as_str() {
            "" => "A new OAuth client".to_owned(),
            label => format!("A new OAuth client: {label}"),
        },
        advice: "In Entra, choose OAuth 2.0 client credentials and paste these four.",
        parts: vec![
            ("Tenant URL", app.scim_endpoint(&headers, &tenant.shared().id)),
            ("Token endpoint", made.token_endpoint),
            ("Client identifier", made.client_id),
            ("Client secret", made.client_secret),
        ],
        next: format!("/tenants/{}/tokens", tenant.shared().id),
        next_text: "It is copied: back to the tokens",
    }
    .shown()
}

/// Deletes an OAuth client.
pub(super) async fn delete_client(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, client)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    oauth_clients::remove(&app, &tenant, &client, visitor.author()).await?;
    let path = format!("/tenants/{}/tokens", tenant.shared().id);
    Ok(visitor.done(&path, "The client is deleted, and its access tokens with it."))
}
