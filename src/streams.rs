//! How many streams go on at once: each keeps a connection and a little memory for as long as its
//! reader likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use store::TenantKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams of the feed at once, and of one tenant.
const STREAMS_MAX: usize = 256;
const STREAMS_PER_TENANT_MAX: usize = 32;
/// Streams of web pages: smaller, and one goes on for some seconds after its page was left.
const PAGES_MAX: usize = 1_024;
const PAGES_PER_TENANT_MAX: usize = 256;

/// The streams that go on.
pub struct Streams {
    all: Arc<Semaphore>,
    per_tenant_max: usize,
    of_tenants: Mutex<HashMap<TenantKey, Arc<Semaphore>>>,
}

/// The right to stream, until it is dropped.
pub struct Seat {
    _all: OwnedSemaphorePermit,
    _of_tenant: OwnedSemaphorePermit,
}

impl Streams {
    /// For readers of the feed.
    pub fn of_feed() -> Self {
        Self::new(STREAMS_MAX, STREAMS_PER_TENANT_MAX)
    }

    /// For web pages.
    pub fn of_pages() -> Self {
        Self::new(PAGES_MAX, PAGES_PER_TENANT_MAX)
    }

    fn new(all_max: usize, per_tenant_max: usize) -> Self {
        let all = Arc::new(Semaphore::new(all_max));
        Self { all, per_tenant_max, of_tenants: Mutex::default() }
    }

    /// Takes a seat for a stream of this tenant; none if there are too many.
    pub fn take(&self, tenant: TenantKey) -> Option<Seat> {
        let own = {
            let mut tenants = self.of_tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(self.per_tenant_max));
            Arc::clone(tenants.entry(tenant).or_insert_with(new))
        };
        let of_tenant = own.try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Seat { _all: all, _of_tenant: of_tenant })
    }

    /// Forgets a tenant that was deleted.
    pub fn forget(&self, tenant: TenantKey) {
        self.of_tenants.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_does_not_take_every_seat_and_seats_are_given_back() {
        let streams = Streams::of_feed();
        let taken: Vec<Seat> =
            (0..STREAMS_PER_TENANT_MAX).filter_map(|_| streams.take(TenantKey::SERVICE)).collect();
        assert_eq!(taken.len(), STREAMS_PER_TENANT_MAX);
        assert!(streams.take(TenantKey::SERVICE).is_none());

        drop(taken);

        assert!(streams.take(TenantKey::SERVICE).is_some());
    }
}
