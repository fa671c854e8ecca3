//! Remedies: an administrator makes these changes so that a failed sign-in through a SAML provider works.
//!
//! `{acs}`, `{entity}` and `{metadata}` stand for the addresses of the connection.

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

use super::vendor;

/// For a cause that has no row here. A test finds that there is none.
pub(super) const NOTHING_KNOWN: &str =
    "Look at the check that failed, and for the reason in the provider’s own log.";

/// The change that a cause needs.
pub(super) fn remedy(provider: Provider, cause: Cause) -> &'static str {
    vendor::at(provider, cause).unwrap_or_else(|| anywhere(cause))
}

/// The change at a product that has no row.
pub const fn anywhere(cause: Cause) -> &'static str {
    match cause {
        Cause::AudienceMissing | Cause::AudienceMismatch | Cause::AudiencePlaceholder => {
            "At the provider, set the audience (often called SP entity ID or identifier) to {entity}, exactly so."
        }
        Cause::DestinationMissing
        | Cause::DestinationMismatch
        | Cause::RecipientMissing
        | Cause::RecipientMismatch => {
            "At the provider, set the assertion consumer service (often called ACS, reply or single sign-on URL, \
             recipient, destination) to {acs}, exactly so."
        }
        Cause::IssuerMissing | Cause::IssuerMismatch => {
            "Enter the provider’s entity ID in the connection as the provider sends it, or import its metadata again."
        }
        Cause::SignatureInvalid => {
            "The provider may have a new certificate. Compare the SHA-256 of the registered certificates and of the one \
             that the answer names. If they differ, import the provider’s metadata again, or add the certificate that \
             signs now: a connection can have several."
        }
        Cause::CertificateMissing => "Import the provider’s metadata, or enter its signing certificate.",
        Cause::CertificateExpired => {
            "Ask the provider when its next certificate comes, and add that one before: several may be there at once."
        }
        Cause::SignaturePolicy => {
            "Let the provider sign the part that the connection demands, or let the connection accept either."
        }
        Cause::SignatureMissing => "Let the provider sign the response or the assertion.",
        Cause::AlgorithmNotAllowed => {
            "Let the provider sign with RSA or ECDSA and SHA-256. SHA-1 is broken; it is accepted only if the \
             connection says so by name."
        }
        Cause::CanonicalizationNotAllowed | Cause::TransformNotAllowed => {
            "Let the provider sign with exclusive canonicalization, as SAML prescribes, and no other transform."
        }
        Cause::DigestMismatch => {
            "Something changed the answer after the provider signed it: a proxy that rewrites pages, or an attacker. \
             Let the browser reach this server without that proxy."
        }
        Cause::EncryptionExpected => {
            "Import {metadata} at the provider, so that it has our key, and turn encryption on there; or demand none in \
             the connection."
        }
        Cause::DecryptionKeyMissing | Cause::DecryptionFailed => {
            "The provider encrypts for another key than ours. Import {metadata} there again, or turn encryption off \
             there."
        }
        Cause::TooManyDecryptions => {
            "Let the person begin again at the application. If it happens often, somebody posts encrypted answers here: \
             let the provider sign the response, because then only its own answers are opened."
        }
        Cause::DecryptionNotAllowed => {
            "Let the provider encrypt with AES-GCM and RSA-OAEP. If it knows AES-CBC only, allow that on this connection \
             and let the provider sign the response too."
        }
        _ => of_content(cause),
    }
}

/// As [`anywhere`], for the checks after the signatures.
const fn of_content(cause: Cause) -> &'static str {
    match cause {
        Cause::AssertionNotYetValid
        | Cause::AssertionExpired
        | Cause::SessionExpired
        | Cause::ClockDiffers => {
            "Compare the clocks of both servers: let each ask a time server (NTP). The trace shows both times."
        }
        Cause::StatusInvalidNameIdPolicy | Cause::NameIdMissing => {
            "Let the provider send a NameID, in the format that the connection asks for; or set that to unspecified."
        }
        Cause::NameIdMalformed => {
            "Let the provider send one NameID of at most 1024 characters, and nothing else in it."
        }
        Cause::NameIdForOtherParty => {
            "Let the provider set SPNameQualifier of the NameID to {entity}, or leave it out."
        }
        Cause::NoAuthnContext => "Let the connection request no authentication context.",
        Cause::NameIdTransient => {
            "Ask for a persistent NameID or for none in particular, and let the provider send one that stays."
        }
        Cause::AuthenticationTooOld => {
            "The provider did not ask the person again. Turn on forced authentication there, or ask for none in the \
             connection."
        }
        Cause::UnsolicitedNotAllowed => {
            "Allow sign-ins that begin at the provider on this connection, and register the initiate_login_uri of the \
             application; or let people begin at the application."
        }
        Cause::InResponseToMissing | Cause::InResponseToMismatch => {
            "The provider must repeat the ID of our request (InResponseTo). An old Duo Access Gateway does not: update it."
        }
        Cause::RequestOfOtherConnection => {
            "Check that each application at the provider has its own address: this connection’s is {acs}. Then let the \
             person begin again."
        }
        Cause::RequestUnknown
        | Cause::RequestAlreadyUsed
        | Cause::RequestExpired
        | Cause::BrowserMismatch => {
            "Let the person begin again at the application, in one browser, and not go back."
        }
        Cause::AssertionReplayed => {
            "Let the person begin again. If nobody went back or loaded a page twice, somebody else has this answer."
        }
        Cause::MandatoryAttributeMissing => {
            "Release the person’s e-mail address as the attribute email at the provider (also known as mail, \
             emailaddress or urn:oid:0.9.2342.19200300.100.1.3), or map the attribute that carries it. The source NameID \
             reads it from the NameID."
        }
        Cause::MandatoryAttributeMalformed => {
            "Correct the value at the provider, or change the type of the attribute: `genkan attribute update`."
        }
        Cause::EmailMalformed => {
            "Correct the address of this person at the provider, or map another attribute that carries an e-mail \
             address."
        }
        Cause::AttributeAmbiguous => {
            "Let the provider send one e-mail address, or map the one attribute that carries the right one."
        }
        Cause::GroupsOverage => {
            "Let the provider send fewer groups. In Entra, open Attributes & Claims, edit the group claim and choose \
             “Groups assigned to the application”."
        }
        Cause::ConditionUnknown => "Let the provider leave out the condition that the trace names.",
        _ => of_message(cause),
    }
}

/// As [`anywhere`], for the checks before the signatures.
const fn of_message(cause: Cause) -> &'static str {
    match cause {
        Cause::MessageTooLong | Cause::XmlLimit => {
            "Let the provider send fewer attributes. Often each group of the person is among them: send only the groups \
             that the application needs."
        }
        Cause::FormMalformed => {
            "Let the provider answer by HTTP POST, with one SAMLResponse, at {acs}. A proxy before this server must pass \
             the form on as it is."
        }
        Cause::RelayStateMismatch => {
            "Let the provider send RelayState back as it came. Empty the field for a fixed one there (default RelayState, \
             start URL)."
        }
        Cause::Base64Malformed | Cause::XmlMalformed | Cause::XmlEncoding => {
            "Let the person begin again. If it happens every time, a proxy or an extension of the browser changes the \
             answer; else report it to the provider."
        }
        Cause::ConnectionIncomplete => "Enter what is missing in the connection.",
        Cause::UnexpectedMessage => {
            "At the provider, enter {acs} only as the assertion consumer service, and not as an address for logout."
        }
        Cause::VersionNotSupported => "Set the application at the provider to SAML 2.0.",
        Cause::StatusRequester => {
            "Look for the reason in the provider’s own log. Often it wants signed requests: let the connection sign \
             them, and import {metadata} there."
        }
        Cause::StatusAuthnFailed | Cause::StatusRequestDenied => {
            "Look for the reason in the provider’s own sign-in log. Often the person is not assigned to the application \
             there, or a rule there refuses them."
        }
        Cause::StatusResponder | Cause::StatusUnknown | Cause::AssertionMissing => {
            "Look for the reason in the provider’s own log, at the time of this trace."
        }
        Cause::StatusNoPassive => {
            "Turn off silent sign-in (IsPassive) for this application at the provider: we never ask for it."
        }
        Cause::XmlDocumentType
        | Cause::IdDuplicate
        | Cause::AssertionCount
        | Cause::SignatureCount
        | Cause::SignatureMalformed
        | Cause::ReferenceCount
        | Cause::ReferenceForeign
        | Cause::DecryptedNotAnAssertion => {
            "No product that we know sends this, so somebody may have changed the answer. If it happens to everybody, \
             report it to the provider."
        }
        Cause::ConfirmationMissing
        | Cause::ConfirmationNotBearer
        | Cause::ConfirmationExpiryMissing
        | Cause::AuthnStatementMissing
        | Cause::TimeMalformed
        | Cause::ResponseMalformed => {
            "Let the provider use the profile for browsers (Web Browser SSO). If it does, report the check that failed to \
             the provider."
        }
        Cause::ConfirmationNoneHolds => {
            "The trace shows each confirmation and what does not hold. Often it is the address: at the provider, set the \
             recipient to {acs}, exactly so."
        }
        _ => NOTHING_KNOWN,
    }
}
