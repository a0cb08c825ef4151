//! The web pages: what administrators and operators look at.
//!
//! Pages are written by the server (askama) from the same functions that answer the admin API, so
//! that both show the same and allow the same. A little script of our own swaps the parts of a
//! page that move ([`live`]); without it every page can still be read, and every form be sent.
//!
//! To add a page:
//! 1. a template in `templates/` that extends `layout.html`, and a type that derives
//!    [`askama::Template`] with a `layout:` [`Layout`](page::Layout) field;
//! 2. a handler that takes [`Visitor`] and answers [`page::render`];
//! 3. a line in [`routes()`]: [`Routes::page`] for what is looked at, [`Routes::act`] for what a form
//!    sends, [`Routes::upload`] for a file, each with the [`Audience`] that it is for.
//!
//! Tables are written plainly, in a `<div class="scroll">` and with a `<thead>`: `tables` makes them
//! ready for narrow screens.
//!
//! The audience is checked before the handler is called, and so are the origin and the CSRF token
//! of whatever is sent: a handler cannot forget it. `tests/it/web` walks every route.
//!
//! Everything from outside is escaped, and shown in a `<bdi>` by the macro `name` of
//! `templates/parts.html`, so that a name can neither add markup nor turn the text around it. The
//! Content-Security-Policy allows nothing inline and nothing from elsewhere.

pub mod account;
pub mod accounts;
pub mod actors;
pub mod admit;
pub mod assets;
pub mod audit;
pub mod concerns;
pub mod configure;
pub mod equipment;
pub mod filters;
pub mod forms;
pub mod groups;
pub mod health;
pub mod holds;
pub mod live;
pub mod login;
pub mod made;
pub mod new_tenant;
pub mod overview;
pub mod page;
pub mod parked;
pub mod requests;
pub mod rhythm;
pub mod routes;
pub mod sessions;
pub mod setup;
pub mod setup_links;
pub mod tenants;
pub mod tide;
pub mod tokens;
pub mod visitor;
pub mod waves;
pub mod webhooks;

mod query;
mod tables;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use self::admit::Audience;
use self::page::Refused;
use self::routes::Routes;
pub use self::visitor::Visitor;
use crate::admin::problem::Problem;
use crate::answer::Answer;
use crate::app::App;

/// Every page and every form, with whom it is for.
pub fn routes() -> Routes {
    Routes::default()
        .page("/login", Audience::Anyone, get(login::show))
        .act("/login", Audience::Anyone, post(login::log_in))
        .act("/logout", Audience::Session, post(login::log_out))
        .page("/setup", Audience::Anyone, get(setup::show))
        .act("/setup", Audience::Anyone, post(setup::open))
        .page("/assets/{file}", Audience::Anyone, get(assets::show))
        .page("/", Audience::Session, get(tenants::list))
        .page("/tenants/{tenant}/requests", Audience::Tenant, get(requests::list))
        .page("/tenants/{tenant}/requests/{request}", Audience::Tenant, get(requests::show))
        .page("/tenants/{tenant}/waves/{wave}/requests", Audience::Tenant, get(requests::download))
        .page("/tenants/{tenant}", Audience::Tenant, get(overview::show))
        .page("/tenants/{tenant}/waves", Audience::Tenant, get(waves::list))
        .page("/tenants/{tenant}/waves/{wave}", Audience::Tenant, get(waves::show))
        .page("/tenants/{tenant}/health", Audience::Tenant, get(health::show))
        .page("/tenants/{tenant}/mapping-check", Audience::Tenant, get(health::mapping))
        .page("/tenants/{tenant}/live", Audience::Tenant, get(live::tenant))
        .page("/live", Audience::Operator, get(live::node))
        .page("/actors", Audience::Operator, get(actors::node))
        .page("/tenants/{tenant}/actors", Audience::Operator, get(actors::tenant))
        .page("/tenants/{tenant}/accounts", Audience::Tenant, get(accounts::list))
        .page("/tenants/{tenant}/accounts/{account}", Audience::Tenant, get(account::show))
        .act("/tenants/{tenant}/accounts/{account}/lock", Audience::Operator, post(account::lock))
        .act(
            "/tenants/{tenant}/accounts/{account}/unlock",
            Audience::Operator,
            post(account::unlock),
        )
        .act(
            "/tenants/{tenant}/accounts/{account}/role",
            Audience::Operator,
            post(account::set_role),
        )
        .page("/tenants/{tenant}/groups", Audience::Operator, get(groups::list))
        .page("/tenants/{tenant}/holds", Audience::Operator, get(holds::list))
        .page("/tenants/{tenant}/holds/{hold}", Audience::Operator, get(holds::show))
        .act("/tenants/{tenant}/holds/{hold}/approve", Audience::Operator, post(holds::approve))
        .act("/tenants/{tenant}/holds/{hold}/reject", Audience::Operator, post(holds::reject))
        .page("/tenants/{tenant}/parked", Audience::Operator, get(parked::list))
        .page("/tenants/{tenant}/audit", Audience::Operator, get(audit::of_tenant))
        .page("/tenants/{tenant}/audit/export", Audience::Operator, get(audit::export_of_tenant))
        .page("/audit", Audience::Operator, get(audit::of_service))
        .page("/audit/export", Audience::Operator, get(audit::export_of_service))
        .with_all(configuration())
}

/// Making a tenant and setting it up.
fn configuration() -> Routes {
    use Audience::{Operator, Tenant};
    let upload = post(equipment::upload).layer(DefaultBodyLimit::max(equipment::UPLOAD_BYTES_MAX));
    Routes::default()
        .page("/new-tenant", Operator, get(new_tenant::show))
        .act("/new-tenant", Operator, post(new_tenant::make))
        .act("/tenants/{tenant}/delete", Operator, post(new_tenant::delete))
        .page("/tenants/{tenant}/configure", Tenant, get(configure::show))
        .page("/tenants/{tenant}/configure/tokens", Tenant, get(configure::back))
        .act("/tenants/{tenant}/configure/tokens", Tenant, post(configure::make_token))
        .page("/tenants/{tenant}/configure/preview", Tenant, get(configure::back))
        .act("/tenants/{tenant}/configure/preview", Tenant, post(configure::preview))
        .page("/tenants/{tenant}/configure/save", Tenant, get(configure::back))
        .act("/tenants/{tenant}/configure/save", Tenant, post(configure::save))
        .page("/tenants/{tenant}/configure/limits", Operator, get(configure::back))
        .act("/tenants/{tenant}/configure/limits", Operator, post(configure::save_limits))
        .page("/tenants/{tenant}/tokens", Operator, get(tokens::show))
        .act("/tenants/{tenant}/tokens", Operator, post(tokens::make))
        .act("/tenants/{tenant}/tokens/{token}/delete", Operator, post(tokens::delete))
        .act("/tenants/{tenant}/oauth-clients", Operator, post(tokens::make_client))
        .act(
            "/tenants/{tenant}/oauth-clients/{client}/delete",
            Operator,
            post(tokens::delete_client),
        )
        .page("/tenants/{tenant}/setup-links", Operator, get(setup_links::show))
        .act("/tenants/{tenant}/setup-links", Operator, post(setup_links::make))
        .act("/tenants/{tenant}/setup-links/{link}/revoke", Operator, post(setup_links::revoke))
        .page("/tenants/{tenant}/webhooks", Operator, get(webhooks::list))
        .act("/tenants/{tenant}/webhooks", Operator, post(webhooks::make))
        .page("/tenants/{tenant}/webhooks/{webhook}", Operator, get(webhooks::show))
        .act("/tenants/{tenant}/webhooks/{webhook}", Operator, post(webhooks::change))
        .act("/tenants/{tenant}/webhooks/{webhook}/rotate", Operator, post(webhooks::rotate))
        .act("/tenants/{tenant}/webhooks/{webhook}/test", Operator, post(webhooks::test))
        .act("/tenants/{tenant}/webhooks/{webhook}/replay", Operator, post(webhooks::replay))
        .act("/tenants/{tenant}/webhooks/{webhook}/delete", Operator, post(webhooks::delete))
        .page("/tenants/{tenant}/equipment", Operator, get(equipment::show))
        .upload("/tenants/{tenant}/equipment", Operator, upload)
        .page("/tenants/{tenant}/equipment/report.csv", Operator, get(equipment::csv))
}

/// Whether a path is that of a page.
pub fn is_path(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    ["", "actors", "assets", "audit", "live", "login", "logout", "new-tenant", "setup", "tenants"]
        .contains(&first)
}

/// What a browser gets where there is no page.
pub fn nothing() -> Answer {
    let refused = Refused::from(Problem::not_found("There is nothing at this address."));
    page::protect(refused.into_response())
}

/// The pages, for the router of [`crate::server`].
pub fn router(app: &App) -> Router<App> {
    routes().into_router(app).layer(middleware::map_response(async |answer| page::protect(answer)))
}
