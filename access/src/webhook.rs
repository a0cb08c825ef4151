//! Webhooks: what a receiver asked for, how far it has come, and when a delivery is tried again.
//!
//! A [`Webhook`] is what an operator sets. Its [`Position`] says up to where the feed is done with:
//! every entry up to the cursor was delivered, is of no type that was asked for, or has a
//! [`Delivery`] of its own that waits or is dead. Within a [`lane_of`] an entry is delivered only
//! after the one before it, so that a receiver sees the changes of one account in their order.
//!
//! Not here: sending, signing, encryption, storage.

pub mod target;

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::EventType;
use crate::id::WebhookId;

/// Webhooks of one tenant.
pub const WEBHOOKS_MAX: usize = 20;
/// How long an endpoint may be without a success before its webhook is disabled; and how long an
/// event is tried at least before it is given up.
pub const WITHOUT_SUCCESS_MAX: Duration = Duration::from_hours(72);
/// How long a rotated secret still signs beside the new one, unless it is said otherwise.
pub const ROTATE_OVERLAP: Duration = Duration::from_hours(24);
/// The longest that a receiver may make us wait with `Retry-After`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// Requests that one webhook gets in a second, unless it is said otherwise.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(500).unwrap();

/// The rests between the attempts at one event, on average; together about three days.
const RETRY_SECONDS: [u64; 13] =
    [1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 72_000, 72_000];
/// The first retries, which come at about their time; later ones may come at any time up to double.
const NARROW_RETRIES: usize = 3;
/// The longest rest between two probes of an endpoint that does not answer, on average: one that
/// is back must not wait for hours.
const PROBE_REST_MAX: Duration = Duration::from_mins(5);

/// A webhook as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where events are sent.
    pub url: String,
    /// The types that are sent; none means all.
    #[serde(default)]
    pub types: Vec<EventType>,
    /// What the requests are signed with, newest first.
    pub secrets: Vec<Secret>,
    /// Requests in a second at most.
    pub requests_per_second: NonZeroU32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why and since when nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// It was deleted, and what belongs to it is being taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// A secret as it is kept: encrypted, if there is a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The sealed text.
    pub sealed: String,
    /// When it stops signing; none for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret(until {:?})", self.until)
    }
}

/// Why a webhook is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// In words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl Webhook {
    /// Whether the receiver asked for events of this type.
    pub fn wants(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted.as_str() == kind)
    }
}

/// How far a webhook has come. Written by its courier alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Whose.
    pub webhook: WebhookId,
    /// All entries of the feed up to this one are done with, or have a [`Delivery`] of their own.
    pub cursor: u64,
    /// When the receiver last took something.
    #[serde(default)]
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    #[serde(default)]
    pub last_failure_at: Option<Timestamp>,
    /// The last failure, in words.
    #[serde(default)]
    pub last_error: Option<String>,
    /// The first failure since the last success.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// Since when the circuit is open: the endpoint takes nothing, and is only probed.
    #[serde(default)]
    pub circuit_open_since: Option<Timestamp>,
    /// Probes since then.
    #[serde(default)]
    pub probes: usize,
    /// Why nothing can be sent that is no fault of the receiver's.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Events that wait with a delivery of their own.
    #[serde(default)]
    pub waiting: usize,
    /// Dead letters.
    #[serde(default)]
    pub dead: usize,
}

impl Position {
    /// That of a new webhook, which gets what comes after `cursor`.
    pub const fn at(webhook: WebhookId, cursor: u64) -> Self {
        Self {
            webhook,
            cursor,
            last_success_at: None,
            last_failure_at: None,
            last_error: None,
            failing_since: None,
            circuit_open_since: None,
            probes: 0,
            trouble: None,
            waiting: 0,
            dead: 0,
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It failed, or waits behind one that did.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was given up; kept until it is replayed.
    Dead,
}

/// One event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// To whom.
    pub webhook: WebhookId,
    /// The entry's number in the feed.
    pub seq: u64,
    /// The entry's id.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The account that it is about, if it is about one.
    #[serde(default)]
    pub account: Option<String>,
    /// See [`lane_of`].
    pub lane: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: usize,
    /// The status of the last answer.
    #[serde(default)]
    pub last_status: Option<u16>,
    /// What was wrong with the last attempt.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When it was tried first, as far as that attempt counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<Timestamp>,
    /// When it is tried next; none while it waits behind another.
    #[serde(default)]
    pub next_attempt_at: Option<Timestamp>,
    /// When the receiver took it.
    #[serde(default)]
    pub delivered_at: Option<Timestamp>,
    /// The entry, once the feed need not hold it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Value>,
    /// For what retention took away before it was delivered: the last number that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_to: Option<u64>,
}

/// Entries of one lane are delivered one after the other: those of one account, else of one group,
/// else those that are about neither.
pub fn lane_of(entry: &Value) -> String {
    let of = |key: &str| Some(format!("{key}:{}", entry.get(key)?.as_str()?));
    of("account").or_else(|| of("group")).unwrap_or_default()
}

/// How long to rest after so many failed attempts (at least one) at an event; none: no more.
/// `random` is from 0 up to 1.
///
/// The first three retries come after half to one and a half of 1 s, 5 s and 30 s; the later ones
/// at any moment up to double their mean (full jitter), so that a receiver that comes back is not
/// met by all at once.
pub fn retry_after(attempts: usize, random: f64) -> Option<Duration> {
    let mean = Duration::from_secs(*RETRY_SECONDS.get(attempts.checked_sub(1)?)?);
    Some(jittered(mean, attempts, random))
}

/// How long to rest after so many failed probes (at least one) of an endpoint whose circuit is
/// open: as for an event, but no longer than ten minutes.
pub fn probe_after(probes: usize, random: f64) -> Duration {
    let seconds = RETRY_SECONDS.get(probes.saturating_sub(1)).copied();
    let mean = seconds.map_or(PROBE_REST_MAX, Duration::from_secs).min(PROBE_REST_MAX);
    jittered(mean, probes, random)
}

fn jittered(mean: Duration, attempts: usize, random: f64) -> Duration {
    let random = random.clamp(0.0, 1.0);
    mean.mul_f64(if attempts <= NARROW_RETRIES { 0.5 + random } else { 2.0 * random })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_retries_come_after_about_1_5_and_30_seconds() {
        for (attempts, seconds) in [(1, 1.0), (2, 5.0), (3, 30.0)] {
            let after = |random| retry_after(attempts, random).unwrap().as_secs_f64();
            assert!((after(0.0) - seconds / 2.0).abs() < 1e-6);
            assert!((after(0.5) - seconds).abs() < 1e-6);
            assert!(after(1.0) <= seconds * 1.5);
        }
    }

    #[test]
    fn an_event_is_given_up_after_about_three_days() {
        let rests: Vec<_> = (1..).map_while(|attempts| retry_after(attempts, 0.5)).collect();
        let days = rests.iter().sum::<Duration>().as_secs_f64() / 86_400.0;
        assert!((2.9..3.1).contains(&days), "{days}");
        assert!(rests.is_sorted());
    }

    #[test]
    fn an_endpoint_that_is_back_is_found_within_ten_minutes() {
        for probes in 1..100 {
            assert!(probe_after(probes, 1.0) <= Duration::from_mins(10));
        }
        assert_eq!(probe_after(1, 0.5), Duration::from_secs(1));
    }

    #[test]
    fn an_entry_about_an_account_is_in_its_lane() {
        assert_eq!(lane_of(&json!({"account": "a", "group": "g"})), "account:a");
        assert_eq!(lane_of(&json!({"group": "g"})), "group:g");
        assert_eq!(lane_of(&json!({"wave": "w"})), "");
    }
}
