//! Hosted login: how a person gets from "an application wants to know who you
//! are" to a session.
//!
//! A step never calls another step: the browser always comes back to
//! [`dispatch`], which reads the [`facts`] and asks [`next_step`](mod@next_step).
//! Every proof of who somebody is ends in [`sign_in`].

pub mod callback;
pub mod confirm_switch;
pub mod dispatch;
pub mod facts;
pub mod identify;
pub mod init;
pub mod invitation;
pub mod next_step;
pub mod parked;
mod refusal;
pub mod route;
pub mod select_account;
mod sign_in;
pub mod test_connection;
mod way_on;

use std::sync::Arc;

use axum::response::{IntoResponse, Redirect, Response};
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::{ConnectionId, Error, InteractionId, Secret, familiar};
use http::{HeaderMap, header};

use crate::anonymous::{self, Work};
use crate::answer;
use crate::app::App;
use crate::cache::CachedClient;
use crate::web::cookie::{self, Cookie};
use crate::web::cross_site;
use crate::web::error::PageError;
use facts::Facts;
use next_step::{Step, next_step};

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
    // If domains could be asked in bulk, somebody could list the customers.
    let asks_a_domain = request.domain_hint.is_some() || request.login_hint.is_some();
    let guess = asks_a_domain.then(|| anonymous::guess(app)).transpose()?;
    let facts = Facts::of_request(app, headers, Box::new(request)).await?;
    match (guess, &facts.target) {
        (Some(guess), Ok(Some(_))) => guess.give_back(),
        (None, Err(_)) => anonymous::charge(app, Work::Miss)?,
        _ => {}
    }
    match next_step(&facts) {
        Some(Step::Complete(place)) => {
            // A page of another site may ask in the background, as often as it likes.
            anonymous::charge(app, Work::Begin)?;
            Ok(answer::respond(app, cached, &facts.request, place, None).await?)
        }
        Some(Step::Refuse(refusal)) => Ok(refusal.answer(app, &facts.request).await),
        Some(Step::Identify | Step::SelectAccount(_) | Step::Authenticate { .. } | Step::ConfirmSwitch)
        | None => {
            // Also where it leads nowhere yet: a domain may come while the page is open.
            let begun = if cross_site::is_foreign(app, headers, &cached.client) {
                let target = facts.target.ok().flatten();
                Begun::Elsewhere(target.map(|target| target.connection().id.clone()))
            } else {
                Begun::Here
            };
            start(app, headers, Request::Authorize(facts.request), begun).await
        }
    }
}

/// Whose idea a sign-in is.
#[derive(Debug)]
pub enum Begun {
    /// The person's, at the application or on a page of ours.
    Here,
    /// Another site's; it leads to this connection, if it leads anywhere yet. The person
    /// will be asked there, unless they have just agreed on a page of ours or say in our
    /// form who they are.
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

/// A sample of every page of a login.
#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    let mut samples = identify::samples();
    samples.extend(select_account::samples());
    samples.extend(confirm_switch::samples());
    samples.extend(init::samples());
    samples.extend(invitation::samples());
    samples.extend(test_connection::samples::all());
    samples
}
