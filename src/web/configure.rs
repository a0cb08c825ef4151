//! Configure SCIM: what a customer's administrator needs to connect Entra, and the rules that make
//! roles out of groups.
//!
//! Whoever opened a setup link makes tokens here and changes roles and mappings; see [`form`] for
//! what they cannot change. Limits are on the same page, for operators.

mod form;
mod limits;
mod rows;

use access::{Rule, TokenId, UserId, Why};
use actors::Tenant;
use actors::service::{Page as ChangesPage, Report};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use std::net::IpAddr;

use self::form::{FieldError, RulesForm};
use self::limits::LimitsForm;
use self::rows::{Meaning, Offered, Row};
use super::Visitor;
use super::forms::Fields;
use super::page::{Layout, Shown, render_with, see_other};
use crate::admin::problem::Problem;
use crate::admin::tokens::NewToken;
use crate::admin::{oauth_clients, open_tenant, settings, tokens};
use crate::app::App;
use crate::web::filters;

/// Changes that a preview names.
const CHANGES_NAMED_MAX: usize = 200;

#[derive(Template)]
#[template(path = "configure.html")]
struct ConfigurePage {
    layout: Layout,
    /// `/tenants/ID`.
    base: String,
    tenant: String,
    endpoint: String,
    token_endpoint: String,
    /// A token that was just made.
    made: Option<String>,
    token_label: String,
    token_error: Option<FieldError>,
    tokens: usize,
    connection: Connection,
    rules: RulesForm,
    rows: Vec<Row>,
    empty_row: Row,
    groups: Vec<Offered>,
    has_more_groups: bool,
    roles: Vec<String>,
    preview: Option<Preview>,
    /// Somebody else has changed the settings.
    is_outdated: bool,
    /// For operators.
    limits: Option<LimitsForm>,
}

/// Whether anything came from the directory.
struct Connection {
    last: Option<(Timestamp, Option<IpAddr>)>,
    users: u64,
    groups: u64,
}

/// What saving would change.
struct Preview {
    examined: u64,
    changed: u64,
    changes: Vec<Change>,
    kept: usize,
    is_truncated: bool,
    /// The share, in percent, that would be held if the directory asked for it.
    over_hold: Option<u64>,
}

struct Change {
    account: UserId,
    user_name: String,
    from: String,
    to: String,
    why: String,
}

/// What is special about this answer.
#[derive(Default)]
struct Special {
    status: StatusCode,
    made: Option<String>,
    token_label: String,
    token_error: Option<FieldError>,
    rules: Option<RulesForm>,
    preview: Option<Preview>,
    limits: Option<LimitsForm>,
    is_outdated: bool,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    page(&app, &visitor, &headers, &tenant, Special::default())
}

/// The address of a form that was sent: back to the page.
pub(super) async fn back(Path(tenant): Path<String>) -> Shown {
    Ok(see_other(&format!("/tenants/{tenant}/configure")))
}

/// The page of a tenant that was just made, with its token.
pub(super) fn of_new_tenant(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    tenant: &Tenant,
    token: String,
) -> Shown {
    page(app, visitor, headers, tenant, Special { made: Some(token), ..Special::default() })
}

/// Makes a token, and shows it this once.
pub(super) async fn make_token(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let label = fields.text("label").to_owned();
    let made = match new_token(&fields) {
        Ok(new) => tokens::make(&app, &tenant, visitor.author(), new).await,
        Err(problem) => Err(problem),
    };
    let special = match made {
        Ok(made) => Special { made: Some(made.token), ..Special::default() },
        Err(problem) if problem.is_clients() => Special {
            status: problem.status(),
            token_label: label,
            token_error: Some(FieldError::of(&problem)),
            ..Special::default()
        },
        Err(problem) => return Err(problem.into()),
    };
    page(&app, &visitor, &headers, &tenant, special)
}

fn new_token(fields: &Fields) -> Result<NewToken, Problem> {
    let expires_in = fields.parse("expires_in", "a duration such as 365d")?;
    Ok(NewToken { label: fields.text("label").to_owned(), expires_in, ..NewToken::default() })
}

/// Shows who would change, and changes nothing.
pub(super) async fn preview(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let config = tenant.shared().config();
    let rules = RulesForm::read(&fields, &config.settings);
    let report = match rules.patch(&config.settings) {
        Ok(patch) => {
            let named = ChangesPage { after: None, limit: CHANGES_NAMED_MAX };
            settings::try_out(&tenant, &patch, named, visitor.author()).await
        }
        Err(problem) => Err(problem),
    };
    let special = match report {
        Ok(report) => Special {
            preview: Some(Preview::new(&tenant, report)?),
            rules: Some(rules),
            ..Special::default()
        },
        Err(problem) => refused(rules, &problem)?,
    };
    page(&app, &visitor, &headers, &tenant, special)
}

/// Saves roles and mappings, and applies them.
pub(super) async fn save(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let config = tenant.shared().config();
    let rules = RulesForm::read(&fields, &config.settings);
    let Some(revision) = rules.revision else { return Err(no_revision().into()) };
    let saved = match rules.patch(&config.settings) {
        Ok(patch) => settings::change(&tenant, &patch, Some(revision), &visitor.author()).await,
        Err(problem) => Err(problem),
    };
    match saved {
        Ok(_) => {
            let path = format!("/tenants/{}/configure", tenant.shared().id);
            Ok(visitor.done(&path, "Saved. The roles of all accounts follow these rules now."))
        }
        Err(problem) => page(&app, &visitor, &headers, &tenant, refused(rules, &problem)?),
    }
}

/// Saves what operators alone change.
pub(super) async fn save_limits(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let config = tenant.shared().config();
    let mut form = LimitsForm::read(&fields, &config.settings);
    let Some(revision) = form.revision else { return Err(no_revision().into()) };
    let saved = match form.patch() {
        Ok(patch) => settings::change(&tenant, &patch, Some(revision), &visitor.author()).await,
        Err(problem) => Err(problem),
    };
    let problem = match saved {
        Ok(_) => {
            let path = format!("/tenants/{}/configure", tenant.shared().id);
            return Ok(visitor.done(&path, "Saved."));
        }
        Err(problem) if problem.is_clients() => problem,
        Err(problem) => return Err(problem.into()),
    };
    let is_outdated = problem.status() == StatusCode::CONFLICT;
    if !is_outdated {
        form.blame(FieldError::of(&problem));
    }
    let limits = Some(form);
    let special = Special { status: problem.status(), limits, is_outdated, ..Special::default() };
    page(&app, &visitor, &headers, &tenant, special)
}

/// The form again, with what is wrong.
fn refused(mut rules: RulesForm, problem: &Problem) -> Result<Special, Problem> {
    if !problem.is_clients() {
        return Err(problem.clone());
    }
    let is_outdated = problem.status() == StatusCode::CONFLICT;
    if !is_outdated {
        rules.error = Some(FieldError::of(problem));
    }
    let rules = Some(rules);
    Ok(Special { status: problem.status(), rules, is_outdated, ..Special::default() })
}

fn no_revision() -> Problem {
    Problem::unprocessable("the form was not whole; load the page again")
}

fn page(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    tenant: &Tenant,
    special: Special,
) -> Shown {
    let (shared, config) = (tenant.shared(), tenant.shared().config());
    let revision = config.settings_revision;
    let moved = |read: Option<u64>| read.is_some_and(|read| read != revision);
    let is_outdated = special.is_outdated
        || moved(special.rules.as_ref().and_then(|form| form.revision))
        || moved(special.limits.as_ref().and_then(|form| form.revision));
    // What is typed is kept; what is sent next is meant to follow what is saved now.
    let renewed = |form: RulesForm| RulesForm { revision: Some(revision), ..form };
    let mut rules =
        special.rules.map_or_else(|| RulesForm::of(&config.settings, revision), renewed);
    rules.blame_fields();
    let limits = special.limits.map(|form| LimitsForm { revision: Some(revision), ..form });
    let limits = limits.or_else(|| Some(LimitsForm::of(&config.settings, revision)));
    let (groups, has_more_groups) = rows::offered(tenant)?;
    let known = tokens::listed(tenant, None, tokens::TOKENS_MAX)?;
    let mut roles: Vec<String> = rules.mappings.iter().map(|row| row.role.clone()).collect();
    roles.extend([rules.default_role.clone(), rules.disabled_role.clone()]);
    roles.retain(|role| !role.trim().is_empty());
    roles.sort();
    roles.dedup();
    let rows = rows::rows(tenant, &config, &rules)?;
    render_with(
        special.status,
        &ConfigurePage {
            layout: Layout::of_tenant(visitor, tenant, "Configure SCIM")?.live(),
            base: format!("/tenants/{}", shared.id),
            tenant: shared.id.to_string(),
            endpoint: app.scim_endpoint(headers, &shared.id),
            token_endpoint: app.token_endpoint(headers),
            made: special.made,
            token_label: special.token_label,
            token_error: special.token_error,
            tokens: known.len(),
            connection: Connection::of(tenant, &known)?,
            empty_row: Row::empty(rows.len()),
            rows,
            rules,
            groups,
            has_more_groups,
            roles,
            preview: special.preview,
            is_outdated,
            limits: limits.filter(|_| visitor.is_operator()),
        },
    )
}

impl Connection {
    fn of(tenant: &Tenant, known: &[tokens::ShownToken]) -> Result<Self, Problem> {
        let clients = oauth_clients::listed(tenant, None::<TokenId>, oauth_clients::CLIENTS_MAX)?;
        let by_token = known.iter().map(|token| (token.last_used_at, token.last_used_from));
        let by_client = clients.iter().map(|client| (client.last_used_at, client.last_used_from));
        let uses = by_token.chain(by_client).filter_map(|(at, from)| Some((at?, from)));
        let counts = tenant.shared().snapshot()?.counts(tenant.key())?;
        let last = uses.max_by_key(|(at, _)| *at);
        Ok(Self { last, users: counts.users, groups: counts.groups })
    }
}

impl Preview {
    fn new(tenant: &Tenant, report: Report) -> Result<Self, Problem> {
        let shared = tenant.shared();
        let users = shared.snapshot()?.counts(shared.key)?.users;
        let hold = shared.config().settings.hold.clone();
        // As the brakes count it, were the directory to ask for it; figures this small are exact.
        #[expect(clippy::cast_precision_loss, reason = "a share, to compare")]
        let is_over = report.changed as f64 > hold.share * users as f64;
        let over = users >= u64::from(hold.min_accounts) && is_over && report.changed > 0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1"
        )]
        let percent = (hold.share * 100.0) as u64;
        let role = |role: Option<String>| role.unwrap_or_else(|| "none".to_owned());
        let changes = report.changes.into_iter().map(|change| Change {
            account: change.account,
            user_name: change.user_name,
            from: role(change.from),
            to: role(change.to),
            why: in_words(&change.why),
        });
        Ok(Self {
            examined: report.examined,
            changed: report.changed,
            changes: changes.collect(),
            kept: report.kept.len(),
            is_truncated: report.truncated,
            over_hold: over.then_some(percent),
        })
    }
}

/// Why an account has its role, for people.
fn in_words(why: &Why) -> String {
    match (why.rule, &why.group, why.mapping) {
        (Rule::Mapping, Some(group), Some(at)) => {
            format!("is in {group} (mapping {})", at.saturating_add(1))
        }
        (Rule::Mapping, _, _) => "is in a mapped group".to_owned(),
        (Rule::Default, ..) => "is in no mapped group".to_owned(),
        (Rule::Disabled, ..) => "is disabled".to_owned(),
        (Rule::Lock, ..) => "is locked".to_owned(),
        (Rule::Manual, ..) => "was set by hand".to_owned(),
        (Rule::Deleted, ..) => "is deleted".to_owned(),
    }
}
