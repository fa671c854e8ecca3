//! Why an answer of a provider is not processed.

use genkan_store::Error;

use crate::anonymous;
use crate::web::error::PageError;

/// Why an answer is not processed.
#[derive(Debug)]
pub enum AnswerError {
    /// It belongs to no request of this browser that waits: it is replayed or forged, or another browser's.
    Unsolicited,
    Page(PageError),
}

impl From<PageError> for AnswerError {
    fn from(page: PageError) -> Self {
        Self::Page(page)
    }
}

impl From<Error> for AnswerError {
    fn from(error: Error) -> Self {
        Self::Page(error.into())
    }
}

impl From<genkan_db::Error> for AnswerError {
    fn from(error: genkan_db::Error) -> Self {
        Self::Page(error.into())
    }
}

impl From<anonymous::LimitExceeded> for AnswerError {
    fn from(too_many: anonymous::LimitExceeded) -> Self {
        Self::Page(too_many.into())
    }
}
