//! Hosted login: leads a person from "an application wants to know who you are" to a session.
//!
//! A step never calls another step. The browser comes back to [`dispatch`], which reads the [`facts`] and
//! asks [`next_step`](mod@next_step). When a request begins and when a proof ends, the facts are known
//! already, so the same request takes the next step. Every proof ends in [`sign_in`].

mod answer_body;
pub mod callback;
pub mod confirm_switch;
pub mod dispatch;
pub mod facts;
pub mod failed;
pub mod form;
pub mod identify;
pub mod init;
pub mod invitation;
pub mod next_step;
pub mod parked;
mod refusal;
pub mod route;
mod routes;
pub mod select_account;
mod sign_in;
pub mod test_connection;
mod way_on;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use genkan_db::Tx;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::connection::Connection;
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::{ConnectionId, Error, InteractionId, Secret, familiar, upstream_request};
use http::{HeaderMap, header};

use crate::anonymous::{self, Work};
use crate::answer;
use crate::app::App;
use crate::cache::CachedClient;
use crate::connections::{self, Hints};
use crate::cookies::{self, Cookie};
use crate::web::cross_site;
use crate::web::error::PageError;
use crate::web::see_other::see_other;
use facts::Facts;
use next_step::{Step, next_step};
use route::Target;

pub use routes::router;

/// Begins the login for a validated authorization request.
///
/// If a session satisfies the request, the code is issued at once and nothing is stored. Otherwise the
/// request becomes an interaction. If it leads to a provider, the browser goes there at once.
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
    // Otherwise somebody could query domains in bulk, and list the customers.
    let asks_a_domain = request.domain_hint.is_some() || request.login_hint.is_some();
    let guess = asks_a_domain.then(|| anonymous::guess(app)).transpose()?;
    let facts = Facts::of_request(app, headers, Box::new(request)).await?;
    match (guess, &facts.target) {
        (Some(guess), Ok(Some(_))) => guess.give_back(),
        (None, Err(_)) => anonymous::charge(app, Work::Miss)?,
        _ => {}
    }
    let step = next_step(&facts);
    match step {
        Some(Step::Complete(place)) => {
            // A page of another site can send this in the background, as often as it likes.
            anonymous::charge(app, Work::Begin)?;
            return Ok(answer::respond(app, cached, &facts.request, place, None).await?);
        }
        Some(Step::Refuse(refusal)) => return Ok(refusal.answer(app, &facts.request).await),
        Some(Step::Identify | Step::SelectAccount(_) | Step::Authenticate { .. } | Step::ConfirmSwitch)
        | None => {}
    }
    let leads_away = matches!(step, Some(Step::Authenticate { .. }));
    let Facts { request, target, .. } = facts;
    // Also if it leads nowhere yet, because a domain may be added while the page is open.
    let target = target.ok().flatten();
    let connection = target.as_ref().map(Target::connection);
    let origin = if cross_site::is_foreign(app, headers, &cached.client) {
        LoginOrigin::Elsewhere(connection.map(|connection| connection.id.clone()))
    } else {
        LoginOrigin::Here
    };
    let hints = dispatch::hints(&request, request.login_hint.as_deref());
    let new = NewInteraction::prepare(app, headers, Request::Authorize(request), origin).await?;
    match connection.filter(|connection| leads_away && connection.enabled) {
        Some(connection) => new.go_away(app, connection, &hints).await,
        None => new.keep(app).await,
    }
}

/// Who began a sign-in.
#[derive(Debug)]
pub enum LoginOrigin {
    /// The person, at the application or on a page of ours.
    Here,
    /// Another site. If it leads to a connection yet, it is this one. The person will be asked there,
    /// unless they have just agreed on a page of ours, or say in our form who they are.
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
    origin: LoginOrigin,
) -> Result<Response, PageError> {
    NewInteraction::prepare(app, headers, request, origin)
        .await?
        .keep(app)
        .await
}

/// An interaction that is not stored yet.
struct NewInteraction {
    interaction: Interaction,
    origin: LoginOrigin,
    browser: Secret,
    /// It is the browser's first one, so nothing else of the browser is stored.
    is_first: bool,
}

impl NewInteraction {
    async fn prepare(
        app: &App,
        headers: &HeaderMap,
        request: Request,
        origin: LoginOrigin,
    ) -> Result<Self, PageError> {
        anonymous::charge(app, Work::Begin)?;
        // All of it is stored, and a hint or an address may be as long as a state.
        let stored = serde_json::to_string(&request).map_err(PageError::internal)?;
        anonymous::charge(app, Work::Keep { bytes: stored.len() })?;
        anonymous::shared::begin(app).await?;
        let now = app.now();
        let known = app.cookies().read(headers, Cookie::Browser);
        let is_first = known.is_none();
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
        Ok(Self {
            interaction,
            origin,
            browser,
            is_first,
        })
    }

    /// Sends the browser to the dispatcher.
    async fn keep(self, app: &App) -> Result<Response, PageError> {
        app.db()
            .tx_read_committed(async |tx| self.insert(tx).await)
            .await?;
        Ok(self.bind(app, redirect_to(&self.interaction.id)))
    }

    /// Sends the browser to the provider at once, without a question.
    async fn go_away(
        mut self,
        app: &App,
        connection: &Connection,
        hints: &Hints,
    ) -> Result<Response, PageError> {
        let outgoing = match connections::outgoing_request(app, connection, hints).await? {
            Ok(outgoing) => outgoing,
            Err(failure) => {
                app.db()
                    .tx_read_committed(async |tx| self.insert(tx).await)
                    .await?;
                let failed = refusal::failed(app, &self.interaction, failure).await;
                // This also goes with the page of a failure, because its link leads back into this login.
                return Ok(self.bind(app, failed.unwrap_or_else(IntoResponse::into_response)));
            }
        };
        let now = self.interaction.created_at;
        self.interaction.stage = outgoing.stage(None);
        self.interaction.expires_at = now + interaction::AWAY;
        let request = outgoing.request_of(&self.interaction.id, now);
        app.db()
            .tx_read_committed(async |tx| -> Result<(), Error> {
                self.insert(tx).await?;
                upstream_request::insert(tx, &request).await
            })
            .await?;
        Ok(self.bind(app, outgoing.into_response()))
    }

    async fn insert(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let mut interaction = self.interaction.clone();
        interaction.is_foreign = match &self.origin {
            LoginOrigin::Here => false,
            LoginOrigin::Elsewhere(None) => true,
            LoginOrigin::Elsewhere(Some(place)) => {
                let now = interaction.created_at;
                !familiar::take_agreement(tx, &interaction.browser, place, now).await?
            }
        };
        if self.is_first {
            interaction::insert_first(tx, &interaction).await
        } else {
            interaction::insert(tx, &interaction).await
        }
    }

    fn bind(&self, app: &App, mut response: Response) -> Response {
        let cookie = app
            .cookies()
            .set(Cookie::Browser, &self.browser, cookies::BROWSER_SECS);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response
    }
}

/// Sends the browser (back) to the dispatcher.
pub fn redirect_to(id: &InteractionId) -> Response {
    see_other(&path(id))
}

/// The address of an interaction.
pub fn path(id: &InteractionId) -> String {
    format!("/login/{id}")
}

/// Moves an interaction on. A double click moves it once. The second click finds the result at the
/// dispatcher.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn advance(app: &App, interaction: &Interaction, to: &Stage) -> Result<(), PageError> {
    let moved = app
        .db()
        .tx_read_committed(async |tx| interaction::advance(tx, &interaction.id, &interaction.stage, to).await)
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
