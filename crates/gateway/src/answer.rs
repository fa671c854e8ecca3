//! The answer to an authorization request: a code, or an error, at the
//! application's redirect URI.
//!
//! `op` takes the request, and `login` may need many steps until there is an
//! answer. Both send one through this module, so neither depends on the other for it.
//!
//! Source: RFC 6749 §4.1.2; OIDC Core §3.1.2.5.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use genkan_db::Tx;
use genkan_protocol::oauth::{AuthorizationRequest, ErrorCode, ResponseMode, append_query, redirect_uri};
use genkan_store::admission::{self, Entry};
use genkan_store::auth_log;
use genkan_store::authorization_code::{self, AuthorizationCode};
use genkan_store::grant::{self, Grant};
use genkan_store::session::{self, Session, SessionFacts};
use genkan_store::{
    ClientId, Error, GrantId, InteractionId, OrganizationId, Secret, Stamp, Timestamp, interaction,
};
use genkan_web::page::Page;
use http::StatusCode;

use crate::app::App;
use crate::cache::CachedClient;
use crate::web::error::PageError;
use crate::web::form_post::FormPost;
use crate::web::see_other::see_other;

/// The application of a stored request, as it is registered now.
///
/// # Errors
///
/// A page if it was deleted, or its redirect URI withdrawn, while the person was
/// signing in: nothing may be sent there any more.
pub async fn application_of(
    app: &App,
    request: &AuthorizationRequest,
) -> Result<Arc<CachedClient>, PageError> {
    let cached = app
        .client(&request.client_id)
        .await?
        .ok_or_else(unknown_application)?;
    let policy = app.redirect_policy(&cached.client);
    if redirect_uri::permits(&cached.client.redirect_uris, &request.redirect_uri, policy) {
        Ok(cached)
    } else {
        Err(invalid_redirect_uri(&cached.client.name))
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
    /// An answer at a matched redirect URI, to a request that was not validated further.
    pub fn at(app: &'a App, redirect_uri: &'a str, mode: ResponseMode) -> Self {
        Self {
            app,
            redirect_uri,
            mode,
        }
    }

    /// An answer to a request that was validated, and so has a matched redirect URI.
    pub fn to(app: &'a App, request: &'a AuthorizationRequest) -> Self {
        Self {
            app,
            redirect_uri: &request.redirect_uri,
            mode: request.response_mode,
        }
    }

    /// RFC 6749 §4.1.2.1.
    pub fn error(self, code: ErrorCode, description: &str, state: Option<&str>) -> Response {
        self.error_named(code.as_str(), description, state)
    }

    /// As [`Self::error`], with a code of Scalekit's that no RFC names.
    pub fn error_named(self, code: &str, description: &str, state: Option<&str>) -> Response {
        let (code, description) = (describable(code), describable(description));
        self.send(&[("error", &code), ("error_description", &description)], state)
    }

    /// The address of an error, for a link that a person may follow. A link uses GET,
    /// also if the request asked for a form post.
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
            ResponseMode::Query => see_other(&append_query(self.redirect_uri, &parameters)),
            ResponseMode::FormPost => Page::new(&FormPost {
                way: "back to the application",
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
        // RFC 9207 §2: the issuer, against mix-up attacks.
        parameters.push(("iss", self.app.issuer()));
        parameters
    }
}

/// RFC 6749 §4.1.2.1: printable ASCII without quotes and backslashes. An identity
/// provider's text may have other characters, and ends in an ellipsis where we cut it.
fn describable(text: &str) -> String {
    let mut described = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => described.push('\''),
            '\\' => described.push('/'),
            ' '..='~' => described.push(c),
            '…' => described.push_str("..."),
            _ => described.push('?'),
        }
    }
    described
}

/// The place of a code: a session, and the organization that is entered with it, if that
/// is not the session's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place<'a> {
    session: &'a Session,
    entered: Option<&'a Entry>,
}

impl<'a> Place<'a> {
    /// The place of a session that is at the request's organization, or enters it.
    pub fn of(session: &'a Session, entered: Option<&'a Entry>) -> Self {
        Self { session, entered }
    }

    fn organization_id(&self) -> Option<OrganizationId> {
        match self.entered {
            Some(entry) => Some(entry.organization_id.clone()),
            None => self.session.organization_id.clone(),
        }
    }

    /// The facts about the session of the place, if the place still stands. Since it was read, it may have ended,
    /// the session may have moved on, or the person may no longer be a member.
    async fn still_stands(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Option<SessionFacts>, Error> {
        let Some(facts) = session::find_still(tx, self.session, now).await? else {
            return Ok(None);
        };
        let Some(entry) = self.entered else {
            return Ok(Some(facts));
        };
        let found = admission::may_enter(tx, self.session, &entry.organization_id, now).await?;
        Ok(found.is_ok_and(|entry| entry.is_fresh(now)).then_some(facts))
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
    let at = app.at(now);
    let new_code = NewCode::of(app, cached, now);
    let answer = async |tx: &mut Tx<'_>| -> Result<(), Error> {
        let facts = place.still_stands(tx, now).await?.ok_or(Error::Stale)?;
        match from {
            Some((id, stage)) => {
                interaction::advance(tx, id, stage, &interaction::Stage::Completed).await?;
                if !matches!(stage, interaction::Stage::Authenticated { .. }) {
                    auth_log::succeeded(tx, id, &session.id, auth_log::Method::Session).await?;
                }
            }
            None => {
                auth_log::answered_by_session(tx, at, &new_code.client_id, (session, &facts)).await?;
            }
        }
        new_code.issue(tx, at, request, place).await
    };
    match place.entered {
        // Many rows say whether somebody may enter, and none of them is held.
        Some(_) => app.db().tx(answer).await?,
        None => app.db().tx_read_committed(answer).await?,
    }
    Ok(new_code.respond(app, request))
}

/// A code that a transaction is about to issue. It is made before, so a second run of the
/// transaction issues the same one.
pub struct NewCode {
    code: Secret,
    grant_id: GrantId,
    client_id: ClientId,
}

impl NewCode {
    pub fn of(app: &App, cached: &CachedClient, now: Timestamp) -> Self {
        Self {
            code: Secret::generate(),
            grant_id: app.ids().next(now),
            client_id: cached.client.id.clone(),
        }
    }

    /// Gives the client a grant at `place`, which must stand, and the code for it.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn issue(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        request: &AuthorizationRequest,
        place: Place<'_>,
    ) -> Result<(), Error> {
        let session = place.session;
        let grant = Grant {
            id: self.grant_id.clone(),
            client_id: self.client_id.clone(),
            session_id: session.id.clone(),
            user_id: session.user_id.clone(),
            organization_id: place.organization_id(),
            connection_id: session.connection_id.clone(),
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
            authenticated_at: session.authenticated_at,
            proofs: session.proofs.clone(),
            created_at: at.now,
            expires_at: place.entered.map_or(session.expires_at, |entry| {
                entry.absolute_until.min(session.expires_at)
            }),
            revoked_at: None,
        };
        let code = AuthorizationCode {
            grant_id: self.grant_id.clone(),
            client_id: self.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            redirect_uri_given: request.redirect_uri_given,
            code_challenge: request.code_challenge.clone(),
        };
        grant::insert(tx, at, &grant).await?;
        if let Some(entry) = place.entered {
            admission::hold_to_policy(tx, session, entry, at.now).await?;
        }
        authorization_code::issue(tx, &self.code.sha256(), &code, at.now).await
    }

    /// Sends the browser back to the application with it.
    pub fn respond(&self, app: &App, request: &AuthorizationRequest) -> Response {
        Answer::to(app, request).code(&self.code, request.state.as_deref())
    }
}

/// RFC 6749 §4.1.2.1: a page for the person; nothing is sent to the address in the request.
pub fn unknown_application() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "We do not know this application",
        "The link that brought you here names an application that is not registered, or no longer.",
    )
    .what_to_do(
        "go back to the application and start from there. If it happens again, tell the people who run it.",
    )
}

/// RFC 6749 §3.1.2.4.
pub fn invalid_redirect_uri(application: &str) -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "This link does not lead back to the application",
        "The address to return to after sign-in is not registered for this application, so nobody was signed in.",
    )
    .application(application)
    .what_to_do("if you run this application, run genkan app doctor for it: it shows the redirect_uri that was sent beside those that are registered. They must be the same, to the letter.")
}

#[cfg(test)]
mod tests {
    use super::describable;

    #[test]
    fn a_description_has_the_characters_of_the_standard_and_shows_where_it_was_cut() {
        assert_eq!(
            describable("she said \"no\"\\ f\u{fc}r\r\nall…"),
            "she said 'no'/ f?r??all..."
        );
    }
}
