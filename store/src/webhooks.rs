//! Where webhooks, their positions and their deliveries are kept.

use access::WebhookId;
use access::webhook::{Delivery, Position, Webhook};

use crate::document::{Collection, Document, DocumentKey};

impl Document for Webhook {
    const COLLECTION: Collection = Collection::Webhooks;

    fn key(&self) -> DocumentKey {
        DocumentKey::webhook(self.id)
    }
}

impl Document for Position {
    const COLLECTION: Collection = Collection::WebhookPositions;

    fn key(&self) -> DocumentKey {
        DocumentKey::webhook(self.webhook)
    }
}

impl Document for Delivery {
    const COLLECTION: Collection = Collection::Deliveries;

    fn key(&self) -> DocumentKey {
        DocumentKey::webhook(self.webhook).then_number(self.seq)
    }
}

impl DocumentKey {
    /// The key of a webhook and of its position, and the prefix of those of its deliveries.
    pub fn webhook(webhook: WebhookId) -> Self {
        Self::id(webhook.as_bytes())
    }
}
