//! `/tenants/{t}/holds`: mass changes that wait for an operator, or waited.

use access::{Hold, HoldId, HoldState, UserId, WithheldReason};
use actors::shared::Shared;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use store::DocumentKey;

use super::page::{Parameters, page};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant};
use crate::answer::{self, Answer, JSON};
use crate::app::App;

/// Accounts read at once while looking for those that wait.
const PIECE: usize = 512;

/// A hold with some of the accounts that wait in it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    hold: Hold,
    /// Changes that wait, of accounts after the cursor.
    changes: Vec<Waiting>,
    /// Where the next page of changes starts.
    next_cursor: Option<UserId>,
}

/// A change that waits.
#[derive(Serialize)]
struct Waiting {
    account: UserId,
    user_name: String,
    from: Option<String>,
    to: String,
}

/// GET: newest first. `state` picks some.
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<HoldId>::read(&app, &tenant, query.as_deref()).await?;
    let wanted = parameters.get("state").map(read_state).transpose()?;
    let before = after.map(|before| DocumentKey::id(before.as_bytes()));
    let all = DocumentKey::default();
    let snapshot = tenant.shared().snapshot()?;
    // Holds are rare: one that is not wanted is no reason to end a page early.
    let mut holds: Vec<Hold> =
        snapshot.documents_reversed(tenant.key(), &all, before.as_ref(), usize::MAX)?;
    holds.retain(|hold| wanted.is_none_or(|state| hold.state == state));
    holds.truncate(limit + 1);
    Ok(page(holds, limit, |hold| hold.id.to_string()))
}

/// GET: one hold, with the changes that wait in it, in pages.
pub async fn show(
    State(app): State<App>,
    Path((tenant, hold)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor()?);
    let id = read_id(&hold)?;
    let key = DocumentKey::id(id.as_bytes());
    let kept = tenant.shared().snapshot()?.document::<Hold>(tenant.key(), &key)?;
    let hold = kept.ok_or_else(no_such_hold)?.value;
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let read = tokio::task::spawn_blocking(move || {
        let changes = waiting(tenant.shared(), id, after, limit + 1);
        drop(permits);
        changes
    });
    let mut changes = read.await.map_err(|_| Problem::unavailable())??;
    let more = changes.len() > limit;
    changes.truncate(limit);
    let next_cursor = changes.last().filter(|_| more).map(|last| last.account);
    Ok(answer::json(StatusCode::OK, JSON, &Shown { hold, changes, next_cursor }))
}

/// POST: makes its changes now.
pub async fn approve(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, hold)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let (hold, report) = tenant.resolve_hold(read_id(&hold)?, true, author).await?;
    Ok(resolved(&hold, report.changed))
}

/// POST: its accounts stay as they are, until their groups or the settings change again.
pub async fn reject(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, hold)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let (hold, report) = tenant.resolve_hold(read_id(&hold)?, false, author).await?;
    Ok(resolved(&hold, report.changed))
}

fn resolved(hold: &Hold, changed: u64) -> Answer {
    #[derive(Serialize)]
    struct Resolved<'a> {
        #[serde(flatten)]
        hold: &'a Hold,
        changed: u64,
    }
    answer::json(StatusCode::OK, JSON, &Resolved { hold, changed })
}

fn waiting(
    shared: &Shared,
    hold: HoldId,
    mut after: Option<UserId>,
    limit: usize,
) -> Result<Vec<Waiting>, Problem> {
    let mut found = Vec::new();
    loop {
        let accounts = shared.snapshot()?.accounts(shared.key, after, PIECE)?;
        let Some(last) = accounts.last() else { return Ok(found) };
        after = Some(last.id);
        for account in accounts {
            let Some(withheld) = account.withheld.filter(|withheld| withheld.hold == Some(hold))
            else {
                continue;
            };
            if withheld.reason != WithheldReason::Held {
                continue;
            }
            found.push(Waiting {
                account: account.id,
                user_name: account.user_name,
                from: account.role,
                to: withheld.role,
            });
            if found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

fn read_state(text: &str) -> Result<HoldState, Problem> {
    serde_json::from_value(Value::from(text))
        .map_err(|_| Problem::bad_request("state: expected open, approved, rejected or lapsed"))
}

fn read_id(id: &str) -> Result<HoldId, Problem> {
    id.parse().map_err(|_| no_such_hold())
}

fn no_such_hold() -> Problem {
    Problem::not_found("there is no such hold")
}
