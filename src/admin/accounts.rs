//! `/tenants/{t}/accounts`: what the app sees of users, and what an operator does to them.

mod shown;

use access::duration::HumanDuration;
use access::{Account, Author, Status, UserId};
use actors::service::ManualAct;
use actors::shared::Shared;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use jiff::Timestamp;

use self::shown::{AccountsPage, AccountsQuery, NewLock, NewRole, ShownAccount};
use super::page::{Page, Paging, Parameters, paged};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// Accounts read at once while looking for those that are asked for.
const PIECE: usize = 512;
/// Characters in a role or a reason.
const TEXT_CHARS_MAX: usize = 1_000;
/// Who acts through this API.
const OPERATOR: &str = "operator";

/// Which accounts are asked for.
struct Wanted {
    role: Option<String>,
    status: Option<Status>,
    locked: Option<bool>,
    pending: Option<bool>,
    text: Option<String>,
}

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
    let is_first = after.is_none();
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let read = tokio::task::spawn_blocking(move || {
        let items = find(tenant.shared(), &wanted, after, limit + 1);
        drop(permits);
        items
    });
    let (items, feed) = read.await.map_err(|_| Problem::unavailable())??;
    let Page { items, next_cursor } = paged(items, limit, |account| account.id.to_string());
    // Who follows the feed from this number on misses nothing of what comes after these pages.
    let page = AccountsPage { items, next_cursor, feed: is_first.then_some(feed) };
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
    let id = read_id(&account)?;
    let snapshot = tenant.shared().snapshot()?;
    let account = snapshot.account(tenant.key(), id)?.ok_or_else(no_such_account)?;
    let shown = ShownAccount::read(tenant.shared(), &snapshot, &account)?;
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
    let NewLock { role, reason, expires_at } = read_body(request).await?;
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
    act_on(&app, &tenant, &account, act, author).await
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
    act_on(&app, &tenant, &account, ManualAct::Unlock { by: OPERATOR.to_owned() }, author).await
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
    let NewRole { role } = read_body(request).await?;
    check_text("role", &role)?;
    act_on(&app, &tenant, &account, ManualAct::SetRole { role }, author).await
}

async fn act_on(app: &App, tenant: &str, account: &str, act: ManualAct, author: Author) -> Outcome {
    let tenant = open_tenant(app, tenant).await?;
    let account = tenant.act(read_id(account)?, act, author).await?;
    let snapshot = tenant.shared().snapshot()?;
    let shown = ShownAccount::read(tenant.shared(), &snapshot, &account)?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

impl Wanted {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let status = match parameters.get("status") {
            None => None,
            Some("active") => Some(Status::Active),
            Some("disabled") => Some(Status::Disabled),
            Some("deleted") => Some(Status::Deleted),
            Some(_) => {
                return Err(Problem::bad_request("status: expected active, disabled or deleted"));
            }
        };
        Ok(Self {
            role: parameters.get("role").map(str::to_owned),
            status,
            locked: parameters.parse("locked", "true or false")?,
            pending: parameters.parse("pending", "true or false")?,
            text: parameters.get("q").map(scim::casefold::fold),
        })
    }

    /// Whether an account is wanted, as far as that shows without its groups.
    fn wants(&self, account: &Account, now: Timestamp) -> bool {
        let contains = |text: &str, part: &str| scim::casefold::fold(text).contains(part);
        let names = [
            Some(account.user_name.as_str()),
            Some(account.display_name.as_str()),
            account.email.as_deref(),
            account.external_id.as_deref(),
        ];
        self.role.as_ref().is_none_or(|role| account.role.as_ref() == Some(role))
            && self.status.is_none_or(|status| account.status == status)
            && self.locked.is_none_or(|locked| account.is_locked_at(now) == locked)
            && self
                .text
                .as_ref()
                .is_none_or(|part| names.iter().flatten().any(|name| contains(name, part)))
    }
}

/// Accounts, and the number of the feed's last entry that they are at least as new as.
fn find(
    shared: &Shared,
    wanted: &Wanted,
    mut after: Option<UserId>,
    limit: usize,
) -> Result<(Vec<ShownAccount>, u64), Problem> {
    let snapshot = shared.snapshot()?;
    let feed = snapshot.counts(shared.key)?.feed;
    let now = shared.clock.now();
    let mut found = Vec::new();
    loop {
        let accounts = snapshot.accounts(shared.key, after, PIECE)?;
        let Some(last) = accounts.last() else { return Ok((found, feed)) };
        after = Some(last.id);
        for account in accounts.iter().filter(|account| wanted.wants(account, now)) {
            let shown = ShownAccount::read(shared, &snapshot, account)?;
            if wanted.pending.is_none_or(|pending| shown.pending == pending) {
                found.push(shown);
            }
            if found.len() >= limit {
                return Ok((found, feed));
            }
        }
    }
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
