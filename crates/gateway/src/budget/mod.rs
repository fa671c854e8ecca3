//! The budgets of strangers on this node.
//!
//! Work is counted for each client address (see [`Source`]), in units. A page costs
//! one; to store rows, to sign, or to call an identity provider costs more. An answer
//! that tells whether a guess was right costs most, so that nobody can harvest by it.
//! [`crate::anonymous`] charges each request.
//!
//! `docs/decisions/anonymous-work.md` gives the reasons.

mod answers;
mod buckets;
mod slices;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_web::listener::Source;

pub(crate) use answers::{Answers, Attempt};
use buckets::{Buckets, Withdrawal};
pub(crate) use slices::{SLICE, SliceRest, Slices};

/// The limits; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Units of one client in a minute.
    pub per_minute: u32,
    /// Requests of one client in a minute whose credentials were wrong.
    pub wrong_credentials_per_minute: u32,
    /// Answers at one connection in a minute that its provider did not accept.
    pub failed_answers_per_minute: u32,
}

impl Policy {
    /// Without a limit: for tests of something else.
    pub const OFF: Self = Self {
        per_minute: 0,
        wrong_credentials_per_minute: 0,
        failed_answers_per_minute: 0,
    };
}

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Any request for a page of a sign-in.
    Page,
    /// Beginning a sign-in or a test: a row is stored.
    Begin,
    /// More text to store with it; the first KiB is free.
    Keep { bytes: usize },
    /// The way to an identity provider or back, for which we may call it.
    Provider,
    /// A signature.
    Sign,
    /// A guess that was wrong: an e-mail domain, a link, an invitation.
    Miss,
}

impl Work {
    /// A whole sign-in comes to about twenty units.
    const fn units(self) -> u32 {
        match self {
            Self::Page => 1,
            #[expect(clippy::cast_possible_truncation, reason = "a request is smaller")]
            Self::Keep { bytes } => (bytes / 1024) as u32,
            Self::Begin | Self::Provider | Self::Sign => 4,
            Self::Miss => 20,
        }
    }
}

/// The client's budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests from this address")]
pub struct LimitExceeded {
    /// Whole seconds, at least one.
    pub retry_after: Duration,
}

impl LimitExceeded {
    pub(crate) fn after(wait: Duration) -> Self {
        Self {
            retry_after: Duration::from_secs(wait.as_secs() + 1),
        }
    }
}

/// The budgets of this node.
#[derive(Debug)]
pub(crate) struct Limiter {
    work: Buckets,
    wrong_credentials: Buckets,
    pub(crate) answers: Answers,
    pub(crate) slices: Slices,
    refusals: LogThrottle,
    forwarders: LogThrottle,
}

impl Limiter {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            work: Buckets::new(policy.per_minute),
            wrong_credentials: Buckets::new(policy.wrong_credentials_per_minute),
            answers: Answers::new(policy.failed_answers_per_minute),
            slices: Slices::new(policy.per_minute),
            refusals: LogThrottle::default(),
            forwarders: LogThrottle::default(),
        }
    }

    /// Counts `work` of a client.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`] if its budget is used up.
    pub(crate) fn charge(&self, now: Timestamp, source: Source, work: Work) -> Result<(), LimitExceeded> {
        self.take(now, source, work).map(drop)
    }

    fn take(&self, now: Timestamp, source: Source, work: Work) -> Result<Withdrawal, LimitExceeded> {
        if source == Source::Forwarder {
            self.forwarders.log(now, || {
                tracing::warn!(
                    "requests come with forwarded headers from an address that proxy.trusted_networks does not name: \
                     all of them share one budget. If that is your proxy, name it there"
                );
            });
        }
        self.work.take(&source, work.units()).map_err(|wait| {
            self.complain(now, source, "anonymous requests");
            LimitExceeded::after(wait)
        })
    }

    /// Reserves the cost of a wrong guess.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`] if the client has less than that left.
    pub(crate) fn guess(&self, now: Timestamp, source: Source) -> Result<Guess<'_>, LimitExceeded> {
        let taken = self.take(now, source, Work::Miss)?;
        Ok(Guess(Some((self, source, taken))))
    }

    /// Counts a request whose credentials were wrong.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`] if there were too many.
    pub(crate) fn wrong_credentials(&self, now: Timestamp, source: Source) -> Result<(), LimitExceeded> {
        self.wrong_credentials.take(&source, 1).map(drop).map_err(|wait| {
            self.complain(now, source, "requests with wrong credentials");
            LimitExceeded::after(wait)
        })
    }

    fn complain(&self, now: Timestamp, source: Source, of: &str) {
        self.refusals
            .log(now, || tracing::warn!(%source, "too many {of}: some are refused"));
    }
}

/// Units that are reserved for a guess until its answer is known.
///
/// A guess is paid first and refunded if it was right. Otherwise a client with fewer
/// units than a guess costs could tell a wrong guess from a right one by the refusal, at
/// the price of a page.
#[derive(Debug)]
#[must_use = "a right guess is given back"]
pub struct Guess<'a>(Option<(&'a Limiter, Source, Withdrawal)>);

impl Guess<'_> {
    /// The guess of no client: there is no request from outside.
    pub(crate) const NONE: Self = Self(None);

    /// Refunds it: the guess was right.
    pub fn give_back(self) {
        if let Some((limiter, source, taken)) = self.0 {
            limiter.work.give_back(&source, taken);
        }
    }
}

/// A line in the log now and then, and not for each request.
#[derive(Debug)]
struct LogThrottle(AtomicI64);

impl Default for LogThrottle {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl LogThrottle {
    const EVERY_SECS: i64 = 600;

    fn log(&self, now: Timestamp, line: impl FnOnce()) {
        let now = now.as_secs();
        let is_due = |last: i64| (now.saturating_sub(last) >= Self::EVERY_SECS).then_some(now);
        if self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due)
            .is_ok()
        {
            line();
        }
    }
}
