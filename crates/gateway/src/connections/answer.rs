//! The answers of providers: the checks that every protocol needs.
//!
//! Source: RFC 9700 §4.7.1; OAuth 2.0 Form Post Response Mode 1.0 §2.

use genkan_protocol::oauth::Parameters;
use genkan_store::connection::{self, Connection, Endpoint};
use genkan_store::interaction::{self, Interaction, Request, Way};
use genkan_store::parked_answer::{self, Content, ParkedAnswer};
use genkan_store::upstream_request::{self, ExpectedAnswer, UpstreamRequest};
use genkan_store::{ConnectionId, Error, Secret, SecretHash, saml_assertion};
use http::HeaderMap;

use super::answer_error::AnswerError;
use super::saml::VerifiedAnswer;
use super::{CallbackParameters, SignInFailure, UpstreamIdentity, hosted_domain};
use crate::anonymous::answers;
use crate::anonymous::{self, Work};
use crate::app::App;
use crate::budget::Attempt;
use crate::cookies::Cookie;
use crate::web::error::PageError;

/// The longest form that is parked. A code, a state and a few facts about the person take a tenth of it.
pub const MAX_FORM_BYTES: usize = 16 * 1024;

/// The result of a visit to an identity provider.
#[derive(Debug)]
pub struct AnswerOutcome {
    pub interaction: Interaction,
    pub result: Result<UpstreamIdentity, SignInFailure>,
}

/// Processes an identity provider's answer from the query.
///
/// The state is used up first, even if a later check fails. So an answer counts at most once (RFC 9700
/// §4.7.1), in the browser and at the connection of the request.
///
/// # Errors
///
/// [`AnswerError`] if the answer belongs to no waiting request of this browser. A later failure is in
/// [`AnswerOutcome::result`].
pub async fn finish(
    app: &App,
    headers: &HeaderMap,
    connection_id: &str,
    raw: &[u8],
) -> Result<AnswerOutcome, AnswerError> {
    let parameters = Parameters::parse_answer(raw).map_err(|_| garbled())?;
    let connection_id = ConnectionId::parse(connection_id).map_err(|_| super::unknown())?;
    let state = parameters.one("state").ok().flatten().map(Secret::from_presented);
    let (Some(state), Some(browser)) = (state, app.cookies().read(headers, Cookie::Browser)) else {
        return Err(AnswerError::Unsolicited);
    };
    anonymous::charge(app, Work::Provider)?;
    let answer = ProviderAnswer {
        connection_id,
        state: state.sha256(),
        handle: None,
        returned: CallbackParameters::Query(parameters),
    };
    answer.take(app, &browser.sha256()).await
}

/// Stores an answer that another site posted until its browser fetches it, and returns the address for
/// that. Only its state is read, and nothing is used up.
///
/// # Errors
///
/// [`AnswerError::Unsolicited`] if no request with its state waits there.
pub(super) async fn park(app: &App, connection_id: &str, body: &[u8]) -> Result<String, AnswerError> {
    if body.len() > MAX_FORM_BYTES {
        return Err(garbled().into());
    }
    let parameters = Parameters::parse_answer(body).map_err(|_| garbled())?;
    let id = ConnectionId::parse(connection_id).map_err(|_| super::unknown())?;
    let state = parameters.one("state").ok().flatten().map(Secret::from_presented);
    let state = state.ok_or(AnswerError::Unsolicited)?;
    anonymous::charge(app, Work::Begin)?;
    anonymous::charge(app, Work::Keep { bytes: body.len() })?;
    let (now, handle) = (app.now(), Secret::generate());
    let answer = ParkedAnswer {
        state: state.sha256(),
        connection_id: id.clone(),
        handle: handle.sha256(),
        answer_sealed: parked_answer::seal(app.instance_key(), &handle.sha256(), (Content::Form, body)),
        expires_at: now + parked_answer::LIFETIME,
    };
    let connection = app
        .db()
        .tx(async |tx| -> Result<_, Error> {
            // A SAML provider's answer is verified before it waits.
            let connection = connection::find(tx, &id).await?;
            let Some(connection) = connection.filter(|found| found.settings.as_saml().is_none()) else {
                return Ok(None);
            };
            let is_parked = parked_answer::park(tx, &answer, now).await?;
            Ok(is_parked.then_some(connection))
        })
        .await?
        .ok_or(AnswerError::Unsolicited)?;
    Ok(format!(
        "{}/{}",
        connection.path(Endpoint::Callback),
        handle.expose()
    ))
}

/// Processes a parked answer, in the browser that it belongs to.
///
/// # Errors
///
/// As [`finish`]. In another browser the answer stays parked.
pub async fn finish_parked(
    app: &App,
    headers: &HeaderMap,
    connection_id: &str,
    (content, handle): (Content, &str),
) -> Result<AnswerOutcome, AnswerError> {
    let connection_id = ConnectionId::parse(connection_id).map_err(|_| super::unknown())?;
    let browser = app
        .cookies()
        .read(headers, Cookie::Browser)
        .ok_or(AnswerError::Unsolicited)?;
    anonymous::charge(app, Work::Provider)?;
    let (handle, now) = (Secret::from_presented(handle).sha256(), app.now());
    let parked = app
        .db()
        .read(async |tx| parked_answer::find(tx, &handle, now).await)
        .await?
        .filter(|parked| parked.connection_id == connection_id)
        .ok_or(AnswerError::Unsolicited)?;
    let key = app.instance_key();
    let body = match parked.open(key, content) {
        Ok(body) => body,
        // The handle of an answer of the other kind.
        Err(_) if parked.open(key, content.other()).is_ok() => return Err(AnswerError::Unsolicited),
        Err(error) => return Err(PageError::internal(error).into()),
    };
    let returned = match content {
        Content::Form => CallbackParameters::Form(Parameters::parse_answer(&body).map_err(|_| garbled())?),
        Content::Assertion => {
            let verified = VerifiedAnswer::parse(&body).map_err(PageError::internal)?;
            CallbackParameters::Assertion(Box::new(verified))
        }
    };
    let answer = ProviderAnswer {
        connection_id,
        state: parked.state,
        handle: Some(handle),
        returned,
    };
    answer.take(app, &browser.sha256()).await
}

fn garbled() -> PageError {
    PageError::invalid_request("The identity provider's answer is garbled.")
}

/// An answer with the request that it belongs to.
struct ProviderAnswer {
    /// The connection at whose address it arrived.
    connection_id: ConnectionId,
    state: SecretHash,
    /// The handle under which it was parked.
    handle: Option<SecretHash>,
    returned: CallbackParameters,
}

impl ProviderAnswer {
    /// Uses the request up, and checks the answer.
    async fn take(self, app: &App, browser: &SecretHash) -> Result<AnswerOutcome, AnswerError> {
        // Before the state is used up, because a refused answer may come again.
        let attempt = match self.returned.code() {
            Some(_) => answers::begin(app, &self.connection_id)?,
            None => None,
        };
        let opened = match self.open(app, browser).await {
            Ok(opened) => opened,
            Err(error) => {
                // The provider was not asked, so the attempt does not count.
                if let Some(attempt) = attempt {
                    attempt.give_back();
                }
                return Err(error);
            }
        };
        self.judge(app, opened, attempt).await
    }

    /// Runs every check of the provider's kind, and our common ones.
    async fn judge(
        self,
        app: &App,
        opened: PendingLogin,
        attempt: Option<Attempt<'_>>,
    ) -> Result<AnswerOutcome, AnswerError> {
        let expected = opened
            .pending
            .expected(app.instance_key())
            .map_err(PageError::internal)?;
        let attributes = app.user_attributes().await?;
        let interaction = opened.interaction;
        let result = match (opened.is_replayed, self.returned) {
            (true, CallbackParameters::Assertion(answer)) => {
                let asked = match expected {
                    ExpectedAnswer::Saml {
                        requested_at,
                        is_forced,
                    } => Some((requested_at, is_forced)),
                    ExpectedAnswer::Oidc { .. } => None,
                };
                Err(answer.replayed(app, &opened.connection, asked))
            }
            (_, returned) => {
                let asked = (&interaction, expected);
                super::read(app, &opened.connection, asked, returned, &attributes).await
            }
        };
        let is_refused = result.as_ref().is_err_and(SignInFailure::is_refused_code);
        if let Some(attempt) = attempt.filter(|_| !is_refused) {
            attempt.give_back();
        }
        let result = match result {
            Ok(identity) => hosted_domain::check(app, identity).await?,
            Err(failure) => Err(failure),
        };
        Ok(AnswerOutcome { interaction, result })
    }

    /// Uses up the handle and the request in one transaction.
    async fn open(&self, app: &App, browser: &SecretHash) -> Result<PendingLogin, AnswerError> {
        let now = app.now();
        let opened = app
            .db()
            .tx_read_committed(async |tx| -> Result<_, AnswerError> {
                // If the answer does not fit, this rolls back. So another browser's answer cannot use up a
                // login that is not its own.
                if let Some(handle) = &self.handle {
                    let taken = parked_answer::take(tx, handle, now).await?;
                    taken.ok_or(AnswerError::Unsolicited)?;
                }
                let pending = upstream_request::consume(tx, &self.state, now)
                    .await?
                    .ok_or(AnswerError::Unsolicited)?;
                let found = interaction::find_with_connection(
                    tx,
                    &pending.interaction_id,
                    (browser, now),
                    &self.connection_id,
                )
                .await?;
                let (interaction, connection) = found
                    .filter(|_| pending.connection_id == self.connection_id)
                    .ok_or(AnswerError::Unsolicited)?;
                let connection = connection.ok_or_else(super::not_active)?;
                // A replay is committed: it uses the request up, as every answer does.
                let is_replayed = match &self.returned {
                    CallbackParameters::Assertion(answer) => {
                        // A key that was thrown out meanwhile vouches for nobody any more.
                        if !answer.was_verified_for(&connection) {
                            return Err(AnswerError::Unsolicited);
                        }
                        let used = answer.used(&self.connection_id, Some(self.state), now);
                        !saml_assertion::use_up(tx, &used).await?
                    }
                    CallbackParameters::Query(_) | CallbackParameters::Form(_) => false,
                };
                Ok(PendingLogin {
                    pending,
                    interaction,
                    connection,
                    is_replayed,
                })
            })
            .await?;
        let (interaction, connection) = (&opened.interaction, &opened.connection);
        let testing = matches!(interaction.request, Request::TestConnection { .. });
        // It was disabled while the person was away. This takes effect at once.
        if !connection.enabled && !testing {
            return Err(super::not_active().into());
        }
        // A login that has moved on meanwhile is not moved back.
        if interaction.stage.way().and_then(Way::connection_id) != Some(&connection.id) {
            return Err(AnswerError::Unsolicited);
        }
        Ok(opened)
    }
}

/// The request and the login that an answer belongs to.
struct PendingLogin {
    pending: UpstreamRequest,
    interaction: Interaction,
    connection: Connection,
    /// The assertion has counted before.
    is_replayed: bool,
}
