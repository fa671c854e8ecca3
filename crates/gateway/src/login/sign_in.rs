//! The end of a sign-in: the session, and what hangs on it, in one transaction.

use std::net::IpAddr;

use axum::response::Response;
use genkan_db::Tx;
use genkan_store::admission::{self, Claim, Refusal};
use genkan_store::interaction::{self, Held, Interaction, Stage};
use genkan_store::proof::Proofs;
use genkan_store::session::{self, Lifetimes, Session, SignIn, Status};
use genkan_store::{Error, Secret, SessionId, Stamp, UserId, familiar};
use http::{HeaderMap, header};

use super::redirect_to;
use crate::app::App;
use crate::web::cookie::Cookie;

/// What the transaction of a sign-in came to.
#[derive(Debug)]
pub(super) enum Arrived {
    SignedIn(Box<Session>),
    /// The person is asked first; what was proved is kept.
    Held,
    Refused(Refusal),
}

/// Whom the person agreed to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreed {
    NotAsked,
    /// Somebody whom nobody knew when the page was shown.
    NewUser,
    User(UserId),
}

/// A sign-in about to be finished in one browser.
pub(super) struct Finishing<'a> {
    pub interaction: &'a Interaction,
    pub held: Held,
    pub agreed: Agreed,
    new_id: SessionId,
    cookie: Secret,
    lifetimes: Lifetimes,
    ip: String,
    user_agent: Option<String>,
}

impl<'a> Finishing<'a> {
    /// # Errors
    ///
    /// [`Error`] if the store fails.
    pub(super) async fn new(
        app: &App,
        headers: &HeaderMap,
        client_ip: IpAddr,
        interaction: &'a Interaction,
        held: Held,
    ) -> Result<Self, Error> {
        let environment = app.environment().await?;
        Ok(Self {
            interaction,
            held,
            agreed: Agreed::NotAsked,
            new_id: app.ids().next::<SessionId>(app.now()),
            cookie: Secret::generate(),
            lifetimes: Lifetimes {
                absolute: environment.session_absolute,
                idle: environment.session_idle,
            },
            ip: client_ip.to_string(),
            user_agent: user_agent(headers),
        })
    }

    pub(super) fn claim(&self) -> &Claim {
        &self.held.claim
    }

    /// Links or creates the identity, starts or renews the session, advances
    /// the interaction. The events are part of each.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`] if the login has moved on, or somebody else would be
    /// signed in than was shown.
    pub(super) async fn finish(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        previous: Option<&Session>,
    ) -> Result<Arrived, Error> {
        let admitted = match admission::admit(tx, at, self.claim()).await? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Arrived::Refused(refusal)),
        };
        let user = &admitted.user;
        let is_agreed = match &self.agreed {
            Agreed::NotAsked => true,
            Agreed::NewUser => admitted.user_created,
            Agreed::User(id) => *id == user.id,
        };
        if !is_agreed {
            return Err(Error::Stale);
        }
        let mut sign_in = SignIn {
            session_id: self.new_id.clone(),
            user_id: user.id.clone(),
            organization_id: admitted.organization_id.clone(),
            connection_id: self.claim().proof.connection_id().cloned(),
            proofs: Proofs::of(&self.claim().proof, self.held.auth_time),
            ip: Some(self.ip.clone()),
            user_agent: self.user_agent.clone(),
        };
        let (token, lifetimes) = (self.cookie.sha256(), self.lifetimes);
        let session = match previous {
            // The same person again: one session goes on, under a new cookie.
            Some(known) if known.user_id == user.id => {
                sign_in.session_id = known.id.clone();
                session::rejoin(tx, at, &sign_in, &token, lifetimes).await?
            }
            // Somebody else at the same browser: theirs ends first, and its
            // clients are told.
            Some(other) => {
                session::end(tx, at, &other.id, Status::Logout).await?;
                session::start(tx, at, &sign_in, &token, lifetimes).await?
            }
            None => session::start(tx, at, &sign_in, &token, lifetimes).await?,
        };
        let authenticated = Stage::Authenticated {
            session_id: session.id.clone(),
        };
        let interaction = self.interaction;
        interaction::advance(tx, &interaction.id, &interaction.stage, &authenticated).await?;
        if let Some(connection_id) = self.claim().proof.connection_id() {
            familiar::remember(tx, &interaction.browser, connection_id, at.now).await?;
        }
        Ok(Arrived::SignedIn(Box::new(session)))
    }

    /// Sends the browser on with its new session.
    pub(super) fn respond(&self, app: &App, session: &Session) -> Response {
        app.wake_jobs();
        let max_age = session.expires_at.since(app.now()).as_secs();
        let mut response = redirect_to(&self.interaction.id);
        let cookie = app.cookies().set(Cookie::Session, &self.cookie, max_age);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().take(512).collect())
}
