//! `GET|POST /oauth/authorize`: where a login begins, and where its answer leaves.
//!
//! Until client and redirect URI are known a failure is a page; afterwards it
//! is a redirect: two types, so they cannot be confused (RFC 6749 §4.1.2.1).
//!
//! Source: RFC 6749 §4.1.1, §4.1.2; OIDC Core §3.1.2.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use genkan_db::Tx;
use genkan_protocol::oauth::{
    AuthorizationError, AuthorizationRequest, ClientRules, ErrorCode, Parameters, Recipient, ResponseMode,
    append_query, authorization_request, redirect_uri,
};
use genkan_store::authorization_code::{self, AuthorizationCode};
use genkan_store::client::{Client, GrantType};
use genkan_store::grant::{self, Grant};
use genkan_store::identity::{self, Entry};
use genkan_store::session::{self, Session};
use genkan_store::{Error, GrantId, InteractionId, OrganizationId, Secret, Timestamp, auth_log, interaction};
use http::HeaderMap;

use crate::app::App;
use crate::cache::CachedClient;
use crate::login::{self, route::Target};
use crate::web::cross_site_post;
use crate::web::error::PageError;
use crate::web::form::is_form;
use crate::web::page::Page;
use crate::web::refused::{self, Refused};
use crate::web::templates::FormPost;

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
    // A session that the browser holds back must count all the same, and the
    // cookie of a login in another tab must not be replaced.
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
    let refused = |is_known, reason, description| Refused {
        endpoint: "authorize",
        client_id: &recipient.client_id,
        is_known,
        reason,
        description,
        redirect_uri: recipient.redirect_uri.as_deref(),
    };
    let Some(cached) = app.client(&recipient.client_id).await? else {
        refused::record(app, refused(false, "unknown_client", "there is no such client")).await;
        return Err(PageError::unknown_application());
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
        return Err(PageError::invalid_redirect_uri(&cached.client.name));
    };

    // From here on the application hears about errors itself.
    let answer = Answer {
        app,
        redirect_uri: &redirect_uri,
        mode: ResponseMode::of_refusal(&parameters, &redirect_uri),
    };
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
            Ok(answer.validation_error(&error))
        }
    }
}

/// RFC 6749 §3.1.2.3, RFC 9700 §2.1: only a registered redirect URI, compared exactly.
fn match_redirect_uri(app: &App, client: &Client, recipient: &Recipient) -> Option<(String, bool)> {
    let Some(presented) = &recipient.redirect_uri else {
        // RFC 6749 §3.1.2.3: may be left out if exactly one is registered.
        return match client.redirect_uris.as_slice() {
            [only] if !only.contains('*') => Some((only.clone(), false)),
            _ => None,
        };
    };
    let policy = app.redirect_policy(client);
    redirect_uri::permits(&client.redirect_uris, presented, policy).then(|| (presented.clone(), true))
}

/// The application of a stored request, as it is registered now.
///
/// # Errors
///
/// A page if it was deleted, or its redirect URI withdrawn, while the person
/// was signing in: nothing goes there any more.
pub async fn application_of(
    app: &App,
    request: &AuthorizationRequest,
) -> Result<Arc<CachedClient>, PageError> {
    let cached = app
        .client(&request.client_id)
        .await?
        .ok_or_else(PageError::unknown_application)?;
    let policy = app.redirect_policy(&cached.client);
    if redirect_uri::permits(&cached.client.redirect_uris, &request.redirect_uri, policy) {
        Ok(cached)
    } else {
        Err(PageError::invalid_redirect_uri(&cached.client.name))
    }
}

/// An answer on its way to a redirect URI that was matched.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    app: &'a App,
    redirect_uri: &'a str,
    mode: ResponseMode,
}

impl<'a> Answer<'a> {
    /// An answer to a request that was validated, and so has a matched redirect URI.
    pub fn to(app: &'a App, request: &'a AuthorizationRequest) -> Self {
        Self {
            app,
            redirect_uri: &request.redirect_uri,
            mode: request.response_mode,
        }
    }

    fn validation_error(self, error: &AuthorizationError) -> Response {
        self.error(error.code, error.description, error.state.as_deref())
    }

    /// RFC 6749 §4.1.2.1.
    pub fn error(self, code: ErrorCode, description: &str, state: Option<&str>) -> Response {
        self.error_named(code.as_str(), description, state)
    }

    /// As [`Self::error`], with a code of the contract that no RFC names.
    pub fn error_named(self, code: &str, description: &str, state: Option<&str>) -> Response {
        let (code, description) = (describable(code), describable(description));
        self.send(&[("error", &code), ("error_description", &description)], state)
    }

    /// Where an error would send the browser, for a link that a person may follow. A
    /// link asks by GET, whatever the request wanted.
    pub fn error_url(self, code: &str, description: &str, state: Option<&str>) -> String {
        let (code, description) = (describable(code), describable(description));
        let parameters = self.parameters(&[("error", &code), ("error_description", &description)], state);
        append_query(self.redirect_uri, &parameters)
    }

    /// RFC 6749 §4.1.2.
    fn code(self, code: &Secret, state: Option<&str>) -> Response {
        self.send(&[("code", code.expose())], state)
    }

    fn send(self, answer: &[(&str, &str)], state: Option<&str>) -> Response {
        let parameters = self.parameters(answer, state);
        match self.mode {
            ResponseMode::Query => redirect(&append_query(self.redirect_uri, &parameters)),
            ResponseMode::FormPost => Page::new(&FormPost {
                action: self.redirect_uri,
                hidden: &parameters,
            })
            .into_response(),
        }
    }

    fn parameters<'b>(self, answer: &[(&'b str, &'b str)], state: Option<&'b str>) -> Vec<(&'b str, &'b str)>
    where
        'a: 'b,
    {
        let mut parameters = answer.to_vec();
        parameters.extend(state.map(|state| ("state", state)));
        // RFC 9207 §2: who answers, against mix-up attacks.
        parameters.push(("iss", self.app.issuer()));
        parameters
    }
}

/// RFC 6749 §4.1.2.1: printable ASCII without quotes and backslashes. An identity
/// provider's words may hold anything else.
fn describable(text: &str) -> String {
    let allowed = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => c,
        _ => '?',
    };
    text.chars().map(allowed).collect()
}

/// RFC 9700 §4.12: 303, so that a form post is never repeated elsewhere.
fn redirect(url: &str) -> Response {
    ([(http::header::CACHE_CONTROL, "no-store")], Redirect::to(url)).into_response()
}

/// What a code speaks of: a session, and the organization that is entered with
/// it if that is another than the session's own.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    session: &'a Session,
    entered: Option<&'a Entry>,
}

impl<'a> Place<'a> {
    /// Of a session that is where the request leads.
    pub fn of(session: &'a Session, target: Option<&'a Target>) -> Self {
        let entered = target.and_then(Target::entered);
        Self { session, entered }
    }

    fn organization_id(&self) -> Option<OrganizationId> {
        match self.entered {
            Some(entry) => Some(entry.organization_id.clone()),
            None => self.session.organization_id.clone(),
        }
    }

    /// Whether it is all still so: the place may have ended since it was read, and
    /// the session gone on; and who enters must be a member until now.
    async fn still_stands(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
        if !session::is_still(tx, self.session, now).await? {
            return Ok(false);
        }
        let Some(entry) = self.entered else {
            return Ok(true);
        };
        let found = identity::may_enter(tx, self.session, &entry.organization_id, now).await?;
        Ok(found.is_ok_and(|entry| entry.is_fresh(now)))
    }
}

/// Issues the code for a signed-in user and sends the browser back to the application.
///
/// With an interaction, completing it and issuing the code are one transaction:
/// a second click on the same login gets no second code.
///
/// # Errors
///
/// [`Error::Stale`] if the interaction was completed before, or the session has moved on.
pub async fn respond(
    app: &App,
    cached: &Arc<CachedClient>,
    request: &AuthorizationRequest,
    place: Place<'_>,
    from: Option<(&InteractionId, &interaction::Stage)>,
) -> Result<Response, Error> {
    let now = app.now();
    let session = place.session;
    let code = Secret::generate();
    let at = app.at(now);
    let code_hash = code.sha256();
    let new_grant = Grant {
        id: app.ids().next::<GrantId>(now),
        client_id: cached.client.id.clone(),
        session_id: session.id.clone(),
        user_id: session.user_id.clone(),
        organization_id: place.organization_id(),
        connection_id: session.connection_id.clone(),
        scope: request.scope.clone(),
        nonce: request.nonce.clone(),
        authenticated_at: session.authenticated_at,
        auth_time: session.auth_time,
        created_at: now,
        expires_at: place
            .entered
            .map_or(session.expires_at, |entry| entry.absolute_until),
        revoked_at: None,
    };
    let new_code = AuthorizationCode {
        grant_id: new_grant.id.clone(),
        client_id: cached.client.id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        redirect_uri_given: request.redirect_uri_given,
        code_challenge: request.code_challenge.clone(),
    };
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            if !place.still_stands(tx, now).await? {
                return Err(Error::Stale);
            }
            match from {
                Some((id, stage)) => {
                    interaction::advance(tx, id, stage, &interaction::Stage::Completed).await?;
                    if !matches!(stage, interaction::Stage::Authenticated { .. }) {
                        auth_log::succeeded(tx, id, &session.id).await?;
                    }
                }
                None => {
                    let client_id = &new_grant.client_id;
                    auth_log::answered_by_session(tx, at, client_id, &session.id).await?;
                }
            }
            grant::insert(tx, at, &new_grant).await?;
            if let Some(entry) = place.entered {
                identity::hold_to_policy(tx, session, entry, now).await?;
            }
            authorization_code::issue(tx, &code_hash, &new_code, now).await
        })
        .await?;
    Ok(Answer::to(app, request).code(&code, request.state.as_deref()))
}
