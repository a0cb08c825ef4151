//! Log-in with the operator token, and log-out.

use askama::Template;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};

use super::admit::{end_session, is_logged_in, set_cookie};
use super::forms::Fields;
use super::page::{Layout, Shown, render, render_with, see_other};
use super::sessions::Who;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::app::App;
use crate::logins::Peer;
use crate::web::filters;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    layout: Layout,
    next: &'a str,
    error: Option<String>,
}

/// The form.
pub(super) async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let parameters = Parameters::read(query.as_deref());
    let next = own_path(parameters.get("next"));
    if is_logged_in(&app, &headers) {
        return Ok(see_other(next));
    }
    render(&LoginPage { layout: Layout::of_nobody("Log in"), next, error: None })
}

/// Checks the token, and starts a session.
pub(super) async fn log_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    fields: Fields,
) -> Shown {
    let next = own_path(fields.get("next"));
    if !app.is_operator_token(fields.text("token")) {
        let from = peer.map(|Extension(peer)| peer.0);
        let failed = app.failed_web_logins().failed(from, "web", None);
        let (status, error) = match failed {
            Ok(()) => (StatusCode::FORBIDDEN, "This is not the operator token.".to_owned()),
            Err(wait) => {
                let wait = filters::spoken(wait);
                let words = format!("Too many attempts failed. Try again in {wait}.");
                (StatusCode::TOO_MANY_REQUESTS, words)
            }
        };
        let layout = Layout::of_nobody("Log in");
        return render_with(status, &LoginPage { layout, next, error: Some(error) });
    }
    start(&app, &headers, Who::Operator, next)
}

/// Ends the session.
pub(super) async fn log_out(State(app): State<App>, headers: HeaderMap) -> Shown {
    end_session(&app, &headers);
    let mut answer = see_other("/login");
    answer.headers_mut().insert(SET_COOKIE, set_cookie(&app, ""));
    Ok(answer)
}

/// Starts a session, in place of the one that there may be, and goes on to a page.
pub(super) fn start(app: &App, headers: &HeaderMap, who: Who, next: &str) -> Shown {
    end_session(app, headers);
    let now = app.service().clock().now();
    let id = app.sessions().start(who, now).map_err(|_| Problem::unavailable())?;
    let mut answer = see_other(next);
    answer.headers_mut().insert(SET_COOKIE, set_cookie(app, &id));
    Ok(answer)
}

/// A path of ours; never another site's address.
fn own_path(next: Option<&str>) -> &str {
    let is_own = |next: &&str| {
        let mut bytes = next.bytes();
        bytes.next() == Some(b'/')
            && !next.starts_with("//")
            && !next.contains(|c: char| c == '\\' || c.is_control())
    };
    next.filter(is_own).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_sent_to_another_site_after_the_login() {
        for bad in ["//evil.test", "https://evil.test", "/\\evil.test", "evil", "", "/a\nb"] {
            assert_eq!(own_path(Some(bad)), "/", "{bad}");
        }
        assert_eq!(own_path(Some("/tenants/acme?q=1")), "/tenants/acme?q=1");
        assert_eq!(own_path(None), "/");
    }
}
