//! Remedies: an administrator makes these changes so that a failed sign-in through an OpenID Provider works.

use genkan_protocol::oidc::Cause;

/// The change that a cause needs, if no more is known than the cause.
pub(in crate::connections) const fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::ProviderUnreachable => {
            "Check the issuer address of the connection, and that this server can reach it."
        }
        Cause::ProviderMetadataMissing => {
            "Check the issuer address: it must serve /.well-known/openid-configuration."
        }
        Cause::ProviderMetadataInvalid => {
            "Enter the issuer exactly as the provider's own metadata names it, or the endpoints by hand."
        }
        Cause::ProviderMetadataIncomplete => "Enter the provider's addresses in the connection by hand.",
        Cause::PushedRequestEndpointMissing => {
            "The provider's metadata name no pushed_authorization_request_endpoint. Let the connection send its requests \
             by the browser: `genkan connection update CONNECTION --push-requests off`."
        }
        Cause::PushedRequestUnreachable => {
            "Check that this server can reach the provider's endpoint for pushed requests."
        }
        Cause::PushedRequestMalformed => {
            "The provider's endpoint for pushed requests breaks RFC 9126 §2.2. Report it to the provider, or let the \
             connection send its requests by the browser: `genkan connection update CONNECTION --push-requests off`."
        }
        Cause::PushedRequestRefused | Cause::ProviderError => {
            "Look for this error in the provider's own sign-in log."
        }
        Cause::AuthorizationResponseModeMismatch => {
            "Let the connection ask for the other way: `genkan connection update CONNECTION --form-post on`, or off."
        }
        Cause::AuthorizationResponseMalformed => {
            "The provider's answer breaks OpenID Connect. Report it to the provider."
        }
        Cause::AuthorizationResponseIssuerMismatch => {
            "Check the issuer of the connection. If it is right, somebody may have tried to mix two providers up."
        }
        Cause::ClientSecretUnreadable => {
            "Enter the client secret again: `genkan connection update CONNECTION --client-secret-stdin`."
        }
        Cause::TokenEndpointUnreachable => "Check that this server can reach the provider's token endpoint.",
        Cause::FailedToExchangeToken => {
            "Look for this error in the provider's own sign-in log. Check the client secret and the redirect URI."
        }
        Cause::TokenResponseMalformed => {
            "The provider's token endpoint breaks RFC 6749 §5.1. Check its address in the connection."
        }
        Cause::IdTokenMissing => "Allow the scope `openid` for this application at the provider.",
        Cause::JwksUnreachable => "Check that this server can reach the provider's jwks_uri.",
        _ => of_id_token(cause),
    }
}

/// As [`remedy`], for what the ID token and the userinfo say.
const fn of_id_token(cause: Cause) -> &'static str {
    match cause {
        Cause::AlgorithmNotAllowed => {
            "Let the provider sign with RSA, ECDSA or Ed25519: RS256 is known to each. An algorithm with a shared secret \
             (HS256) is not accepted."
        }
        Cause::SigningKeyUnknown | Cause::SigningKeyMismatch | Cause::SignatureInvalid => {
            "Check jwks_uri and the signing algorithm of the application at the provider: the key that signs must be \
             published there."
        }
        Cause::IdTokenIssuerMismatch => {
            "Enter the issuer in the connection exactly as the identity provider writes it, with or without the final \
             slash."
        }
        Cause::IdTokenAudienceMismatch => {
            "Enter the client ID of the application that is registered for this connection at the provider."
        }
        Cause::IdTokenAuthorizedPartyMismatch => {
            "Use the client ID of this connection's own application at the identity provider."
        }
        Cause::IdTokenExpired => {
            "Compare the clocks of both servers. If they agree, the sign-in took too long: try again."
        }
        Cause::IdTokenIssuedAtImplausible | Cause::IdTokenNotYetValid => {
            "Compare the clocks of both servers: they must not be more than two minutes apart."
        }
        Cause::IdTokenNonceMismatch => {
            "Begin the sign-in again from the application. If it happens every time, the identity provider does not \
             return the nonce."
        }
        Cause::IdTokenAuthenticationTimeMissing => {
            "Let the provider send the claim auth_time in ID tokens, or have the application ask with prompt=login and \
             without max_age."
        }
        Cause::IdTokenAuthenticationTooOld => {
            "Sign in again at the identity provider. If it happens every time, the provider does not honour max_age."
        }
        Cause::IdTokenSubjectUnusable => {
            "Map a stable user ID of at most 255 characters to the claim sub at the identity provider."
        }
        Cause::UserinfoSubjectMismatch => {
            "Check the address of the userinfo endpoint: it must belong to the provider that makes the ID tokens."
        }
        Cause::UserInfoRetrieveFailed => {
            "Release the address into the ID token, or check the endpoint's address and that this application may call it."
        }
        Cause::MandatoryAttributeMissing => {
            "Release the e-mail address to this application at the provider (scope or claim `email`), or map the claim \
             that carries it in the connection's attribute mapping."
        }
        Cause::MandatoryAttributeMalformed => {
            "Correct the address of this person at the provider, or map another claim that carries an e-mail address in \
             the connection's attribute mapping."
        }
        // All others break the standards, and only the provider can mend them.
        _ => "Report it to the identity provider: its tokens break OpenID Connect.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_provider_can_mend_is_listed() {
        let reported: Vec<&str> = Cause::all()
            .iter()
            .filter(|cause| remedy(**cause).starts_with("Report it"))
            .map(|cause| cause.code())
            .collect();
        assert_eq!(
            reported,
            [
                "token_too_long",
                "token_malformed",
                "critical_header_unsupported",
                "id_token_access_token_hash_mismatch"
            ]
        );
    }
}
