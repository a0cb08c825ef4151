//! `/oauth/token`: OAuth 2.0 client credentials (RFC 6749 section 4.4). A client shows its id and
//! secret, and gets an access token that opens its tenant's SCIM API for an hour, as a token would.
//!
//! Errors are those of RFC 6749 section 5.2. A wrong client, a wrong secret and an unknown tenant
//! look the same, also in time.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use access::wave::later;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use store::oauth::{AccessToken, ClientId, OAuthClient, client_key};
use store::tenant::Tenant;
use store::{Kept, ReadError};
use utoipa::ToSchema;

use crate::admin::problem::Problem;
use crate::answer::{self, Answer, JSON};
use crate::app::App;
use crate::http::body;
use crate::logins::Peer;

/// How long an access token counts; less, if its client ends before.
const ACCESS_TOKEN_LIFE: Duration = Duration::from_hours(1);
/// Bytes in the body of a request.
const BODY_BYTES_MAX: usize = 16 << 10;
const FORM: &str = "application/x-www-form-urlencoded";

/// An access token that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken, examples(json!({
    "access_token": "swa_…", "token_type": "Bearer", "expires_in": 3600
})))]
struct Granted {
    /// Opens the tenant's SCIM API, as a token of the tenant does.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
}

/// Why none was given (RFC 6749 section 5.2).
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError, examples(json!({
    "error": "invalid_client", "error_description": "the client's id or secret is missing or wrong"
})))]
struct Refused {
    /// `invalid_request`, `invalid_client` or `unsupported_grant_type`.
    error: &'static str,
    /// The same in words.
    error_description: &'static str,
}

/// Why there is no token.
enum Failed {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    /// Answered otherwise: too often, too large, or trouble of our own.
    Other(Problem),
}

/// What a request says. Each parameter may stand there once.
#[derive(Default, ToSchema)]
#[schema(as = AccessTokenRequest, examples(json!({
    "grant_type": "client_credentials",
    "client_id": "acme.01990a5d-ac96-774b-bcce-b302099a8057", "client_secret": "…"
})))]
struct Form {
    /// `client_credentials`.
    #[schema(required, nullable = false)]
    grant_type: Option<String>,
    /// The client's id, unless it stands in `Authorization: Basic`.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// The client's secret, unless it stands in `Authorization: Basic`.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// Gives a client an access token (RFC 6749 section 4.4).
#[utoipa::path(
    post, path = "/oauth/token", tag = "tokens",
    request_body(content = Form, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "An access token", body = Granted),
        (status = 400, description = "The request is wrong", body = Refused),
        (status = 401, description = "The client's id or secret is wrong", body = Refused,
         headers(("WWW-Authenticate" = String, description = "Basic"))),
        (status = 408, description = "the body did not come in time"),
        (status = 413, description = "the body is larger than 16384 bytes"),
        (status = 429, description = "too many failed logins from this address; see Retry-After"),
        (status = 503, description = "the service cannot do this now; try again"),
    )
)]
pub async fn token(State(app): State<App>, request: Request) -> Answer {
    let mut made = match grant(&app, request).await {
        Ok(granted) => answer::json(StatusCode::OK, JSON, &granted),
        Err(failed) => failed.into_answer(),
    };
    made.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    made.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    made
}

async fn grant(app: &App, request: Request) -> Result<Granted, Failed> {
    let (parts, body) = request.into_parts();
    check_media_type(&parts.headers)?;
    let bytes = body::read(body, BODY_BYTES_MAX).await.map_err(Problem::from)?;
    let form = Form::read(&bytes)?;
    let (id, secret) = credentials(&parts.headers, &form)?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(Failed::UnsupportedGrantType),
        None => return Err(Failed::InvalidRequest("grant_type is missing")),
    }
    let from = Peer::of(&parts.extensions);
    let (tenant, client) = authenticate(app, &id, &secret, from)?;
    let live = app.service().tenant(&tenant).await.map_err(Problem::from)?;
    let limit = &live.shared().config().settings.rate_limit;
    let taken = app.take_from_rate(tenant.key, limit, NonZeroU32::MIN);
    taken.map_err(Problem::too_fast)?;
    let now = app.service().clock().now();
    let end = later(now, ACCESS_TOKEN_LIFE);
    let expires_at = client.value.expires_at.map_or(end, |client_ends| client_ends.min(end));
    let made = AccessToken::make(client.value.id, now, expires_at);
    let (token, access_token) = made.map_err(|_| Problem::unavailable())?;
    let kept = app.service().keep_access_token(tenant.key, &client, &token).await;
    kept.map_err(Problem::from)?;
    let expires_in = expires_at.as_second().saturating_sub(now.as_second());
    let expires_in = u64::try_from(expires_in).unwrap_or_default();
    Ok(Granted { access_token, token_type: "Bearer", expires_in })
}

/// Finds the client. What fails counts against the address.
fn authenticate(
    app: &App,
    id: &str,
    secret: &str,
    from: Option<IpAddr>,
) -> Result<(Tenant, Kept<OAuthClient>), Failed> {
    let id: Option<ClientId> = id.parse().ok();
    let found = find(app, id.as_ref()).map_err(Problem::from)?;
    let client = found.as_ref().map(|(_, client)| &client.value);
    let matches = OAuthClient::matches(client, secret, app.service().clock().now());
    if let Some(found) = found.filter(|_| matches) {
        return Ok(found);
    }
    let tenant = id.as_ref().map(|id| id.tenant.as_str());
    match app.failed_logins().failed(from, "oauth", tenant) {
        Ok(()) => Err(Failed::InvalidClient),
        Err(wait) => Err(Failed::Other(Problem::too_many_failed_logins(wait))),
    }
}

fn find(
    app: &App,
    id: Option<&ClientId>,
) -> Result<Option<(Tenant, Kept<OAuthClient>)>, ReadError> {
    let Some(id) = id else { return Ok(None) };
    let snapshot = app.service().store().snapshot()?;
    let Some(tenant) = snapshot.tenant(&id.tenant)? else { return Ok(None) };
    let client = snapshot.document(tenant.key, &client_key(id.id))?;
    Ok(client.map(|client| (tenant, client)))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Failed> {
    let sent = headers.get(CONTENT_TYPE).and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(FORM) {
        Ok(())
    } else {
        Err(Failed::InvalidRequest("expected Content-Type application/x-www-form-urlencoded"))
    }
}

/// The client's id and secret, from the header or from the body. RFC 6749 section 2.3 allows one
/// of the two; Entra can be told to send both, which is taken if they say the same.
fn credentials(headers: &HeaderMap, form: &Form) -> Result<(String, String), Failed> {
    let in_body = form.client_id.clone().zip(form.client_secret.clone());
    if !headers.contains_key(AUTHORIZATION) {
        return in_body.ok_or(Failed::InvalidClient);
    }
    let in_header = basic(headers).ok_or(Failed::InvalidClient)?;
    if in_body.is_some_and(|in_body| in_body != in_header) {
        let why = "the header and the body hold different credentials";
        return Err(Failed::InvalidRequest(why));
    }
    Ok(in_header)
}

/// The id and secret of an `Authorization: Basic` header, each encoded as in a form (section
/// 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

impl Form {
    fn read(bytes: &[u8]) -> Result<Self, Failed> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            let kept = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                // `scope`, for one: there is only one thing that a token opens.
                _ => continue,
            };
            if kept.replace(value.into_owned()).is_some() {
                return Err(Failed::InvalidRequest("a parameter stands there twice"));
            }
        }
        Ok(form)
    }
}

impl Failed {
    fn into_answer(self) -> Answer {
        let (status, error, error_description) = match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::InvalidClient => {
                let why = "the client's id or secret is missing or wrong";
                (StatusCode::UNAUTHORIZED, "invalid_client", why)
            }
            Self::UnsupportedGrantType => {
                let why = "expected client_credentials";
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", why)
            }
            Self::Other(problem) => return problem.into_response(),
        };
        let mut made = answer::json(status, JSON, &Refused { error, error_description });
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"slackwater\"");
            made.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        made
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_basic_header_holds_an_id_and_a_secret_each_encoded_as_in_a_form() {
        let encoded = STANDARD.encode("acme.1%2D2:a+b%3A");
        let read = basic(&header(&format!("basic {encoded}")));
        assert_eq!(read, Some(("acme.1-2".to_owned(), "a b:".to_owned())));
        let colonless = STANDARD.encode("acme");
        for wrong in ["Basic", "Basic !", "Bearer YTpi", &format!("Basic {colonless}")] {
            assert_eq!(basic(&header(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_parameter_that_stands_there_twice_is_refused() {
        assert!(Form::read(b"grant_type=client_credentials&scope=a&scope=b").is_ok());
        assert!(Form::read(b"client_id=a&client_id=a").is_err());
    }
}
