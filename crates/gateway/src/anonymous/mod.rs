//! The budget of strangers: work that is done before anybody is known.
//!
//! Every page of a sign-in is such work, and is charged to the client of the request
//! under way. [`crate::budget`] counts it.

pub(crate) mod answers;
pub(crate) mod shared;

use crate::app::App;
pub use crate::budget::{Guess, TooMany, Work};
use crate::context;

/// Counts `work` of the client of this request.
///
/// # Errors
///
/// [`TooMany`] if its budget is used up.
pub fn charge(app: &App, work: Work) -> Result<(), TooMany> {
    match context::source() {
        Some(source) => app.budget().charge(app.now(), source, work),
        // There is no request from outside.
        None => Ok(()),
    }
}

/// Reserves the cost of a wrong guess.
///
/// # Errors
///
/// [`TooMany`] if the client has less than that left.
pub fn guess(app: &App) -> Result<Guess<'_>, TooMany> {
    match context::source() {
        Some(source) => app.budget().guess(app.now(), source),
        None => Ok(Guess::NONE),
    }
}

/// Counts a request whose credentials were wrong. A right one is never counted
/// and never refused.
///
/// # Errors
///
/// [`TooMany`] in place of the usual refusal.
pub fn wrong_credentials(app: &App) -> Result<(), TooMany> {
    match context::source() {
        Some(source) => app.budget().wrong_credentials(app.now(), source),
        None => Ok(()),
    }
}
