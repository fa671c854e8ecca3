//! What a connection is doing, and for how long it may.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::Limits;

/// The span in which abandoned requests are counted.
const ABANDONED_WINDOW: Duration = Duration::from_secs(10);

/// How long a closing connection may take: long enough for the peer to read the last
/// response, and no longer.
const FAREWELL: Duration = Duration::from_secs(1);

/// Time for one round trip: an idle HTTP/2 peer learns of the end and confirms it.
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The clock of one connection. Its transport and its requests report to it; the task of
/// the connection asks it for a [`Verdict`].
#[derive(Debug)]
pub(super) struct Pace {
    protocol: Protocol,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    since: Instant,
    in_flight: u32,
    abandoned: u32,
    abandoned_since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is going on.
    Idle,
    /// A request head is arriving (HTTP/1 only).
    Head,
    /// At least one request is being answered.
    Exchange,
    /// Our side is shut; the peer should go.
    Farewell,
}

/// Whether a connection may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes, at least until then.
    Until(Instant),
    /// It idled for too long and may close in good order.
    Idle,
    /// A stage took too long, or the peer abuses us.
    Cut(&'static str),
}

impl Pace {
    pub(super) fn new(protocol: Protocol, limits: Arc<Limits>) -> Self {
        let now = Instant::now();
        let state = State {
            stage: Stage::Idle,
            since: now,
            in_flight: 0,
            abandoned: 0,
            abandoned_since: now,
        };
        Self {
            protocol,
            limits,
            state: Mutex::new(state),
        }
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        if self.protocol == Protocol::Http1 {
            let mut state = self.state.lock();
            if state.stage == Stage::Idle {
                state.enter(Stage::Head);
            }
        }
    }

    /// A request head is complete: the request is in flight until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        let mut state = self.state.lock();
        state.in_flight += 1;
        state.enter(Stage::Exchange);
        InFlight {
            pace: Arc::clone(self),
            answered: false,
        }
    }

    /// Our side of the connection was shut.
    pub(super) fn said_farewell(&self) {
        let mut state = self.state.lock();
        if state.stage != Stage::Farewell {
            state.enter(Stage::Farewell);
        }
    }

    /// How long the peer may take to confirm the end of an idle connection. HTTP/1 has no
    /// such confirmation: at most a response is left that nobody reads.
    pub(super) fn goodbye(&self) -> Duration {
        match self.protocol {
            Protocol::Http1 => Duration::ZERO,
            Protocol::Http2 => GOODBYE,
        }
    }

    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let state = self.state.lock();
        let http1 = self.protocol == Protocol::Http1;
        if state.abandoned > self.limits.abandoned && !http1 {
            return Verdict::Cut("too many abandoned requests");
        }
        let (limit, overdue) = match state.stage {
            Stage::Idle if http1 => (self.limits.idle, Verdict::Idle),
            Stage::Idle => (self.limits.idle_http2, Verdict::Idle),
            Stage::Head => (self.limits.head, Verdict::Cut("the request head took too long")),
            Stage::Exchange if http1 => (self.limits.exchange, Verdict::Cut("the exchange took too long")),
            // The streams of HTTP/2 are limited one by one.
            Stage::Exchange => return Verdict::Until(now + self.limits.exchange),
            Stage::Farewell => (FAREWELL, Verdict::Cut("the peer did not close")),
        };
        let until = state.since + limit;
        if now < until {
            Verdict::Until(until)
        } else {
            overdue
        }
    }
}

impl State {
    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    pace: Arc<Pace>,
    answered: bool,
}

impl InFlight {
    /// A response exists; what the client does now is no longer "abandoning".
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.pace.state.lock();
        state.in_flight -= 1;
        if state.in_flight == 0 && state.stage == Stage::Exchange {
            state.enter(Stage::Idle);
        }
        if !self.answered {
            if state.abandoned_since.elapsed() >= ABANDONED_WINDOW {
                state.abandoned = 0;
                state.abandoned_since = Instant::now();
            }
            state.abandoned += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(protocol: Protocol) -> Arc<Pace> {
        Arc::new(Pace::new(protocol, Arc::new(Limits::default())))
    }

    fn allowed(pace: &Pace) -> Option<Duration> {
        let now = Instant::now();
        match pace.verdict(now) {
            Verdict::Until(until) => Some(until - now),
            Verdict::Idle | Verdict::Cut(_) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_stage_has_its_own_limit() {
        let limits = Limits::default();
        let pace = pace(Protocol::Http1);
        assert_eq!(allowed(&pace), Some(limits.idle));
        pace.received();
        assert_eq!(allowed(&pace), Some(limits.head));
        let request = pace.begin();
        assert_eq!(allowed(&pace), Some(limits.exchange));
        drop(request);
        assert_eq!(allowed(&pace), Some(limits.idle));
        pace.said_farewell();
        assert_eq!(allowed(&pace), Some(FAREWELL));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_does_not_prolong_the_head() {
        let pace = pace(Protocol::Http1);
        for _ in 0..15 {
            pace.received();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(matches!(pace.verdict(Instant::now()), Verdict::Cut(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn abandoned_requests_are_counted_within_a_window() {
        let limits = Limits::default();
        let pace = pace(Protocol::Http2);
        for _ in 0..limits.abandoned {
            drop(pace.begin());
        }
        tokio::time::advance(ABANDONED_WINDOW).await;
        drop(pace.begin());
        assert!(matches!(pace.verdict(Instant::now()), Verdict::Until(_)));
        for _ in 0..limits.abandoned {
            drop(pace.begin());
        }
        assert!(matches!(pace.verdict(Instant::now()), Verdict::Cut(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_request_is_not_abandoned() {
        let pace = pace(Protocol::Http2);
        for _ in 0..1_000 {
            pace.begin().answered();
        }
        assert!(matches!(pace.verdict(Instant::now()), Verdict::Until(_)));
    }
}
