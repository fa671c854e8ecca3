//! `POST /oauth/token`: exchanges a grant for tokens.
//!
//! The pipeline owns the checks that every grant needs (authenticate, parse, policy). A grant is one
//! function and cannot forget them.
//!
//! Source: RFC 6749 §3.2, §5.

pub mod authorization_code;
pub mod client_credentials;
pub mod issue;
pub mod refresh_token;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use genkan_protocol::oauth::{ErrorCode, Parameters, Scope, TokenRequest};
use genkan_store::client::GrantType;
use http::HeaderMap;
use serde::Serialize;

use crate::anonymous;
use crate::app::App;
use crate::web::client_auth::{self, AuthenticatedClient, Proof};
use crate::web::form::OAuthForm;
use crate::web::oauth_error::{OAuthError, no_store};
use crate::web::refused::{self, RefusedRequest};

/// A successful answer (RFC 6749 §5.1, OIDC Core §3.1.3.3).
#[derive(Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds, as an integer, because SDKs decode it so.
    pub expires_in: u64,
    pub scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// The token endpoint.
pub async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthForm(parameters): OAuthForm,
) -> Result<Response, OAuthError> {
    if app.node().clock_is_off() {
        // Other nodes would not accept its times.
        return Err(OAuthError::Unavailable);
    }
    let caller = client_auth::authenticate(&app, "token", &headers, &parameters).await?;
    match grant(&app, &caller, &parameters).await {
        Ok(response) => Ok((no_store(), Json(response)).into_response()),
        Err(OAuthError::Client { code, description }) => {
            refused::record(
                &app,
                RefusedRequest {
                    endpoint: "token",
                    client_id: caller.client().id.as_str(),
                    is_known: true,
                    reason: code.as_str(),
                    description: &description,
                    redirect_uri: parameters.one("redirect_uri").ok().flatten(),
                },
            )
            .await;
            // A wrong code or token counts as a guess as well.
            if matches!(code, ErrorCode::InvalidGrant | ErrorCode::InvalidClient) {
                anonymous::wrong_credentials(&app)?;
            }
            Err(OAuthError::Client { code, description })
        }
        Err(error) => Err(error),
    }
}

/// The steps after the client is known.
async fn grant(
    app: &App,
    caller: &AuthenticatedClient,
    parameters: &Parameters,
) -> Result<TokenResponse, OAuthError> {
    let request = TokenRequest::parse(parameters).map_err(|error| OAuthError::Client {
        code: error.code(),
        description: error.to_string().into(),
    })?;
    policy(caller, &request)?;
    // Read before a grant is used up, because nothing may fail with "try again" after that commit.
    caller.configuration.keyring().await?;
    match request {
        TokenRequest::AuthorizationCode {
            code,
            redirect_uri,
            code_verifier,
        } => {
            let request = authorization_code::Request {
                code,
                redirect_uri,
                code_verifier,
            };
            authorization_code::redeem(app, caller, request).await
        }
        TokenRequest::RefreshToken { refresh_token, scope } => {
            refresh_token::redeem(app, caller, refresh_token, scope).await
        }
        TokenRequest::ClientCredentials { scope } => client_credentials::issue(app, caller, scope).await,
    }
}

/// The policy: which client may use which grant.
fn policy(caller: &AuthenticatedClient, request: &TokenRequest) -> Result<(), OAuthError> {
    let grant_type = match request {
        TokenRequest::AuthorizationCode { .. } => GrantType::AuthorizationCode,
        TokenRequest::RefreshToken { .. } => GrantType::RefreshToken,
        TokenRequest::ClientCredentials { .. } => GrantType::ClientCredentials,
    };
    if !caller.client().may_use(grant_type) {
        return Err(OAuthError::unauthorized_client(
            "the client is not registered for this grant_type",
        ));
    }
    let confidential_without_proof = caller.proof == Proof::None && !caller.client().is_public();
    match request {
        // RFC 6749 §4.4: only for confidential clients, which must authenticate.
        TokenRequest::ClientCredentials { .. } if caller.proof == Proof::None => Err(
            OAuthError::unauthorized_client("client_credentials needs a client secret"),
        ),
        // RFC 6749 §6: a confidential client must authenticate to refresh. Its registration may allow PKCE
        // instead of the secret only at the code exchange.
        TokenRequest::RefreshToken { .. } if confidential_without_proof => {
            Err(OAuthError::invalid_client("client credentials are missing"))
        }
        TokenRequest::AuthorizationCode { .. }
        | TokenRequest::RefreshToken { .. }
        | TokenRequest::ClientCredentials { .. } => Ok(()),
    }
}
