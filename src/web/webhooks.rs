//! Webhooks, and what came of their deliveries.

use access::EventType;
use access::webhook::DeliveryState;
use askama::Template;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;

use super::Visitor;
use super::forms::{Fields, percent_encode};
use super::made::MadePage;
use super::page::{Layout, Shown, render};
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::admin::webhooks::shapes::{
    Create, Patch, ReplayBody, ShownDelivery, ShownWebhook, WantedState,
};
use crate::admin::{open_tenant, webhooks};
use crate::app::App;
use crate::web::filters;

/// Deliveries on a page.
const DELIVERIES_SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    layout: Layout,
    base: String,
    webhooks: Vec<ShownWebhook>,
    types: Vec<TypeBox>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    layout: Layout,
    /// `/tenants/ID/webhooks/ID`.
    base: String,
    tenant: String,
    webhook: ShownWebhook,
    now: Timestamp,
    types: Vec<TypeBox>,
    deliveries: Vec<ShownDelivery>,
    state: String,
    next: Option<String>,
}

/// A type of event, to be ticked.
struct TypeBox {
    name: &'static str,
    is_ticked: bool,
}

/// What is said of a webhook's state: a class of the stylesheet, and words.
fn state_of(webhook: &ShownWebhook) -> (&'static str, &'static str) {
    match webhook.state {
        "disabled" => ("", "switched off"),
        "failing" => ("bad", "failing"),
        _ if webhook.behind > 0 => ("info", "delivering"),
        _ => ("ok", "up to date"),
    }
}

/// What is said of a delivery's state.
fn delivery_state(delivery: &ShownDelivery) -> (&'static str, &'static str) {
    match delivery.state {
        DeliveryState::Delivered => ("ok", "delivered"),
        DeliveryState::Waiting => ("warn", "waits"),
        DeliveryState::Dead => ("bad", "given up"),
    }
}

/// What a delivery waits for, where that is no moment to come.
fn waits_for(
    delivery: &ShownDelivery,
    webhook: &ShownWebhook,
    now: &Timestamp,
) -> Option<&'static str> {
    delivery.next_attempt_at.filter(|next| next <= now)?;
    Some(match webhook.circuit_open_since {
        Some(_) => "when another one is taken",
        None => "now",
    })
}

/// Why a receiver took nothing, for people: what the network says names parts of a program.
fn in_words(reason: &str) -> &str {
    let said = [
        ("Connection refused", "The address refused the connection."),
        ("dns error", "The name of the address was not found."),
        ("Connection reset", "The connection was cut off."),
        ("certificate", "The certificate of the address is not trusted."),
        ("client error (Connect)", "The address could not be reached."),
    ];
    // Other reasons are written for people.
    let known = said.iter().filter(|_| reason.starts_with("error sending request"));
    known.clone().find(|(part, _)| reason.contains(part)).map_or(reason, |(_, words)| words)
}

fn boxes(ticked: &[EventType]) -> Vec<TypeBox> {
    let type_box =
        |kind: &EventType| TypeBox { name: kind.as_str(), is_ticked: ticked.contains(kind) };
    EventType::ALL.iter().map(type_box).collect()
}

fn ticked(fields: &Fields) -> Result<Vec<EventType>, Problem> {
    let read = |name: &str| {
        let unknown = || Problem::unprocessable("types: expected the names of event types");
        EventType::from_name(name).ok_or_else(unknown)
    };
    fields.all("types").map(read).collect()
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    render(&WebhooksPage {
        layout: watching(Layout::of_tenant(&visitor, &tenant, "Webhooks")?),
        base: format!("/tenants/{}/webhooks", tenant.shared().id),
        webhooks: webhooks::listed(&app, &tenant, None)?,
        types: boxes(&[]),
    })
}

/// Makes a webhook, and shows its secret this once.
pub(super) async fn make(
    State(app): State<App>,
    visitor: Visitor,
    Path(tenant): Path<String>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let new = Create {
        url: fields.text("url").to_owned(),
        types: ticked(&fields)?,
        requests_per_second: fields.parse("requests_per_second", "a whole number over zero")?,
        after: fields.parse("after", "the number of an entry of the feed")?,
    };
    let made = webhooks::make(&app, &tenant, visitor.author(), new).await?;
    MadePage {
        layout: Layout::of_tenant(&visitor, &tenant, "A new webhook")?,
        heading: "A new webhook".to_owned(),
        advice: "The receiver checks the signature of every request with this secret.",
        parts: vec![("Address", made.url), ("Secret", made.secret.unwrap_or_default())],
        next: format!("/tenants/{}/webhooks/{}", tenant.shared().id, made.id),
        next_text: "It is copied: on to the webhook",
    }
    .shown()
}

/// One webhook and its deliveries.
pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let parameters = Parameters::read(query.as_deref());
    let state = parameters.get("state").filter(|state| !state.is_empty());
    let after = parameters.cursor::<u64>()?;
    let shown = webhooks::find(&app, &tenant, &webhook)?;
    let asked = DELIVERIES_SHOWN.saturating_add(1);
    let mut deliveries = webhooks::delivered(&app, &tenant, &webhook, state, after, asked).await?;
    let base = format!("/tenants/{}/webhooks/{}", tenant.shared().id, shown.id);
    let state = state.unwrap_or_default();
    let more = deliveries.len() > DELIVERIES_SHOWN;
    deliveries.truncate(DELIVERIES_SHOWN);
    let next = deliveries
        .last()
        .filter(|_| more)
        .map(|last| format!("{base}?state={}&cursor={}", percent_encode(state), last.seq));
    render(&WebhookPage {
        now: app.service().clock().now(),
        layout: watching(Layout::of_tenant(&visitor, &tenant, "Webhook")?),
        base,
        tenant: tenant.shared().id.to_string(),
        types: boxes(&shown.types),
        webhook: shown,
        deliveries,
        state: state.to_owned(),
        next,
    })
}

/// Changes address, types, rate, and whether anything is sent.
pub(super) async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let is_active = fields.ticked("active");
    // Only if it was chosen: it may have been switched off since the page was made.
    let was_active = fields.get("was").map(|state| state != "disabled");
    let is_chosen = was_active != Some(is_active);
    let wanted = if is_active { WantedState::Active } else { WantedState::Disabled };
    let patch = Patch {
        url: fields.filled("url").map(str::to_owned),
        types: Some(ticked(&fields)?),
        state: is_chosen.then_some(wanted),
        rotate_secret: false,
        rotate_overlap: None,
        requests_per_second: fields.parse("requests_per_second", "a whole number over zero")?,
    };
    webhooks::change(&app, &tenant, &webhook, visitor.author(), patch).await?;
    Ok(visitor.done(&address(&tenant, &webhook), "Saved."))
}

/// Makes a new secret, and shows it this once.
pub(super) async fn rotate(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let patch = Patch {
        url: None,
        types: None,
        state: None,
        rotate_secret: true,
        rotate_overlap: fields.parse("overlap", "a duration such as 1d")?,
        requests_per_second: None,
    };
    let changed = webhooks::change(&app, &tenant, &webhook, visitor.author(), patch).await?;
    MadePage {
        layout: Layout::of_tenant(&visitor, &tenant, "A new secret")?,
        heading: "A new secret for the webhook".to_owned(),
        advice: "The old one signs beside it for a while: give the receiver the new one before.",
        parts: vec![("Address", changed.url), ("Secret", changed.secret.unwrap_or_default())],
        next: format!("/tenants/{}/webhooks/{}", tenant.shared().id, changed.id),
        next_text: "It is copied: back to the webhook",
    }
    .shown()
}

/// Sends a sample.
pub(super) async fn test(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let tested = webhooks::try_out(&tenant, &webhook).await?;
    let took = tested.duration_ms;
    if !tested.delivered {
        let why = tested.error.unwrap_or_else(|| "the receiver did not take it".to_owned());
        return Err(Problem::conflict(format!("The test was not delivered: {why}.")).into());
    }
    let status = tested.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let words = format!("The receiver took the test: it answered{status} after {took} ms.");
    Ok(visitor.done(&address(&tenant, &webhook), words))
}

/// Delivers again.
pub(super) async fn replay(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
    fields: Fields,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    let dead_letters = fields.text("what") == "dead_letters";
    let after = fields.parse("after", "the number of an entry of the feed")?;
    let wanted = ReplayBody { after: after.filter(|_| !dead_letters), dead_letters };
    webhooks::deliver_again(&app, &tenant, &webhook, wanted).await?;
    let words = match after.filter(|_| !dead_letters) {
        Some(after) => format!("All entries after {after} are delivered again."),
        None => "What was given up is delivered again.".to_owned(),
    };
    Ok(visitor.done(&address(&tenant, &webhook), words))
}

/// Deletes a webhook.
pub(super) async fn delete(
    State(app): State<App>,
    visitor: Visitor,
    Path((tenant, webhook)): Path<(String, String)>,
) -> Shown {
    let tenant = open_tenant(&app, &tenant).await?;
    webhooks::remove(&tenant, &webhook, visitor.author()).await?;
    let path = format!("/tenants/{}/webhooks", tenant.shared().id);
    Ok(visitor.done(&path, "The webhook is deleted: nothing is sent any more."))
}

/// Deliveries go on when nothing else changes: the page looks again all the time.
fn watching(layout: Layout) -> Layout {
    Layout { live: Some("/live".to_owned()), ..layout }
}

fn address(tenant: &actors::Tenant, webhook: &str) -> String {
    format!("/tenants/{}/webhooks/{}", tenant.shared().id, percent_encode(webhook))
}
