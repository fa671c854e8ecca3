//! Turns a cause of SAML into a failure with its remedy, and into the code for the application.

use genkan_protocol::Trace;
use genkan_protocol::saml::Cause;
use genkan_store::Provider;
use genkan_store::connection::{Connection, ServiceProvider};

use super::remedy::remedy;
use crate::connections::SignInFailure;

/// The failure of a check. `trace` ends with it.
pub(super) fn failure(
    connection: &Connection,
    sp: &ServiceProvider,
    cause: Cause,
    trace: Trace,
) -> SignInFailure {
    let remedy = filled_in(connection.provider, cause, sp);
    let code = code_for_application(cause);
    let failure = SignInFailure::new(connection, cause, remedy, trace).named(code);
    match cause {
        // The provider itself said no to this person. The application can offer another way.
        Cause::StatusAuthnFailed | Cause::StatusRequestDenied | Cause::StatusNoPassive => {
            failure.tell_application(code, "the identity provider did not sign the person in")
        }
        Cause::RequestAlreadyUsed => failure.explained(
            "This answer of your company’s sign-in was used before. Perhaps you went back, or loaded the page again.",
        ),
        Cause::RequestExpired | Cause::RequestUnknown => {
            failure.explained("The sign-in took too long, or it began in another place.")
        }
        _ => failure,
    }
}

/// The change that a cause needs, with the addresses of the connection.
pub(super) fn filled_in(provider: Provider, cause: Cause, sp: &ServiceProvider) -> String {
    remedy(provider, cause)
        .replace("{acs}", &sp.acs_url)
        .replace("{entity}", &sp.entity_id)
        .replace("{metadata}", &sp.metadata_url)
}

/// The contract's code for a cause.
pub(in crate::connections) const fn code_for_application(cause: Cause) -> &'static str {
    match cause {
        Cause::ConnectionIncomplete => "authentication_not_completed",
        Cause::FormMalformed | Cause::RelayStateMismatch => "invalid_saml_form_params",
        Cause::MessageTooLong
        | Cause::Base64Malformed
        | Cause::XmlEncoding
        | Cause::XmlDocumentType
        | Cause::XmlLimit
        | Cause::XmlMalformed
        | Cause::IdDuplicate
        | Cause::ResponseMalformed
        | Cause::UnexpectedMessage
        | Cause::VersionNotSupported => "malformed_saml_response",
        Cause::StatusRequester
        | Cause::StatusResponder
        | Cause::StatusAuthnFailed
        | Cause::StatusNoPassive
        | Cause::NoAuthnContext
        | Cause::StatusInvalidNameIdPolicy
        | Cause::StatusRequestDenied
        | Cause::StatusUnknown => "invalid_status",
        Cause::CertificateMissing
        | Cause::SignatureCount
        | Cause::SignatureMalformed
        | Cause::CanonicalizationNotAllowed
        | Cause::AlgorithmNotAllowed
        | Cause::ReferenceCount
        | Cause::ReferenceForeign
        | Cause::TransformNotAllowed
        | Cause::SignatureInvalid
        | Cause::DigestMismatch
        | Cause::SignaturePolicy
        | Cause::SignatureMissing => "signature_validation_failed",
        Cause::DestinationMismatch | Cause::DestinationMissing => "invalid_acs_url",
        Cause::RecipientMissing | Cause::RecipientMismatch => "invalid_assertion_url",
        Cause::RequestExpired => "response_expired",
        Cause::AssertionExpired | Cause::SessionExpired => "assertion_expired",
        Cause::MandatoryAttributeMissing
        | Cause::MandatoryAttributeMalformed
        | Cause::EmailMalformed
        | Cause::AttributeAmbiguous => "mandatory_attribute_missing",
        _ => "invalid_saml_response",
    }
}
