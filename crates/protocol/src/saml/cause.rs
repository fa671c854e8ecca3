//! Why a SAML message signs nobody in: one cause per check.
//!
//! A code is stable: it stands in logs, in login traces and in the documents. A sentence
//! says to the administrator what happened; what to change depends on the vendor, and is
//! the caller's to say.

crate::causes! {
    /// Why a SAML message signs nobody in, or what is worth knowing although it does.
    pub enum Cause:

    // Transport.
    /// The body, or what it decodes to, is longer than an answer is.
    MessageTooLong = "message_too_long",
        "The provider’s answer is longer than any answer we read.";
    /// A setting that a sign-in needs has no value.
    ConnectionIncomplete = "connection_incomplete",
        "The connection lacks a setting that a sign-in needs.";
    /// Not one SAMLResponse and at most one RelayState.
    FormMalformed = "form_malformed",
        "The form that the browser brought has no SAMLResponse, or several.";
    /// RelayState is not the one that was sent.
    RelayStateMismatch = "relay_state_mismatch",
        "The answer came back with another RelayState than the one we sent with the request.";
    /// SAMLResponse is not base64.
    Base64Malformed = "base64_malformed",
        "The SAMLResponse is not base64, so it was cut or changed on its way.";

    // XML.
    /// Not UTF-8.
    XmlEncoding = "xml_encoding",
        "The answer is not written in UTF-8.";
    /// `<!DOCTYPE`.
    XmlDocumentType = "xml_document_type",
        "The answer has a document type, which no provider needs and which attackers use.";
    /// Deeper, or with more parts, than an answer is.
    XmlLimit = "xml_limit",
        "The answer has more parts than any answer we read.";
    /// Not well-formed.
    XmlMalformed = "xml_malformed",
        "The answer is not well-formed XML.";
    /// One identifier twice.
    IdDuplicate = "id_duplicate",
        "Two elements of the answer have the same identifier, so a signature could mean either.";

    // Envelope.
    /// Another SAML message than a Response.
    UnexpectedMessage = "unexpected_message",
        "Another SAML message came where an answer to a sign-in belongs.";
    /// The parts of the Response or the Assertion are not those of the standard.
    ResponseMalformed = "response_malformed",
        "The answer does not have the parts that the standard gives it.";
    /// Not SAML 2.0.
    VersionNotSupported = "version_not_supported",
        "The answer is not of SAML 2.0.";
    /// Status Requester.
    StatusRequester = "status_requester",
        "The provider refused our request as wrong.";
    /// Status Responder.
    StatusResponder = "status_responder",
        "The provider could not answer because of an error of its own.";
    /// Status AuthnFailed.
    StatusAuthnFailed = "status_authn_failed",
        "The provider could not authenticate the person.";
    /// Status NoPassive.
    StatusNoPassive = "status_no_passive",
        "The provider would have had to ask the person, but was told not to.";
    /// Status NoAuthnContext, or a context that was not requested.
    NoAuthnContext = "no_authn_context",
        "The person did not sign in at the provider in the way that the connection asks for.";
    /// Status InvalidNameIDPolicy.
    StatusInvalidNameIdPolicy = "status_invalid_name_id_policy",
        "The provider cannot send the NameID format that the connection asks for.";
    /// Status RequestDenied.
    StatusRequestDenied = "status_request_denied",
        "The provider denied the request.";
    /// Any other status.
    StatusUnknown = "status_unknown",
        "The provider answered with a status that is no success.";
    /// No Assertion.
    AssertionMissing = "assertion_missing",
        "The answer contains no assertion, so it names nobody.";
    /// Several Assertions.
    AssertionCount = "assertion_count",
        "The answer contains several assertions, and we read exactly one.";

    // Signatures.
    /// The connection has no certificate of the provider.
    CertificateMissing = "certificate_missing",
        "The connection has no certificate of the provider, so no answer can be verified.";
    /// Several signatures on one element.
    SignatureCount = "signature_count",
        "One element of the answer has several signatures.";
    /// A signature that is not of SAML's one shape.
    SignatureMalformed = "signature_malformed",
        "A signature of the answer does not have the form that SAML prescribes.";
    /// Another canonicalization than the exclusive one.
    CanonicalizationNotAllowed = "canonicalization_not_allowed",
        "A signature uses another canonicalization than the exclusive one.";
    /// A signature or digest method that is not accepted.
    AlgorithmNotAllowed = "algorithm_not_allowed",
        "The answer is signed with an algorithm that we do not accept.";
    /// Not exactly one Reference.
    ReferenceCount = "reference_count",
        "A signature has not exactly one reference.";
    /// The Reference is to another element.
    ReferenceForeign = "reference_foreign",
        "A signature signs another element than the one that carries it.";
    /// Another transform than the two that SAML knows.
    TransformNotAllowed = "transform_not_allowed",
        "A signature leaves parts of the message out by a transform that SAML does not know.";
    /// No registered key made the signature.
    SignatureInvalid = "signature_invalid",
        "The answer is signed by none of the certificates that the connection has.";
    /// The signature is good, but the content changed.
    DigestMismatch = "digest_mismatch",
        "The content of the answer was changed after it was signed.";

    // Encryption.
    /// The connection demands encryption.
    EncryptionExpected = "encryption_expected",
        "The assertion is not encrypted, although the connection demands it.";
    /// The connection has no key to decrypt with.
    DecryptionKeyMissing = "decryption_key_missing",
        "The assertion is encrypted, and the connection has no key of ours to read it with.";
    /// An encryption algorithm that is not accepted.
    DecryptionNotAllowed = "decryption_not_allowed",
        "The assertion is encrypted in a way that we do not accept.";
    /// As many answers were decrypted as a stranger may try, so this one was not.
    TooManyDecryptions = "too_many_decryptions",
        "Too many answers came that had to be decrypted, so this one was not.";
    /// Decryption failed; nobody is told why.
    DecryptionFailed = "decryption_failed",
        "The assertion could not be decrypted with any key of the connection.";
    /// What was encrypted is not one Assertion.
    DecryptedNotAnAssertion = "decrypted_not_an_assertion",
        "The encrypted part of the answer does not contain exactly one assertion.";

    // What must be signed.
    /// The connection demands another signature.
    SignaturePolicy = "signature_policy",
        "The answer is signed, but not the part of it that the connection demands.";
    /// Nothing is signed.
    SignatureMissing = "signature_missing",
        "The answer is not signed, so anybody could have made it.";

    // The content.
    /// The Assertion, or a Response that needs one, has no Issuer.
    IssuerMissing = "issuer_missing",
        "The assertion does not say which provider made it.";
    /// Another provider's.
    IssuerMismatch = "issuer_mismatch",
        "The answer was made by another provider than the one of the connection.";
    /// Meant for another address.
    DestinationMismatch = "destination_mismatch",
        "The answer is meant for another address than ours.";
    /// A signed answer that does not say where it is meant to go.
    DestinationMissing = "destination_missing",
        "The answer is signed, but does not say for which address.";
    /// Nobody here had asked.
    UnsolicitedNotAllowed = "unsolicited_not_allowed",
        "The sign-in was begun at the provider, which the connection does not allow.";
    /// It answers a request that we do not know.
    RequestUnknown = "request_unknown",
        "The answer is to a request that we did not make or no longer know.";
    /// It answers a request that was answered before.
    RequestAlreadyUsed = "request_already_used",
        "The request had been answered before, as after a double click or the back button.";
    /// It answers a request of another connection.
    RequestOfOtherConnection = "request_of_other_connection",
        "The answer is to a request of another connection.";
    /// It answers a request whose time is over.
    RequestExpired = "request_expired",
        "The person took longer to sign in than a request lives.";
    /// It does not say which request it answers.
    InResponseToMissing = "in_response_to_missing",
        "The answer does not say which request it answers.";
    /// Its parts answer different requests.
    InResponseToMismatch = "in_response_to_mismatch",
        "The answer names another request than the one of this sign-in.";

    // The subject's confirmation.
    /// No SubjectConfirmation.
    ConfirmationMissing = "confirmation_missing",
        "The assertion does not say how its bearer is confirmed.";
    /// None of method bearer.
    ConfirmationNotBearer = "confirmation_not_bearer",
        "The assertion is not meant for the browser that brings it.";
    /// Several, and none holds.
    ConfirmationNoneHolds = "confirmation_none_holds",
        "The assertion has several confirmations of its subject, and none of them holds here.";
    /// No Recipient.
    RecipientMissing = "recipient_missing",
        "The assertion does not say to which address it is delivered.";
    /// Another Recipient.
    RecipientMismatch = "recipient_mismatch",
        "The assertion is to be delivered to another address than ours.";
    /// No NotOnOrAfter.
    ConfirmationExpiryMissing = "confirmation_expiry_missing",
        "The assertion does not say how long it can be delivered.";

    // Conditions.
    /// A time that is not one.
    TimeMalformed = "time_malformed",
        "A time in the assertion is missing, or is not written with its time zone.";
    /// Too early.
    AssertionNotYetValid = "assertion_not_yet_valid",
        "The assertion is not valid yet: the clocks of both servers differ.";
    /// Too late.
    AssertionExpired = "assertion_expired",
        "The assertion is no longer valid: it took too long, or the clocks of both servers differ.";
    /// No AudienceRestriction.
    AudienceMissing = "audience_missing",
        "The assertion does not say for whom it is meant.";
    /// Another audience.
    AudienceMismatch = "audience_mismatch",
        "The assertion is meant for another application.";
    /// The audience is a field that nobody filled in.
    AudiencePlaceholder = "audience_placeholder",
        "The audience was never filled in at the provider, which sends the name of the empty field.";
    /// A condition that we do not understand.
    ConditionUnknown = "condition_unknown",
        "The assertion sets a condition that we do not know, so we cannot say that it holds.";

    // Authentication and name.
    /// No AuthnStatement.
    AuthnStatementMissing = "authn_statement_missing",
        "The assertion does not say that the person has signed in.";
    /// The provider's session is over.
    SessionExpired = "session_expired",
        "The person’s session at the provider is over.";
    /// The person did not sign in again.
    AuthenticationTooOld = "authentication_too_old",
        "The person had to sign in again, but the provider reports an earlier sign-in.";
    /// No NameID.
    NameIdMissing = "name_id_missing",
        "The assertion does not name the person: it has no NameID.";
    /// Not a name.
    NameIdMalformed = "name_id_malformed",
        "The NameID is empty, too long, or contains something else than text.";
    /// A name that changes each time.
    NameIdTransient = "name_id_transient",
        "The NameID is transient, so the person would be a new one at each sign-in.";
    /// A name that is meant for another service.
    NameIdForOtherParty = "name_id_for_other_party",
        "The NameID was made for another service.";

    // At the GET.
    /// Another browser.
    BrowserMismatch = "browser_mismatch",
        "The answer came back in another browser than the one that began the sign-in.";
    /// The same assertion again.
    AssertionReplayed = "assertion_replayed",
        "This assertion has signed somebody in before.";
    /// No e-mail address, or none of another attribute that every person must have.
    MandatoryAttributeMissing = "mandatory_attribute_missing",
        "The assertion lacks an attribute that every person must have, such as the e-mail address.";
    /// Not a value of the registered type.
    MandatoryAttributeMalformed = "mandatory_attribute_malformed",
        "An attribute that every person must have holds a value that does not fit.";
    /// Not an address.
    EmailMalformed = "email_malformed",
        "The attribute with the e-mail address holds something else.";
    /// Two addresses.
    AttributeAmbiguous = "attribute_ambiguous",
        "The attribute with the e-mail address holds two different addresses.";

    // What does not fail a sign-in.
    /// The clocks differ.
    ClockDiffers = "clock_differs",
        "The provider’s clock differs from ours; a larger difference will make sign-ins fail.";
    /// The provider's certificate has ended.
    CertificateExpired = "certificate_expired",
        "The provider’s certificate has ended; its key is accepted, but the provider may soon use another.";
    /// Too many groups to list.
    GroupsOverage = "groups_overage",
        "The person has too many groups for the assertion, so the provider sent none.";
}

impl Cause {
    /// Whether it fails no sign-in, and is only worth knowing.
    pub const fn is_note(self) -> bool {
        matches!(
            self,
            Self::ClockDiffers | Self::CertificateExpired | Self::GroupsOverage
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_code_and_a_sentence_of_its_own() {
        let codes: BTreeSet<&str> = Cause::all().iter().map(|cause| cause.code()).collect();
        let sentences: BTreeSet<&str> = Cause::all().iter().map(|cause| cause.sentence()).collect();
        assert_eq!(codes.len(), Cause::all().len());
        assert_eq!(sentences.len(), Cause::all().len());
        for cause in Cause::all() {
            let code = cause.code();
            assert!(
                code.bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'),
                "{code}"
            );
            let sentence = cause.sentence();
            assert!(
                sentence.ends_with('.') && sentence.starts_with(char::is_uppercase),
                "{code}: {sentence}"
            );
        }
    }
}
