//! Why an answer that was posted is read no further.

use genkan_protocol::saml::Cause;
use genkan_store::Error;

use crate::anonymous::LimitExceeded;
use crate::connections::AnswerError;
use crate::web::error::PageError;

/// Why an answer is read no further.
pub(super) enum ReceiveError {
    /// The trace ends with the check that failed.
    Failed(Cause),
    AnswerError(AnswerError),
}

impl From<Cause> for ReceiveError {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

impl From<AnswerError> for ReceiveError {
    fn from(answer_error: AnswerError) -> Self {
        Self::AnswerError(answer_error)
    }
}

impl From<PageError> for ReceiveError {
    fn from(page: PageError) -> Self {
        Self::AnswerError(page.into())
    }
}

impl From<Error> for ReceiveError {
    fn from(error: Error) -> Self {
        Self::AnswerError(error.into())
    }
}

impl From<LimitExceeded> for ReceiveError {
    fn from(too_many: LimitExceeded) -> Self {
        Self::AnswerError(too_many.into())
    }
}
