//! Connections of type SAML: Genkan as the service provider.
//!
//! [`start`] asks a provider who a person is. Its answer is a form that another site posts: [`receive`]
//! checks all that needs no browser, and [`finish`] makes a person of the verified assertion.
//!
//! Source: SAML Core §3.4; SAML Profiles §4.1.

mod attributes;
mod failed;
mod failure;
mod form;
mod initiated;
pub mod keys;
mod message;
pub mod metadata_page;
mod mismatch;
mod pending;
mod receive;
mod receive_error;
mod remedy;
mod sealed;
mod service_provider;
mod vendor;
mod verified;

use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::saml::{
    Assertion, AuthnRequest, Cause, ContextComparison, NameId, NameIdFormat, RequestedContext, SigningError,
    SigningKey, binding,
};
use genkan_store::connection::{self, Connection, RequestBinding, SamlSettings, ServiceProvider};
use genkan_store::upstream_request::ExpectedAnswer;
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{Secret, Timestamp};

use self::attributes::{Mapping, MappingError, VOCABULARY};
use super::failure::Messages;
use super::{
    Departure, Hints, PendingDeparture, SignInFailure, UnreachableProvider, UpstreamIdentity, custom, stored,
};
use crate::app::App;
use crate::web::error::PageError;

pub use failed::FailedSignIn;
pub use initiated::InitiatedSignIn;
pub use mismatch::mismatch;
pub use receive::MAX_BODY_BYTES;
pub use sealed::PARAMETER;
pub use service_provider::service_provider;
pub use verified::VerifiedAnswer;

pub(super) use failure::code_for_application;
pub(super) use receive::receive;
pub use remedy::anywhere as at_any_vendor;
pub(super) use vendor::at as at_vendor;

/// The tolerated difference between the provider's clock and ours.
const CLOCK_SKEW: Duration = Duration::from_mins(3);

/// An identifier is an XML name, which cannot begin with a digit (SAML Core §1.3.4).
const ID_PREFIX: &str = "_";

/// Builds the request (SAML Core §3.4.1).
///
/// Its ID is made of the state, which the answer repeats as `InResponseTo`. `RelayState` is the same state,
/// for providers that repeat only that.
///
/// # Errors
///
/// The outer error is a page: our own key cannot be used. The inner one is a provider that cannot be asked.
pub(super) async fn start(
    app: &App,
    connection: &Connection,
    settings: &SamlSettings,
    hints: &Hints,
) -> Result<Result<PendingDeparture, SignInFailure>, PageError> {
    let sp = service_provider(app, connection, settings);
    let (now, state) = (app.now(), Secret::generate());
    // SAML has no words for the age of a sign-in, so a fresh one is asked for.
    let is_forced = settings.force_authn || hints.force || hints.max_age.is_some();
    let id = format!("{ID_PREFIX}{}", state.expose());
    let Some(request) = authn_request(&sp, settings, (id, now, is_forced)) else {
        return Ok(Err(no_address(connection, &sp)));
    };
    let key = match settings.want_request_signed {
        true => Some(keys::signing(app, connection).await?),
        false => None,
    };
    let departure = depart(settings, &request, (&state, key.as_deref())).map_err(PageError::internal)?;
    Ok(Ok(PendingDeparture {
        departure,
        state,
        expected: ExpectedAnswer::Saml {
            requested_at: now,
            is_forced,
        },
    }))
}

/// The request, if the provider's address is known.
fn authn_request(
    sp: &ServiceProvider,
    settings: &SamlSettings,
    (id, now, is_forced): (String, Timestamp, bool),
) -> Option<AuthnRequest> {
    Some(AuthnRequest {
        id,
        issue_instant: now,
        destination: settings.idp_sso_url.clone()?,
        acs_url: sp.acs_url.clone(),
        issuer: sp.entity_id.clone(),
        force_authn: is_forced,
        name_id_format: name_id_format(settings),
        requested_context: requested_context(settings),
    })
}

/// The request on its way (SAML Bindings §3.4, §3.5).
fn depart(
    settings: &SamlSettings,
    request: &AuthnRequest,
    (state, key): (&Secret, Option<&SigningKey>),
) -> Result<Departure, SigningError> {
    let xml = request.render();
    let location = &request.destination;
    Ok(match settings.idp_sso_request_binding {
        RequestBinding::HttpRedirect => {
            Departure::Redirect(binding::redirect_url(location, &xml, state.expose(), key)?)
        }
        RequestBinding::HttpPost => {
            let xml = match key {
                Some(key) => key.sign_enveloped(&xml, &request.id)?,
                None => xml,
            };
            let form = binding::post_form(location, &xml, state.expose());
            Departure::Form {
                action: form.action,
                fields: form.fields,
            }
        }
    })
}

/// The format of the NameID that the connection asks for. By default none, because many providers refuse a
/// format that they are not set up for.
pub const fn name_id_format(settings: &SamlSettings) -> Option<NameIdFormat> {
    match settings.name_id_format {
        connection::NameIdFormat::Unspecified => None,
        connection::NameIdFormat::Email => Some(NameIdFormat::Email),
        connection::NameIdFormat::Transient => Some(NameIdFormat::Transient),
        connection::NameIdFormat::Persistent => Some(NameIdFormat::Persistent),
    }
}

/// How the person should sign in there. By default the provider decides: Entra refuses people with a passkey
/// if a password is requested.
fn requested_context(settings: &SamlSettings) -> Option<RequestedContext> {
    let class = settings.requested_context.clone()?;
    Some(RequestedContext {
        classes: vec![class],
        comparison: ContextComparison::Minimum,
    })
}

/// The metadata were not read yet, so nobody knows where the provider is. Only a test can lead here.
fn no_address(connection: &Connection, sp: &ServiceProvider) -> SignInFailure {
    let mut trace = Trace::default();
    trace.fail(
        "Settings",
        "the provider's address for sign-in (idp_sso_url)",
        "none",
    );
    failure::failure(connection, sp, Cause::ConnectionIncomplete, trace)
        .explained("Your company’s sign-in is still being set up.")
}

/// Makes a person of a verified assertion, which counts now.
pub(super) fn finish(
    app: &App,
    connection: &Connection,
    (settings, asked): (&SamlSettings, (Timestamp, bool)),
    answer: VerifiedAnswer,
    registered: &[UserAttribute],
) -> Result<UpstreamIdentity, SignInFailure> {
    let VerifiedAnswer {
        assertion, mut trace, ..
    } = answer;
    trace.pass("Browser", "the one that was sent to the provider");
    trace.pass("First use", "the assertion has not counted before");
    let sp = service_provider(app, connection, settings);
    let request = message::request(connection, &sp, settings, asked);
    let mapped = match mapping(connection, registered).apply(&assertion, &mut trace) {
        Ok(mapped) => mapped,
        Err(error) => {
            let failure = no_person(connection, &sp, (&error, &assertion), trace);
            return Err(failure.with_request(request));
        }
    };
    Ok(UpstreamIdentity {
        connection: connection.clone(),
        subject: subject(&assertion.name_id),
        email: mapped.email,
        profile: mapped.profile,
        groups: mapped.groups,
        roles: mapped.roles,
        // A provider whose clock is ahead does not make the sign-in newer than its arrival.
        auth_time: Some(assertion.authn_instant.min(app.now())),
        ends_at: assertion.session_ends_at.map(|at| at + CLOCK_SKEW),
        attributes: stored::bounded(attributes::merged(&assertion), "attributes", &mut trace),
        trace,
        request,
    })
}

/// The provider's identifier of the person. The qualifiers were checked, and are no part of it.
///
/// Providers write the letters of an address large and small, as people do. Only ASCII is folded: the lower
/// case of the Kelvin sign is a k, and IDNA drops letters that nobody sees, so any other rule would make two
/// people of the provider one person here.
fn subject(name_id: &NameId) -> String {
    let value = &name_id.value;
    let is_address = name_id.format.as_deref() == Some(NameIdFormat::Email.uri());
    match is_address && value.is_ascii() {
        true => value.to_ascii_lowercase(),
        false => value.clone(),
    }
}

/// The attributes make no person: the address is missing or invalid, there are two, or a required attribute
/// is missing.
fn no_person(
    connection: &Connection,
    sp: &ServiceProvider,
    (error, assertion): (&MappingError, &Assertion),
    mut trace: Trace,
) -> SignInFailure {
    let (cause, expected, received) = match error {
        MappingError::Attribute(missing) => {
            let names = attributes::names(&assertion.attributes);
            let failure = custom::failure(connection, missing, (&VOCABULARY, &names), trace);
            return failure.with_messages(Messages::of_claims(&attributes::merged(assertion)));
        }
        MappingError::Missing { sources } => (
            Cause::MandatoryAttributeMissing,
            format!("an e-mail address in the attribute {sources}"),
            format!(
                "not there; attributes: {}",
                attributes::names(&assertion.attributes)
            ),
        ),
        MappingError::Malformed {
            source_name,
            text,
            why,
        } => (
            Cause::EmailMalformed,
            format!("an e-mail address in the attribute {source_name}"),
            format!("\"{text}\", which is none: {why}"),
        ),
        MappingError::Ambiguous { found } => (
            Cause::AttributeAmbiguous,
            "one e-mail address".to_owned(),
            found.join(", "),
        ),
    };
    trace.fail("E-mail address", expected, received);
    failure::failure(connection, sp, cause, trace)
        .with_messages(Messages::of_claims(&attributes::merged(assertion)))
}

/// Whether people can be sent to the provider, and its answers verified. Nothing is requested: the browser
/// alone goes there.
pub(super) fn reach(connection: &Connection, settings: &SamlSettings) -> Result<(), UnreachableProvider> {
    let lacks = |why: &str, remedy| {
        Err(UnreachableProvider {
            why: format!("{}: {why}", connection.id),
            remedy: Some(remedy),
        })
    };
    if settings.idp_sso_url.is_none() || settings.idp_entity_id.is_none() {
        return lacks(
            "its metadata were never read",
            "Import the provider’s metadata: `genkan connection update`, --saml-metadata-url or --saml-metadata-file.",
        );
    }
    if settings.certificates.is_empty() {
        return lacks(
            "it has no certificate of the provider, so no answer can be verified",
            "Import the provider’s metadata, or enter its signing certificate.",
        );
    }
    Ok(())
}

/// The mapping of our attributes.
pub(super) const fn mapping<'a>(connection: &'a Connection, attributes: &'a [UserAttribute]) -> Mapping<'a> {
    Mapping {
        common: &connection.settings.common,
        attributes,
    }
}
