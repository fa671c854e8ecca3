//! Form bodies of the OAuth endpoints, parsed strictly.
//!
//! Source: RFC 6749 §3.2 and Appendix B.

use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use genkan_protocol::oauth::Parameters;
use genkan_web::form::is_form;
use genkan_web::listener::BodyLimit;

use crate::web::oauth_error::OAuthError;

/// The largest form: as much as [`Parameters`] reads.
const FORM_BYTES: u64 = 64 * 1024;

/// Bounds the bodies of the routes below. A route that takes more than a form is mounted
/// elsewhere and sets its own limit.
pub async fn bounded(request: Request, next: Next) -> Response {
    if let Some(limit) = request.extensions().get::<BodyLimit>() {
        limit.at_most(FORM_BYTES);
    }
    next.run(request).await
}

/// The parameters of a `application/x-www-form-urlencoded` request body.
///
/// The query of such a request is never read: credentials must not be in an address (RFC 6749
/// §2.3.1).
#[derive(Debug)]
pub struct OAuthForm(pub Parameters);

impl<S: Send + Sync> FromRequest<S> for OAuthForm {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if !is_form(request.headers()) {
            return Err(OAuthError::invalid_request(
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| OAuthError::invalid_request("the body is too large or incomplete"))?;
        let parameters = Parameters::parse(&body)
            .map_err(|_| OAuthError::invalid_request("the body is not valid form data in UTF-8"))?;
        // RFC 6749 §3.2: parameters must not be included more than once.
        if parameters.first_duplicate().is_some() {
            return Err(OAuthError::invalid_request(
                "a parameter is included more than once",
            ));
        }
        Ok(Self(parameters))
    }
}
