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
pub(super) struct Create {
    /// Where to send: `https`, and no address of a private network unless the service allows it.
    #[schema(min_length = 1, max_length = 2048)]
    pub(super) url: String,
    /// Event types; all where there are none.
    #[serde(default)]
    #[schema(value_type = Vec<EventName>)]
    pub(super) types: Vec<EventType>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub(super) requests_per_second: Option<NonZeroU32>,
    /// Begin after this entry of the feed; with what comes from now on where it is missing.
    pub(super) after: Option<u64>,
}

/// What to change of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch, examples(json!({"rotate_secret": true, "rotate_overlap": "1d"})))]
pub(super) struct Patch {
    /// Where to send.
    #[schema(min_length = 1, max_length = 2048)]
    pub(super) url: Option<String>,
    /// Event types; all where there are none.
    #[schema(value_type = Option<Vec<EventName>>)]
    pub(super) types: Option<Vec<EventType>>,
    /// Whether anything is sent.
    pub(super) state: Option<WantedState>,
    /// Whether to make a new secret.
    #[serde(default)]
    pub(super) rotate_secret: bool,
    /// How long the old secret signs too, such as `1d`; at most 30 d.
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(ms|s|m|h|d)$")]
    pub(super) rotate_overlap: Option<HumanDuration>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10000)]
    pub(super) requests_per_second: Option<NonZeroU32>,
}

/// Whether anything is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WantedWebhookState)]
pub(super) enum WantedState {
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
pub(super) struct ReplayBody {
    /// All entries after this one.
    pub(super) after: Option<u64>,
    /// What was given up.
    #[serde(default)]
    pub(super) dead_letters: bool,
}

/// Which deliveries are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(super) struct DeliveriesQuery {
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
pub(super) struct ShownWebhook {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub(super) id: WebhookId,
    /// Where it sends.
    pub(super) url: String,
    /// Event types; all where there are none.
    #[schema(value_type = Vec<EventName>)]
    pub(super) types: Vec<EventType>,
    /// `active`, `failing` or `disabled`.
    pub(super) state: &'static str,
    /// Why it is not `active`.
    #[schema(required)]
    pub(super) reason: Option<String>,
    /// Since when nothing is sent.
    #[schema(required)]
    pub(super) disabled_since: Option<Timestamp>,
    /// How many requests are sent in a second at most.
    #[schema(value_type = u32, minimum = 1)]
    pub(super) requests_per_second: NonZeroU32,
    /// When it was made.
    pub(super) created_at: Timestamp,
    /// All entries up to this one are done with, or stand among the deliveries.
    pub(super) delivered_to: u64,
    /// Entries of the feed after that.
    pub(super) behind: u64,
    /// Deliveries that are tried again.
    pub(super) waiting: usize,
    /// Deliveries that were given up.
    pub(super) dead: usize,
    /// When the receiver took something last.
    #[schema(required)]
    pub(super) last_success_at: Option<Timestamp>,
    /// When it last did not.
    #[schema(required)]
    pub(super) last_failure_at: Option<Timestamp>,
    /// Why it did not.
    #[schema(required)]
    pub(super) last_error: Option<String>,
    /// Since when only single deliveries are tried.
    #[schema(required)]
    pub(super) circuit_open_since: Option<Timestamp>,
    /// Until when the secret before the current one signs too.
    #[schema(required)]
    pub(super) old_secret_until: Option<Timestamp>,
    /// What it signs with. Shown only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) secret: Option<String>,
}

/// A delivery of one entry of the feed.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery, examples(json!({
    "seq": 7, "event_id": "evt_0018f2a6c3d4e00000007", "type": "account.role_changed",
    "account": "01990a5d-ac96-774b-bcce-b302099a8057", "state": "waiting", "attempts": 2,
    "last_status": 500, "last_error": "the receiver answered 500",
    "next_attempt_at": "2026-03-01T12:05:00Z", "delivered_at": null
})))]
pub(super) struct ShownDelivery {
    /// The entry's number in the feed.
    pub(super) seq: u64,
    /// The entry's id, which is the message's.
    pub(super) event_id: String,
    /// The entry's type.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The account that it is about, if it is about one.
    #[schema(required)]
    pub(super) account: Option<String>,
    /// What has become of it.
    #[schema(value_type = schemas::DeliveryState)]
    pub(super) state: DeliveryState,
    /// How often it was tried.
    pub(super) attempts: usize,
    /// What the receiver answered last.
    #[schema(required)]
    pub(super) last_status: Option<u16>,
    /// Why it was not taken.
    #[schema(required)]
    pub(super) last_error: Option<String>,
    /// When it is tried next.
    #[schema(required)]
    pub(super) next_attempt_at: Option<Timestamp>,
    /// When it was taken.
    #[schema(required)]
    pub(super) delivered_at: Option<Timestamp>,
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTest, examples(json!({
    "delivered": true, "status": 200, "duration_ms": 12, "body": "ok", "error": null
})))]
pub(super) struct ShownTest {
    /// Whether the receiver took it.
    pub(super) delivered: bool,
    /// What it answered.
    #[schema(required)]
    pub(super) status: Option<u16>,
    /// How long it took, in milliseconds.
    pub(super) duration_ms: u64,
    /// The beginning of its answer.
    pub(super) body: String,
    /// Why it was not taken.
    #[schema(required)]
    pub(super) error: Option<String>,
}
