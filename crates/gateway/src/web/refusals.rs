//! Refusal pages that several areas use. The others are beside their handlers.

use std::time::Duration;

use http::StatusCode;

use crate::web::error::PageError;
use crate::web::outage;

impl PageError {
    /// A request that is not an authorization or logout request; `why` ends with a full stop.
    pub fn invalid_request(why: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This link does not work", why).what_to_do(
            "go back to the application and start from there. If it happens again, tell the people who run it.",
        )
    }

    /// The client's budget is used up.
    pub fn too_many_requests(wait: Duration) -> Self {
        let why = "More was asked from your network in the last minute than we answer at once.";
        let text = format!("wait {} and try again.", waiting(wait));
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", why)
            .what_to_do(text)
            .retry_after(wait)
    }

    /// The login is over, too old, or belongs to another browser.
    pub fn interaction_gone() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This sign-in is no longer open",
            "It took too long, it was finished before, or it was started in another browser.",
        )
        .what_to_do("go back to the application and sign in again.")
    }
}

/// The wait in words, rounded up.
fn waiting(wait: Duration) -> String {
    match wait.as_secs() {
        0..=1 => "a second".to_owned(),
        seconds @ 2..=60 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

impl From<crate::anonymous::LimitExceeded> for PageError {
    fn from(too_many: crate::anonymous::LimitExceeded) -> Self {
        Self::too_many_requests(too_many.retry_after)
    }
}

impl From<crate::anonymous::shared::StartError> for PageError {
    fn from(refused: crate::anonymous::shared::StartError) -> Self {
        match refused {
            crate::anonymous::shared::StartError::TooMany(too_many) => too_many.into(),
            crate::anonymous::shared::StartError::Store(error) => error.into(),
        }
    }
}

impl From<genkan_store::Error> for PageError {
    fn from(source: genkan_store::Error) -> Self {
        match source {
            // Two requests answered one step, and the other one was first.
            genkan_store::Error::Stale => Self::interaction_gone(),
            other => outage::page(other),
        }
    }
}

impl From<genkan_db::Error> for PageError {
    fn from(source: genkan_db::Error) -> Self {
        outage::page(source.into())
    }
}

impl From<crate::keys::KeyringError> for PageError {
    fn from(source: crate::keys::KeyringError) -> Self {
        match source {
            crate::keys::KeyringError::Store(error) => outage::page(error),
            other => Self::internal(other),
        }
    }
}
