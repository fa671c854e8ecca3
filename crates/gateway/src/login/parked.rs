//! `POST /sso/v1/oidc/{connection}/callback` and `GET …/callback/{handle}`: an answer that the provider's
//! page posts.
//!
//! A form of another site carries none of our cookies, so the answer is parked. The POST uses nothing up
//! and signs nobody in. It redirects the browser to a GET, which has the cookie, and there everything is
//! decided.
//!
//! Source: OAuth 2.0 Form Post Response Mode 1.0 §2, RFC 6265bis §5.6.7.1.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use genkan_store::parked_answer::Content;
use genkan_web::form::is_form;
use genkan_web::listener::ClientIp;
use http::{HeaderMap, header};

use super::{callback, way_on};
use crate::app::App;
use crate::connections::{self, AnswerError};
use crate::web::error::PageError;

/// Parks an answer.
pub async fn park(
    State(app): State<App>,
    Path(connection_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    if !is_form(&headers) {
        return Err(PageError::invalid_request(
            "The identity provider's answer is no form.",
        ));
    }
    match connections::park(&app, &connection_id, &body).await {
        // 303, so that the browser follows with a GET (RFC 9110 §15.4.4).
        Ok(address) => Ok(([(header::CACHE_CONTROL, "no-store")], Redirect::to(&address)).into_response()),
        Err(AnswerError::Unsolicited) => Err(way_on::unsolicited(&app, &headers, &connection_id).await),
        Err(AnswerError::Page(page)) => Err(page),
    }
}

/// Processes the answer that was parked for this browser.
pub async fn fetch(
    State(app): State<App>,
    Path((connection_id, handle)): Path<(String, String)>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let parked = (Content::Form, handle.as_str());
    let outcome = connections::finish_parked(&app, &headers, &connection_id, parked).await;
    callback::conclude(&app, &headers, client_ip, (&connection_id, outcome)).await
}
