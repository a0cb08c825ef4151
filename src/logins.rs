//! Failed logins: counted by address, slowed down, and told of.
//!
//! Whoever holds a right token is never refused because of others at the same address: directories
//! share theirs. So the token is looked at first, and only what fails is counted here. The address
//! is that of the connection; what a header says of it is not believed.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use access::TokenId;
use axum::http::Extensions;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Failed logins of one address in a minute before more are slowed down, if nothing else is said.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Addresses that are counted at once; beyond, all others count as one.
const ADDRESSES_MAX: usize = 65_536;
/// How often addresses that have been quiet are forgotten, at most.
const TIDIED_EVERY: Duration = Duration::from_secs(10);
/// Failed logins a second that are told of in the log.
const TOLD_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The address at the other end of a request's connection; stands in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The address that a request came from, if it is known.
    pub fn of(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<Self>().map(|peer| peer.0)
    }
}

/// Where logins come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    V4(Ipv4Addr),
    /// One network of IPv6, which is one customer's.
    V6Network(u64),
    /// All that there is no room to count, and what has no address.
    Others,
}

/// The logins that failed lately.
pub struct FailedLogins {
    limiter: DefaultKeyedRateLimiter<Source>,
    told: DefaultDirectRateLimiter,
    tidied: Mutex<Option<Instant>>,
    addresses_max: usize,
    counts_loopback: bool,
}

impl FailedLogins {
    /// So many may fail in a minute from one address before more are slowed down. Where nothing is
    /// said, connections from this very machine are not counted: they are those of a proxy, which
    /// stands for everybody.
    pub fn new(per_minute: Option<NonZeroU32>) -> Self {
        let counts_loopback = per_minute.is_some();
        let per_minute = per_minute.unwrap_or(PER_MINUTE);
        Self {
            limiter: RateLimiter::keyed(Quota::per_minute(per_minute)),
            told: RateLimiter::direct(Quota::per_second(TOLD_PER_SECOND)),
            tidied: Mutex::default(),
            addresses_max: ADDRESSES_MAX,
            counts_loopback,
        }
    }

    /// The same, with this machine's own connections counted in any case. For people: a proxy that
    /// stands for all of them does not fail often, and a right token is taken all the same.
    pub fn counting_all(per_minute: Option<NonZeroU32>) -> Self {
        Self::new(Some(per_minute.unwrap_or(PER_MINUTE)))
    }

    /// A login failed. Says how long to wait if there were too many.
    pub fn failed(
        &self,
        from: Option<IpAddr>,
        area: &'static str,
        tenant: Option<&str>,
    ) -> Result<(), Duration> {
        self.failed_with(from, area, tenant, None)
    }

    /// The same, with the token that was presented after it had expired.
    pub fn failed_with(
        &self,
        from: Option<IpAddr>,
        area: &'static str,
        tenant: Option<&str>,
        expired: Option<TokenId>,
    ) -> Result<(), Duration> {
        let is_loopback = from.is_some_and(|address| address.to_canonical().is_loopback());
        let is_counted = self.counts_loopback || !is_loopback;
        let checked = if is_counted { self.limiter.check_key(&self.source(from)) } else { Ok(()) };
        let slowed = if checked.is_ok() { "false" } else { "true" };
        metrics::counter!("slackwater_failed_logins_total", "area" => area, "slowed" => slowed)
            .increment(1);
        if checked.is_ok() && self.told.check().is_ok() {
            let address = from.map(|address| address.to_string());
            let expired = expired.map(|token| token.to_string());
            tracing::warn!(area, tenant.id = tenant, address, expired, "a login failed");
        }
        checked.map_err(|refused| refused.wait_time_from(DefaultClock::default().now()))
    }

    fn source(&self, from: Option<IpAddr>) -> Source {
        if self.limiter.len() >= self.addresses_max && !self.tidy() {
            return Source::Others;
        }
        from.map_or(Source::Others, Source::of)
    }

    /// Forgets who has been quiet. Answers whether there is room then.
    fn tidy(&self) -> bool {
        {
            let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
            if tidied.is_some_and(|at| at.elapsed() < TIDIED_EVERY) {
                return false;
            }
            *tidied = Some(Instant::now());
        }
        self.limiter.retain_recent();
        self.limiter.len() < self.addresses_max
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64;
                Self::V6Network(u64::try_from(network).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Option<NonZeroU32> = NonZeroU32::new(3);

    fn fails(logins: &FailedLogins, from: &str) -> bool {
        logins.failed(Some(from.parse().unwrap()), "scim", None).is_ok()
    }

    #[test]
    fn an_address_that_fails_too_often_waits_and_others_do_not() {
        let logins = FailedLogins::new(THREE);
        for _ in 0..3 {
            assert!(fails(&logins, "192.0.2.1"));
        }
        let wait = logins.failed(Some("192.0.2.1".parse().unwrap()), "scim", None).unwrap_err();
        assert!(wait <= Duration::from_mins(1), "{wait:?}");
        assert!(!fails(&logins, "::ffff:192.0.2.1"));
        assert!(fails(&logins, "192.0.2.2"));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let logins = FailedLogins::new(THREE);
        for host in 1..=3 {
            assert!(fails(&logins, &format!("2001:db8:0:1::{host}")));
        }
        assert!(!fails(&logins, "2001:db8:0:1:ffff::9"));
        assert!(fails(&logins, "2001:db8:0:2::1"));
    }

    #[test]
    fn a_proxy_on_this_machine_is_counted_only_if_a_number_was_given() {
        let logins = FailedLogins::new(None);
        assert!((0..100).all(|_| fails(&logins, "127.0.0.1") && fails(&logins, "::1")));
        assert!(!(0..100).all(|_| fails(&logins, "192.0.2.1")));
        let logins = FailedLogins::new(THREE);
        assert!(!(0..4).all(|_| fails(&logins, "127.0.0.1")));
    }

    #[test]
    fn those_that_there_is_no_room_to_count_count_as_one() {
        let logins = FailedLogins { addresses_max: 2, ..FailedLogins::new(THREE) };
        assert!(fails(&logins, "192.0.2.1") && fails(&logins, "192.0.2.2"));
        for host in 3..=5 {
            assert!(fails(&logins, &format!("192.0.2.{host}")));
        }
        assert!(!fails(&logins, "192.0.2.6"));
        assert!(logins.limiter.len() <= 3);
    }
}
