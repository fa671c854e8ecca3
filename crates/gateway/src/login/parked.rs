//! `POST /sso/v1/{oidc,saml}/{connection}/callback` and `GET …/callback/{handle}`: an answer that the
//! provider's page posts. For SAML this is the assertion consumer service.
//!
//! A form of another site carries none of our cookies, so the answer is parked. The POST signs nobody in, and
//! uses up nothing of a sign-in. It redirects the browser to a GET, which has the cookie, and there
//! everything is decided.
//!
//! Any site may post here, so nothing asks where the form comes from.
//!
//! Source: OAuth 2.0 Form Post Response Mode 1.0 §2; SAML Bindings §3.5, SAML Profiles §4.1.4;
//! RFC 6265bis §5.6.7.1.

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use genkan_store::ConnectionId;
use genkan_store::connection::Kind;
use genkan_store::parked_answer::Content;
use genkan_web::form::is_form;
use genkan_web::listener::{BodyLimit, ClientIp};
use http::HeaderMap;

use super::answer_body::AnswerBody;
use super::{callback, way_on};
use crate::app::App;
use crate::connections::saml::{self, MAX_BODY_BYTES};
use crate::connections::{self, AnswerError};
use crate::web::error::PageError;
use crate::web::see_other::see_other;

/// The address of answers.
pub(super) fn answer(kind: Kind) -> MethodRouter<App> {
    // A redirect brings no answer of SAML here (SAML Profiles §4.1.2), but people come back to this address.
    let answer: MethodRouter<App> = get(callback::callback).post(park).layer(Extension(kind));
    match kind {
        Kind::Oidc => answer,
        Kind::Saml => answer.layer(from_fn(longer)),
    }
}

/// The address of answers that were posted.
pub(super) fn parked(kind: Kind) -> MethodRouter<App> {
    get(fetch).layer(Extension(kind))
}

/// Lets an answer be longer than other forms.
async fn longer(request: Request, next: Next) -> Response {
    if let Some(limit) = request.extensions().get::<BodyLimit>() {
        limit.set(MAX_BODY_BYTES);
    }
    next.run(request).await
}

/// Parks an answer.
async fn park(
    State(app): State<App>,
    Extension(kind): Extension<Kind>,
    Path(connection_id): Path<String>,
    headers: HeaderMap,
    AnswerBody(body): AnswerBody,
) -> Result<Response, PageError> {
    if !is_form(&headers) {
        return Err(PageError::invalid_request(
            "The identity provider's answer is no form.",
        ));
    }
    match connections::park(&app, kind, &connection_id, &body).await {
        Ok(address) => Ok(see_other(&address)),
        Err(error) => Err(way_on::page(&app, &headers, (&connection_id, error)).await),
    }
}

/// Uses up the answer that was parked for this browser.
async fn fetch(
    State(app): State<App>,
    Extension(kind): Extension<Kind>,
    Path((connection_id, handle)): Path<(String, String)>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let content = match kind {
        Kind::Oidc => Content::Form,
        Kind::Saml => Content::Assertion,
    };
    let parked = (content, handle.as_str());
    let outcome = connections::finish_parked(&app, &headers, &connection_id, parked).await;
    if kind == Kind::Saml && matches!(outcome, Err(AnswerError::Unsolicited)) {
        let page = way_on::unsolicited(&app, &headers, &connection_id).await;
        return Err(referring(&app, page, (&connection_id, &handle)).await?);
    }
    callback::conclude(&app, &headers, client_ip, (&connection_id, outcome)).await
}

/// The page for a browser that did not begin the sign-in, with a reference if an assertion waits for another
/// one. Otherwise nobody could find out that a browser did not send its cookie.
async fn referring(
    app: &App,
    page: PageError,
    (connection_id, handle): (&str, &str),
) -> Result<PageError, PageError> {
    let Ok(connection_id) = ConnectionId::parse(connection_id) else {
        return Ok(page);
    };
    let Some(failure) = saml::mismatch(app, &connection_id, handle).await? else {
        return Ok(page);
    };
    Ok(match connections::trace::record_stranger(app, &failure).await? {
        Some(id) => page.reference(id.to_string()),
        None => page,
    })
}
