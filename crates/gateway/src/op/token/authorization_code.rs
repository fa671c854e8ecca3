//! The authorization code grant.
//!
//! Source: RFC 6749 §4.1.3, RFC 7636 §4.6, OIDC Core §3.1.3.

use genkan_protocol::oauth::CodeVerifier;
use genkan_store::authorization_code::{self, AuthorizationCode, Redemption};
use genkan_store::{Secret, refresh_token};

use super::TokenResponse;
use super::issue::{self, Subject};
use crate::app::App;
use crate::web::client_auth::{AuthenticatedClient, Proof};
use crate::web::oauth_error::OAuthError;

/// The parameters of the client (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub struct Request {
    pub code: String,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<CodeVerifier>,
}

enum Outcome {
    Granted {
        subject: Box<Subject>,
        offline: bool,
    },
    /// A refusal that changed state, so it is committed.
    Refused(&'static str),
}

/// Redeems a code, once. The code is used up even if the request is wrong.
pub async fn redeem(
    app: &App,
    caller: &AuthenticatedClient,
    request: Request,
) -> Result<TokenResponse, OAuthError> {
    let now = app.now();
    let at = app.at(now);
    let code_hash = Secret::from_presented(request.code.as_str()).sha256();
    let refresh = Secret::generate();
    let refresh_hash = refresh.sha256();
    let client = caller.client();
    let idle = caller.configuration.environment().await?.session_idle;
    let outcome = app
        .db()
        .tx_read_committed(async |tx| -> Result<Outcome, OAuthError> {
            let (redemption, row) =
                authorization_code::redeem_and_read(tx, at, &code_hash, &client.id).await?;
            let (code, grant) = match redemption {
                Redemption::Fresh { code, grant } => (code, *grant),
                // RFC 6749 §4.1.2: the tokens of the first use were revoked, too.
                Redemption::Replayed(_) => return Ok(Outcome::Refused("the code was already used")),
                Redemption::Unknown => return Ok(Outcome::Refused("the code is unknown or expired")),
            };
            if let Err(reason) = check(caller.proof, &request, &code) {
                return Ok(Outcome::Refused(reason));
            }
            let Some(subject) = issue::subject(tx, (grant, row), idle, now).await? else {
                return Ok(Outcome::Refused("the user is not active"));
            };
            let offline = subject.grant.scope.contains("offline_access");
            if offline {
                let expires_at = subject.grant.expires_at;
                refresh_token::issue(tx, &refresh_hash, &subject.grant.id, expires_at, now).await?;
            }
            Ok(Outcome::Granted {
                subject: Box::new(subject),
                offline,
            })
        })
        .await?;
    match outcome {
        Outcome::Granted { subject, offline } => {
            let refresh = offline.then_some(refresh);
            issue::user_tokens(app, caller, &subject, refresh, Some(&request.code)).await
        }
        Outcome::Refused(reason) => Err(OAuthError::invalid_grant(reason)),
    }
}

/// Whether this request may get the tokens of this code.
fn check(proof: Proof, request: &Request, code: &AuthorizationCode) -> Result<(), &'static str> {
    // RFC 6749 §4.1.3: it must be sent, and be identical, if the authorization request contained it.
    match &request.redirect_uri {
        Some(uri) if *uri != code.redirect_uri => {
            return Err("redirect_uri differs from the authorization request");
        }
        None if code.redirect_uri_given => return Err("redirect_uri is missing"),
        _ => {}
    }
    match (&code.code_challenge, &request.code_verifier) {
        // RFC 7636 §4.6.
        (Some(challenge), Some(verifier)) if challenge.verify(verifier) => Ok(()),
        (Some(_), Some(_)) => Err("code_verifier does not match the code_challenge"),
        (Some(_), None) => Err("code_verifier is missing"),
        // RFC 9700 §2.1.1: a verifier without a challenge indicates a PKCE downgrade.
        (None, Some(_)) => Err("code_verifier was sent, but the authorization request had no code_challenge"),
        // Without a secret and without PKCE, nothing proves that the client itself redeems it.
        (None, None) if proof == Proof::None => Err("code_verifier is missing"),
        (None, None) => Ok(()),
    }
}
