//! An answer that a provider's page posts.
//!
//! A form of another site carries no cookie of ours, so it is not known whose browser this is. All that
//! needs no browser is checked here, and nothing is used up. If the answer holds, its assertion waits,
//! sealed, until the browser fetches it (see `docs/decisions/connection-kinds.md`). If not, nothing is
//! stored but the trace. Either way the browser goes on by a GET, which has the cookie, unless the answer
//! belongs to no sign-in.
//!
//! Source: SAML Profiles §4.1.4.3, §4.1.5; SAML Bindings §3.5.

use genkan_protocol::Trace;
use genkan_protocol::saml::{
    AlgorithmPolicy, Answer, Assertion, Cause, DecryptionKey, EncryptionPolicy, Expected, ExpectedEncryption,
    IdpCertificate, PendingRequest, PrivateKeyUse, RequiredSignature, VerificationKey, response,
};
use genkan_store::connection::{self, Connection, Endpoint, SamlSettings, ServiceProvider, SigningOption};
use genkan_store::interaction::{Interaction, Request, Way};
use genkan_store::parked_answer::{self, Content, ParkedAnswer};
use genkan_store::upstream_request::{self, ExpectedAnswer, UpstreamRequest};
use genkan_store::{ConnectionId, Error, Secret, Timestamp, saml_assertion};
use zeroize::Zeroizing;

use super::failed;
use super::failure::failure;
use super::form::Form;
use super::initiated::InitiatedSignIn;
use super::message::ReceivedXml;
use super::pending::{self, RequestStatus};
use super::receive_error::ReceiveError;
use super::verified::VerifiedAnswer;
use super::{
    CLOCK_SKEW, ID_PREFIX, keys, mapping, message, name_id_format, requested_context, service_provider,
};
use crate::anonymous::{self, Work};
use crate::app::App;
use crate::connections::failure::{AnswerOrigin, Messages};
use crate::connections::{AnswerError, SignInFailure, not_active, trace, unknown};
use crate::web::error::PageError;

/// The longest form: the longest answer, base64 and percent signs included.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// So many answers to no request are decrypted for one connection in a minute, of those that a stranger may
/// have made. Nothing that is stored could count them, because there is no request.
const UNSOLICITED_A_MINUTE: u64 = 100;

/// Checks an answer that a provider's page posted to the address of a connection, and returns the address
/// at which the browser goes on.
///
/// # Errors
///
/// [`AnswerError::Page`] if the connection takes no answers, the answer fails and belongs to no sign-in, or
/// the store fails.
pub(in crate::connections) async fn receive(
    app: &App,
    connection_id: &str,
    body: &[u8],
) -> Result<String, AnswerError> {
    let id = ConnectionId::parse(connection_id).map_err(|_| unknown())?;
    anonymous::charge(app, Work::Provider)?;
    let found = app.db().read(async |tx| connection::find(tx, &id).await).await?;
    let connection = found.ok_or_else(unknown)?;
    let settings = connection.settings.as_saml().ok_or_else(unknown)?;
    let mut arrival = Arrival {
        app,
        connection: &connection,
        settings,
        sp: service_provider(app, &connection, settings),
        pending: None,
        trace: Trace::default(),
        xml: None,
    };
    match arrival.read(body).await {
        Ok(address) => Ok(address),
        Err(ReceiveError::AnswerError(answer_error)) => Err(answer_error),
        Err(ReceiveError::Failed(cause)) => {
            let messages = arrival.messages();
            let (pending, trace) = (arrival.pending, arrival.trace);
            let failure = failure(&connection, &arrival.sp, cause, trace).with_messages(messages);
            if let Some(pending) = pending {
                let asked = (&*pending.interaction, &pending.request.state, cause);
                return Ok(failed::record(app, &connection, asked, &failure).await?);
            }
            // An answer that nobody waits for leaves little behind.
            anonymous::charge(app, Work::Miss)?;
            if !connection.enabled {
                return Err(not_active().into());
            }
            Err(strange(app, failure).await?.into())
        }
    }
}

/// The page for an answer that no sign-in here waits for.
async fn strange(app: &App, failure: SignInFailure) -> Result<PageError, PageError> {
    let failure = failure.of_nobody();
    let id = trace::record_stranger(app, &failure).await?;
    Ok(failure.page(id.as_ref()))
}

/// The request that an answer belongs to.
struct Pending {
    state: Secret,
    request: UpstreamRequest,
    interaction: Box<Interaction>,
}

/// An answer, and what is known about it.
struct Arrival<'a> {
    app: &'a App,
    connection: &'a Connection,
    settings: &'a SamlSettings,
    sp: ServiceProvider,
    pending: Option<Pending>,
    trace: Trace,
    /// The answer, as soon as it is known to be XML.
    xml: Option<String>,
}

impl Arrival<'_> {
    async fn read(&mut self, body: &[u8]) -> Result<String, ReceiveError> {
        let form = match Form::parse(body) {
            Ok(form) => form,
            Err(received) => {
                let expected = "one SAMLResponse, and at most one RelayState of 512 bytes";
                return Err(self.fail(Cause::FormMalformed, "Form", (expected, received)));
            }
        };
        self.trace.pass("Form", "one SAMLResponse");
        let answer = match Answer::read(&form.response, &mut self.trace) {
            Ok(answer) => answer,
            Err(cause) => {
                self.note_refused(&form.response).await?;
                return Err(cause.into());
            }
        };
        self.xml = Some(answer.xml().to_owned());
        self.find_request(&answer, form.relay_state.as_deref()).await?;
        let is_test = self.is_test();
        // It was disabled while the person was away. This takes effect at once.
        if !self.connection.enabled && !is_test {
            return Err(not_active().into());
        }
        let assertion = self.validate(&answer).await?;
        let trace = std::mem::take(&mut self.trace);
        let verified = VerifiedAnswer::new(assertion, trace, self.settings).map_err(PageError::internal)?;
        match &self.pending {
            Some(pending) => self.park(pending, &verified).await,
            None => self.begin(verified, form.relay_state).await,
        }
    }

    /// Request and answer, for the people who read the trace.
    fn messages(&self) -> Messages {
        let request = self.pending.as_ref().and_then(|pending| {
            let expected = pending.request.expected(self.app.instance_key()).ok()?;
            let ExpectedAnswer::Saml {
                requested_at,
                is_forced,
            } = expected
            else {
                return None;
            };
            let asked = (requested_at, is_forced);
            message::request(self.connection, &self.sp, self.settings, asked)
        });
        let answer = self.xml.as_deref().map(|xml| ReceivedXml {
            xml,
            state: self.pending.as_ref().map(|pending| pending.state.expose()),
            origin: match (response::is_signed(&self.trace), response::is_for_us(&self.trace)) {
                (false, _) => AnswerOrigin::Anybody,
                (true, false) => AnswerOrigin::Elsewhere,
                (true, true) => AnswerOrigin::Provider,
            },
        });
        message::of(request, answer)
    }

    fn is_test(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| matches!(pending.interaction.request, Request::TestConnection { .. }))
    }

    /// A check of ours has failed. The checks of the message after it are not reached.
    fn fail(&mut self, cause: Cause, check: &str, (expected, received): (&str, &str)) -> ReceiveError {
        self.trace.fail(check, expected, received);
        response::not_reached(&mut self.trace);
        ReceiveError::Failed(cause)
    }

    /// Finds the request by `InResponseTo`, before anything is decrypted. Without one, the provider began
    /// the sign-in; but if `RelayState` names a request, `InResponseTo` was forgotten.
    async fn find_request(&mut self, answer: &Answer, relay_state: Option<&str>) -> Result<(), ReceiveError> {
        const CHECK: &str = "Waiting request";
        let expected = "a request of this connection that waits for its answer";
        let named = answer.in_response_to();
        let state = match named {
            Some(id) => id.strip_prefix(ID_PREFIX).map(Secret::from_presented),
            None => relay_state.map(Secret::from_presented),
        };
        let Some(state) = state else {
            return match named {
                Some(id) => Err(self.fail(Cause::RequestUnknown, CHECK, (expected, id))),
                None => Ok(()),
            };
        };
        let (cause, received) = match self.look_up(&state).await? {
            RequestStatus::Waiting(request, _) if request.connection_id != self.connection.id => {
                (Cause::RequestOfOtherConnection, "a request of another connection")
            }
            RequestStatus::Waiting(request, interaction) => {
                if self.is_there(&interaction) {
                    self.trace.pass(CHECK, "waits for its answer");
                    self.pending = Some(Pending {
                        state,
                        request,
                        interaction,
                    });
                    return self.compare_relay_state(relay_state);
                }
                // A login that has moved on meanwhile is not moved back.
                (
                    Cause::RequestAlreadyUsed,
                    "a request of a sign-in that has gone on",
                )
            }
            RequestStatus::Expired => (Cause::RequestExpired, "a request whose time is over"),
            RequestStatus::Answered => (Cause::RequestAlreadyUsed, "a request that was answered"),
            RequestStatus::Nothing => (Cause::RequestUnknown, "a request that is not known"),
        };
        // An unsolicited answer may bring any RelayState.
        match named {
            Some(_) => Err(self.fail(cause, CHECK, (expected, received))),
            None => Ok(()),
        }
    }

    /// An answer that cannot be read, or says that the provider refused. It may still belong to a sign-in,
    /// whose person and application are told.
    async fn note_refused(&mut self, form_value: &str) -> Result<(), ReceiveError> {
        let Some((xml, in_response_to)) = response::peek(form_value) else {
            return Ok(());
        };
        self.xml = Some(xml);
        let named = in_response_to
            .as_deref()
            .and_then(|id| id.strip_prefix(ID_PREFIX));
        let Some(state) = named.map(Secret::from_presented) else {
            return Ok(());
        };
        if let RequestStatus::Waiting(request, interaction) = self.look_up(&state).await?
            && request.connection_id == self.connection.id
            && self.is_there(&interaction)
        {
            self.pending = Some(Pending {
                state,
                request,
                interaction,
            });
        }
        Ok(())
    }

    async fn look_up(&self, state: &Secret) -> Result<RequestStatus, Error> {
        let (hash, now) = (state.sha256(), self.app.now());
        self.app
            .db()
            .read(async |tx| pending::find(tx, &hash, now).await)
            .await
    }

    /// Whether a login is at this provider now.
    fn is_there(&self, interaction: &Interaction) -> bool {
        interaction.stage.way().and_then(Way::connection_id) == Some(&self.connection.id)
    }

    /// Some providers lose it. One that is there must be ours (SAML Bindings §3.5.3).
    fn compare_relay_state(&mut self, relay_state: Option<&str>) -> Result<(), ReceiveError> {
        let Some(pending) = &self.pending else {
            return Ok(());
        };
        match relay_state {
            Some(sent) if sent != pending.state.expose() => Err(self.fail(
                Cause::RelayStateMismatch,
                "RelayState",
                ("the RelayState of the request", "another one"),
            )),
            Some(_) => {
                self.trace.pass("RelayState", "as sent");
                Ok(())
            }
            None => {
                self.trace
                    .pass_over("RelayState", "the provider did not send it back");
                Ok(())
            }
        }
    }

    async fn validate(&mut self, answer: &Answer) -> Result<Assertion, ReceiveError> {
        let settings = self.settings;
        let Some(idp_entity_id) = &settings.idp_entity_id else {
            return Err(self.fail(
                Cause::ConnectionIncomplete,
                "Settings",
                ("the provider's entity ID (idp_entity_id)", "none"),
            ));
        };
        let keys = verification_keys(settings);
        let context = requested_context(settings);
        let decryption_keys;
        let mut expected = Expected {
            now: self.app.now(),
            skew: CLOCK_SKEW,
            acs_url: &self.sp.acs_url,
            entity_id: &self.sp.entity_id,
            idp_entity_id,
            keys: &keys,
            algorithms: AlgorithmPolicy {
                sha1: settings.allow_sha1,
            },
            signing: required_signature(settings.signing),
            encryption: ExpectedEncryption {
                required: settings.assertion_encrypted,
                keys: &[],
                policy: EncryptionPolicy {
                    cbc: settings.allow_cbc,
                },
            },
            allow_unsolicited: settings.allow_idp_initiated_login,
            requested_name_id: name_id_format(settings),
            force_authn_since: self.fresh_since()?,
            requested_context: context.as_ref(),
        };
        let id = self
            .pending
            .as_ref()
            .map(|pending| format!("{ID_PREFIX}{}", pending.state.expose()));
        let request = match &id {
            Some(id) => PendingRequest::Solicited { id },
            None => PendingRequest::Unsolicited,
        };
        match answer.private_key_use(request, &expected) {
            PrivateKeyUse::None => {}
            // Nobody but the provider can make variants of it.
            PrivateKeyUse::Vouched => {
                decryption_keys = self.own_keys().await?;
                expected.encryption.keys = &decryption_keys;
            }
            PrivateKeyUse::Unvouched => {
                if let Some(most) = self.decryptions_used_up().await? {
                    return Err(self.fail(Cause::TooManyDecryptions, "Decryption", (most, "one more")));
                }
                decryption_keys = self.own_keys().await?;
                expected.encryption.keys = &decryption_keys;
            }
        }
        Ok(answer.validate(request, &expected, &mut self.trace)?)
    }

    /// The time before which a sign-in at the provider is too old. If the connection demands fresh ones since
    /// the person left, the provider was not asked for one, and the person has to begin again.
    ///
    /// In a test the provider is asked for a fresh one so that the person sees it; one that does not comply
    /// works all the same.
    fn fresh_since(&self) -> Result<Option<Timestamp>, ReceiveError> {
        let Some(pending) = &self.pending else {
            return Ok(None);
        };
        let expected = pending
            .request
            .expected(self.app.instance_key())
            .map_err(PageError::internal)?;
        let ExpectedAnswer::Saml {
            requested_at,
            is_forced,
        } = expected
        else {
            return Err(AnswerError::Unsolicited.into());
        };
        let counts = self.settings.force_authn || (is_forced && !self.is_test());
        Ok(counts.then_some(requested_at))
    }

    /// Counts one decryption of what a stranger may have made. Gives the limit if it was reached before: who
    /// tries variants of an answer could learn from the refusals.
    async fn decryptions_used_up(&self) -> Result<Option<&'static str>, ReceiveError> {
        let Some(pending) = &self.pending else {
            let number = self
                .app
                .tally()
                .decrypted_for_stranger(&self.connection.id, self.app.now());
            return Ok((number > UNSOLICITED_A_MINUTE).then_some(
                "at most a hundred answers to no request in a minute that must be decrypted, and whose response is not \
                 signed",
            ));
        };
        let state = pending.request.state;
        let may = self
            .app
            .db()
            .tx_read_committed(async |tx| upstream_request::may_decrypt(tx, &state).await)
            .await?;
        let most =
            "at most three answers to one request that must be decrypted, and whose response is not signed";
        Ok((!may).then_some(most))
    }

    async fn own_keys(&self) -> Result<Vec<DecryptionKey>, ReceiveError> {
        Ok(keys::decryption(self.app, self.connection)
            .await
            .map_err(PageError::from)?)
    }

    /// Keeps the assertion for the browser. One for each request: the last that came.
    async fn park(&self, pending: &Pending, verified: &VerifiedAnswer) -> Result<String, ReceiveError> {
        let json = Zeroizing::new(serde_json::to_vec(verified).map_err(PageError::internal)?);
        anonymous::charge(self.app, Work::Keep { bytes: json.len() })?;
        let (now, handle) = (self.app.now(), Secret::generate());
        let key = self.app.instance_key();
        let parked = ParkedAnswer {
            state: pending.request.state,
            connection_id: self.connection.id.clone(),
            handle: handle.sha256(),
            answer_sealed: parked_answer::seal(key, &handle.sha256(), (Content::Assertion, &json)),
            expires_at: now + parked_answer::ASSERTION_LIFETIME,
        };
        let is_parked = self
            .app
            .db()
            .tx(async |tx| parked_answer::park(tx, &parked, now).await)
            .await?;
        // It was answered at this moment.
        if !is_parked {
            return Err(AnswerError::Unsolicited.into());
        }
        let callback = self.connection.path(Endpoint::Callback);
        Ok(format!("{callback}/{}", handle.expose()))
    }

    /// The provider began the sign-in: the assertion counts here, because no browser is needed.
    async fn begin(
        &self,
        verified: VerifiedAnswer,
        relay_state: Option<String>,
    ) -> Result<String, ReceiveError> {
        anonymous::charge(self.app, Work::Begin)?;
        let now = self.app.now();
        let used = verified.used(&self.connection.id, None, now);
        let is_first = self
            .app
            .db()
            .tx_read_committed(async |tx| saml_assertion::use_up(tx, &used).await)
            .await?;
        if !is_first {
            return Err(
                strange(self.app, verified.replayed(self.app, self.connection, None))
                    .await?
                    .into(),
            );
        }
        let mapped = mapping(self.connection, &[]).apply(&verified.assertion, &mut Trace::default());
        let sign_in = InitiatedSignIn {
            login_hint: mapped.ok().map(|mapped| mapped.email.as_str().to_owned()),
            relay_state,
            began_at: now,
        };
        Ok(sign_in.address(self.app, self.connection)?)
    }
}

const fn required_signature(option: SigningOption) -> RequiredSignature {
    match option {
        SigningOption::Response => RequiredSignature::Response,
        SigningOption::Assertion => RequiredSignature::Assertion,
        SigningOption::Both => RequiredSignature::Both,
        SigningOption::Either => RequiredSignature::Either,
    }
}

/// The keys of the provider. Each was checked when it was entered.
fn verification_keys(settings: &SamlSettings) -> Vec<VerificationKey> {
    settings
        .certificates
        .iter()
        .filter_map(|certificate| IdpCertificate::parse_all(&certificate.pem).ok())
        .flatten()
        .filter_map(|certificate| VerificationKey::new(certificate).ok())
        .collect()
}
