//! What strangers may ask for: work that is done before anybody is known.
//!
//! Every page of a sign-in is such work. It is counted for each client address
//! (see [`Source`]), in units: a page is one, and what stores rows, signs or
//! calls an identity provider costs more. What tells whether a guess was right
//! costs most, so that nobody can harvest by it.
//!
//! `docs/decisions/anonymous-work.md` says why it is counted so.

pub(crate) mod answers;
mod buckets;
pub(crate) mod shared;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::listener::Source;
use crate::web::context;
use crate::web::error::PageError;

use answers::Answers;
use buckets::{Buckets, Taken};
use shared::Slices;

/// How much there may be; 0 is without a limit.
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

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Any request for a page of a sign-in.
    Page,
    /// Beginning a sign-in or a test: a row is stored.
    Begin,
    /// What the client wants kept beside that: nothing for the first KiB.
    Keep { bytes: usize },
    /// Leaving for an identity provider, or coming back from one: it may be called.
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

/// The client has asked for more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests from this address")]
pub struct TooMany {
    /// Whole seconds, at least one.
    pub retry_after: Duration,
}

impl TooMany {
    fn after(wait: Duration) -> Self {
        Self {
            retry_after: Duration::from_secs(wait.as_secs() + 1),
        }
    }
}

/// What is counted, on this node.
#[derive(Debug)]
pub(crate) struct Limiter {
    work: Buckets,
    wrong_credentials: Buckets,
    pub(crate) answers: Answers,
    pub(crate) slices: Slices,
    refusals: Complaint,
    forwarders: Complaint,
}

impl Limiter {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            work: Buckets::new(policy.per_minute),
            wrong_credentials: Buckets::new(policy.wrong_credentials_per_minute),
            answers: Answers::new(policy.failed_answers_per_minute),
            slices: Slices::new(policy.per_minute),
            refusals: Complaint::default(),
            forwarders: Complaint::default(),
        }
    }
}

/// Counts `work` of the client whose request this is.
///
/// # Errors
///
/// [`TooMany`] if it has had its share.
pub fn charge(app: &App, work: Work) -> Result<(), TooMany> {
    match context::source() {
        Some(source) => charge_to(app, source, work),
        // Not a request: nobody asked from outside.
        None => Ok(()),
    }
}

fn charge_to(app: &App, source: Source, work: Work) -> Result<(), TooMany> {
    take(app, source, work).map(drop)
}

fn take(app: &App, source: Source, work: Work) -> Result<Taken, TooMany> {
    let limiter = app.anonymous();
    if source == Source::Forwarder {
        limiter.forwarders.log(app, || {
            tracing::warn!(
                "requests come with forwarded headers from an address that proxy.trusted_networks does not name: \
                 all of them share one budget. If that is your proxy, name it there"
            );
        });
    }
    limiter.work.take(&source, work.units()).map_err(|wait| {
        limiter.complain(app, source, "anonymous requests");
        TooMany::after(wait)
    })
}

/// Units that are set aside for a guess until its answer is known.
///
/// A guess is paid first and given back if it was right: with fewer units left than
/// it costs, the refusal would otherwise tell a wrong one from a right one, at the
/// price of a page.
#[derive(Debug)]
#[must_use = "a right guess is given back"]
pub struct Guess<'a>(Option<(&'a Limiter, Source, Taken)>);

impl Guess<'_> {
    /// It was right.
    pub fn give_back(self) {
        if let Some((limiter, source, taken)) = self.0 {
            limiter.work.give_back(&source, taken);
        }
    }
}

/// Sets aside what a wrong guess costs.
///
/// # Errors
///
/// [`TooMany`] if the client has less than that left.
pub fn guess(app: &App) -> Result<Guess<'_>, TooMany> {
    let Some(source) = context::source() else {
        return Ok(Guess(None));
    };
    let taken = take(app, source, Work::Miss)?;
    Ok(Guess(Some((app.anonymous(), source, taken))))
}

/// Counts a request whose credentials were wrong. A right one is never counted
/// and never refused.
///
/// # Errors
///
/// [`TooMany`] in place of the refusal that would have been the answer.
pub fn wrong_credentials(app: &App) -> Result<(), TooMany> {
    let Some(source) = context::source() else {
        return Ok(());
    };
    let limiter = app.anonymous();
    limiter
        .wrong_credentials
        .take(&source, 1)
        .map(drop)
        .map_err(|wait| {
            limiter.complain(app, source, "requests with wrong credentials");
            TooMany::after(wait)
        })
}

impl Limiter {
    fn complain(&self, app: &App, source: Source, of: &str) {
        self.refusals
            .log(app, || tracing::warn!(%source, "too many {of}: some are refused"));
    }
}

/// Around the pages of a sign-in: each request is a unit.
pub async fn pages(State(app): State<App>, source: Source, request: Request, next: Next) -> Response {
    match charge_to(&app, source, Work::Page) {
        Ok(()) => next.run(request).await,
        Err(too_many) => PageError::from(too_many).into_response(),
    }
}

/// A line in the log now and then, and not for each request.
#[derive(Debug)]
struct Complaint(AtomicI64);

impl Default for Complaint {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Complaint {
    const EVERY_SECS: i64 = 600;

    fn log(&self, app: &App, line: impl FnOnce()) {
        let now = app.now().as_secs();
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
