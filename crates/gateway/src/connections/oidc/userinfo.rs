//! The userinfo endpoint: for claims that the ID token lacks.
//!
//! OIDC Core §5.3 does not require to ask it. So an unusable answer ends no sign-in: the sign-in goes on
//! with the ID token, and values that only userinfo has stay as they were. But an answer about another
//! person ends the sign-in.
//!
//! Source: OIDC Core §5.3.

use genkan_protocol::Trace;
use genkan_protocol::jose::JwtError;
use genkan_protocol::oidc::{Cause, userinfo};
use http::header;
use serde_json::{Map, Value};

use super::attributes::Userinfo;
use super::exchange::{Exchange, Tokens};
use super::identity::{CLOCK_SKEW, VerificationError};
use crate::connections::SignInFailure;
use crate::outbound::{Answer, Request};

impl Exchange<'_> {
    /// Asks the endpoint, if the ID token lacks something and the provider has one.
    pub(super) async fn userinfo(
        &self,
        tokens: &Tokens,
        id_token: &Map<String, Value>,
        trace: &mut Trace,
    ) -> Result<Userinfo, SignInFailure> {
        let Some(url) = &self.endpoints.userinfo else {
            return Ok(Userinfo::NotAsked);
        };
        if !self.mapping().is_incomplete(id_token) {
            trace.pass("Userinfo", "not asked: the ID token says all that is needed");
            return Ok(Userinfo::NotAsked);
        }
        let claims = match self.read_userinfo(url, tokens.access_token.as_deref()).await {
            Ok(claims) => claims,
            Err(why) => {
                tracing::warn!(
                    connection = %self.connection.id, why, "userinfo could not be read; the sign-in goes on without it"
                );
                let note = format!("could not be read, so the sign-in goes on with the ID token: {why}");
                trace.pass_over("Userinfo", note);
                return Ok(Userinfo::Unread);
            }
        };
        // OIDC Core §5.3.2: the subject must be the ID token's. Otherwise another person's profile could be
        // taken over (token substitution).
        if claims.get("sub") != id_token.get("sub") {
            trace.fail("Userinfo subject", "the ID token's sub", "another one");
            return Err(self.failure(Cause::UserinfoSubjectMismatch, trace));
        }
        trace.pass("Userinfo", "same subject");
        Ok(Userinfo::Read(claims))
    }

    /// The claims, or the reason why there are none. The reason contains nothing of the answer.
    async fn read_userinfo(
        &self,
        url: &str,
        access_token: Option<&str>,
    ) -> Result<Map<String, Value>, String> {
        let access_token = access_token.ok_or("there is no access token to ask with")?;
        let request = Request::get(url, self.scheme())
            .header(header::ACCEPT, "application/json, application/jwt".to_owned())
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"));
        let answer = self
            .app
            .outbound()
            .send(request)
            .await
            .map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("status {}", answer.status.as_u16()));
        }
        let claims = if is_signed(&answer) {
            self.signed_claims(&answer).await?
        } else {
            userinfo::parse(&answer.body).map_err(|error| error.to_string())?
        };
        // OIDC Core §5.3.2: it is always present. Without it, the answer is about nobody.
        if claims.get("sub").is_none_or(Value::is_null) {
            return Err("it names no sub".to_owned());
        }
        Ok(claims)
    }

    /// OIDC Core §5.3.2: signed with a key of the provider, with the provider as issuer and us as audience.
    async fn signed_claims(&self, answer: &Answer) -> Result<Map<String, Value>, String> {
        let token = std::str::from_utf8(&answer.body)
            .map_err(|_| "it is not a JWT")?
            .trim();
        let verified = self.verify(token).await.map_err(|error| match error {
            VerificationError::Keys(error) => error.to_string(),
            VerificationError::Token(JwtError::Malformed(_)) => "it is not a signed JWT".to_owned(),
            VerificationError::Token(error) => error.to_string(),
        })?;
        let (issuer, client_id) = (&self.endpoints.issuer, &self.settings.client_id);
        userinfo::validate_signed(verified, issuer, client_id, (self.app.now(), CLOCK_SKEW))
            .map_err(|error| error.to_string())
    }
}

/// OIDC Core §5.3.2: the media type shows a signed answer. RFC 9110 §8.3.1: upper and lower case do not
/// matter, and parameters may follow.
fn is_signed(answer: &Answer) -> bool {
    let essence = answer.content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/jwt")
}
