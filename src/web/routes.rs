//! The list of routes: each with its audience, so that none is served without one.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;

use super::admit::{Audience, Demand, Kind, admit, method};
use crate::app::App;

/// A route and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// As axum has it, such as `/tenants/{tenant}`.
    pub path: &'static str,
    /// Its method.
    pub method: Method,
    /// Whom it is for.
    pub audience: Audience,
}

/// Routes being listed.
#[derive(Default)]
pub struct Routes(Vec<(&'static str, Audience, Kind, MethodRouter<App>)>);

impl Routes {
    /// Something to look at; nothing is changed by it.
    #[must_use]
    pub fn page(self, path: &'static str, audience: Audience, handler: MethodRouter<App>) -> Self {
        self.with(path, audience, Kind::Page, handler)
    }

    /// Something that a form sends. The handler finds its fields in
    /// [`Fields`](super::forms::Fields).
    #[must_use]
    pub fn act(self, path: &'static str, audience: Audience, handler: MethodRouter<App>) -> Self {
        self.with(path, audience, Kind::Act, handler)
    }

    /// A file that a form sends as `multipart/form-data`; its action ends in `?csrf=…`.
    #[must_use]
    pub fn upload(
        self,
        path: &'static str,
        audience: Audience,
        handler: MethodRouter<App>,
    ) -> Self {
        self.with(path, audience, Kind::Upload, handler)
    }

    fn with(
        mut self,
        path: &'static str,
        audience: Audience,
        kind: Kind,
        handler: MethodRouter<App>,
    ) -> Self {
        self.0.push((path, audience, kind, handler));
        self
    }

    /// These, and those.
    #[must_use]
    pub fn with_all(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// All of them.
    pub fn listed(&self) -> Vec<Route> {
        let route = |(path, audience, kind, _): &(&'static str, Audience, Kind, _)| Route {
            path,
            method: method(*kind),
            audience: *audience,
        };
        self.0.iter().map(route).collect()
    }

    pub(super) fn into_router(self, app: &App) -> Router<App> {
        self.0.into_iter().fold(Router::new(), |router, (path, audience, kind, handler)| {
            let demand = Demand { app: app.clone(), audience, kind };
            router.route(path, handler.layer(from_fn_with_state(demand, admit)))
        })
    }
}
