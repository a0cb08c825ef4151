//! The server: routes, connections, and the way it starts and stops.
//!
//! Connections are accepted by our own loop, since `axum::serve` has no protection against slow
//! clients: the number of connections is limited, and so is the time that a request's head may
//! take. Bodies and answers have limits of their own.

mod meters;
pub(crate) mod operation;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{RequestId, TenantId};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderName, Method, Response, StatusCode, Version};
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use store::Health;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use tracing::Instrument;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::operation::Operation;
use self::stream::TimedStream;
use crate::admin::problem::Problem;
use crate::answer::{self, Answer};
use crate::app::App;
use crate::http::error::Failure;
use crate::logins::Peer;
use crate::{admin, http, oauth, openapi, telemetry, web};

/// Connections at once.
const CONNECTIONS_MAX: usize = 4_096;
/// How long the head of a request may take, counted from the end of the one before.
const HEAD_WAIT_MAX: Duration = Duration::from_secs(75);
/// Bytes in the head of a request.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a path that a log line shows.
const LOGGED_PATH_BYTES_MAX: usize = 1 << 10;
/// How long an answer may take. Entra gives up after 60 s.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(55);
/// How long the loop rests when no connection can be accepted, as without file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Everything that is served, but for SCIM: its paths are taken apart by hand (see [`http`]), and go
/// there without a way through the router.
fn router(app: App) -> Router {
    Router::from(routes())
        .nest("/admin/v1", admin::router(app.clone()))
        .merge(web::router(&app))
        .fallback(nothing)
        .with_state(app)
}

/// What takes no token, with its description.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(readiness))
        .routes(routes!(metrics))
        .routes(routes!(description))
        .routes(routes!(oauth::token))
}

const TEXT: &str = "text/plain; charset=utf-8";

async fn nothing(request: Request) -> Answer {
    if web::is_path(request.uri().path()) {
        web::nothing()
    } else {
        Problem::not_found("there is nothing at this path").into_response()
    }
}

/// Whether the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "service",
    responses((status = 200, description = "It does", body = String, example = "ok"))
)]
async fn health() -> Answer {
    answer::with_body(StatusCode::OK, TEXT, "ok\n")
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn description() -> Answer {
    answer::with_body(StatusCode::OK, answer::JSON, openapi::text())
}

/// Whether requests can be served.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses(
        (status = 200, description = "They can", body = String, example = "ready"),
        (status = 503, description = "The storage is failing, or the service stops",
         body = String, example = "stopping"),
    )
)]
async fn readiness(State(app): State<App>) -> Answer {
    let stopping = *app.stopping().borrow();
    match app.service().store().health() {
        Health::Ready if !stopping => answer::with_body(StatusCode::OK, TEXT, "ready\n"),
        Health::Ready => answer::with_body(StatusCode::SERVICE_UNAVAILABLE, TEXT, "stopping\n"),
        Health::Unavailable(_) => {
            answer::with_body(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the storage is failing\n")
        }
    }
}

/// Metrics for Prometheus; they hold nothing of a tenant's data.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, description = "Metrics", body = String, example = "slackwater_ready 1"))
)]
async fn metrics(State(app): State<App>) -> Answer {
    let Some(handle) = telemetry::metrics() else {
        return answer::empty(StatusCode::SERVICE_UNAVAILABLE);
    };
    telemetry::figures::read(&app).await;
    answer::with_body(StatusCode::OK, "text/plain; version=0.0.4", handle.render())
}

/// An answer on its way out. SCIM's needs no box for its body.
type Sent = Response<Either<Full<Bytes>, Body>>;

fn whole(answer: Response<Bytes>) -> Sent {
    answer.map(|body| Either::Left(Full::new(body)))
}

/// Answers a request: gives it its id and its time limit, turns a panic into an answer, and tells of
/// the outcome: method and path, never the query (filters hold names), headers or bodies.
async fn respond(app: App, router: Router, mut request: Request) -> Sent {
    let started = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let area = Area::of(uri.path());
    let operation = Operation::of(&method, uri.path()).name();
    let is_recorded = matches!(area, Area::Scim) && app.records_requests();
    let _in_flight = UpDown::up(meters::in_flight());
    let id = RequestId::from_bytes(*uuid::Uuid::now_v7().as_bytes());
    request.extensions_mut().insert(id);
    let id = id.to_string();
    let tenant = area.tenant(uri.path()).filter(|id| TenantId::is_valid(id));
    let span = tracing::info_span!(
        "request",
        request.id = id,
        operation,
        tenant.id = tenant,
        http.status = Empty,
        otel.name = Empty,
        otel.kind = Empty,
    );
    telemetry::otlp::continue_trace(&span, request.headers(), operation);
    // RFC 9112 section 3.2: without exactly one Host nobody can say whom a request is for.
    if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1
    {
        return whole(answer::empty(StatusCode::BAD_REQUEST));
    }
    let answering = async {
        match area {
            Area::Scim => whole(http::handle(app, request).await),
            Area::Admin | Area::Web | Area::Other => {
                match Box::pin(router.oneshot(request)).await {
                    Ok(answer) => answer.map(Either::Right),
                    Err(never) => match never {},
                }
            }
        }
    };
    let answering = AssertUnwindSafe(answering).catch_unwind().instrument(span.clone());
    let mut made = match tokio::time::timeout(ANSWER_WAIT_MAX, answering).await {
        Ok(Ok(made)) => made,
        Ok(Err(_)) => area.unavailable(),
        Err(_) => {
            span.in_scope(|| tracing::error!("there was no answer in time"));
            area.unavailable()
        }
    };
    http::resource::put_header(&mut made, HeaderName::from_static("x-request-id"), id);
    let (status, elapsed) = (made.status(), started.elapsed());
    meters::answered(area.name(), method_label(&method), operation, status, elapsed);
    let status = status.as_u16();
    telemetry::otlp::answered(&span, status);
    let duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    // What went well is an everyday thing, thousands a second within a wave: look-ups, and what the
    // request record tells of. A line costs as much as a twentieth of a write, and where it is not
    // wanted, the span is not entered for it.
    let is_look_up = matches!(method, Method::GET | Method::HEAD);
    let is_everyday = status < 400 && (is_look_up || is_recorded);
    if is_everyday && LevelFilter::current() < LevelFilter::DEBUG {
        return made;
    }
    let path = logged(uri.path());
    let _entered = span.enter();
    match status {
        500.. => tracing::warn!(%method, path, tenant.id = tenant, status, duration_us, "answered"),
        _ if is_everyday => {
            tracing::debug!(%method, path, tenant.id = tenant, status, duration_us, "answered");
        }
        _ => tracing::info!(%method, path, tenant.id = tenant, status, duration_us, "answered"),
    }
    made
}

/// A path as log lines show it: whoever sends a long one must not fill them.
fn logged(path: &str) -> &str {
    path.get(..path.floor_char_boundary(LOGGED_PATH_BYTES_MAX)).unwrap_or_default()
}

/// Counts as one of something for as long as it is there.
struct UpDown(metrics::Gauge);

impl UpDown {
    fn up(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for UpDown {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Which face a path belongs to.
#[derive(Clone, Copy)]
enum Area {
    Scim,
    Admin,
    Web,
    Other,
}

impl Area {
    fn of(path: &str) -> Self {
        if http::behind_prefix(path).is_some() {
            Self::Scim
        } else if path.starts_with("/admin/") {
            Self::Admin
        } else if web::is_path(path) {
            Self::Web
        } else {
            Self::Other
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Admin => "admin",
            Self::Web => "web",
            Self::Other => "other",
        }
    }

    fn unavailable(self) -> Sent {
        match self {
            Self::Scim => whole(Failure::unavailable().into_answer()),
            Self::Admin | Self::Web | Self::Other => {
                Problem::unavailable().into_response().map(Either::Right)
            }
        }
    }

    /// The tenant's id, as the path has it.
    fn tenant(self, path: &str) -> Option<&str> {
        let rest = match self {
            Self::Scim => http::behind_prefix(path)?,
            Self::Admin => path.strip_prefix("/admin/v1/tenants")?,
            Self::Web => path.strip_prefix("/tenants")?,
            Self::Other => return None,
        };
        rest.split('/').find(|segment| !segment.is_empty())
    }
}

/// Methods are the client's words: only those that mean something here become labels.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Binds the address.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is true, then lets requests in flight end, within `drain`. Answers whether
/// all of them did.
pub async fn serve(
    listener: TcpListener,
    app: App,
    mut stop: watch::Receiver<bool>,
    drain: Duration,
) -> bool {
    let router = router(app.clone());
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = until(&mut stop) => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, permit)) => {
                let (app, router) = (app.clone(), router.clone());
                connections.spawn(async move {
                    connection(stream, peer, app, router).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    app.stop();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(drain, all_ended).await.is_ok()
}

/// Waits for room, then for a connection.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit =
        Arc::clone(permits).acquire_owned().await.map_err(|_| std::io::ErrorKind::Other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, Peer(address.ip()), permit))
}

/// Waits until the signal is given, or can no longer be.
async fn until(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|given| *given).await;
}

async fn connection(stream: TcpStream, peer: Peer, app: App, router: Router) {
    let mut stopping = app.stopping();
    let _counted = UpDown::up(metrics::gauge!("slackwater_http_connections"));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (app, router) = (app.clone(), router.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        async move { Ok::<_, Infallible>(respond(app, router, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client that has sent all it has to say may still listen; and what it asked for is done
        // to the end, also when it has gone.
        .half_close(true)
        .serve_connection(TokioIo::new(TimedStream::new(stream)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = until(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that went away, or sent what is no HTTP.
        tracing::debug!(%error, "a connection ended");
    }
}
