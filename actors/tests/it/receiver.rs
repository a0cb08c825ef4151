//! A receiver of webhooks, without a network.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::courier::egress::{Answered, Egress, EgressError, Outbound, Outgoing};
use actors::vault::Vault;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

/// What a receiver does with an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Answers this status.
    Answer(u16),
    /// Answers 503 and asks to come again after so many seconds.
    Busy(u64),
    /// Answers 200 after this time.
    Takes(Duration),
    /// Answers nothing.
    Hangs,
}

type Decide = Box<dyn Fn(&str, &Value) -> Does + Send>;

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) at: Instant,
    pub(crate) url: String,
    pub(crate) headers: HashMap<&'static str, String>,
    /// The feed entry.
    pub(crate) entry: Value,
    /// Whether it was answered with a success.
    pub(crate) taken: bool,
}

/// A receiver; all clones are one.
#[derive(Clone)]
pub(crate) struct Receiver(Arc<Inner>);

struct Inner {
    decide: Mutex<Decide>,
    arrived: Mutex<Vec<Arrived>>,
    in_flight: AtomicUsize,
    in_flight_most: AtomicUsize,
    lanes_in_flight: Mutex<HashSet<String>>,
}

impl Receiver {
    /// One that takes everything.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            decide: Mutex::new(Box::new(|_, _| Does::Answer(200))),
            arrived: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            in_flight_most: AtomicUsize::new(0),
            lanes_in_flight: Mutex::default(),
        }))
    }

    pub(crate) fn outbound(&self) -> Outbound {
        self.outbound_with(Vault::default())
    }

    pub(crate) fn outbound_with(&self, vault: Vault) -> Outbound {
        Outbound::new(Arc::new(self.clone()), vault)
    }

    /// From now on it does this.
    pub(crate) fn does(&self, decide: impl Fn(&Value) -> Does + Send + 'static) {
        *self.0.decide.lock().unwrap() = Box::new(move |_, entry| decide(entry));
    }

    /// From now on it does this, by the address that it is reached at.
    pub(crate) fn does_by_url(&self, decide: impl Fn(&str) -> Does + Send + 'static) {
        *self.0.decide.lock().unwrap() = Box::new(move |url, _| decide(url));
    }

    /// Everything that arrived.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.0.arrived.lock().unwrap().clone()
    }

    /// The numbers of the entries that it took, in order, again where they came again.
    pub(crate) fn taken(&self) -> Vec<u64> {
        let arrived = self.arrived();
        let taken = arrived.iter().filter(|arrived| arrived.taken);
        taken.map(|arrived| arrived.entry["seq"].as_u64().unwrap_or_default()).collect()
    }

    /// The numbers of the entries of each account that it took, in order.
    pub(crate) fn taken_by_account(&self) -> HashMap<String, Vec<u64>> {
        let mut by_account: HashMap<String, Vec<u64>> = HashMap::new();
        for arrived in self.arrived().into_iter().filter(|arrived| arrived.taken) {
            let Some(account) = arrived.entry["account"].as_str() else { continue };
            let seq = arrived.entry["seq"].as_u64().unwrap();
            by_account.entry(account.to_owned()).or_default().push(seq);
        }
        by_account
    }

    /// Forgets what arrived.
    pub(crate) fn forget(&self) {
        self.0.arrived.lock().unwrap().clear();
    }

    /// Requests that were in flight at once, at most.
    pub(crate) fn in_flight_most(&self) -> usize {
        self.0.in_flight_most.load(Ordering::Relaxed)
    }

    async fn receive(self, request: Outgoing) -> Result<Answered, EgressError> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let entry = body["data"].clone();
        let lane = format!("{} {}{}", request.url, entry["account"], entry["group"]);
        assert!(
            self.0.lanes_in_flight.lock().unwrap().insert(lane.clone()),
            "one at a time of each lane: {entry}",
        );
        let _leaves = Leaves(&self.0, lane);
        let now = self.0.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.in_flight_most.fetch_max(now, Ordering::Relaxed);
        let does = (self.0.decide.lock().unwrap())(&request.url, &entry);
        let taken = matches!(does, Does::Answer(200..=299) | Does::Takes(_));
        let headers = request.headers.into_iter().collect();
        let arrived = Arrived { at: Instant::now(), url: request.url, headers, entry, taken };
        self.0.arrived.lock().unwrap().push(arrived);
        let answered =
            |status, retry_after| Ok(Answered { status, retry_after, body: b"thanks".to_vec() });
        match does {
            Does::Answer(status) => answered(status, None),
            Does::Busy(seconds) => answered(503, Some(Duration::from_secs(seconds))),
            Does::Takes(time) => {
                tokio::time::sleep(time).await;
                answered(200, None)
            }
            Does::Hangs => std::future::pending().await,
        }
    }
}

/// A request that has ended, or was given up.
struct Leaves<'a>(&'a Inner, String);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.lanes_in_flight.lock().unwrap().remove(&self.1);
    }
}

impl Egress for Receiver {
    fn check(&self, _: String) -> BoxFuture<'static, Result<(), EgressError>> {
        Box::pin(async { Ok(()) })
    }

    fn send(&self, request: Outgoing) -> BoxFuture<'static, Result<Answered, EgressError>> {
        Box::pin(self.clone().receive(request))
    }
}
