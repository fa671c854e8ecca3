//! A clock that stands still until a test moves it, or the clock of this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use genkan::server;
use genkan_protocol::Timestamp;

/// 2026-06-01, 12:00 UTC: the start of every test.
pub const BEGINNING: Timestamp = Timestamp::from_secs(1_780_315_200);

/// A clock that stands still until a test moves it. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock {
    micros: Arc<AtomicI64>,
    /// If so, `micros` is how far it is ahead of this machine's clock.
    runs: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(BEGINNING.as_micros())),
            runs: false,
        }
    }
}

impl Clock {
    /// The clock of this machine, which other processes have, too.
    pub fn running() -> Self {
        Self {
            micros: Arc::default(),
            runs: true,
        }
    }

    pub fn now(&self) -> Timestamp {
        let micros = self.micros.load(Ordering::SeqCst);
        let since = if self.runs { server::now().as_micros() } else { 0 };
        Timestamp::from_micros(since + micros)
    }

    /// Moves the clock. Real time-outs do not notice it.
    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap();
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}
