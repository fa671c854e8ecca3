//! A login that failed at the identity provider: why, and how to correct it.

use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::oidc::{self, ProviderError};
use genkan_store::admission::{Claim, Refusal};
use genkan_store::connection::Connection;
use genkan_store::login_message::{self, LoginMessage};
use genkan_store::{ConnectionId, OrganizationId, TraceId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cause::{Cause, RuleCause};
use super::{refusal, remedy};
use crate::web::error::PageError;

/// A provider that restarts is usually back within this time.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The advice about an answer that no sign-in waits for: often somebody went back, and nothing is to be changed.
const OF_NOBODY: &str = "go back to the application and sign in there again. If this page comes again, send the \
                         reference below to your IT team.";
/// The advice if no trace was stored, because too many were within the minute.
const MANY: &str = "wait a minute and try again. Many sign-ins of your company fail just now, so the details of this \
                    one were not kept.";
/// The same for an answer that a stranger can bring. Of those, the hour has its limit.
const MANY_OF_STRANGERS: &str = "begin again at the application, or wait an hour. Within this hour, too many answers \
                                 came in the name of your company’s sign-in that it had not made for a sign-in here. So the details of this one were not kept.";

/// Why an identity provider's answer signs nobody in. Boxed, because it is the rare case of many a
/// `Result`.
#[derive(Debug)]
pub struct SignInFailure(Box<FailureDetails>);

impl std::ops::Deref for SignInFailure {
    type Target = FailureDetails;

    fn deref(&self) -> &FailureDetails {
        &self.0
    }
}

/// The content of a [`SignInFailure`].
#[derive(Debug)]
pub struct FailureDetails {
    pub cause: Cause,
    /// Shown to the person: what happened, in their words.
    pub why: String,
    /// Shown to the administrator: what to change, and where.
    pub remedy: String,
    /// The code for the application, if the person goes back to it from the page.
    pub code: &'static str,
    /// The error for the application, if it is told instead of the person: a code and a description.
    pub for_application: Option<(&'static str, &'static str)>,
    /// The status of the page: 403, or a status for a provider in trouble.
    pub status: StatusCode,
    /// The provider's own error, if it refused.
    pub provider_error: Option<ProviderError>,
    pub connection_id: ConnectionId,
    pub organization_id: Option<OrganizationId>,
    pub trace: Trace,
    /// Request and answer, if they are worth a look.
    pub messages: Option<Messages>,
    /// No sign-in here waits for the answer.
    pub is_of_nobody: bool,
}

/// The origin of an answer that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerOrigin {
    /// The provider made it for this sign-in.
    Provider,
    /// The provider has signed it, but for another request, time or service. Anybody who has one can bring it as
    /// often as they like.
    Elsewhere,
    /// No key of the provider has signed it, so anybody can make it, as often as they like.
    Anybody,
}

/// The messages of a sign-in, without what could be used once more.
#[derive(Debug)]
pub struct Messages {
    pub texts: LoginMessage,
    pub origin: AnswerOrigin,
}

impl Messages {
    /// How long they are kept.
    pub const fn kept(&self) -> Duration {
        match self.origin {
            AnswerOrigin::Anybody => login_message::UNVERIFIED,
            AnswerOrigin::Provider | AnswerOrigin::Elsewhere => login_message::VERIFIED,
        }
    }

    /// All that the provider has said about a person, after its signature was verified.
    pub(super) fn of_claims(claims: &Map<String, Value>) -> Self {
        let is_told = |name: &str| !["nonce", "at_hash", "c_hash", "s_hash"].contains(&name);
        let told: Map<String, Value> = claims
            .iter()
            .filter(|(name, _)| is_told(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let text = serde_json::to_string_pretty(&told).unwrap_or_default();
        Self {
            texts: LoginMessage {
                request: None,
                answer: Some(cut(text)),
            },
            origin: AnswerOrigin::Provider,
        }
    }
}

/// As much of an answer as is kept.
pub(super) fn cut(mut text: String) -> String {
    let mut end = login_message::MAX_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

impl SignInFailure {
    /// A failed check; `trace` ends with it.
    pub fn new(
        connection: &Connection,
        cause: impl Into<Cause>,
        remedy: impl Into<String>,
        trace: Trace,
    ) -> Self {
        let cause = cause.into();
        Self(Box::new(FailureDetails {
            cause,
            why: "Your company’s sign-in answered, but the answer cannot be accepted. Nothing is wrong with your account."
                .to_owned(),
            remedy: remedy::complete(connection, cause, &remedy.into()),
            code: "authentication_not_completed",
            for_application: None,
            status: StatusCode::FORBIDDEN,
            provider_error: None,
            connection_id: connection.id.clone(),
            organization_id: connection.organization_id.clone(),
            trace,
            messages: None,
            is_of_nobody: false,
        }))
    }

    /// Sets the remedy, if more is known than the failure alone says.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = remedy::of_this(&self.0.connection_id, self.0.cause, &remedy.into());
        self
    }

    /// Keeps what was asked and answered.
    pub(super) fn with_messages(mut self, messages: Messages) -> Self {
        self.0.messages = Some(messages);
        self
    }

    /// Keeps what was asked, if there was a request.
    pub(super) fn with_request(mut self, request: Option<String>) -> Self {
        let Some(request) = request else { return self };
        let messages = self.0.messages.get_or_insert_with(|| Messages {
            texts: LoginMessage::default(),
            // Each answer by OpenID Connect uses up a request that a browser has begun, so they are few.
            origin: AnswerOrigin::Provider,
        });
        messages.texts.request = Some(request);
        self
    }

    /// The answer belongs to no sign-in.
    pub(super) fn of_nobody(mut self) -> Self {
        self.0.is_of_nobody = true;
        self
    }

    /// Where the answer comes from.
    pub fn origin(&self) -> AnswerOrigin {
        let messages = self.messages.as_ref();
        messages.map_or(AnswerOrigin::Provider, |messages| messages.origin)
    }

    /// Sets the code for the application, if the contract has one for this failure.
    pub fn named(mut self, code: &'static str) -> Self {
        self.0.code = code;
        self
    }

    /// Tells the application, because it has asked for something impossible.
    pub fn tell_application(mut self, code: &'static str, description: &'static str) -> Self {
        self.0.for_application = Some((code, description));
        self
    }

    /// The connection is not complete. Only a test can lead here.
    pub fn incomplete(connection: &Connection) -> Self {
        let mut trace = Trace::default();
        let missing = connection.missing().join(", ");
        trace.fail(
            "Settings",
            "everything a sign-in needs",
            format!("missing: {missing}"),
        );
        let remedy = format!("Enter what is missing in the connection: {missing}.");
        Self::new(connection, RuleCause::ConnectionIncomplete, remedy, trace)
            .explained("Your company’s sign-in is still being set up.")
    }

    /// The answer is of another protocol than the connection speaks.
    pub(super) fn of_another_kind(connection: &Connection) -> Self {
        let mut trace = Trace::default();
        trace.fail(
            "Protocol",
            connection.kind().title(),
            "an answer of another protocol",
        );
        let cause = RuleCause::AnswerOfAnotherProtocol;
        Self::new(connection, cause, refusal::at_rule(cause), trace)
    }

    /// Sets the text for the person.
    pub fn explained(mut self, why: &str) -> Self {
        why.clone_into(&mut self.0.why);
        self
    }

    /// The provider could not be reached, or its answer could not be read.
    pub fn unreachable(
        connection: &Connection,
        cause: impl Into<Cause>,
        remedy: impl Into<String>,
        trace: Trace,
    ) -> Self {
        let mut failure = Self::new(connection, cause, remedy, trace);
        failure.0.why = "Your company’s sign-in cannot be reached at the moment.".to_owned();
        failure.0.status = StatusCode::SERVICE_UNAVAILABLE;
        failure
    }

    /// The provider itself refused.
    pub fn provider(connection: &Connection, error: ProviderError, trace: Trace) -> Self {
        let remedy = match error.error.as_str() {
            "access_denied" => "The provider denied access: assign the person to the application there.",
            "invalid_scope" => {
                "The provider refused a scope: allow it there, or name those that it allows: \
                 `genkan connection update CONNECTION --scopes \"openid email\"`."
            }
            "unauthorized_client" | "invalid_client" => {
                "The provider does not accept this client: check client ID and allowed grant types there."
            }
            _ => "Look for this error in the provider's own sign-in log.",
        };
        let mut failure = Self::new(connection, oidc::Cause::ProviderError, remedy, trace);
        failure.0.provider_error = Some(error);
        failure
    }

    /// The proof is valid, but our rules refuse it. `trace` has the checks before, and `request` is ours.
    pub fn refused(
        connection: &Connection,
        claim: &Claim,
        refused: &Refusal,
        (mut trace, request): (Trace, Option<String>),
    ) -> Self {
        let email = claim.profile.email.as_ref().map_or("", |email| email.as_str());
        if let Refusal::SubjectChanged { known } = refused {
            let subject = claim.proof.subject().unwrap_or_default();
            trace.fail("Subject", known.join(", "), subject);
        }
        trace.fail("Account", "an account that may sign in", email);
        let mut failure = Self::new(
            connection,
            refusal::cause(refused),
            refusal::remedy(refused),
            trace,
        );
        failure.0.why = refusal::why(refused).to_owned();
        failure
            .with_messages(Messages::of_claims(&claim.attributes))
            .with_request(request)
    }

    /// Whether the provider was asked for tokens and refused. It may count such failures of the client.
    pub fn is_refused_code(&self) -> bool {
        matches!(
            self.cause,
            Cause::Oidc(
                oidc::Cause::FailedToExchangeToken
                    | oidc::Cause::TokenEndpointUnreachable
                    | oidc::Cause::TokenResponseMalformed
            )
        )
    }

    /// The page for the person.
    pub fn page(&self, reference: Option<&TraceId>) -> PageError {
        let page = PageError::new(self.status, "We could not sign you in", self.why.clone());
        let page = match reference {
            Some(reference) => page
                .reference(reference.as_str())
                .what_to_do(match self.is_of_nobody {
                    true => OF_NOBODY,
                    false => "send the reference below to your IT team. It shows them what to change.",
                }),
            None => page.what_to_do(
                match self.origin() != AnswerOrigin::Provider || self.is_of_nobody {
                    true => MANY_OF_STRANGERS,
                    false => MANY,
                },
            ),
        };
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => page.retry_after(RETRY_AFTER),
            _ => page,
        }
    }
}
