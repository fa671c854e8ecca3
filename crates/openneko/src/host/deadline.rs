//! The one time-out of a call.

use std::time::Duration;

use openneko_sandbox::SandboxError;
use tokio::time::{Instant, timeout_at};

use super::Error;

/// When a call must have ended. Each wait in it has the rest of the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    whole: Duration,
}

impl Deadline {
    pub(super) fn after(whole: Duration) -> Self {
        Self {
            at: Instant::now() + whole,
            whole,
        }
    }

    /// The rest of the time.
    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The outcome of `work`, if it ends in time.
    pub(super) async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let done = timeout_at(self.at, work).await;
        done.map_err(|_| Error::Sandbox(SandboxError::Timeout(self.whole)))
    }

    /// An engine reports the time that it had; people expect the time-out of the whole call.
    pub(super) fn whole(&self, error: SandboxError) -> SandboxError {
        match error {
            SandboxError::Timeout(_) => SandboxError::Timeout(self.whole),
            error => error,
        }
    }
}
