//! `GET|POST /oauth/authorize`: begins a login.
//!
//! Until client and redirect URI are known, a failure is a page. Afterwards it is a redirect. These are two
//! types, so they cannot be confused (RFC 6749 §4.1.2.1).
//!
//! Source: RFC 6749 §4.1.1, §4.1.2; OIDC Core §3.1.2.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use genkan_protocol::oauth::{
    ClientRules, ErrorCode, Parameters, Recipient, ResponseMode, authorization_request, redirect_uri,
};
use genkan_store::client::{Client, GrantType};
use genkan_web::form::is_form;
use http::HeaderMap;

use crate::answer::{self, Answer};
use crate::app::App;
use crate::login;
use crate::web::cross_site_post;
use crate::web::error::PageError;
use crate::web::refused::{self, RefusedRequest};

pub const PATH: &str = "/oauth/authorize";

pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    authorize(&app, &headers, query.as_deref().unwrap_or_default().as_bytes()).await
}

/// OIDC Core §3.1.2.1: the endpoint must support POST too.
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, PageError> {
    if !is_form(&headers) {
        return Err(PageError::invalid_request("The request is not form data."));
    }
    // The browser may hold back the session's cookie. The session must count all the same, and the cookie
    // of a login in another tab must not be replaced.
    if let Some(again) = cross_site_post::again_by_get(&app, &headers, PATH, &body) {
        return Ok(again);
    }
    authorize(&app, &headers, &body).await
}

async fn authorize(app: &App, headers: &HeaderMap, raw: &[u8]) -> Result<Response, PageError> {
    let parameters = Parameters::parse(raw)
        .map_err(|_| PageError::invalid_request("The address is garbled or too long."))?;
    let recipient = Recipient::parse(&parameters)
        .map_err(|_| PageError::invalid_request("The application did not say which one it is."))?;
    let refused = |is_known, reason, description| RefusedRequest {
        endpoint: "authorize",
        client_id: &recipient.client_id,
        is_known,
        reason,
        description,
        redirect_uri: recipient.redirect_uri.as_deref(),
    };
    let Some(cached) = app.client(&recipient.client_id).await? else {
        refused::record(app, refused(false, "unknown_client", "there is no such client")).await;
        return Err(answer::unknown_application());
    };
    let Some((redirect_uri, given)) = match_redirect_uri(app, &cached.client, &recipient) else {
        let (reason, description) = match recipient.redirect_uri {
            Some(_) => (
                "redirect_uri_not_registered",
                "the redirect_uri is not registered",
            ),
            None => (
                "redirect_uri_missing",
                "no redirect_uri was sent, and there is not exactly one to take",
            ),
        };
        refused::record(app, refused(true, reason, description)).await;
        return Err(answer::invalid_redirect_uri(&cached.client.name));
    };

    // From here on errors go to the application.
    let answer = Answer::at(
        app,
        &redirect_uri,
        ResponseMode::of_refusal(&parameters, &redirect_uri),
    );
    let rules = ClientRules {
        redirect_uri: &redirect_uri,
        redirect_uri_given: given,
        require_pkce: app.settings().require_pkce || cached.client.requires_pkce(),
    };
    match authorization_request::validate(&parameters, &recipient, &rules) {
        // RFC 6749 §4.1.2.1. Nobody signs in to a client that acts for itself.
        Ok(request) if !cached.client.may_use(GrantType::AuthorizationCode) => {
            let (code, description) = (
                ErrorCode::UnauthorizedClient,
                "the client is not registered to sign people in",
            );
            refused::record(app, refused(true, code.as_str(), description)).await;
            Ok(answer.error(code, description, request.state.as_deref()))
        }
        Ok(request) => login::begin(app, headers, &cached, request).await,
        Err(error) => {
            refused::record(app, refused(true, error.code.as_str(), error.description)).await;
            Ok(answer.error(error.code, error.description, error.state.as_deref()))
        }
    }
}

/// RFC 6749 §3.1.2.3, RFC 9700 §2.1: only a registered redirect URI is accepted, compared exactly.
fn match_redirect_uri(app: &App, client: &Client, recipient: &Recipient) -> Option<(String, bool)> {
    let Some(presented) = &recipient.redirect_uri else {
        // RFC 6749 §3.1.2.3: it may be left out if exactly one is registered.
        return match client.redirect_uris.as_slice() {
            [only] if !only.contains('*') => Some((only.clone(), false)),
            _ => None,
        };
    };
    let policy = app.redirect_policy(client);
    redirect_uri::permits(&client.redirect_uris, presented, policy).then(|| (presented.clone(), true))
}
