//! The answers while the database is away.

use std::time::Duration;

use genkan_db::Outage;
use genkan_store::Error;
use http::StatusCode;

use super::error::PageError;

/// When to come back. A failover takes about as long, and the request already waited for the
/// database.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The outage behind a failure, if it is one.
pub fn of(error: &Error) -> Option<Outage> {
    match error {
        Error::Database(error) => error.outage(),
        _ => None,
    }
}

/// The page for a failure of the store.
pub fn page(error: Error) -> PageError {
    match of(&error) {
        Some(Outage::Passing) => busy().source(error),
        Some(Outage::Unknown) => PageError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "That took too long",
            "We cannot tell whether the last step was done. Nothing is wrong with your account.",
        )
        .what_to_do("go back to the application and start again.")
        .source(error),
        None => PageError::internal(error),
    }
}

/// The page that asks to try again.
pub fn busy() -> PageError {
    PageError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "We cannot answer for a moment",
        "A part of this service is being restarted or has too much to do. Nothing is wrong with your account.",
    )
    .what_to_do("wait a few seconds and try again.")
    .retry_after(RETRY_AFTER)
}
