//! The userinfo endpoint: what the ID token leaves open.
//!
//! Nobody is obliged to ask there (OIDC Core §5.3), so an answer that cannot be
//! used ends no sign-in: it goes on with the ID token, and what only userinfo
//! could tell stays as it was. An answer about somebody else does end it.
//!
//! Source: OIDC Core §5.3.

use genkan_protocol::Trace;
use genkan_protocol::jose::JwtError;
use genkan_protocol::oidc::userinfo;
use http::header;
use serde_json::{Map, Value};

use super::attributes::Userinfo;
use super::exchange::{Exchange, Tokens};
use super::identity::{CLOCK_SKEW, Unverified};
use crate::connections::Failure;
use crate::outbound::{Answer, Request};

impl Exchange<'_> {
    /// Asks for what the ID token leaves open, if there is something and somebody to ask.
    pub(super) async fn userinfo(
        &self,
        tokens: &Tokens,
        id_token: &Map<String, Value>,
        trace: &mut Trace,
    ) -> Result<Userinfo, Failure> {
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
        // OIDC Core §5.3.2: the subject must be the ID token's, or somebody
        // else's profile would be taken over (token substitution).
        if claims.get("sub") != id_token.get("sub") {
            trace.fail("Userinfo subject", "the ID token's sub", "another one");
            let remedy = "The userinfo endpoint belongs to another provider, or the provider's configuration is mixed up.";
            return Err(self.failure("userinfo_subject_mismatch", remedy, trace));
        }
        trace.pass("Userinfo", "same subject");
        Ok(Userinfo::Read(claims))
    }

    /// The claims, or in words why there are none. The words hold nothing of the answer.
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
        // OIDC Core §5.3.2: always there. Without it this is an answer about nobody.
        if claims.get("sub").is_none_or(Value::is_null) {
            return Err("it names no sub".to_owned());
        }
        Ok(claims)
    }

    /// OIDC Core §5.3.2: signed by one of the provider's keys, in its name, for us.
    async fn signed_claims(&self, answer: &Answer) -> Result<Map<String, Value>, String> {
        let token = std::str::from_utf8(&answer.body)
            .map_err(|_| "it is not a JWT")?
            .trim();
        let verified = self.verify(token).await.map_err(|error| match error {
            Unverified::Keys(error) => error.to_string(),
            Unverified::Token(JwtError::Malformed(_)) => "it is not a signed JWT".to_owned(),
            Unverified::Token(error) => error.to_string(),
        })?;
        let (issuer, client_id) = (&self.endpoints.issuer, &self.settings.client_id);
        userinfo::validate_signed(verified, issuer, client_id, (self.app.now(), CLOCK_SKEW))
            .map_err(|error| error.to_string())
    }
}

/// OIDC Core §5.3.2: the media type tells a signed answer. (RFC 9110 §8.3.1: in any
/// case of letters, perhaps with parameters.)
fn is_signed(answer: &Answer) -> bool {
    let essence = answer.content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/jwt")
}
