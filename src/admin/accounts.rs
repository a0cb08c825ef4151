//! `/tenants/{t}/accounts`: what the app sees of users, and what an operator does to them.

mod find;
mod shown;

use access::duration::HumanDuration;
use access::{Author, UserId};
use actors::Tenant;
use actors::service::ManualAct;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;

pub(crate) use self::find::Wanted;
use self::shown::AccountsQuery;
pub(crate) use self::shown::{AccountsPage, NewLock, NewRole, ShownAccount};
use super::page::{Paging, Parameters};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Characters in a role or a reason.
const TEXT_CHARS_MAX: usize = 1_000;
/// Who acts through this API.
const OPERATOR: &str = "operator";

/// Accounts, oldest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/accounts", tag = "accounts", params(AccountsQuery, Paging),
    responses((status = 200, description = "Accounts", body = AccountsPage))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<UserId>::read(&app, &tenant, query.as_deref()).await?;
    let wanted = Wanted::read(&parameters)?;
    let page = listed(&app, &tenant, wanted, after, limit).await?;
    Ok(answer::json(StatusCode::OK, JSON, &page))
}

/// One account, also of a deleted user.
#[utoipa::path(
    get, path = "/tenants/{tenant}/accounts/{account}", tag = "accounts",
    responses((status = 200, description = "The account", body = ShownAccount))
)]
pub async fn show(
    State(app): State<App>,
    Path((tenant, account)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let shown = one(&tenant, &account)?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

/// Locks an account: pins its role at once.
#[utoipa::path(
    put, path = "/tenants/{tenant}/accounts/{account}/lock", tag = "accounts",
    request_body = Option<NewLock>,
    responses(
        (status = 200, description = "The account", body = ShownAccount),
        (status = 409, description = "the account is deleted"),
    )
)]
pub async fn lock(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, account)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let new = read_body(request).await?;
    let tenant = open_tenant(&app, &tenant).await?;
    let shown = put_lock(&app, &tenant, &account, new, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

/// Unlocks an account: the rules apply at once.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/accounts/{account}/lock", tag = "accounts",
    responses(
        (status = 200, description = "The account", body = ShownAccount),
        (status = 409, description = "the account is deleted"),
    )
)]
pub async fn unlock(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, account)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let shown = take_lock(&tenant, &account, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

/// Sets a role by hand, until the next reconciliation of the account.
#[utoipa::path(
    put, path = "/tenants/{tenant}/accounts/{account}/role", tag = "accounts",
    request_body = NewRole,
    responses(
        (status = 200, description = "The account", body = ShownAccount),
        (status = 409, description = "the account is locked; unlock it first"),
    )
)]
pub async fn set_role(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, account)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let new = read_body(request).await?;
    let tenant = open_tenant(&app, &tenant).await?;
    let shown = give_role(&tenant, &account, new, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

/// At most `limit` wanted accounts after `after`. An answer may end early, with a cursor.
pub(crate) async fn listed(
    app: &App,
    tenant: &Tenant,
    wanted: Wanted,
    after: Option<UserId>,
    limit: usize,
) -> Result<AccountsPage, Problem> {
    let is_first = after.is_none();
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let tenant = tenant.clone();
    let read = tokio::task::spawn_blocking(move || {
        let found = find::find(tenant.shared(), &wanted, after, limit);
        drop(permits);
        found
    });
    let found = read.await.map_err(|_| Problem::unavailable())??;
    let next_cursor = found.more_after.map(|after| after.to_string());
    // Who follows the feed from this number on misses nothing of what comes after these pages.
    let feed = is_first.then_some(found.feed);
    Ok(AccountsPage { items: found.items, next_cursor, feed, looked_at: found.looked_at })
}

/// The account with this id.
pub(crate) fn one(tenant: &Tenant, id: &str) -> Result<ShownAccount, Problem> {
    let id = read_id(id)?;
    let snapshot = tenant.shared().snapshot()?;
    let account = snapshot.account(tenant.key(), id)?.ok_or_else(no_such_account)?;
    Ok(ShownAccount::read(tenant.shared(), &snapshot, &account)?)
}

/// Pins an account's role at once.
pub(crate) async fn put_lock(
    app: &App,
    tenant: &Tenant,
    id: &str,
    new: NewLock,
    author: Author,
) -> Result<ShownAccount, Problem> {
    let NewLock { role, reason, expires_at } = new;
    if let Some(role) = &role {
        check_text("role", role)?;
    }
    if let Some(reason) = &reason {
        check_text("reason", reason)?;
    }
    if expires_at.is_some_and(|at| at <= app.service().clock().now()) {
        return Err(Problem::unprocessable("expires_at: expected a time in the future"));
    }
    let act = ManualAct::Lock { role, reason, expires_at, by: OPERATOR.to_owned() };
    act_on(tenant, id, act, author).await
}

/// Gives an account back to the rules.
pub(crate) async fn take_lock(
    tenant: &Tenant,
    id: &str,
    author: Author,
) -> Result<ShownAccount, Problem> {
    act_on(tenant, id, ManualAct::Unlock { by: OPERATOR.to_owned() }, author).await
}

/// Sets a role by hand.
pub(crate) async fn give_role(
    tenant: &Tenant,
    id: &str,
    new: NewRole,
    author: Author,
) -> Result<ShownAccount, Problem> {
    let NewRole { role } = new;
    check_text("role", &role)?;
    act_on(tenant, id, ManualAct::SetRole { role }, author).await
}

async fn act_on(
    tenant: &Tenant,
    id: &str,
    act: ManualAct,
    author: Author,
) -> Result<ShownAccount, Problem> {
    let account = tenant.act(read_id(id)?, act, author).await?;
    let snapshot = tenant.shared().snapshot()?;
    Ok(ShownAccount::read(tenant.shared(), &snapshot, &account)?)
}

fn check_text(key: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        let detail = format!("{key}: expected 1 to {TEXT_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    Ok(())
}

fn read_id(id: &str) -> Result<UserId, Problem> {
    id.parse().map_err(|_| no_such_account())
}

fn no_such_account() -> Problem {
    Problem::not_found("there is no such account")
}

/// Reads a wait such as `30s`.
pub(super) fn read_wait(parameters: &Parameters) -> Result<Option<HumanDuration>, Problem> {
    parameters.parse("wait", "a duration such as 30s")
}
