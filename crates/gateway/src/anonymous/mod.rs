//! What strangers may ask for: work that is done before anybody is known.
//!
//! Every page of a sign-in is such work, and is charged to the client whose request
//! is under way. [`crate::budget`] counts it.

pub(crate) mod answers;
pub(crate) mod shared;

use crate::app::App;
pub use crate::budget::{Guess, TooMany, Work};
use crate::context;

/// Counts `work` of the client whose request this is.
///
/// # Errors
///
/// [`TooMany`] if it has had its share.
pub fn charge(app: &App, work: Work) -> Result<(), TooMany> {
    match context::source() {
        Some(source) => app.budget().charge(app.now(), source, work),
        // Not a request: nobody asked from outside.
        None => Ok(()),
    }
}

/// Sets aside what a wrong guess costs.
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
/// [`TooMany`] in place of the refusal that would have been the answer.
pub fn wrong_credentials(app: &App) -> Result<(), TooMany> {
    match context::source() {
        Some(source) => app.budget().wrong_credentials(app.now(), source),
        None => Ok(()),
    }
}
