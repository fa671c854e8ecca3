//! A login that ended at the identity provider: why, and how to mend it.

use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::oidc::ProviderError;
use genkan_store::connection::Connection;
use genkan_store::identity::Arrival;
use genkan_store::{ConnectionId, OrganizationId, TraceId};
use http::StatusCode;

use super::{UpstreamIdentity, remedy};
use crate::web::error::PageError;

/// A provider that restarts is back within this time.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Why an identity provider's answer signs nobody in. Boxed, because it is the
/// rare side of many a `Result`.
#[derive(Debug)]
pub struct Failure(Box<Details>);

impl std::ops::Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// What is known of a [`Failure`].
#[derive(Debug)]
pub struct Details {
    /// Short code for logs and the trace, such as `id_token_issuer_mismatch`.
    pub cause: String,
    /// Shown to the person: what happened, in their words.
    pub why: String,
    /// Shown to the administrator: what to change, and where.
    pub remedy: String,
    /// What the application that asked is told instead of the person: a code and a sentence.
    pub for_application: Option<(&'static str, &'static str)>,
    /// What the page says to programs: 403, or that the provider is in trouble.
    pub status: StatusCode,
    /// What the provider itself answered, if it refused.
    pub provider_error: Option<ProviderError>,
    pub connection_id: ConnectionId,
    pub organization_id: Option<OrganizationId>,
    pub trace: Trace,
}

/// An identity that is genuine and still signs nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The e-mail's domain is not the organization's.
    EmailNotTrusted,
    /// The person comes from Google with an account of another company, or of none.
    HostedDomain,
    /// The person belongs to another organization too, and the e-mail's domain was
    /// only claimed by this one.
    DomainNotProved,
    /// The connection knows the person by these subjects, and another one came.
    SubjectChanged {
        known: Vec<String>,
    },
    /// The provider itself says that nobody has checked the address.
    EmailNotVerified,
    /// Nobody invited this person, and the connection creates nobody.
    NotProvisioned,
    Disabled,
    /// The organization may not have another member.
    OrganizationFull,
}

impl Refusal {
    const fn cause(&self) -> &'static str {
        match self {
            Self::EmailNotTrusted | Self::HostedDomain => "email_domain_not_trusted",
            Self::DomainNotProved => "email_domain_not_proved",
            Self::SubjectChanged { .. } => "subject_changed",
            Self::EmailNotVerified => "email_not_verified",
            Self::NotProvisioned => "user_not_provisioned",
            Self::Disabled => "user_not_active",
            Self::OrganizationFull => "organization_full",
        }
    }

    const fn why(&self) -> &'static str {
        match self {
            Self::EmailNotTrusted => {
                "Your company’s sign-in sent an e-mail address of a domain that is not your company’s."
            }
            Self::HostedDomain => {
                "You came with a Google account that is not your company’s. Choose the one that your company gave you."
            }
            Self::DomainNotProved => {
                "There is an account with your e-mail address at another company already, and yours has not proved yet that the address is its own."
            }
            Self::SubjectChanged { .. } => {
                "Your company’s sign-in knows your e-mail address as somebody else’s. Perhaps the address was given to you newly."
            }
            Self::EmailNotVerified => {
                "Your company’s sign-in sent an e-mail address that nobody has verified there."
            }
            Self::NotProvisioned => "Your sign-in worked, but there is no account for you yet.",
            Self::Disabled => "Your account has been disabled.",
            Self::OrganizationFull => {
                "Your sign-in worked, but your company has no free place for another person."
            }
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::EmailNotTrusted => {
                "Add the domain of this e-mail address to the organization, or correct the address at the provider."
            }
            Self::HostedDomain => {
                "The claim hd is no domain of the organization: let the person choose their account in your Google \
                 Workspace, or add its domain to the organization."
            }
            Self::DomainNotProved => {
                "The person belongs to another organization too, so it does not suffice that somebody has entered \
                 the domain. `genkan domain verify DOMAIN --organization ORG` shows the TXT record that proves it and \
                 looks for it; with --as-operator you answer for it yourself."
            }
            Self::SubjectChanged { .. } => {
                "If the address was given to another person, give the account before another address, or delete it. \
                 If the provider has renumbered its people, allow it: `genkan connection relink CONNECTION`, or with \
                 --user for one of them."
            }
            Self::EmailNotVerified => {
                "Let the provider mark the address as verified: in Keycloak by \"Email verified\" in the details of the \
                 person. If people cannot enter their own address there, the connection may accept what is not marked."
            }
            Self::NotProvisioned => {
                "Invite the person, or turn on just-in-time provisioning and add their e-mail domain to the organization."
            }
            Self::Disabled => {
                "Enable the user, or their membership in the organization, if they should have access."
            }
            Self::OrganizationFull => {
                "Raise the number of users that the organization may have, or remove people who have left."
            }
        }
    }
}

impl Failure {
    /// A failed check; `trace` ends with it.
    pub fn new(connection: &Connection, cause: &str, remedy: impl Into<String>, trace: Trace) -> Self {
        Self(Box::new(Details {
            cause: cause.to_owned(),
            why: "Your company’s sign-in answered, but the answer cannot be accepted. Nothing is wrong with your account."
                .to_owned(),
            remedy: remedy::complete(connection, cause, remedy.into()),
            for_application: None,
            status: StatusCode::FORBIDDEN,
            provider_error: None,
            connection_id: connection.id.clone(),
            organization_id: connection.organization_id.clone(),
            trace,
        }))
    }

    /// What to change, where more is known than the failure itself tells.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = remedy::of_this(&self.0.connection_id, &remedy.into());
        self
    }

    /// The application is told, because it asked for what cannot be had.
    pub fn tell_application(mut self, code: &'static str, description: &'static str) -> Self {
        self.0.for_application = Some((code, description));
        self
    }

    /// The connection is still being set up: only a test can lead here.
    pub fn incomplete(connection: &Connection) -> Self {
        let mut trace = Trace::default();
        let missing = connection.missing().join(", ");
        trace.fail(
            "Settings",
            "everything a sign-in needs",
            format!("missing: {missing}"),
        );
        let remedy = format!("Enter what is missing in the connection: {missing}.");
        let mut failure = Self::new(connection, "connection_incomplete", remedy, trace);
        failure.0.why = "Your company’s sign-in is still being set up.".to_owned();
        failure
    }

    /// A SAML connection can be set up ahead; nobody signs in through it yet.
    pub fn saml_not_supported(connection: &Connection) -> Self {
        let mut trace = Trace::default();
        trace.fail("Protocol", "OpenID Connect", "SAML");
        let remedy = "This version of Genkan keeps SAML connections and does not sign anybody in through them. \
                      Connect the provider by OpenID Connect, or disable the connection.";
        let mut failure = Self::new(connection, "saml_not_supported", remedy, trace);
        failure.0.why =
            "Your company’s sign-in uses SAML, which this version of the sign-in service does not speak."
                .to_owned();
        failure
    }

    /// The provider could not be reached, or answered nonsense.
    pub fn unreachable(
        connection: &Connection,
        cause: &str,
        remedy: impl Into<String>,
        trace: Trace,
    ) -> Self {
        let mut failure = Self::new(connection, cause, remedy, trace);
        failure.0.why = "Your company’s sign-in cannot be reached at the moment.".to_owned();
        failure.0.status = StatusCode::SERVICE_UNAVAILABLE;
        failure
    }

    /// The provider refused by itself.
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
        let mut failure = Self::new(connection, "provider_error", remedy, trace);
        failure.0.provider_error = Some(error);
        failure
    }

    /// The identity is genuine; our own rules refuse it.
    pub fn refused(identity: &UpstreamIdentity, refusal: &Refusal) -> Self {
        let trace = identity.trace.clone();
        let (subject, email) = (identity.subject.as_str(), identity.email.as_str());
        Self::refused_by_us(&identity.connection, (subject, email), refusal, trace)
    }

    /// As [`Self::refused`], when the person had been asked meanwhile.
    pub fn refused_later(connection: &Connection, arrival: &Arrival, refusal: &Refusal) -> Self {
        let mut trace = Trace::default();
        trace.pass(
            "Identity provider",
            "its answer held; the person was asked before it counted",
        );
        let email = arrival.profile.email.as_ref().map_or("", |email| email.as_str());
        Self::refused_by_us(connection, (&arrival.subject, email), refusal, trace)
    }

    fn refused_by_us(
        connection: &Connection,
        (subject, email): (&str, &str),
        refusal: &Refusal,
        mut trace: Trace,
    ) -> Self {
        if let Refusal::SubjectChanged { known } = refusal {
            trace.fail("Subject", known.join(", "), subject);
        }
        trace.fail("Account", "an account that may sign in", email);
        let mut failure = Self::new(connection, refusal.cause(), refusal.remedy(), trace);
        failure.0.why = refusal.why().to_owned();
        failure
    }

    /// Whether the provider was asked for tokens and gave none, for which it may
    /// hold the client to account.
    pub fn is_refused_code(&self) -> bool {
        [
            "failed_to_exchange_token",
            "token_endpoint_unreachable",
            "token_response_malformed",
        ]
        .contains(&self.cause.as_str())
    }

    /// What the person sees. `retry` goes through the login again.
    pub fn page(&self, reference: Option<&TraceId>, retry: &str) -> PageError {
        let reference = reference.map(TraceId::as_str);
        let page = PageError::sign_in_failed(self.status, &self.why, reference).try_again(retry);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => page.retry_after(RETRY_AFTER),
            _ => page,
        }
    }
}
