//! `/tenants/{t}/holds`: mass changes that wait for an operator, or waited.

use access::{Author, Hold, HoldId, HoldState, UserId, WaveId, WithheldReason};
use actors::Tenant;
use actors::shared::Shared;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::{DocumentKey, Texts};
use utoipa::ToSchema;

use super::page::{Page, Paging, Parameters, page};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant};
use crate::answer::{self, JSON};
use crate::app::App;

/// Accounts read at once while looking for those that wait.
const PIECE: usize = 512;
/// Accounts that are looked through for them before an answer is given.
const ROWS_MAX: usize = 50_000;

/// A mass change that waits for an operator, or waited.
#[derive(Serialize, ToSchema)]
#[schema(as = MassChange, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057", "state": "open",
    "opened_at": "2026-03-01T12:01:00Z", "trigger": "wave",
    "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "accounts": 120, "of": 200,
    "closed_at": null, "closed_by": null, "done_at": null
})))]
pub(crate) struct ShownHold {
    /// Its id; newer ones sort later.
    #[schema(value_type = Uuid)]
    pub(crate) id: HoldId,
    /// What has become of it: `open`, `approved`, `rejected` or `lapsed`.
    #[schema(value_type = String)]
    pub(crate) state: HoldState,
    /// Since when it waits.
    pub(crate) opened_at: Timestamp,
    /// What kind of pass would have made the changes.
    pub(crate) trigger: String,
    /// The wave, if one brought it about.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) wave: Option<WaveId>,
    /// How many accounts were to lose a mapped role.
    pub(crate) accounts: u64,
    /// How many accounts there were.
    pub(crate) of: u64,
    /// When it was approved or rejected, or lapsed.
    #[schema(required)]
    pub(crate) closed_at: Option<Timestamp>,
    /// Who approved or rejected it.
    #[schema(required)]
    pub(crate) closed_by: Option<String>,
    /// When what was decided had reached all its accounts.
    #[schema(required)]
    pub(crate) done_at: Option<Timestamp>,
}

/// A hold, and the changes that wait in it.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "hold": {
        "id": "01990a5d-ac96-774b-bcce-b302099a8057", "state": "open",
        "opened_at": "2026-03-01T12:01:00Z", "trigger": "wave",
        "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "accounts": 120, "of": 200,
        "closed_at": null, "closed_by": null, "done_at": null
    },
    "changes": [{"account": "01990a5d-ac96-774b-bcce-b302099a8057",
                 "user_name": "ada@example.com", "from": "loanee", "to": "default"}],
    "next_cursor": null
})))]
pub(crate) struct HoldChanges {
    /// The hold.
    pub(crate) hold: ShownHold,
    /// Changes that wait, by account.
    pub(crate) changes: Vec<Waiting>,
    /// Where the next page of changes starts, if there may be more; a page can be short, or empty,
    /// all the same.
    #[schema(value_type = Option<Uuid>, required)]
    pub(crate) next_cursor: Option<UserId>,
}

/// A change that waits.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingChange)]
pub(crate) struct Waiting {
    /// The account.
    #[schema(value_type = Uuid)]
    pub(crate) account: UserId,
    /// Its userName.
    pub(crate) user_name: String,
    /// The role that it has.
    #[schema(required)]
    pub(crate) from: Option<String>,
    /// The role that the rules give.
    pub(crate) to: String,
}

/// A hold that was approved or rejected.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "hold": {
        "id": "01990a5d-ac96-774b-bcce-b302099a8057", "state": "approved",
        "opened_at": "2026-03-01T12:01:00Z", "trigger": "wave",
        "wave": "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c", "accounts": 120, "of": 200,
        "closed_at": "2026-03-01T12:05:00Z", "closed_by": "operator", "done_at": "2026-03-01T12:05:00Z"
    },
    "changed": 120
})))]
pub(crate) struct ResolvedHold {
    /// The hold.
    pub(crate) hold: ShownHold,
    /// Roles that changed.
    pub(crate) changed: u64,
}

/// Which holds are asked for.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
struct HoldsQuery {
    /// In this state: `open`, `approved`, `rejected` or `lapsed`.
    #[param(nullable = false)]
    state: Option<String>,
}

/// Mass changes that wait, or waited, newest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/holds", tag = "holds", params(Paging, HoldsQuery),
    responses((status = 200, description = "A page of holds", body = Page<ShownHold>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<HoldId>::read(&app, &tenant, query.as_deref()).await?;
    let wanted = parameters.get("state").map(read_state).transpose()?;
    let holds = listed(&tenant, wanted, after, limit + 1)?;
    Ok(page(holds, limit, |hold: &ShownHold| hold.id.to_string()))
}

/// One hold, with the changes that wait in it, in pages.
#[utoipa::path(
    get, path = "/tenants/{tenant}/holds/{hold}", tag = "holds", params(Paging),
    responses((status = 200, description = "The hold and its changes", body = HoldChanges))
)]
pub async fn show(
    State(app): State<App>,
    Path((tenant, hold)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let (limit, after) = (parameters.limit()?, parameters.cursor()?);
    let changes = one(&app, &tenant, &hold, after, limit).await?;
    Ok(answer::json(StatusCode::OK, JSON, &changes))
}

/// Approves a hold: makes its changes now.
#[utoipa::path(
    post, path = "/tenants/{tenant}/holds/{hold}/approve", tag = "holds",
    responses(
        (status = 200, description = "The hold, and how many roles changed", body = ResolvedHold),
        (status = 409, description = "the hold is closed"),
    )
)]
pub async fn approve(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, hold)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let resolved = resolve(&tenant, &hold, true, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &resolved))
}

/// Rejects a hold: its accounts stay as they are, until their groups or the rules change again.
#[utoipa::path(
    post, path = "/tenants/{tenant}/holds/{hold}/reject", tag = "holds",
    responses(
        (status = 200, description = "The hold", body = ResolvedHold),
        (status = 409, description = "the hold is closed"),
    )
)]
pub async fn reject(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, hold)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let resolved = resolve(&tenant, &hold, false, author).await?;
    Ok(answer::json(StatusCode::OK, JSON, &resolved))
}

/// At most `limit` holds in this state, or in any, older than `before`, newest first.
pub(crate) fn listed(
    tenant: &Tenant,
    wanted: Option<HoldState>,
    before: Option<HoldId>,
    limit: usize,
) -> Result<Vec<ShownHold>, Problem> {
    let before = before.map(|before| DocumentKey::id(before.as_bytes()));
    let all = DocumentKey::default();
    let snapshot = tenant.shared().snapshot()?;
    // Holds are rare: one that is not wanted is no reason to end a page early.
    let mut holds: Vec<Hold> =
        snapshot.documents_reversed(tenant.key(), &all, before.as_ref(), usize::MAX)?;
    holds.retain(|hold| wanted.is_none_or(|state| hold.state == state));
    holds.truncate(limit);
    Ok(holds.into_iter().map(ShownHold::from).collect())
}

/// The hold with this id, and at most `limit` of the changes that wait in it, after `after`.
pub(crate) async fn one(
    app: &App,
    tenant: &Tenant,
    hold: &str,
    after: Option<UserId>,
    limit: usize,
) -> Result<HoldChanges, Problem> {
    let id = read_id(hold)?;
    let key = DocumentKey::id(id.as_bytes());
    let kept = tenant.shared().snapshot()?.document::<Hold>(tenant.key(), &key)?;
    let hold = kept.ok_or_else(no_such_hold)?.value;
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let tenant = tenant.clone();
    let read = tokio::task::spawn_blocking(move || {
        let changes = waiting(tenant.shared(), id, after, limit);
        drop(permits);
        changes
    });
    let (changes, next_cursor) = read.await.map_err(|_| Problem::unavailable())??;
    Ok(HoldChanges { hold: hold.into(), changes, next_cursor })
}

/// Approves or rejects a hold.
pub(crate) async fn resolve(
    tenant: &Tenant,
    hold: &str,
    approves: bool,
    author: Author,
) -> Result<ResolvedHold, Problem> {
    let (hold, report) = tenant.resolve_hold(read_id(hold)?, approves, author).await?;
    Ok(ResolvedHold { hold: hold.into(), changed: report.changed })
}

impl From<Hold> for ShownHold {
    fn from(hold: Hold) -> Self {
        Self {
            id: hold.id,
            state: hold.state,
            opened_at: hold.opened_at,
            trigger: hold.trigger,
            wave: hold.wave,
            accounts: hold.accounts,
            of: hold.of,
            closed_at: hold.closed_at,
            closed_by: hold.closed_by,
            done_at: hold.done_at,
        }
    }
}

/// Changes that wait, and where to go on if there may be more.
fn waiting(
    shared: &Shared,
    hold: HoldId,
    mut after: Option<UserId>,
    limit: usize,
) -> Result<(Vec<Waiting>, Option<UserId>), Problem> {
    let texts = Texts::default().with("hold", &hold.to_string());
    let mut found: Vec<Waiting> = Vec::new();
    let mut rows: usize = 0;
    loop {
        let rows_max = ROWS_MAX.saturating_sub(rows).max(PIECE);
        let limits = (PIECE, rows_max);
        let looked = shared.snapshot()?.accounts_with(shared.key, after, &texts, limits)?;
        rows += looked.rows;
        for account in looked.found {
            let Some(withheld) = account.withheld.filter(|withheld| withheld.hold == Some(hold))
            else {
                continue;
            };
            if withheld.reason != WithheldReason::Held {
                continue;
            }
            if found.len() >= limit {
                let last = found.last().map(|last| last.account);
                return Ok((found, last));
            }
            found.push(Waiting {
                account: account.id,
                user_name: account.user_name,
                from: account.role,
                to: withheld.role,
            });
        }
        after = looked.more_after;
        if after.is_none() || rows >= ROWS_MAX {
            return Ok((found, after));
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
