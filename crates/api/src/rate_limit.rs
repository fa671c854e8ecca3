//! How often one client may call.

use std::num::NonZeroU32;
use std::time::Duration;

use genkan_store::ClientId;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// A limit; the default is 12,000 calls a minute with bursts of 2,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls per minute and client; `None` means no limit.
    pub per_minute: Option<NonZeroU32>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            per_minute: NonZeroU32::new(12_000),
        }
    }
}

/// The clients' buckets. Only authenticated clients have one, so there are as
/// many as clients.
#[derive(Debug)]
pub(crate) struct Limiter(Option<RateLimiter<ClientId, HashMapStateStore<ClientId>, DefaultClock>>);

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self(limit.per_minute.map(|per_minute| {
            let burst = NonZeroU32::new(per_minute.get().div_ceil(6)).unwrap_or(NonZeroU32::MIN);
            RateLimiter::hashmap(Quota::per_minute(per_minute).allow_burst(burst))
        }))
    }

    /// Counts a call; after too many, returns how long to wait.
    pub(crate) fn count(&self, client: &ClientId) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter
            .check_key(client)
            .map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    }
}
