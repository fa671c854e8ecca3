//! The ID token: the provider's statement about the person.
//!
//! Source: OIDC Core §3.1.3.7, §10.1.1.

use std::sync::Arc;
use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::jose::{self, JwtError, Verified};
use genkan_protocol::oidc::id_token::{self, IdTokenExpectations};
use genkan_protocol::oidc::{Cause, ExpectedNonce};
use serde_json::{Map, Value};

use super::AuthenticationResponse;
use super::exchange::{Exchange, Tokens};
use super::metadata::{self, MetadataError};
use super::remedy::remedy;
use crate::connections::SignInFailure;
use crate::connections::failure::Messages;

/// The tolerated difference between the provider's clock and ours.
pub(super) const CLOCK_SKEW: Duration = Duration::from_mins(2);

/// The accepted signature algorithms. Symmetric ones and `none` are missing: their key would be a secret
/// that other parties know, or there would be none.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519",
];

/// OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
const UNMET: &str = "unmet_authentication_requirements";
const NO_AUTH_TIME: &str =
    "max_age cannot be met: the identity provider does not say when the person signed in (auth_time)";

/// Why the signature of a token was not verified.
pub(super) enum VerificationError {
    /// The keys could not be fetched.
    Keys(Arc<MetadataError>),
    Token(JwtError),
}

impl Exchange<'_> {
    /// OIDC Core §3.1.3.7: signature first, then every claim.
    pub(super) async fn id_token(
        &self,
        tokens: &Tokens,
        arrival: &AuthenticationResponse<'_>,
        trace: &mut Trace,
    ) -> Result<Map<String, Value>, SignInFailure> {
        let Some(id_token) = &tokens.id_token else {
            trace.fail("ID token", "an ID token", "none");
            return Err(self.failure(Cause::IdTokenMissing, trace));
        };
        let verified = match self.verify(id_token).await {
            Ok(verified) => verified,
            Err(error) => return Err(self.unverified(&error, trace)),
        };
        trace.pass(
            "ID token signature",
            format!(
                "{} by key {}",
                verified.header.alg,
                verified.header.kid.as_deref().unwrap_or("without a name")
            ),
        );
        let expected = IdTokenExpectations {
            issuer: &self.endpoints.issuer,
            client_id: &self.settings.client_id,
            nonce: Some(ExpectedNonce::Plain(arrival.nonce)),
            now: self.app.now(),
            skew: CLOCK_SKEW,
            access_token: tokens.access_token.as_deref(),
            // §3.1.3.7 step 13: if a fresh login was requested, the provider must prove it.
            max_age: arrival.max_age,
        };
        match id_token::validate(&verified, &expected, trace) {
            Ok(claims) => Ok(claims),
            Err(error) => {
                let claims = Messages::of_claims(&verified.claims);
                let failure = self.failure(error.cause, trace).with_messages(claims);
                Err(if error.cause == Cause::IdTokenAuthenticationTimeMissing {
                    failure.tell_application(UNMET, NO_AUTH_TIME)
                } else {
                    failure
                })
            }
        }
    }

    /// Verifies the signature of a token with the provider's keys.
    pub(super) async fn verify(&self, token: &str) -> Result<Verified, VerificationError> {
        let mut refetched = false;
        loop {
            let keys = metadata::jwks(self.app, self.scheme(), &self.endpoints.jwks, refetched)
                .await
                .map_err(VerificationError::Keys)?;
            match jose::verify(token, &keys, ALGORITHMS) {
                Ok(verified) => return Ok(verified),
                // OIDC Core §10.1.1: an unknown key means that the provider has rotated its keys.
                Err(JwtError::UnknownKey { .. }) if !refetched => refetched = true,
                Err(error) => return Err(VerificationError::Token(error)),
            }
        }
    }

    fn unverified(&self, error: &VerificationError, trace: &mut Trace) -> SignInFailure {
        match error {
            VerificationError::Keys(error) => {
                trace.fail("Provider keys", self.endpoints.jwks.as_str(), error.to_string());
                let cause = Cause::JwksUnreachable;
                let remedy = error.remedy().unwrap_or_else(|| remedy(cause));
                SignInFailure::unreachable(self.connection, cause, remedy, std::mem::take(trace))
            }
            VerificationError::Token(error) => {
                trace.fail(
                    "ID token signature",
                    "a signature by one of the provider's keys",
                    error.to_string(),
                );
                self.failure(Cause::from(error), trace)
            }
        }
    }
}
