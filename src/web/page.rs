//! What every page has: its frame, its headers, and how a refusal looks.

use actors::{ChangeError, Tenant};
use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use store::ReadError;

use super::visitor::Visitor;
use super::{assets, filters, tables};
use crate::admin::problem::Problem;
use crate::answer::{self, Answer};

const HTML: &str = "text/html; charset=utf-8";
/// Nothing inline, nothing from elsewhere, in nobody's frame.
pub const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// What a handler of a page answers.
pub type Shown = Result<Answer, Refused>;

/// Why there is no page, as a page.
pub struct Refused(Problem);

/// The frame of a page.
pub struct Layout {
    /// What the window is called.
    pub title: String,
    /// What comes to be said, once.
    pub notice: Option<super::sessions::Notice>,
    /// What forms must send with them; empty for who is not logged in.
    pub csrf: String,
    /// Whether somebody is logged in.
    pub is_logged_in: bool,
    /// Whether it is an operator.
    pub is_operator: bool,
    /// The tenant that the page is about.
    pub tenant: Option<Heading>,
    /// The path of the page; empty for who is not logged in.
    pub path: String,
    /// Where the page hears that something has changed.
    pub live: Option<String>,
}

/// A tenant and its pages.
pub struct Heading {
    /// How it is called in paths.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// Its pages.
    pub links: Vec<Link>,
}

/// A link to one of a tenant's pages.
pub struct Link {
    /// What it is called.
    pub text: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is this page, or one below it.
    pub is_current: bool,
    /// Whether it is the first of its group.
    pub starts_group: bool,
}

/// The pages of a tenant: what they are called, where they are, and whether only operators have
/// them. An empty name starts a new group.
const TENANT_PAGES: [(&str, &str, bool); 18] = [
    ("Overview", "", false),
    ("Waves", "/waves", false),
    ("Health", "/health", false),
    ("Accounts", "/accounts", false),
    ("Groups", "/groups", true),
    ("", "", false),
    ("Configure SCIM", "/configure", false),
    ("Mapping check", "/mapping-check", false),
    ("Requests", "/requests", false),
    ("", "", false),
    ("Holds", "/holds", true),
    ("Parked memberships", "/parked", true),
    ("Equipment", "/equipment", true),
    ("Webhooks", "/webhooks", true),
    ("Tokens", "/tokens", true),
    ("Setup links", "/setup-links", true),
    ("Audit", "/audit", true),
    ("Actors", "/actors", true),
];

/// The pages of operators about no tenant: what they are called, and where they are.
pub const SERVICE_PAGES: [(&str, &str); 3] =
    [("Tenants", "/"), ("Service actors", "/actors"), ("Service audit", "/audit")];

impl Layout {
    /// For who is not logged in.
    pub fn of_nobody(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            notice: None,
            csrf: String::new(),
            is_logged_in: false,
            is_operator: false,
            tenant: None,
            path: String::new(),
            live: None,
        }
    }

    /// For a page that is about no tenant.
    pub fn new(visitor: &Visitor, title: &str) -> Self {
        Self {
            notice: visitor.take_notice(),
            csrf: visitor.csrf().to_owned(),
            is_logged_in: true,
            is_operator: visitor.is_operator(),
            path: visitor.path().to_owned(),
            ..Self::of_nobody(title)
        }
    }

    /// For a page that is about this tenant.
    pub fn of_tenant(visitor: &Visitor, tenant: &Tenant, title: &str) -> Result<Self, Refused> {
        let shared = tenant.shared();
        let kept = shared.snapshot()?.tenant(&shared.id)?;
        let name = kept.map_or_else(|| shared.id.to_string(), |kept| kept.name);
        let id = shared.id.to_string();
        let (base, mut starts_group) = (format!("/tenants/{id}"), true);
        let mut links = Vec::with_capacity(TENANT_PAGES.len());
        for (text, path, for_operators) in TENANT_PAGES {
            if text.is_empty() {
                starts_group = true;
            } else if visitor.is_operator() || !for_operators {
                let href = format!("{base}{path}");
                let at = visitor.path();
                let below = || at.strip_prefix(&href).is_some_and(|rest| rest.starts_with('/'));
                let is_current = at == href || (!path.is_empty() && below());
                links.push(Link { text, href, is_current, starts_group });
                starts_group = false;
            }
        }
        let title = format!("{title} · {}", filters::shortened(&filters::readable(&name), 60));
        let layout = Self::new(visitor, &title);
        Ok(Self { tenant: Some(Heading { id, name, links }), ..layout })
    }

    /// The page hears of changes of its tenant, and its parts marked with `data-live` are swapped.
    #[must_use]
    pub fn live(mut self) -> Self {
        let tenant = self.tenant.as_ref().map(|tenant| format!("/tenants/{}/live", tenant.id));
        self.live = Some(tenant.unwrap_or_else(|| "/live".to_owned()));
        self
    }

    /// Whether this is the page.
    pub fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// The address of an asset of this version.
    pub fn asset(&self, file: &str) -> String {
        assets::address(file)
    }
}

/// A page.
pub fn render(template: &impl Template) -> Shown {
    render_with(StatusCode::OK, template)
}

/// A page with another status than 200.
pub fn render_with(status: StatusCode, template: &impl Template) -> Shown {
    match template.render() {
        Ok(text) => Ok(answer::with_body(status, HTML, tables::stackable(&text))),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            Err(Problem::unavailable().into())
        }
    }
}

/// On to another of our pages.
pub fn see_other(path: &str) -> Answer {
    let mut answer = answer::empty(StatusCode::SEE_OTHER);
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    answer.headers_mut().insert(LOCATION, location);
    answer
}

/// Headers that every page has.
pub(super) fn protect(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    layout: Layout,
    status: u16,
    sentence: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Answer {
        let (status, sentence) = (self.0.status(), self.0.sentence());
        let layout = Layout::of_nobody(status.canonical_reason().unwrap_or("Refused"));
        let page = RefusedPage { layout, status: status.as_u16(), sentence };
        let mut answer = page
            .render()
            .map_or_else(|_| answer::empty(status), |text| answer::with_body(status, HTML, text));
        answer.extensions_mut().insert(self.0);
        answer
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        Self(error.into())
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        Self(error.into())
    }
}
