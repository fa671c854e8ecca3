//! The misbehaviour of the SAML side, and what Genkan must do with each.

use std::fmt;

use genkan_protocol::saml::Cause;

use crate::simulator::fault::faults;

faults! {
    // What is signed.
    Unsigned = "unsigned", "Nothing is signed";
    WrongKey = "wrong_key", "Signed with a key that is not registered";
    Changed = "changed", "Changed after it was signed";
    WrappedSignature = "wrapped_signature", "A signature wrapped around somebody else";
    // For whom.
    WrongIssuer = "wrong_issuer", "Made by another provider";
    WrongAudience = "wrong_audience", "Meant for another application";
    WrongDestination = "wrong_destination", "Sent to another address";
    WrongRecipient = "wrong_recipient", "To be delivered to another address";
    // To which request.
    WrongRequest = "wrong_request", "An answer to another request";
    NoRequest = "no_request", "An answer that names no request";
    WrongRelayState = "wrong_relay_state", "Another RelayState than the one that was sent";
    // When.
    Expired = "expired", "Expired an hour ago";
    ClockAhead = "clock_ahead", "A clock that is ten minutes ahead";
    ClockDiffers = "clock_differs", "A clock that is two minutes ahead";
    SessionOver = "session_over", "A session that is over";
    // About whom.
    NoEmail = "no_email", "No e-mail anywhere";
    MalformedEmail = "malformed_email", "An e-mail address that is none";
    TwoEmails = "two_emails", "Two e-mail addresses";
    TransientName = "transient_name", "A name that changes each time";
    // More than once.
    Replay = "replay", "The last answer once more";
    ReusedAssertion = "reused_assertion", "A new answer with the last assertion’s ID";
    // What it is written in.
    Encrypted = "encrypted", "Encrypted";
    EncryptedToAnother = "encrypted_to_another", "Encrypted to somebody else";
    DocumentType = "document_type", "XML with a document type";
    // The provider says no.
    Requester = "status_requester", "Error: the request is wrong";
    Responder = "status_responder", "Error: the provider is in trouble";
    AuthnFailed = "status_authn_failed", "Error: the person could not sign in";
    NoPassive = "status_no_passive", "Error: the person would have to be asked";
    NoAuthnContext = "status_no_authn_context", "Error: the person cannot sign in in this way";
    InvalidNameIdPolicy = "status_invalid_name_id_policy", "Error: no name in this format";
    RequestDenied = "status_request_denied", "Error: the person may not use the application";
    VersionMismatch = "status_version_mismatch", "Error: an unusual status";
}

/// What Genkan must do with an answer, if the connection has the settings that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    SignIn,
    /// Sign nobody in, for this cause.
    Refuse(Cause),
}

/// For people who choose a fault.
impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SignIn => "must work",
            Self::Refuse(cause) => cause.code(),
        })
    }
}

/// A status of SAML Core §3.2.2.2: the end of a code, and of another within it.
pub(super) type Status = (&'static str, Option<&'static str>);

impl Fault {
    pub const fn must(self) -> Must {
        Must::Refuse(match self {
            Self::ClockDiffers | Self::Encrypted => return Must::SignIn,
            Self::Unsigned => Cause::SignatureMissing,
            Self::WrongKey => Cause::SignatureInvalid,
            Self::Changed => Cause::DigestMismatch,
            Self::WrappedSignature => Cause::ReferenceForeign,
            Self::WrongIssuer => Cause::IssuerMismatch,
            Self::WrongAudience => Cause::AudienceMismatch,
            Self::WrongDestination => Cause::DestinationMismatch,
            Self::WrongRecipient => Cause::RecipientMismatch,
            Self::WrongRequest => Cause::RequestUnknown,
            Self::NoRequest => Cause::InResponseToMissing,
            Self::WrongRelayState => Cause::RelayStateMismatch,
            Self::Expired => Cause::AssertionExpired,
            Self::ClockAhead => Cause::AssertionNotYetValid,
            Self::SessionOver => Cause::SessionExpired,
            Self::NoEmail => Cause::MandatoryAttributeMissing,
            Self::MalformedEmail => Cause::EmailMalformed,
            Self::TwoEmails => Cause::AttributeAmbiguous,
            Self::TransientName => Cause::NameIdTransient,
            Self::Replay => Cause::RequestAlreadyUsed,
            Self::ReusedAssertion => Cause::AssertionReplayed,
            Self::EncryptedToAnother => Cause::DecryptionFailed,
            Self::DocumentType => Cause::XmlDocumentType,
            Self::Requester => Cause::StatusRequester,
            Self::Responder => Cause::StatusResponder,
            Self::AuthnFailed => Cause::StatusAuthnFailed,
            Self::NoPassive => Cause::StatusNoPassive,
            Self::NoAuthnContext => Cause::NoAuthnContext,
            Self::InvalidNameIdPolicy => Cause::StatusInvalidNameIdPolicy,
            Self::RequestDenied => Cause::StatusRequestDenied,
            Self::VersionMismatch => Cause::StatusUnknown,
        })
    }

    /// Whether it needs an earlier answer to the same address.
    pub const fn is_repetition(self) -> bool {
        matches!(self, Self::Replay | Self::ReusedAssertion)
    }

    /// The status instead of an assertion, for a provider that says no.
    pub(super) const fn status(self) -> Option<Status> {
        Some(match self {
            Self::Requester => ("Requester", None),
            Self::Responder => ("Responder", None),
            Self::AuthnFailed => ("Responder", Some("AuthnFailed")),
            Self::NoPassive => ("Responder", Some("NoPassive")),
            Self::NoAuthnContext => ("Responder", Some("NoAuthnContext")),
            Self::InvalidNameIdPolicy => ("Requester", Some("InvalidNameIDPolicy")),
            Self::RequestDenied => ("Responder", Some("RequestDenied")),
            Self::VersionMismatch => ("VersionMismatch", None),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Application authors read there what each error path is called.
    #[test]
    fn the_guide_lists_every_fault_with_what_must_come_of_it() {
        let guide = include_str!("../../../../../docs/guides/simulator.md");
        for fault in Fault::ALL {
            let must = match fault.must() {
                Must::SignIn => "works".to_owned(),
                Must::Refuse(cause) => format!("`{}`", cause.code()),
            };
            let row = format!("| {} | {must} |", fault.label());
            assert!(guide.contains(&row), "docs/guides/simulator.md lacks: {row}");
        }
    }

    #[test]
    fn a_fault_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            assert_eq!(fault.as_str().parse(), Ok(*fault));
        }
        assert!("".parse::<Fault>().is_err());
    }
}
