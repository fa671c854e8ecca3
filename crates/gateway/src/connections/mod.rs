//! Upstream identity providers: the way out to them, and the way back.
//!
//! [`start`] sends the browser away; [`finish`] takes the answer. Every check of
//! state, signature, audience, nonce and clock lies behind `finish`, and each
//! leaves a line in a trace that an administrator can read.

pub mod failure;
mod hosted_domain;
pub mod oidc;
mod refusal;
mod remedy;
mod saml;
mod shelf;
pub mod trace;

use std::time::Duration;

use axum::response::{IntoResponse, Redirect, Response};
use genkan_protocol::oauth::{CodeVerifier, Parameters};
use genkan_protocol::{EmailAddress, Timestamp, Trace};
use genkan_store::admission::{Claim, Profile, Refusal, Roles};
use genkan_store::connection::{self, Connection, Protocol};
use genkan_store::interaction::{self, Interaction, Request, Stage, Way};
use genkan_store::upstream_request::{self, UpstreamRequest};
use genkan_store::{ConnectionId, Error, Proof, Secret, SecretHash};
use http::{HeaderMap, header};

pub use failure::Failure;

use crate::anonymous::answers;
use crate::anonymous::{self, Work};
use crate::app::App;
use crate::web::cookie::Cookie;
use crate::web::error::PageError;

/// What to tell the identity provider about the person and the request.
#[derive(Debug, Default, Clone)]
pub struct Hints {
    pub login_hint: Option<String>,
    /// Ask for credentials even if the provider has a session.
    pub force: bool,
    pub select_account: bool,
    pub max_age: Option<Duration>,
}

/// A person as their identity provider describes them, every check passed.
#[derive(Debug, Clone)]
pub struct UpstreamIdentity {
    pub connection: Connection,
    pub subject: String,
    pub email: EmailAddress,
    pub profile: Profile,
    /// `None`: they stay as they are.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
    /// When they authenticated there, if the provider says so.
    pub auth_time: Option<Timestamp>,
    /// All claims as they came, for the record.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    pub trace: Trace,
}

impl UpstreamIdentity {
    /// What they claim to be, for the one who decides whether to admit them.
    pub fn claim(&self) -> Claim {
        let proof = Proof::Connection {
            connection_id: self.connection.id.clone(),
            subject: self.subject.clone(),
        };
        Claim {
            proof,
            profile: self.profile.clone(),
            groups: self.groups.clone(),
            roles: self.roles.clone(),
            attributes: self.attributes.clone(),
        }
    }

    /// They are genuine; our own rules refuse them.
    pub fn refused(&self, refusal: &Refusal) -> Failure {
        Failure::refused(&self.connection, &self.claim(), refusal, self.trace.clone())
    }
}

/// The end of a visit to an identity provider.
#[derive(Debug)]
pub struct Finished {
    pub interaction: Interaction,
    pub result: Result<UpstreamIdentity, Failure>,
}

/// Why an answer is not taken up.
#[derive(Debug)]
pub enum NotTaken {
    /// It belongs to no pending request of this browser: replayed, forged, or a stranger's.
    Unsolicited,
    Page(PageError),
}

impl From<PageError> for NotTaken {
    fn from(page: PageError) -> Self {
        Self::Page(page)
    }
}

impl From<Error> for NotTaken {
    fn from(error: Error) -> Self {
        Self::Page(error.into())
    }
}

impl From<genkan_db::Error> for NotTaken {
    fn from(error: genkan_db::Error) -> Self {
        Self::Page(error.into())
    }
}

impl From<anonymous::TooMany> for NotTaken {
    fn from(too_many: anonymous::TooMany) -> Self {
        Self::Page(too_many.into())
    }
}

/// Sends the browser to the identity provider of `connection_id`.
///
/// # Errors
///
/// The outer error is a page: the connection is gone or disabled, or the store
/// fails. The inner one is a provider that cannot be asked.
pub async fn start(
    app: &App,
    interaction: &Interaction,
    connection_id: &ConnectionId,
    hints: &Hints,
) -> Result<Result<Response, Failure>, PageError> {
    let now = app.now();
    let testing = matches!(interaction.request, Request::TestConnection { .. });
    let found = app
        .db()
        .read(async |tx| connection::find(tx, connection_id).await)
        .await?;
    let connection = found
        .filter(|connection| connection.enabled || testing)
        .ok_or_else(PageError::connection_not_active)?;
    anonymous::charge(app, Work::Provider)?;
    let departure = match &connection.settings.protocol {
        _ if !connection.missing().is_empty() => Err(Failure::incomplete(&connection)),
        Protocol::Oidc(settings) => oidc::start(app, &connection, settings, hints).await,
        Protocol::Saml(_) => Err(saml::not_supported(&connection)),
    };
    let departure = match departure {
        Ok(departure) => departure,
        Err(failure) => return Ok(Err(failure)),
    };
    let state = departure.state.sha256();
    let request = UpstreamRequest {
        state,
        interaction_id: interaction.id.clone(),
        connection_id: connection.id.clone(),
        nonce: departure.nonce,
        code_verifier_sealed: departure.code_verifier.map(|verifier| {
            upstream_request::seal_code_verifier(app.instance_key(), &state, verifier.expose())
        }),
        expires_at: now + upstream_request::LIFETIME,
    };
    let typed = interaction.stage.way().and_then(Way::typed);
    let away = Stage::At(Way::Connection {
        connection_id: connection.id.clone(),
        email: typed.map(str::to_owned),
    });
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            interaction::advance(tx, &interaction.id, &interaction.stage, &away).await?;
            upstream_request::insert(tx, &request).await
        })
        .await?;
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok(Ok((no_store, Redirect::to(&departure.url)).into_response()))
}

/// Takes an identity provider's answer.
///
/// The state is consumed first, whatever comes of the rest: an answer counts
/// once (RFC 9700 §4.7.1), in the browser that asked, at the connection that was
/// asked, or not at all.
///
/// # Errors
///
/// [`NotTaken`] if the answer belongs to no pending request of this browser.
/// What fails after that is in [`Finished::result`].
pub async fn finish(
    app: &App,
    headers: &HeaderMap,
    connection_id: &str,
    raw: &[u8],
) -> Result<Finished, NotTaken> {
    let parameters = Parameters::parse(raw)
        .map_err(|_| PageError::invalid_request("The identity provider's answer is garbled."))?;
    let connection_id = ConnectionId::parse(connection_id).map_err(|_| PageError::unknown_connection())?;
    let state = parameters.one("state").ok().flatten().map(Secret::from_presented);
    let (Some(state), Some(browser)) = (state, app.cookies().read(headers, Cookie::Browser)) else {
        return Err(NotTaken::Unsolicited);
    };
    anonymous::charge(app, Work::Provider)?;
    // Before the state is used up: a refused answer may come again.
    let attempt = match parameters.one("code") {
        Ok(Some(_)) => answers::begin(app, &connection_id)?,
        _ => None,
    };
    let opened = open(app, &connection_id, &state.sha256(), &browser.sha256()).await;
    let Opened {
        pending,
        interaction,
        connection,
    } = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // The provider was not asked.
            if let Some(attempt) = attempt {
                attempt.give_back();
            }
            return Err(error);
        }
    };
    let code_verifier = pending
        .open_code_verifier(app.instance_key())
        .map_err(PageError::internal)?
        .and_then(|verifier| CodeVerifier::parse(&verifier).ok());
    let arrival = oidc::Arrival {
        parameters: &parameters,
        nonce: &pending.nonce,
        code_verifier,
        max_age: match &interaction.request {
            Request::Authorize(request) => request.max_age,
            Request::TestConnection { .. } => None,
        },
    };
    let result = match &connection.settings.protocol {
        Protocol::Oidc(settings) => oidc::finish(app, &connection, settings, arrival).await,
        // Nobody was sent there: a request was under way under another kind's settings.
        Protocol::Saml(_) => Err(saml::not_supported(&connection)),
    };
    let is_refused = result.as_ref().is_err_and(Failure::is_refused_code);
    if let Some(attempt) = attempt.filter(|_| !is_refused) {
        attempt.give_back();
    }
    let result = match result {
        Ok(identity) => hosted_domain::check(app, identity).await?,
        Err(failure) => Err(failure),
    };
    Ok(Finished { interaction, result })
}

/// A provider that the next sign-in will not reach.
#[derive(Debug)]
pub struct Unreached {
    pub why: String,
    /// What an operator can change, where the reason itself tells.
    pub remedy: Option<&'static str>,
}

/// Looks at a provider as the next sign-in does.
///
/// # Errors
///
/// [`Unreached`] if nobody can sign in there.
pub async fn reach(app: &App, connection: &Connection) -> Result<(), Unreached> {
    match &connection.settings.protocol {
        Protocol::Oidc(settings) => oidc::reach(app, connection, settings).await,
        Protocol::Saml(_) => Err(saml::reach(connection)),
    }
}

/// What an attribute that came becomes, for people who look at it.
pub fn becomes(connection: &Connection, name: &str) -> Option<&'static str> {
    match &connection.settings.protocol {
        Protocol::Oidc(settings) => oidc::becomes(connection, settings, name),
        // Nothing has come.
        Protocol::Saml(_) => None,
    }
}

/// What an answer belongs to.
struct Opened {
    pending: UpstreamRequest,
    interaction: Interaction,
    connection: Connection,
}

/// Uses up the state of an answer.
async fn open(
    app: &App,
    connection_id: &ConnectionId,
    state: &SecretHash,
    browser: &SecretHash,
) -> Result<Opened, NotTaken> {
    let now = app.now();
    let opened = app
        .db()
        .tx(async |tx| -> Result<_, NotTaken> {
            // Whatever does not fit rolls back: another browser's answer cannot use
            // up a login that is not its own.
            let pending = upstream_request::consume(tx, state, now)
                .await?
                .ok_or(NotTaken::Unsolicited)?;
            let interaction = interaction::find(tx, &pending.interaction_id, browser, now)
                .await?
                .filter(|_| pending.connection_id == *connection_id)
                .ok_or(NotTaken::Unsolicited)?;
            let connection = connection::find(tx, connection_id)
                .await?
                .ok_or_else(PageError::connection_not_active)?;
            Ok(Opened {
                pending,
                interaction,
                connection,
            })
        })
        .await?;
    let (interaction, connection) = (&opened.interaction, &opened.connection);
    let testing = matches!(interaction.request, Request::TestConnection { .. });
    // Disabled while the person was away: disabling takes effect at once.
    if !connection.enabled && !testing {
        return Err(PageError::connection_not_active().into());
    }
    // A login that went another way meanwhile is not moved back.
    if interaction.stage.way().and_then(Way::connection_id) != Some(&connection.id) {
        return Err(NotTaken::Unsolicited);
    }
    Ok(opened)
}
