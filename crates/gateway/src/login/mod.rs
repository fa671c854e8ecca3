//! Hosted login: how a person gets from "an application wants to know who you
//! are" to a session.
//!
//! A step never calls another step: the browser always comes back to
//! [`dispatch`], which reads the stored interaction and decides.

pub mod callback;
pub mod confirm_switch;
pub mod dispatch;
pub mod identify;
pub mod init;
pub mod invitation;
pub mod next_step;
mod refusal;
pub mod route;
pub mod select_account;
mod sign_in;
pub mod test_connection;
mod way_on;

use std::sync::Arc;

use axum::response::{IntoResponse, Redirect, Response};
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_protocol::oauth::ErrorCode;
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::session::{self, Session};
use genkan_store::user::{self, User};
use genkan_store::{ConnectionId, Error, InteractionId, Secret, familiar};
use http::{HeaderMap, header};

use crate::anonymous::{self, Work};
use crate::answer::{self, Answer, Place};
use crate::app::App;
use crate::cache::CachedClient;
use crate::web::cookie::{self, Cookie};
use crate::web::cross_site;
use crate::web::error::PageError;
use crate::web::id_token_hint::{self, Hint};
use crate::web::refused::{self, Refused};
use next_step::{Progress, Step, Wanted, next_step};
use route::Target;

/// Takes up a validated authorization request.
///
/// With a session that satisfies it the code is issued at once, and nothing is
/// stored; otherwise the request becomes an interaction.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn begin(
    app: &App,
    headers: &HeaderMap,
    cached: &Arc<CachedClient>,
    request: AuthorizationRequest,
) -> Result<Response, PageError> {
    let now = app.now();
    let signed_in = signed_in(app, headers).await?;
    // Whose domains are customers is not to be asked in bulk.
    let asks_a_domain = request.domain_hint.is_some() || request.login_hint.is_some();
    let guess = asks_a_domain.then(|| anonymous::guess(app)).transpose()?;
    let target = match route::find_target(app, &request, signed_in.as_ref()).await? {
        Ok(target) => {
            if let Some(guess) = guess.filter(|_| target.is_some()) {
                guess.give_back();
            }
            target
        }
        Err(refusal) => {
            let refused = Refused {
                endpoint: "authorize",
                client_id: &request.client_id,
                is_known: true,
                reason: refusal.code(),
                description: refusal.description(),
                redirect_uri: None,
            };
            if guess.is_none() {
                anonymous::charge(app, Work::Miss)?;
            }
            refused::record(app, refused).await;
            let answer = Answer::to(app, &request);
            return Ok(answer.error_named(refusal.code(), refusal.description(), request.state.as_deref()));
        }
    };
    let mut request = request;
    let hinted_user = match hint(app, &request).await? {
        None => None,
        Some(Hint::Ours(claims)) => Some(claims.sub),
        // Nobody knows whom it names, so no session satisfies it: a fresh sign-in does.
        Some(Hint::UnknownKey) if !request.prompt.none => {
            request.id_token_hint = None;
            request.prompt.login = true;
            None
        }
        Some(Hint::UnknownKey) => {
            let description = "the key of the id_token_hint is known no more: sign the person in again";
            let answer = Answer::to(app, &request);
            return Ok(answer.error(ErrorCode::LoginRequired, description, request.state.as_deref()));
        }
        Some(Hint::Forged) => {
            // Told at once: nobody could satisfy it, however they signed in.
            let description = "id_token_hint was not issued here";
            let answer = Answer::to(app, &request);
            return Ok(answer.error(ErrorCode::InvalidRequest, description, request.state.as_deref()));
        }
    };
    let progress = Progress::of(
        &request,
        &Stage::Started,
        Wanted {
            target: target.as_ref(),
            user_id: hinted_user.as_deref(),
        },
        signed_in.as_ref(),
        now,
    );
    match (next_step(progress), signed_in) {
        (Step::Complete, Some((session, _))) => {
            // A page of another site may ask in the background, as often as it likes.
            anonymous::charge(app, Work::Begin)?;
            let place = Place::of(&session, target.as_ref().and_then(Target::entered));
            Ok(answer::respond(app, cached, &request, place, None).await?)
        }
        (Step::LoginRequired, _) => {
            let description = "no session in this browser satisfies the request";
            let answer = Answer::to(app, &request);
            Ok(answer.error(ErrorCode::LoginRequired, description, request.state.as_deref()))
        }
        _ => {
            // Also where it leads nowhere yet: a domain may come while the page is open.
            let begun = if cross_site::is_foreign(app, headers, &cached.client) {
                Begun::Elsewhere(target.map(|target| target.connection().id.clone()))
            } else {
                Begun::Here
            };
            start(app, headers, Request::Authorize(Box::new(request)), begun).await
        }
    }
}

/// Whose idea a sign-in is.
#[derive(Debug)]
pub enum Begun {
    /// The person's, at the application or on a page of ours.
    Here,
    /// Another site's, which chose this connection. The person will be asked there,
    /// unless they have just agreed on a page of ours or say in our form who they are.
    Elsewhere(Option<ConnectionId>),
}

/// Stores an interaction, binds it to this browser, and sends the browser to it.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn start(
    app: &App,
    headers: &HeaderMap,
    request: Request,
    begun: Begun,
) -> Result<Response, PageError> {
    anonymous::charge(app, Work::Begin)?;
    if let Request::Authorize(request) = &request {
        let state = request.state.as_ref().map_or(0, String::len);
        anonymous::charge(app, Work::Keep { bytes: state })?;
    }
    anonymous::shared::begin(app).await?;
    let now = app.now();
    let known = app.cookies().read(headers, Cookie::Browser);
    let browser = known.unwrap_or_else(Secret::generate);
    let interaction = Interaction {
        id: app.ids().next::<InteractionId>(now),
        browser: browser.sha256(),
        request,
        is_foreign: false,
        stage: Stage::Started,
        created_at: now,
        expires_at: now + interaction::UNTOUCHED,
    };
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            let mut interaction = interaction.clone();
            interaction.is_foreign = match &begun {
                Begun::Here => false,
                Begun::Elsewhere(None) => true,
                Begun::Elsewhere(Some(place)) => {
                    !familiar::take_agreement(tx, &interaction.browser, place, now).await?
                }
            };
            interaction::insert(tx, &interaction).await
        })
        .await?;
    let mut response = redirect_to(&interaction.id);
    let cookie = app.cookies().set(Cookie::Browser, &browser, cookie::BROWSER_SECS);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Sends the browser (back) to the dispatcher.
pub fn redirect_to(id: &InteractionId) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Redirect::to(&path(id))).into_response()
}

/// The address of an interaction.
pub fn path(id: &InteractionId) -> String {
    format!("/login/{id}")
}

/// Moves an interaction on. A double click moves it once; the second one finds
/// the first one's result at the dispatcher.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn advance(app: &App, interaction: &Interaction, to: &Stage) -> Result<(), PageError> {
    let moved = app
        .db()
        .tx(async |tx| interaction::advance(tx, &interaction.id, &interaction.stage, to).await)
        .await;
    match moved {
        Ok(()) | Err(Error::Stale) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The request's `id_token_hint`, looked at.
async fn hint(app: &App, request: &AuthorizationRequest) -> Result<Option<Hint>, PageError> {
    match &request.id_token_hint {
        Some(token) => Ok(Some(id_token_hint::verify(app, token).await?)),
        None => Ok(None),
    }
}

/// The user whom the request's `id_token_hint` names, if we signed it.
async fn hinted_user(app: &App, request: &AuthorizationRequest) -> Result<Option<String>, PageError> {
    let claims = hint(app, request).await?.and_then(Hint::claims);
    Ok(claims.map(|claims| claims.sub))
}

/// The live session of this browser and its user.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<(Session, User)>, Error> {
    let Some(cookie) = app.cookies().read(headers, Cookie::Session) else {
        return Ok(None);
    };
    let (hash, now) = (cookie.sha256(), app.now());
    app.db()
        .read(async |tx| {
            let Some(session) = session::find_live_by_token(tx, &hash, now).await? else {
                return Ok(None);
            };
            let user = user::find(tx, &session.user_id)
                .await?
                .filter(|user| !user.disabled);
            Ok(user.map(|user| (session, user)))
        })
        .await
}

/// The interaction `id`, if this browser started it and it is still open.
///
/// # Errors
///
/// A page that says so if it is unknown, expired, or another browser's: an
/// attacker's link to their own login finishes nothing here (login CSRF).
pub async fn interaction_of_browser(
    app: &App,
    headers: &HeaderMap,
    id: &str,
) -> Result<(Interaction, Secret), PageError> {
    let id = InteractionId::parse(id).map_err(|_| PageError::interaction_gone())?;
    let browser = app
        .cookies()
        .read(headers, Cookie::Browser)
        .ok_or_else(PageError::interaction_gone)?;
    let now = app.now();
    let hash = browser.sha256();
    let found = app
        .db()
        .read(async |tx| interaction::find_past(tx, &id, &hash).await)
        .await?;
    let interaction = found.ok_or_else(PageError::interaction_gone)?;
    if interaction.expires_at <= now {
        return Err(way_on::gone(app, &interaction).await);
    }
    Ok((interaction, browser))
}
