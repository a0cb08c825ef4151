//! `/tenants/{t}/webhooks`: who is told of changes, and what came of it.

pub(crate) mod shapes;

use access::duration::HumanDuration;
use access::webhook::{Delivery, DeliveryState, Position, Webhook};
use access::{Author, EventType, WebhookId};
use actors::Tenant;
use actors::service::webhooks::{NewWebhook, Replay, WebhookPatch, is_failing, overlap_ends};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;

use self::shapes::{
    Create, DeliveriesQuery, Patch, ReplayBody, ShownDelivery, ShownTest, ShownWebhook, WantedState,
};
use super::page::{Page, Paging, page};
use super::problem::Problem;
use super::{ListRequest, Operator, Outcome, open_tenant, read_body};
use crate::answer::{self, JSON};
use crate::app::App;

/// How long a rotated secret may go on signing: 30 days.
const ROTATE_OVERLAP_SECONDS_MAX: u64 = 30 * 86_400;

/// Makes a webhook; its secret is shown only here.
#[utoipa::path(
    post, path = "/tenants/{tenant}/webhooks", tag = "webhooks", request_body = Create,
    responses(
        (status = 201, description = "The webhook", body = ShownWebhook),
        (status = 409, description = "the tenant has 20 webhooks; delete one"),
        (status = 410, description = "the feed begins with the entry 8"),
    )
)]
pub async fn create(
    State(app): State<App>,
    Operator(author): Operator,
    Path(tenant): Path<String>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = read_body(request).await?;
    let made = make(&app, &tenant, author, new).await?;
    Ok(answer::json(StatusCode::CREATED, JSON, &made))
}

pub(crate) async fn make(
    app: &App,
    tenant: &Tenant,
    author: Author,
    new: Create,
) -> Result<ShownWebhook, Problem> {
    let Create { url, types, requests_per_second, after } = new;
    let new = NewWebhook { url, types: distinct(types), requests_per_second, after };
    let (webhook, secret) = tenant.create_webhook(new, author).await?;
    let (_, position) = tenant.webhook(webhook.id)?;
    shown(app, tenant, webhook, position, Some(secret))
}

/// The webhooks, oldest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/webhooks", tag = "webhooks", params(Paging),
    responses((status = 200, description = "Webhooks", body = Page<ShownWebhook>))
)]
pub async fn list(
    State(app): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, limit, after, .. } =
        ListRequest::<WebhookId>::read(&app, &tenant, query.as_deref()).await?;
    let items = listed(&app, &tenant, after)?;
    Ok(page(items, limit, |item| item.id.to_string()))
}

/// All webhooks after this one; a tenant has few.
pub(crate) fn listed(
    app: &App,
    tenant: &Tenant,
    after: Option<WebhookId>,
) -> Result<Vec<ShownWebhook>, Problem> {
    let mut webhooks = tenant.webhooks()?;
    webhooks.retain(|(webhook, _)| after.is_none_or(|after| webhook.id > after));
    let show = |(webhook, position)| shown(app, tenant, webhook, position, None);
    webhooks.into_iter().map(show).collect()
}

/// One webhook, and how far it has come.
#[utoipa::path(
    get, path = "/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 200, description = "The webhook", body = ShownWebhook))
)]
pub async fn show(
    State(app): State<App>,
    Path((tenant, webhook)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &find(&app, &tenant, &webhook)?))
}

pub(crate) fn find(app: &App, tenant: &Tenant, webhook: &str) -> Result<ShownWebhook, Problem> {
    let (webhook, position) = tenant.webhook(read_id(webhook)?)?;
    shown(app, tenant, webhook, position, None)
}

/// Changes a webhook; a new secret is shown only here.
#[utoipa::path(
    patch, path = "/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks",
    request_body = Option<Patch>,
    responses(
        (status = 200, description = "The webhook", body = ShownWebhook),
        (status = 409, description = "the secret cannot be used"),
    )
)]
pub async fn patch(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, webhook)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let patch = read_body(request).await?;
    let changed = change(&app, &tenant, &webhook, author, patch).await?;
    Ok(answer::json(StatusCode::OK, JSON, &changed))
}

pub(crate) async fn change(
    app: &App,
    tenant: &Tenant,
    webhook: &str,
    author: Author,
    patch: Patch,
) -> Result<ShownWebhook, Problem> {
    let id = read_id(webhook)?;
    let overlap = patch.rotate_overlap.as_ref().map(HumanDuration::get);
    if overlap.is_some_and(|overlap| overlap.as_secs() > ROTATE_OVERLAP_SECONDS_MAX) {
        return Err(Problem::unprocessable("rotate_overlap: expected at most 30d"));
    }
    let patch = WebhookPatch {
        url: patch.url,
        types: patch.types.map(distinct),
        requests_per_second: patch.requests_per_second,
        active: patch.state.map(|state| matches!(state, WantedState::Active)),
        rotate_secret: patch.rotate_secret,
        rotate_overlap: overlap,
    };
    let (webhook, secret) = tenant.patch_webhook(id, patch, author).await?;
    let (_, position) = tenant.webhook(id)?;
    shown(app, tenant, webhook, position, secret)
}

/// Deletes a webhook: nothing is sent any more.
#[utoipa::path(
    delete, path = "/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 204, description = "It is deleted"))
)]
pub async fn delete(
    State(app): State<App>,
    Operator(author): Operator,
    Path((tenant, webhook)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    remove(&tenant, &webhook, author).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) async fn remove(tenant: &Tenant, webhook: &str, author: Author) -> Result<(), Problem> {
    tenant.delete_webhook(read_id(webhook)?, author).await?;
    Ok(())
}

/// Sends a sample now, and shows the answer.
#[utoipa::path(
    post, path = "/tenants/{tenant}/webhooks/{webhook}/test", tag = "webhooks",
    responses(
        (status = 200, description = "What came of it", body = ShownTest),
        (status = 409, description = "the secret cannot be used"),
    )
)]
pub async fn test(
    State(app): State<App>,
    Path((tenant, webhook)): Path<(String, String)>,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    Ok(answer::json(StatusCode::OK, JSON, &try_out(&tenant, &webhook).await?))
}

pub(crate) async fn try_out(tenant: &Tenant, webhook: &str) -> Result<ShownTest, Problem> {
    let report = tenant.test_webhook(read_id(webhook)?).await?;
    Ok(ShownTest {
        delivered: report.delivered,
        status: report.status,
        duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        body: String::from_utf8_lossy(&report.body).into_owned(),
        error: report.error,
    })
}

/// What was delivered lately, what waits, and what was given up; newest first.
#[utoipa::path(
    get, path = "/tenants/{tenant}/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(Paging, DeliveriesQuery),
    responses((status = 200, description = "Deliveries", body = Page<ShownDelivery>))
)]
pub async fn deliveries(
    State(app): State<App>,
    Path((tenant, webhook)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let ListRequest { tenant, parameters, limit, after } =
        ListRequest::<u64>::read(&app, &tenant, query.as_deref()).await?;
    let state = parameters.get("state");
    let items = delivered(&app, &tenant, &webhook, state, after, limit.saturating_add(1)).await?;
    Ok(page(items, limit, |item| item.seq.to_string()))
}

/// Deliveries in this state, or any; newest first, before the entry `after`.
pub(crate) async fn delivered(
    app: &App,
    tenant: &Tenant,
    webhook: &str,
    state: Option<&str>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<ShownDelivery>, Problem> {
    let state = match state {
        None => None,
        Some("delivered") => Some(DeliveryState::Delivered),
        Some("waiting") => Some(DeliveryState::Waiting),
        Some("dead") => Some(DeliveryState::Dead),
        Some(_) => {
            return Err(Problem::bad_request("state: expected delivered, waiting or dead"));
        }
    };
    let (id, tenant) = (read_id(webhook)?, tenant.clone());
    // Of one state there may be few among many.
    let permits = app.scan_permits(tenant.key()).await.ok_or_else(Problem::unavailable)?;
    let read = tokio::task::spawn_blocking(move || {
        let found = tenant.deliveries(id, state, after, limit);
        drop(permits);
        found
    });
    let found = read.await.map_err(|_| Problem::unavailable())??;
    Ok(found.into_iter().map(shown_delivery).collect())
}

/// Delivers again: all entries after one, or what was given up.
#[utoipa::path(
    post, path = "/tenants/{tenant}/webhooks/{webhook}/replay", tag = "webhooks",
    request_body = ReplayBody,
    responses(
        (status = 200, description = "The webhook", body = ShownWebhook),
        (status = 410, description = "the feed begins with the entry 8"),
    )
)]
pub async fn replay(
    State(app): State<App>,
    Operator(_): Operator,
    Path((tenant, webhook)): Path<(String, String)>,
    request: Request,
) -> Outcome {
    let tenant = open_tenant(&app, &tenant).await?;
    let wanted = read_body(request).await?;
    let shown = deliver_again(&app, &tenant, &webhook, wanted).await?;
    Ok(answer::json(StatusCode::OK, JSON, &shown))
}

pub(crate) async fn deliver_again(
    app: &App,
    tenant: &Tenant,
    webhook: &str,
    wanted: ReplayBody,
) -> Result<ShownWebhook, Problem> {
    let id = read_id(webhook)?;
    let replay = match wanted {
        ReplayBody { after: Some(after), dead_letters: false } => Replay::After(after),
        ReplayBody { after: None, dead_letters: true } => Replay::DeadLetters,
        _ => return Err(Problem::unprocessable("after: expected this or dead_letters: true")),
    };
    tenant.replay_webhook(id, replay).await?;
    let (webhook, position) = tenant.webhook(id)?;
    shown(app, tenant, webhook, position, None)
}

fn read_id(text: &str) -> Result<WebhookId, Problem> {
    text.parse().map_err(|_| Problem::not_found("there is no such webhook"))
}

fn distinct(types: Vec<EventType>) -> Vec<EventType> {
    let mut distinct = Vec::new();
    for kind in types {
        if !distinct.contains(&kind) {
            distinct.push(kind);
        }
    }
    distinct
}

fn shown(
    app: &App,
    tenant: &Tenant,
    webhook: Webhook,
    position: Position,
    secret: Option<String>,
) -> Result<ShownWebhook, Problem> {
    let feed = tenant.shared().snapshot()?.counts(tenant.key())?.feed;
    let old_secret_until = overlap_ends(&webhook, app.service().clock().now());
    let disabled = webhook.disabled;
    let (state, reason) = match &disabled {
        Some(disabled) => ("disabled", Some(disabled.reason.clone())),
        None if is_failing(&position) => {
            ("failing", position.trouble.or_else(|| position.last_error.clone()))
        }
        None => ("active", None),
    };
    Ok(ShownWebhook {
        id: webhook.id,
        url: webhook.url,
        types: webhook.types,
        state,
        reason,
        disabled_since: disabled.map(|disabled| disabled.since),
        requests_per_second: webhook.requests_per_second,
        created_at: webhook.created_at,
        delivered_to: position.cursor,
        behind: feed.saturating_sub(position.cursor),
        waiting: position.waiting,
        dead: position.dead,
        last_success_at: position.last_success_at,
        last_failure_at: position.last_failure_at,
        last_error: position.last_error,
        circuit_open_since: position.circuit_open_since,
        old_secret_until,
        secret,
    })
}

fn shown_delivery(delivery: Delivery) -> ShownDelivery {
    ShownDelivery {
        seq: delivery.seq,
        event_id: delivery.event_id,
        kind: delivery.kind,
        account: delivery.account,
        state: delivery.state,
        attempts: delivery.attempts,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        next_attempt_at: delivery.next_attempt_at,
        delivered_at: delivery.delivered_at,
    }
}
