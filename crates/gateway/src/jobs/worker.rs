//! Runs a job regularly until the server stops, even if a run fails.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use genkan_store::outbox;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// One run of a job.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

/// A task beside the requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    /// The text of the log if it fails.
    pub(super) what: &'static str,
    pub(super) pace: Pace,
    pub(super) run: fn(App) -> Run,
}

/// When a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At the start, once. A server that stops does not wait for its end.
    Once,
    /// At the start and after each pause.
    AtOnceAndEvery(Duration),
    /// After each pause.
    Every(Duration),
    /// As [`Pace::AtOnceAndEvery`], and as soon as a message of this kind is queued.
    Woken(Duration, outbox::Kind),
}

impl Job {
    /// Runs the job at its pace until `stop` is cancelled. It checks that between two runs.
    pub(super) async fn work(self, app: App, stop: CancellationToken) {
        match self.pace {
            Pace::Once => {
                stop.run_until_cancelled(self.attempt(&app)).await;
            }
            Pace::Every(period) => {
                let never = std::future::pending;
                if rest(period, never(), &stop).await {
                    self.every(period, never, &app, &stop).await;
                }
            }
            Pace::AtOnceAndEvery(period) => self.every(period, std::future::pending, &app, &stop).await,
            Pace::Woken(period, kind) => {
                let wake = || app.delivery_woken(kind);
                self.every(period, wake, &app, &stop).await;
            }
        }
    }

    async fn every<W: Future<Output = ()>>(
        &self,
        period: Duration,
        wake: impl Fn() -> W,
        app: &App,
        stop: &CancellationToken,
    ) {
        while !stop.is_cancelled() {
            self.attempt(app).await;
            rest(period, wake(), stop).await;
        }
    }

    /// A failure, even a panic, is logged. The next run may succeed.
    async fn attempt(&self, app: &App) {
        match AssertUnwindSafe((self.run)(app.clone())).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = &*error as &dyn Error, "{} failed", self.what),
            // The panic itself is logged already.
            Err(_) => tracing::error!("{} panicked", self.what),
        }
    }
}

/// Waits for about `period`, or until `wake`. Returns whether to go on.
async fn rest(period: Duration, wake: impl Future<Output = ()>, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = wake => true,
        () = tokio::time::sleep(jittered(period)) => true,
        () = stop.cancelled() => false,
    }
}

/// Up to a tenth more or less, so that nodes that started together do not run at the same moments.
fn jittered(period: Duration) -> Duration {
    let mut random = [0; 2];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return period;
    }
    let permille = 900 + u32::from(u16::from_le_bytes(random)) % 201;
    period * permille / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_a_tenth_longer_or_shorter_at_most() {
        let period = Duration::from_mins(10);
        let rests: Vec<_> = (0..1000).map(|_| jittered(period)).collect();
        assert!(rests.iter().all(|rest| rest.as_secs().abs_diff(600) <= 60));
        assert!(rests.iter().any(|rest| *rest != rests[0]));
    }

    #[tokio::test]
    async fn a_rest_ends_when_it_is_woken_and_when_the_server_stops() {
        let (period, stop) = (Duration::from_hours(1), CancellationToken::new());
        assert!(rest(period, std::future::ready(()), &stop).await);
        stop.cancel();
        assert!(!rest(period, std::future::pending(), &stop).await);
        assert!(rest(Duration::ZERO, std::future::pending(), &CancellationToken::new()).await);
    }
}
