//! Connections of type SAML: Genkan as the service provider.
//!
//! [`start`] asks a provider who a person is. Its answer is a form that another site posts: [`receive`]
//! checks all that needs no browser, and [`finish`] makes a person of the verified assertion.
//!
//! Source: SAML Core §3.4; SAML Profiles §4.1.

mod attributes;
mod failure;
mod form;
pub mod keys;
mod message;
pub mod metadata_page;
mod mismatch;
mod pending;
mod receive;
mod reference;
mod service_provider;
mod vendor;
mod verified;

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_protocol::saml::{
    AuthnRequest, Cause, ContextComparison, NameId, NameIdFormat, RequestedContext, SigningError, SigningKey,
    binding,
};
use genkan_protocol::{EmailAddress, Trace};
use genkan_store::Secret;
use genkan_store::connection::{self, Connection, RequestBinding, SamlSettings, ServiceProvider};
use genkan_store::upstream_request::ExpectedAnswer;
use genkan_store::user_attribute::UserAttribute;

use self::attributes::{ATTRIBUTE, Mapping, MappingError};
use super::{
    Departure, Hints, PendingDeparture, SignInFailure, UnreachableProvider, UpstreamIdentity, custom,
};
use crate::app::App;
use crate::web::error::PageError;

pub use mismatch::mismatch;
pub use receive::{InitiatedSignIn, MAX_BODY_BYTES, PostOutcome, receive};
pub use reference::reference;
pub use service_provider::service_provider;
pub use verified::VerifiedAnswer;

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
    let Some(location) = &settings.idp_sso_url else {
        return Ok(Err(no_address(connection, &sp)));
    };
    let (now, state) = (app.now(), Secret::generate());
    // SAML has no words for the age of a sign-in, so a fresh one is asked for.
    let is_forced = settings.force_authn || hints.force || hints.max_age.is_some();
    let request = AuthnRequest {
        id: format!("{ID_PREFIX}{}", state.expose()),
        issue_instant: now,
        destination: location.clone(),
        acs_url: sp.acs_url,
        issuer: sp.entity_id,
        force_authn: is_forced,
        name_id_format: name_id_format(settings),
        requested_context: requested_context(settings),
    };
    let key = match settings.want_request_signed {
        true => Some(keys::signing(app, connection).await?),
        false => None,
    };
    let departure = depart(settings, &request, (&state, key.as_ref())).map_err(PageError::internal)?;
    Ok(Ok(PendingDeparture {
        departure,
        state,
        expected: ExpectedAnswer::Saml {
            requested_at: now,
            is_forced,
        },
    }))
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
    settings: &SamlSettings,
    answer: VerifiedAnswer,
    registered: &[UserAttribute],
) -> Result<UpstreamIdentity, SignInFailure> {
    let VerifiedAnswer {
        assertion, mut trace, ..
    } = answer;
    trace.pass("Browser", "the one that was sent to the provider");
    trace.pass("First use", "the assertion has not counted before");
    let mapped = match mapping(connection, registered).apply(&assertion, &mut trace) {
        Ok(mapped) => mapped,
        Err(error) => {
            let sp = service_provider(app, connection, settings);
            return Err(no_person(connection, &sp, (&error, &assertion.attributes), trace));
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
        attributes: attributes::merged(&assertion),
        trace,
    })
}

/// The provider's identifier of the person. The qualifiers were checked, and are no part of it.
fn subject(name_id: &NameId) -> String {
    let value = name_id.value.trim();
    if name_id.format.as_deref() == Some(NameIdFormat::Email.uri()) {
        // Providers write one address in several ways, as people do.
        return match EmailAddress::parse(value) {
            Ok(email) => email.as_str().to_owned(),
            Err(_) => value.to_lowercase(),
        };
    }
    value.to_owned()
}

/// The attributes make no person: the address is missing or invalid, there are two, or a required attribute
/// is missing.
fn no_person(
    connection: &Connection,
    sp: &ServiceProvider,
    (error, attributes): (&MappingError, &BTreeMap<String, Vec<String>>),
    mut trace: Trace,
) -> SignInFailure {
    let (cause, expected, received) = match error {
        MappingError::Attribute(missing) => {
            let names = attributes::names(attributes);
            return custom::failure(connection, missing, (ATTRIBUTE, &names), trace);
        }
        MappingError::Missing { sources } => (
            Cause::MandatoryAttributeMissing,
            format!("an e-mail address in the attribute {sources}"),
            format!("not there; attributes: {}", attributes::names(attributes)),
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
