//! The couriers of a tenant: one for each webhook, started again after a rest when one fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::WebhookId;
use access::webhook::{WEBHOOKS_MAX, Webhook};
use ractor::{Actor, ActorId, ActorRef};

use super::TenantMessage;
use crate::courier::{CourierActor, CourierArguments};
use crate::observe::{Cause, Kind, Observed};
use crate::shared::Shared;

/// How long a failed courier rests before it is started again, at first and at most.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(30);

pub(super) struct Couriers {
    shared: Arc<Shared>,
    ids: HashMap<ActorId, WebhookId>,
    /// Those that failed, with how often, and their counters.
    failed: HashMap<WebhookId, (u32, Arc<Observed>)>,
}

impl Couriers {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, ids: HashMap::new(), failed: HashMap::new() }
    }

    /// Starts the couriers of all webhooks.
    pub(super) async fn start_all(&mut self, myself: &ActorRef<TenantMessage>) {
        let snapshot = self.shared.snapshot();
        let webhooks = snapshot.and_then(|snapshot| {
            snapshot.documents::<Webhook>(self.shared.key, None, WEBHOOKS_MAX)
        });
        match webhooks {
            Ok(webhooks) => {
                for webhook in webhooks {
                    if webhook.deleted {
                        crate::service::webhooks::finish_delete(&self.shared, webhook.id);
                    } else {
                        self.start(myself, webhook.id).await;
                    }
                }
            }
            Err(error) => {
                tracing::error!(tenant.id = %self.shared.id, %error, "webhooks cannot be read");
                myself.send_after(REST_MAX, || TenantMessage::StartCouriers);
            }
        }
    }

    /// Starts a webhook's courier, unless there is one or the webhook is gone.
    pub(super) async fn start(&mut self, myself: &ActorRef<TenantMessage>, id: WebhookId) {
        if self.shared.courier(id).is_some() {
            return;
        }
        if self.is_gone(id) {
            self.forget(id);
            return;
        }
        let observed = self.failed.get(&id).map(|(_, observed)| Arc::clone(observed));
        let observed = observed.unwrap_or_else(new_observed);
        let (shared, seen) = (Arc::clone(&self.shared), Arc::clone(&observed));
        let arguments = CourierArguments { id, shared, observed: seen };
        match CourierActor::spawn_linked(None, CourierActor, arguments, myself.get_cell()).await {
            Ok((courier, _)) => {
                self.ids.insert(courier.get_id(), id);
                observed.started();
                self.shared.courier_started(id, courier.clone(), observed);
                // Who deletes a webhook ends the courier that it finds: this one came too late.
                if self.is_gone(id) {
                    courier.stop(None);
                }
            }
            Err(error) => {
                tracing::error!(
                    tenant.id = %self.shared.id, webhook.id = %id, %error,
                    "a courier could not be started",
                );
                self.rest(myself, id, observed, (&error.to_string(), Cause::Start));
            }
        }
    }

    /// Whether it was a courier that ended.
    pub(super) fn ended(
        &mut self,
        myself: &ActorRef<TenantMessage>,
        actor: ActorId,
        failure: Option<(&str, Cause)>,
    ) -> bool {
        let Some(id) = self.ids.remove(&actor) else { return false };
        let observed = self.shared.courier(id).map(|(_, observed)| observed);
        self.shared.courier_ended(id);
        match failure {
            Some(failure) => {
                self.rest(myself, id, observed.unwrap_or_else(new_observed), failure);
            }
            // It was told to end: its webhook is gone, or the service stops.
            None => self.forget(id),
        }
        true
    }

    fn forget(&mut self, id: WebhookId) {
        self.failed.remove(&id);
        self.shared.courier_gone(id);
    }

    /// Whether a webhook is certainly gone.
    fn is_gone(&self, id: WebhookId) -> bool {
        self.shared.snapshot().is_ok_and(|snapshot| {
            let key = store::DocumentKey::webhook(id);
            let kept = snapshot.document::<Webhook>(self.shared.key, &key);
            kept.is_ok_and(|kept| kept.is_none_or(|kept| kept.value.deleted))
        })
    }

    fn rest(
        &mut self,
        myself: &ActorRef<TenantMessage>,
        id: WebhookId,
        observed: Arc<Observed>,
        (error, cause): (&str, Cause),
    ) {
        observed.failed(error, cause);
        if self.is_gone(id) {
            self.forget(id);
            return;
        }
        self.shared.courier_rests(id, Arc::clone(&observed));
        let (failures, _) = self.failed.entry(id).or_insert((0, observed));
        let rest = REST_MIN.saturating_mul(1 << (*failures).min(16)).min(REST_MAX);
        *failures = failures.saturating_add(1);
        myself.send_after(rest, move || TenantMessage::StartCourier(id));
    }
}

fn new_observed() -> Arc<Observed> {
    Arc::new(Observed::new(Kind::Courier))
}
