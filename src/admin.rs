//! The admin API: what operators and engineers use. JSON with `snake_case` keys, problems as
//! RFC 9457 says, lists in pages. Every call needs the operator token. How a call comes to be
//! described is in [`crate::openapi`].

pub mod accounts;
pub mod actors;
pub mod audit;
pub mod backup;
pub mod changes;
pub mod equipment;
pub mod groups;
pub mod health;
pub mod holds;
pub mod oauth_clients;
pub mod page;
pub mod parked;
pub mod problem;
pub mod reconcile;
pub mod reports;
pub mod requests;
pub mod settings;
pub mod setup_links;
pub mod tenants;
pub mod tokens;
pub mod traffic;
pub mod waves;
pub mod webhooks;

use std::convert::Infallible;
use std::str::FromStr;

use ::actors::Tenant;
use access::{Author, RequestId};
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::page::Parameters;
use self::problem::Problem;
use crate::answer::Answer;
use crate::app::App;
use crate::http::{self, body};
use crate::logins::Peer;

/// Bytes in the body of an admin request.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What a handler answers.
pub type Outcome = Result<Answer, Problem>;

/// Every call of the admin API, with its description. `routes!` takes method and path from the
/// handler's own attribute; `.route` would serve what nobody described, and a test refuses it.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::delete))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(oauth_clients::list, oauth_clients::create))
        .routes(routes!(oauth_clients::delete))
        .routes(routes!(setup_links::list, setup_links::create))
        .routes(routes!(setup_links::delete))
        .routes(routes!(settings::show, settings::patch))
        .routes(routes!(settings::preview))
        .routes(routes!(groups::list))
        .routes(routes!(parked::list))
        .routes(routes!(holds::list))
        .routes(routes!(holds::show))
        .routes(routes!(holds::approve))
        .routes(routes!(holds::reject))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::lock, accounts::unlock))
        .routes(routes!(accounts::set_role))
        .routes(routes!(reconcile::run))
        .routes(routes!(waves::list))
        .routes(routes!(waves::show))
        .routes(routes!(requests::list))
        .routes(routes!(requests::show))
        .routes(routes!(requests::download))
        .routes(routes!(traffic::show))
        .routes(routes!(changes::list))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show, webhooks::patch, webhooks::delete))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(equipment::replace))
        .routes(routes!(reports::disabled_with_equipment))
        .routes(routes!(audit::of_tenant))
        .routes(routes!(audit::of_service))
        .routes(routes!(health::show))
        .routes(routes!(actors::list))
        .routes(routes!(actors::tenant))
        .routes(routes!(actors::user))
        .routes(routes!(backup::stream))
}

/// The admin API, for those who have the operator token.
pub fn router(app: App) -> Router<App> {
    Router::from(routes())
        .fallback(async || Problem::not_found("there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .layer(middleware::from_fn_with_state(app, require_operator))
}

/// The operator behind a request that was let in.
pub struct Operator(pub Author);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Author::operator(parts.extensions.get::<RequestId>().copied())))
    }
}

async fn require_operator(State(app): State<App>, request: Request, next: Next) -> Outcome {
    if !app.is_operator(request.headers()) {
        // What presents no token at all is no attempt to guess one.
        if request.headers().contains_key(AUTHORIZATION) {
            let from = Peer::of(request.extensions());
            let counted = app.failed_logins().failed(from, "admin", None);
            counted.map_err(Problem::too_many_failed_logins)?;
        }
        return Err(Problem::unauthorized());
    }
    // Handlers that take a part of the path get it decoded.
    if http::percent::decode_segment(request.uri().path()).is_none() {
        return Err(Problem::not_found("the path is not validly encoded"));
    }
    Ok(next.run(request).await)
}

/// The tenant with this id, live.
pub(crate) async fn open_tenant(app: &App, id: &str) -> Result<Tenant, Problem> {
    let no_such_tenant = || Problem::not_found("there is no such tenant");
    let id = id.parse().map_err(|_| no_such_tenant())?;
    let tenant = app.service().store().snapshot()?.tenant(&id)?.ok_or_else(no_such_tenant)?;
    Ok(app.service().tenant(&tenant).await?)
}

/// A request for a page of something of a tenant.
struct ListRequest<C> {
    tenant: Tenant,
    parameters: Parameters,
    limit: usize,
    /// Where the page before ended.
    after: Option<C>,
}

impl<C: FromStr> ListRequest<C> {
    async fn read(app: &App, tenant: &str, query: Option<&str>) -> Result<Self, Problem> {
        let tenant = open_tenant(app, tenant).await?;
        let parameters = Parameters::read(query);
        let (limit, after) = (parameters.limit()?, parameters.cursor()?);
        Ok(Self { tenant, parameters, limit, after })
    }
}

/// A body of JSON.
async fn read_value(request: Request<Body>) -> Result<Value, Problem> {
    let bytes = body::read(request.into_body(), BODY_BYTES_MAX).await.map_err(Problem::from)?;
    scim::json::parse(&bytes).map_err(|error| Problem::bad_request(error.detail))
}

/// A body of a known shape; a key that it does not have is an error. An empty body is `{}`.
async fn read_body<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    let bytes = body::read(request.into_body(), BODY_BYTES_MAX).await.map_err(Problem::from)?;
    let text = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
    let value = scim::json::parse(text).map_err(|error| Problem::bad_request(error.detail))?;
    if !value.is_object() {
        return Err(Problem::unprocessable("expected a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let reason = error.into_inner();
        let whole = key.is_empty() || key == ".";
        Problem::unprocessable(if whole { reason.to_string() } else { format!("{key}: {reason}") })
    })
}
