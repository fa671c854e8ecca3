//! The body of an answer that a provider's page posts. If it does not arrive, the page says so: the person
//! has done nothing wrong, and only the provider can be changed.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use genkan_protocol::saml::Cause;
use genkan_store::connection::Kind;
use genkan_web::listener::BodyLimit;
use http::StatusCode;

use crate::app::App;
use crate::connections::saml;
use crate::web::error::PageError;

/// A body that arrived whole.
#[derive(Debug)]
pub(super) struct AnswerBody(pub(super) Bytes);

impl FromRequest<App> for AnswerBody {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let limit = request.extensions().get::<BodyLimit>().cloned();
        // OpenID Connect has no remedy for it: a code is never that long.
        let is_saml = request.extensions().get::<Kind>() == Some(&Kind::Saml);
        match Bytes::from_request(request, app).await {
            Ok(body) => Ok(Self(body)),
            Err(_) if is_saml && limit.is_some_and(|limit| limit.is_exceeded()) => Err(too_long()),
            // The listener sets the status if it knows a better one.
            Err(_) => Err(PageError::new(
                StatusCode::BAD_REQUEST,
                "The answer did not arrive",
                "Your company’s sign-in answered, but the answer was cut off on its way.",
            )
            .what_to_do("go back to the application and sign in again.")),
        }
    }
}

/// Nothing of it was read, so it leaves no trace, and its page says what a trace would.
fn too_long() -> PageError {
    let cause = Cause::MessageTooLong;
    PageError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "We could not sign you in",
        cause.sentence(),
    )
    .what_to_do(format!(
        "tell your IT team what this page says ({}). {}",
        cause.code(),
        saml::at_any_vendor(cause)
    ))
}
