//! Setup links, as operators make and revoke them; what one opens is in [`super::setup`].

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::Visitor;
use super::forms::Fields;
use super::made::MadePage;
use super::page::{Layout, Shown, render};
use crate::admin::open_tenant;
use crate::admin::setup_links::{self, LINKS_MAX, NewSetupLink, ShownSetupLink};
use crate::app::App;
use crate::web::filters;

#[derive(Template)]
#[template(path = "setup_links.html")]
struct SetupLinksPage {
    layout: Layout,
    base: String,
    links: Vec<ShownSetupLink>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    render(&SetupLinksPage {
        layout: Layout::of_tenant(&visitor, &tenant, "Setup links")?,
        base: format!("/tenants/{}", tenant.shared().id),
        links: setup_links::listed(&app, &tenant, None, LINKS_MAX)?,
    })
}

/// Makes a link.
pub(super) async fn make(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = NewSetupLink {
        label: fields.text("label").to_owned(),
        expires_in: fields.parse("expires_in", "a duration such as 7d")?,
    };
    let made = setup_links::make(&app, &tenant, &headers, visitor.author(), new).await?;
    MadePage {
        layout: Layout::of_tenant(&visitor, &tenant, "A new setup link")?,
        heading: match made.label.as_str() {
            "" => "A new setup link".to_owned(),
            label => format!("A new setup link for {label}"),
        },
        advice: "Send it to the customer's administrator and to nobody else: whoever has it can \
                 make tokens and map groups of this tenant until it ends.",
        parts: vec![("Setup link", made.url)],
        next: format!("/tenants/{}/setup-links", tenant.shared().id),
        next_text: "It is copied: back to the links",
    }
    .shown()
}

/// Revokes a link.
pub(super) async fn revoke(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, link)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    setup_links::revoke(&app, &tenant, &link, visitor.author()).await?;
    let path = format!("/tenants/{}/setup-links", tenant.shared().id);
    Ok(visitor.done(&path, "The link is revoked, and whoever came by it is logged out."))
}
