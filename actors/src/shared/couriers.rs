//! Which of a tenant's couriers live, and which rest after a failure.
//!
//! Not here: what a courier does (`courier`), when it is started again (`tenant`).

use std::sync::Arc;
use std::time::Duration;

use access::WebhookId;
use ractor::ActorRef;

use super::{Shared, read, write};
use crate::courier::CourierMessage;
use crate::observe::Observed;

/// A live courier and its counters.
pub(crate) type LiveCourier = (ActorRef<CourierMessage>, Arc<Observed>);

impl Shared {
    pub(crate) fn courier_started(
        &self,
        webhook: WebhookId,
        courier: ActorRef<CourierMessage>,
        observed: Arc<Observed>,
    ) {
        write(&self.couriers).insert(webhook, (courier, observed));
        self.courier_gone(webhook);
    }

    pub(crate) fn courier_ended(&self, webhook: WebhookId) {
        write(&self.couriers).remove(&webhook);
    }

    /// A webhook's courier failed, and is started again after a rest.
    pub(crate) fn courier_rests(&self, webhook: WebhookId, observed: Arc<Observed>) {
        write(&self.resting_couriers).insert(webhook, observed);
    }

    /// A webhook's courier does not rest any more.
    pub(crate) fn courier_gone(&self, webhook: WebhookId) {
        write(&self.resting_couriers).remove(&webhook);
    }

    /// A webhook's courier, if it is live.
    pub(crate) fn courier(&self, webhook: WebhookId) -> Option<LiveCourier> {
        read(&self.couriers).get(&webhook).cloned()
    }

    /// Ends all couriers: each writes what it has done first, for at most `wait`.
    pub(crate) async fn stop_couriers(&self, wait: Duration) {
        let couriers: Vec<_> = write(&self.couriers).drain().map(|(_, (actor, _))| actor).collect();
        let stop = couriers.iter().map(|courier| courier.stop_and_wait(None, Some(wait)));
        // One that does not end in time delivers a few events again in its next life.
        let _ = futures_util::future::join_all(stop).await;
    }

    /// The counters of the couriers that are live, and of those that failed and rest.
    pub fn couriers(&self) -> Vec<(WebhookId, Arc<Observed>)> {
        let mut couriers: Vec<_> =
            read(&self.couriers).iter().map(|(id, (_, seen))| (*id, Arc::clone(seen))).collect();
        let resting = read(&self.resting_couriers);
        couriers.extend(resting.iter().map(|(id, seen)| (*id, Arc::clone(seen))));
        couriers.sort_unstable_by_key(|(id, _)| *id);
        couriers
    }
}
