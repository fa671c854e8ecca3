//! Why an answer of an OpenID Provider signs nobody in: one cause per check.

use crate::jose::JwtError;

crate::causes! {
    /// Why an OpenID Provider, or its answer, signs nobody in.
    pub enum Cause:

    // The provider's metadata (OIDC Discovery §4).
    /// No answer.
    ProviderUnreachable = "provider_unreachable",
        "The provider could not be reached at the address of its metadata.";
    /// An answer, but no document.
    ProviderMetadataMissing = "provider_metadata_missing",
        "There are no metadata of a provider at the address that the connection names.";
    /// Not metadata, or another issuer's.
    ProviderMetadataInvalid = "provider_metadata_invalid",
        "The provider’s metadata cannot be used, or they are those of another issuer.";
    /// No address for one of the steps.
    ProviderMetadataIncomplete = "provider_metadata_incomplete",
        "The provider’s metadata lack an address that a sign-in needs.";

    // Pushed authorization requests (RFC 9126 §2).
    /// No endpoint for them.
    PushedRequestEndpointMissing = "pushed_request_endpoint_missing",
        "The connection sends its requests to the provider directly, and the provider names no address for that.";
    /// No answer.
    PushedRequestUnreachable = "pushed_request_unreachable",
        "The provider’s endpoint for pushed requests did not answer.";
    /// Not a reference.
    PushedRequestMalformed = "pushed_request_malformed",
        "The provider’s endpoint for pushed requests answered with something else than a reference.";
    /// An error.
    PushedRequestRefused = "pushed_request_refused",
        "The provider refused the request that was pushed to it.";

    // The answer by the browser (OIDC Core §3.1.2.5, RFC 9207 §2.4).
    /// In the address instead of a form, or the other way round.
    AuthorizationResponseModeMismatch = "authorization_response_mode_mismatch",
        "The answer came in another way than the one we asked for.";
    /// Neither one code nor one error.
    AuthorizationResponseMalformed = "authorization_response_malformed",
        "The provider’s answer does not have the parts that the standard gives it.";
    /// Another provider's.
    AuthorizationResponseIssuerMismatch = "authorization_response_issuer_mismatch",
        "The answer came from another provider than the one we asked.";
    /// An error of the provider's own.
    ProviderError = "provider_error",
        "The provider refused the sign-in, for a reason of its own.";

    // The exchange of the code (OIDC Core §3.1.3).
    /// Sealed under another instance key.
    ClientSecretUnreadable = "client_secret_unreadable",
        "The client secret of the connection was stored with another instance key, so it cannot be read.";
    /// No answer, or one without an end.
    TokenEndpointUnreachable = "token_endpoint_unreachable",
        "The provider’s token endpoint did not answer, or its answer could not be read to the end.";
    /// An error.
    FailedToExchangeToken = "failed_to_exchange_token",
        "The provider did not give tokens for its code.";
    /// Not tokens.
    TokenResponseMalformed = "token_response_malformed",
        "The provider’s token endpoint answered with something else than tokens.";
    /// Tokens without the one that names a person.
    IdTokenMissing = "id_token_missing",
        "The provider gave tokens, but no ID token.";

    // The signature of the ID token (RFC 7515 §5.2).
    /// No keys.
    JwksUnreachable = "jwks_unreachable",
        "The provider’s keys could not be fetched, so the ID token could not be verified.";
    /// Longer than any that is read.
    TokenTooLong = "token_too_long",
        "The ID token is longer than any that we read.";
    /// Not a JWT.
    TokenMalformed = "token_malformed",
        "The ID token is not a signed JWT.";
    /// An algorithm that is not accepted.
    AlgorithmNotAllowed = "algorithm_not_allowed",
        "The ID token is signed with an algorithm that we do not accept.";
    /// RFC 7515 §4.1.11.
    CriticalHeaderUnsupported = "critical_header_unsupported",
        "The ID token demands an extension that we do not know.";
    /// A key that is not published.
    SigningKeyUnknown = "signing_key_unknown",
        "The ID token is signed with a key that the provider does not publish.";
    /// A key of another algorithm.
    SigningKeyMismatch = "signing_key_mismatch",
        "The ID token names a key of the provider that is made for another algorithm.";
    /// A wrong signature.
    SignatureInvalid = "signature_invalid",
        "The signature of the ID token is wrong.";

    // The claims of the ID token (OIDC Core §3.1.3.7).
    /// Another issuer.
    IdTokenIssuerMismatch = "id_token_issuer_mismatch",
        "The ID token was made by another provider than the one of the connection.";
    /// Another audience.
    IdTokenAudienceMismatch = "id_token_audience_mismatch",
        "The ID token was made for another application.";
    /// Several audiences, and it was not issued to us.
    IdTokenAuthorizedPartyMismatch = "id_token_authorized_party_mismatch",
        "The ID token was issued to another application.";
    /// Over.
    IdTokenExpired = "id_token_expired",
        "The ID token is no longer valid.";
    /// In the future, or a day old.
    IdTokenIssuedAtImplausible = "id_token_issued_at_implausible",
        "The time of issue in the ID token is missing, in the future, or more than a day ago.";
    /// Too early.
    IdTokenNotYetValid = "id_token_not_yet_valid",
        "The ID token is not valid yet.";
    /// Another login's.
    IdTokenNonceMismatch = "id_token_nonce_mismatch",
        "The ID token was not made for this sign-in.";
    /// Another access token's.
    IdTokenAccessTokenHashMismatch = "id_token_access_token_hash_mismatch",
        "The ID token belongs to another access token than the one that came with it.";
    /// `max_age` was sent, and `auth_time` did not come. Unlike other causes, the application
    /// hears it: it asked for something that this provider cannot do.
    IdTokenAuthenticationTimeMissing = "id_token_authentication_time_missing",
        "The application asked for a recent sign-in, and the provider does not say when the person signed in.";
    /// Older than `max_age`.
    IdTokenAuthenticationTooOld = "id_token_authentication_too_old",
        "The application asked for a recent sign-in, and the person’s sign-in at the provider is older.";
    /// No subject that can be stored.
    IdTokenSubjectUnusable = "id_token_subject_unusable",
        "The ID token has no identifier of the person that can be used.";

    // The person (OIDC Core §5).
    /// Another person's profile.
    UserinfoSubjectMismatch = "userinfo_subject_mismatch",
        "The userinfo endpoint answered about another person than the ID token.";
    /// It was needed for an attribute that every person must have.
    UserInfoRetrieveFailed = "user_info_retrieve_failed",
        "The ID token lacks a needed claim, such as the e-mail address, and the userinfo endpoint could not be read.";
    /// No address, or none of another attribute that every person must have.
    MandatoryAttributeMissing = "mandatory_attribute_missing",
        "The provider sent no claim for an attribute that every person must have, such as the e-mail address.";
    /// Not an address, or not a value of the registered type.
    MandatoryAttributeMalformed = "mandatory_attribute_malformed",
        "The claim for an attribute that every person must have holds a value that does not fit.";
}

impl From<&JwtError> for Cause {
    fn from(error: &JwtError) -> Self {
        match error {
            JwtError::TooLong => Self::TokenTooLong,
            JwtError::Malformed(_) => Self::TokenMalformed,
            JwtError::AlgorithmNotAllowed { .. } => Self::AlgorithmNotAllowed,
            JwtError::CriticalHeader => Self::CriticalHeaderUnsupported,
            JwtError::UnknownKey { .. } => Self::SigningKeyUnknown,
            JwtError::KeyMismatch { .. } => Self::SigningKeyMismatch,
            JwtError::Signature => Self::SignatureInvalid,
        }
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
        for sentence in sentences {
            assert!(
                sentence.ends_with('.') && sentence.starts_with(char::is_uppercase),
                "{sentence}"
            );
        }
    }
}
