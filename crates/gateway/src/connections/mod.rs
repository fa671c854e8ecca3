//! Upstream identity providers: requests to them, and their answers.
//!
//! [`start`] sends the browser to a provider, with the [`outgoing_request`]. [`finish`] processes the answer, and
//! [`park`] and [`finish_parked`] an answer that another site posts. They check state, signature, audience,
//! nonce and clock. Each check leaves a line in a trace for the administrator.
//!
//! Each kind of connection is one file or folder here, with the functions that the `match` below calls. See
//! `docs/decisions/connection-kinds.md`.

mod answer;
mod answer_error;
pub mod cause;
mod custom;
mod departure;
pub mod failure;
mod hosted_domain;
pub mod oidc;
mod reference;
mod refusal;
mod remedy;
pub mod saml;
mod stored;
pub mod trace;

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use genkan_protocol::oauth::{CodeVerifier, Parameters};
use genkan_protocol::{EmailAddress, Timestamp, Trace};
use genkan_store::admission::{Claim, Profile, Refusal, Roles};
use genkan_store::connection::{self, Connection, Kind, Protocol};
use genkan_store::interaction::{self, Interaction, Request, Stage, Way};
use genkan_store::upstream_request::{self, ExpectedAnswer, UpstreamRequest};
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{ConnectionId, Error, InteractionId, Proof, SecretHash};
use http::StatusCode;

use self::saml::VerifiedAnswer;
pub use answer::{AnswerOutcome, MAX_FORM_BYTES, finish, finish_parked};
pub use answer_error::AnswerError;
pub use departure::{Departure, PendingDeparture};
pub use failure::SignInFailure;
pub use reference::reference;

use crate::anonymous::{self, Work};
use crate::app::App;
use crate::web::error::PageError;

/// What the identity provider is told about the person and the request.
#[derive(Debug, Default, Clone)]
pub struct Hints {
    pub login_hint: Option<String>,
    /// Ask for credentials even if the provider has a session.
    pub force: bool,
    pub select_account: bool,
    pub max_age: Option<Duration>,
}

/// A person as their identity provider describes them, after all checks.
#[derive(Debug, Clone)]
pub struct UpstreamIdentity {
    pub connection: Connection,
    pub subject: String,
    pub email: EmailAddress,
    pub profile: Profile,
    /// `None`: the groups stay.
    pub groups: Option<Vec<String>>,
    pub roles: Roles,
    /// When they authenticated there, if the provider says so.
    pub auth_time: Option<Timestamp>,
    /// When their session there ends, if the provider says so.
    pub ends_at: Option<Timestamp>,
    /// All claims of the provider, to be stored.
    pub attributes: serde_json::Map<String, serde_json::Value>,
    pub trace: Trace,
    /// Our request, as people read it, if a rule of ours refuses the person.
    pub request: Option<String>,
}

impl UpstreamIdentity {
    /// The claim for the admission, which decides whether to let them in.
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

    /// The proof is valid, but our rules refuse the person.
    pub fn refused(&self, refusal: &Refusal) -> SignInFailure {
        let checked = (self.trace.clone(), self.request.clone());
        SignInFailure::refused(&self.connection, &self.claim(), refusal, checked)
    }
}

/// How an answer arrived.
#[derive(Debug)]
pub enum CallbackParameters {
    /// In the query.
    Query(Parameters),
    /// By a form that another site posted.
    Form(Parameters),
    /// By such a form too, and it was verified there.
    Assertion(Box<VerifiedAnswer>),
}

impl CallbackParameters {
    /// The code of an OpenID Provider, if it is given once.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Query(parameters) | Self::Form(parameters) => parameters.one("code").ok().flatten(),
            Self::Assertion(_) => None,
        }
    }
}

/// The request to a provider: where the browser goes, and what is stored until the answer.
#[derive(Debug)]
pub struct OutgoingRequest {
    connection_id: ConnectionId,
    state: SecretHash,
    expected_sealed: Vec<u8>,
    departure: Departure,
}

impl OutgoingRequest {
    /// The stage of a login after its browser has gone there. `email` is what the person typed.
    pub fn stage(&self, email: Option<&str>) -> Stage {
        Stage::At(Way::Connection {
            connection_id: self.connection_id.clone(),
            email: email.map(str::to_owned),
        })
    }

    pub fn request_of(&self, interaction_id: &InteractionId, now: Timestamp) -> UpstreamRequest {
        UpstreamRequest {
            state: self.state,
            interaction_id: interaction_id.clone(),
            connection_id: self.connection_id.clone(),
            expected_sealed: self.expected_sealed.clone(),
            expires_at: now + upstream_request::LIFETIME,
        }
    }
}

impl IntoResponse for OutgoingRequest {
    fn into_response(self) -> Response {
        self.departure.into_response()
    }
}

/// Asks the kind of a connection for the request to its provider. Nothing is stored.
///
/// # Errors
///
/// The outer error is a page: a limit is reached. The inner one is a provider that cannot be asked.
pub async fn outgoing_request(
    app: &App,
    connection: &Connection,
    hints: &Hints,
) -> Result<Result<OutgoingRequest, SignInFailure>, PageError> {
    anonymous::charge(app, Work::Provider)?;
    let departing = match &connection.settings.protocol {
        _ if !connection.missing().is_empty() => Err(SignInFailure::incomplete(connection)),
        Protocol::Oidc(settings) => oidc::start(app, connection, settings, hints).await,
        Protocol::Saml(settings) => saml::start(app, connection, settings, hints).await?,
    };
    Ok(departing.map(|departing| {
        let state = departing.state.sha256();
        OutgoingRequest {
            connection_id: connection.id.clone(),
            state,
            expected_sealed: departing.expected.seal(app.instance_key(), &state),
            departure: departing.departure,
        }
    }))
}

/// Sends the browser of a login to the identity provider of `connection_id`.
///
/// # Errors
///
/// The outer error is a page: the connection is gone or disabled, or the store has failed. The inner one is
/// a provider that cannot be asked.
pub async fn start(
    app: &App,
    interaction: &Interaction,
    connection_id: &ConnectionId,
    hints: &Hints,
) -> Result<Result<Response, SignInFailure>, PageError> {
    let testing = matches!(interaction.request, Request::TestConnection { .. });
    let found = app
        .db()
        .read(async |tx| connection::find(tx, connection_id).await)
        .await?;
    let connection = found
        .filter(|connection| connection.enabled || testing)
        .ok_or_else(not_active)?;
    let outgoing = match outgoing_request(app, &connection, hints).await? {
        Ok(outgoing) => outgoing,
        Err(failure) => return Ok(Err(failure)),
    };
    let request = outgoing.request_of(&interaction.id, app.now());
    let away = outgoing.stage(interaction.stage.way().and_then(Way::typed));
    app.db()
        .tx_read_committed(async |tx| -> Result<(), Error> {
            interaction::advance(tx, &interaction.id, &interaction.stage, &away).await?;
            upstream_request::replace(tx, &request).await
        })
        .await?;
    Ok(Ok(outgoing.into_response()))
}

/// Takes an answer that a page of the provider posts, and returns the address at which the browser goes on,
/// by a GET with its cookie.
///
/// # Errors
///
/// [`AnswerError`] if the answer belongs to no sign-in here.
pub async fn park(app: &App, kind: Kind, connection_id: &str, body: &[u8]) -> Result<String, AnswerError> {
    match kind {
        Kind::Oidc => answer::park(app, connection_id, body).await,
        Kind::Saml => saml::receive(app, connection_id, body).await,
    }
}

/// A provider that the next sign-in will not reach.
#[derive(Debug)]
pub struct UnreachableProvider {
    pub why: String,
    /// What an operator can change, if the reason shows it.
    pub remedy: Option<&'static str>,
}

/// Reaches a provider as the next sign-in does.
///
/// # Errors
///
/// [`UnreachableProvider`] if nobody can sign in there.
pub async fn reach(app: &App, connection: &Connection) -> Result<(), UnreachableProvider> {
    match &connection.settings.protocol {
        Protocol::Oidc(settings) => oidc::reach(app, connection, settings).await,
        Protocol::Saml(settings) => saml::reach(connection, settings),
    }
}

/// Our attribute for a claim of the provider, for people who look at the claims. `attributes` are the registered
/// ones.
pub fn becomes(connection: &Connection, attributes: &[UserAttribute], name: &str) -> Option<&'static str> {
    match &connection.settings.protocol {
        Protocol::Oidc(settings) => oidc::mapping(connection, settings, attributes).becomes(name),
        Protocol::Saml(_) => saml::mapping(connection, attributes).becomes(name),
    }
}

/// Runs every check of the provider's kind.
async fn read(
    app: &App,
    connection: &Connection,
    (interaction, expected): (&Interaction, ExpectedAnswer),
    returned: CallbackParameters,
    attributes: &[UserAttribute],
) -> Result<UpstreamIdentity, SignInFailure> {
    match (&connection.settings.protocol, expected, returned) {
        (
            Protocol::Oidc(settings),
            ExpectedAnswer::Oidc {
                nonce,
                code_verifier,
                form_post,
                prompt,
                login_hint,
            },
            returned @ (CallbackParameters::Query(_) | CallbackParameters::Form(_)),
        ) => {
            let arrival = oidc::AuthenticationResponse {
                returned: &returned,
                attributes,
                nonce: &nonce,
                code_verifier: code_verifier.and_then(|text| CodeVerifier::parse(text.expose()).ok()),
                form_post,
                max_age: match &interaction.request {
                    Request::Authorize(request) => request.max_age,
                    Request::TestConnection { .. } => None,
                },
                prompt: prompt.as_deref(),
                login_hint: login_hint.as_deref(),
            };
            oidc::finish(app, connection, settings, arrival).await
        }
        (
            Protocol::Saml(settings),
            ExpectedAnswer::Saml {
                requested_at,
                is_forced,
            },
            CallbackParameters::Assertion(answer),
        ) => {
            let asked = (requested_at, is_forced);
            saml::finish(app, connection, (settings, asked), *answer, attributes)
        }
        (Protocol::Oidc(_) | Protocol::Saml(_), ..) => Err(SignInFailure::of_another_kind(connection)),
    }
}

/// The page for a link to a connection that does not exist.
pub fn unknown() -> PageError {
    PageError::new(
        StatusCode::NOT_FOUND,
        "There is no such company sign-in",
        "The link names a connection that does not exist, or no longer.",
    )
    .what_to_do("check the link, or ask the people who run the application.")
}

/// The page for a sign-in through a disabled connection.
pub fn not_active() -> PageError {
    PageError::new(
        StatusCode::FORBIDDEN,
        "Your company’s sign-in is switched off",
        "It was disabled by the people who run the application or by your IT team.",
    )
    .what_to_do("ask your IT team when it will be back.")
}
