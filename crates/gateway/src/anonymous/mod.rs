//! The budget of strangers: work that is done before anybody is known.
//!
//! Every page of a sign-in is such work, and is charged to the client of the request
//! under way. [`crate::budget`] counts it.

pub(crate) mod answers;
pub(crate) mod shared;

use crate::app::App;
pub use crate::budget::{Guess, LimitExceeded, Work};
use crate::context;

/// Counts `work` of the client of this request.
///
/// # Errors
///
/// [`LimitExceeded`] if its budget is used up.
pub fn charge(app: &App, work: Work) -> Result<(), LimitExceeded> {
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
/// [`LimitExceeded`] if the client has less than that left.
pub fn guess(app: &App) -> Result<Guess<'_>, LimitExceeded> {
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
/// [`LimitExceeded`] in place of the usual refusal.
pub fn wrong_credentials(app: &App) -> Result<(), LimitExceeded> {
    match context::source() {
        Some(source) => app.budget().wrong_credentials(app.now(), source),
        None => Ok(()),
    }
}
