//! Webhooks as the API takes and shows them.

use std::num::NonZeroU32;

use access::duration::HumanDuration;
use access::webhook::DeliveryState;
use access::{EventType, WebhookId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::openapi::events::EventName;
use crate::openapi::schemas;

/// A webhook to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook, examples(json!({
    "url": "https://hooks.example/slackwater", "types": ["account.role_changed"],
    "requests_per_second": 10, "after": 0
})))]
pub(crate) struct Create {
    /// Where to send: `https`, and no address of a private network unless the service allows it.
    #[schema(min_length = 1, max_length = 2048)]
    pub(crate) url: String,
    /// Event types; all where there are none.
    #[serde(default)]
    #[schema(value_type = Vec<EventName>)]
    pub(crate) types: Vec<EventType>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub(crate) requests_per_second: Option<NonZeroU32>,
    /// Begin after this entry of the feed; with what comes from now on where it is missing.
    pub(crate) after: Option<u64>,
}

/// What to change of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch, examples(json!({"rotate_secret": true, "rotate_overlap": "1d"})))]
pub(crate) struct Patch {
    /// Where to send.
    #[schema(min_length = 1, max_length = 2048)]
    pub(crate) url: Option<String>,
    /// Event types; all where there are none.
    #[schema(value_type = Option<Vec<EventName>>)]
    pub(crate) types: Option<Vec<EventType>>,
    /// Whether anything is sent.
    pub(crate) state: Option<WantedState>,
    /// Whether to make a new secret.
    #[serde(default)]
    pub(crate) rotate_secret: bool,
    /// How long the old secret signs too, such as `1d`; at most 30 d.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(crate) rotate_overlap: Option<HumanDuration>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub(crate) requests_per_second: Option<NonZeroU32>,
}

/// Whether anything is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WantedWebhookState)]
pub(crate) enum WantedState {
    /// It is; `enabled` says the same.
    #[serde(alias = "enabled")]
    Active,
    /// It is not.
    Disabled,
}

/// What to deliver again: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay, examples(json!({"after": 7})))]
pub(crate) struct ReplayBody {
    /// All entries after this one.
    pub(crate) after: Option<u64>,
    /// What was given up.
    #[serde(default)]
    pub(crate) dead_letters: bool,
}

/// Which deliveries are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct DeliveriesQuery {
    /// In this state.
    #[param(inline, nullable = false)]
    state: Option<schemas::DeliveryState>,
}

/// A webhook, and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook, examples(json!({
    "id": "01990a5d-ac96-774b-bcce-b302099a8057",
    "url": "https://hooks.example/slackwater", "types": ["account.role_changed"],
    "state": "active", "reason": null, "disabled_since": null, "requests_per_second": 10,
    "created_at": "2026-03-01T12:00:00Z", "delivered_to": 41, "behind": 1, "waiting": 0, "dead": 0,
    "last_success_at": "2026-03-01T12:05:00Z", "last_failure_at": null, "last_error": null,
    "circuit_open_since": null, "old_secret_until": null
})))]
pub(crate) struct ShownWebhook {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(crate) id: WebhookId,
    /// Where it sends.
    pub(crate) url: String,
    /// Event types; all where there are none.
    #[schema(value_type = Vec<EventName>)]
    pub(crate) types: Vec<EventType>,
    /// `active`, `failing` or `disabled`.
    pub(crate) state: &'static str,
    /// Why it is not `active`.
    #[schema(required)]
    pub(crate) reason: Option<String>,
    /// Since when nothing is sent.
    #[schema(required)]
    pub(crate) disabled_since: Option<Timestamp>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = u32, minimum = 1)]
    pub(crate) requests_per_second: NonZeroU32,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// All entries up to this one are done with, or stand among the deliveries.
    pub(crate) delivered_to: u64,
    /// Entries of the feed after that.
    pub(crate) behind: u64,
    /// Deliveries that are tried again.
    pub(crate) waiting: usize,
    /// Deliveries that were given up.
    pub(crate) dead: usize,
    /// When the receiver took something last.
    #[schema(required)]
    pub(crate) last_success_at: Option<Timestamp>,
    /// When it last did not.
    #[schema(required)]
    pub(crate) last_failure_at: Option<Timestamp>,
    /// Why it did not.
    #[schema(required)]
    pub(crate) last_error: Option<String>,
    /// Since when only single deliveries are tried.
    #[schema(required)]
    pub(crate) circuit_open_since: Option<Timestamp>,
    /// Until when the secret before the current one signs too.
    #[schema(required)]
    pub(crate) old_secret_until: Option<Timestamp>,
    /// What it signs with. Shown only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) secret: Option<String>,
}

/// A delivery of one entry of the feed.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery, examples(json!({
    "seq": 7, "event_id": "evt_0018f2a6c3d4e00000007", "type": "account.role_changed",
    "account": "01990a5d-ac96-774b-bcce-b302099a8057", "state": "waiting", "attempts": 2,
    "last_status": 500, "last_error": "the receiver answered 500",
    "next_attempt_at": "2026-03-01T12:05:00Z", "delivered_at": null
})))]
pub(crate) struct ShownDelivery {
    /// The entry's number in the feed.
    pub(crate) seq: u64,
    /// The entry's id, which is the message's.
    pub(crate) event_id: String,
    /// The entry's type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The account that it is about, if it is about one.
    #[schema(required)]
    pub(crate) account: Option<String>,
    /// What has become of it.
    #[schema(value_type = schemas::DeliveryState)]
    pub(crate) state: DeliveryState,
    /// How often it was tried.
    pub(crate) attempts: usize,
    /// What the receiver answered last.
    #[schema(required)]
    pub(crate) last_status: Option<u16>,
    /// Why it was not taken.
    #[schema(required)]
    pub(crate) last_error: Option<String>,
    /// When it is tried next.
    #[schema(required)]
    pub(crate) next_attempt_at: Option<Timestamp>,
    /// When it was taken.
    #[schema(required)]
    pub(crate) delivered_at: Option<Timestamp>,
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest, examples(json!({
    "delivered": true, "status": 200, "duration_ms": 12, "body": "ok", "error": null
})))]
pub(crate) struct ShownTest {
    /// Whether the receiver took it.
    pub(crate) delivered: bool,
    /// What it answered.
    #[schema(required)]
    pub(crate) status: Option<u16>,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// The beginning of its answer.
    pub(crate) body: String,
    /// Why it was not taken.
    #[schema(required)]
    pub(crate) error: Option<String>,
}
