//! The ID token and the userinfo endpoint: who the provider says it is.
//!
//! Source: OIDC Core §3.1.3.7, §5.3, §10.1.1.

use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::jose::{self, JwtError, Verified};
use genkan_protocol::oidc::ExpectedNonce;
use genkan_protocol::oidc::id_token::{self, Expected};
use http::header;
use serde_json::{Map, Value};

use super::Arrival;
use super::exchange::{Exchange, Tokens};
use crate::connections::{Failure, metadata};
use crate::web::outbound::Request;

/// What provider and server clocks may differ by.
const CLOCK_SKEW: Duration = Duration::from_mins(2);

/// Signature algorithms accepted of providers. Symmetric ones and `none` are not
/// among them: the key would be a secret that other parties know, or nothing.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519",
];

impl Exchange<'_> {
    /// OIDC Core §3.1.3.7: signature first, then every claim.
    pub(super) async fn id_token(
        &self,
        tokens: &Tokens,
        arrival: &Arrival<'_>,
        trace: &mut Trace,
    ) -> Result<Map<String, Value>, Failure> {
        let Some(id_token) = &tokens.id_token else {
            trace.fail("ID token", "an ID token", "none");
            let remedy = "Allow the scope `openid` for this application at the provider.";
            return Err(self.failure("id_token_missing", remedy, trace));
        };
        let verified = self.verify(id_token, trace).await?;
        trace.pass(
            "ID token signature",
            format!(
                "{} by key {}",
                verified.header.alg,
                verified.header.kid.as_deref().unwrap_or("without a name")
            ),
        );
        let expected = Expected {
            issuer: &self.endpoints.issuer,
            client_id: &self.settings.client_id,
            nonce: Some(ExpectedNonce::Plain(arrival.nonce)),
            now: self.app.now(),
            skew: CLOCK_SKEW,
            access_token: tokens.access_token.as_deref(),
            // §3.1.3.7 step 13: a provider that was asked for a fresh login proves it.
            max_age: arrival.max_age,
        };
        match id_token::validate(&verified, &expected, trace) {
            Ok(claims) => Ok(claims),
            Err(error) => Err(self.failure(error.cause, error.remedy, trace)),
        }
    }

    async fn verify(&self, id_token: &str, trace: &mut Trace) -> Result<Verified, Failure> {
        let mut refetched = false;
        loop {
            let keys = match metadata::jwks(self.app, self.settings, &self.endpoints.jwks, refetched).await {
                Ok(keys) => keys,
                Err(error) => {
                    trace.fail("Provider keys", self.endpoints.jwks.as_str(), error.to_string());
                    let remedy = "Check that this server can reach the provider's jwks_uri.";
                    let trace = std::mem::take(trace);
                    return Err(Failure::unreachable(
                        self.connection,
                        "jwks_unreachable",
                        remedy,
                        trace,
                    ));
                }
            };
            match jose::verify(id_token, &keys, ALGORITHMS) {
                Ok(verified) => return Ok(verified),
                // OIDC Core §10.1.1: an unknown key means that the provider has rotated.
                Err(JwtError::UnknownKey { .. }) if !refetched => refetched = true,
                Err(error) => {
                    trace.fail(
                        "ID token signature",
                        "a signature by one of the provider's keys",
                        error.to_string(),
                    );
                    let remedy = "The provider signed with a key or algorithm that it does not publish. Check jwks_uri \
                                  and the signing algorithm of the application at the provider.";
                    return Err(self.failure(error.cause(), remedy, trace));
                }
            }
        }
    }

    /// Adds what only the userinfo endpoint tells (OIDC Core §5.3). The ID
    /// token's claims win: they are the signed ones.
    pub(super) async fn userinfo(
        &self,
        tokens: &Tokens,
        claims: &mut Map<String, Value>,
        trace: &mut Trace,
    ) -> Result<(), Failure> {
        let (Some(url), Some(access_token)) = (&self.endpoints.userinfo, &tokens.access_token) else {
            return Ok(());
        };
        let request = Request::get(url, self.app.scheme(self.settings.insecure_http))
            .header(header::ACCEPT, "application/json".to_owned())
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"));
        let answer = match self.app.outbound().send(request).await {
            Ok(answer) if answer.status.is_success() => answer,
            Ok(answer) => return self.userinfo_failed(format!("status {}", answer.status.as_u16()), trace),
            Err(error) => return self.userinfo_failed(error.to_string(), trace),
        };
        let Ok(Value::Object(info)) = serde_json::from_slice::<Value>(&answer.body) else {
            return self.userinfo_failed(format!("not a JSON object ({})", answer.content_type), trace);
        };
        // OIDC Core §5.3.2: the subject must be the ID token's, or somebody
        // else's profile would be taken over (token substitution).
        if info.get("sub") != claims.get("sub") {
            trace.fail("Userinfo subject", "the ID token's sub", "another one");
            let remedy = "The userinfo endpoint belongs to another provider, or the provider's configuration is mixed up.";
            return Err(self.failure("userinfo_subject_mismatch", remedy, trace));
        }
        trace.pass("Userinfo", "same subject");
        for (name, value) in info {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    fn userinfo_failed(&self, received: String, trace: &mut Trace) -> Result<(), Failure> {
        trace.fail("Userinfo", "claims as JSON", received);
        let remedy = "The provider's userinfo endpoint did not answer as OpenID Connect says. Check its address and that \
                      this application may call it.";
        Err(self.failure("user_info_retrieve_failed", remedy, trace))
    }
}
