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
//! 3. a line in [`routes`]: [`Routes::page`] for what is looked at, [`Routes::act`] for what a form
//!    sends, [`Routes::upload`] for a file, each with the [`Audience`] that it is for.
//!
//! The audience is checked before the handler is called, and so are the origin and the CSRF token
//! of whatever is sent: a handler cannot forget it. `tests/it/web` walks every route.
//!
//! Everything from outside is escaped, and shown in a `<bdi>` by the macro `name` of
//! `templates/parts.html`, so that a name can neither add markup nor turn the text around it. The
//! Content-Security-Policy allows nothing inline and nothing from elsewhere.

pub mod admit;
pub mod assets;
pub mod filters;
pub mod forms;
pub mod health;
pub mod live;
pub mod login;
pub mod overview;
pub mod page;
pub mod rhythm;
pub mod routes;
pub mod sessions;
pub mod setup;
pub mod tenants;
pub mod tide;
pub mod visitor;
pub mod waves;

use axum::Router;
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
        .page("/tenants/{tenant}", Audience::Tenant, get(overview::show))
        .page("/tenants/{tenant}/waves", Audience::Tenant, get(waves::list))
        .page("/tenants/{tenant}/waves/{wave}", Audience::Tenant, get(waves::show))
        .page("/tenants/{tenant}/health", Audience::Tenant, get(health::show))
        .page("/tenants/{tenant}/mapping-check", Audience::Tenant, get(health::mapping))
        .page("/tenants/{tenant}/live", Audience::Tenant, get(live::tenant))
        .page("/live", Audience::Operator, get(live::node))
}

/// Whether a path is that of a page.
pub fn is_path(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    ["", "actors", "assets", "live", "login", "logout", "setup", "tenants"].contains(&first)
}

/// What a browser gets where there is no page.
pub fn nothing() -> Answer {
    let refused = Refused::from(Problem::not_found("There is nothing at this address."));
    page::protect(refused.into_response())
}

/// The pages, for [`crate::server::router`].
pub fn router(app: &App) -> Router<App> {
    routes().into_router(app).layer(middleware::map_response(async |answer| page::protect(answer)))
}
