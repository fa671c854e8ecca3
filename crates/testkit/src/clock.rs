//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use genkan_protocol::Timestamp;

/// 2026-06-01, 12:00 UTC: when every test begins.
pub const BEGINNING: Timestamp = Timestamp::from_secs(1_780_315_200);

/// A clock that stands still until a test moves it. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(BEGINNING.as_micros())))
    }
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Lets time pass. Whoever waits for real time notices nothing.
    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}
