//! Client authentication at the token, revocation and introspection endpoints.
//!
//! Source: RFC 6749 §2.3, §3.2.1.

use std::sync::Arc;

use genkan_protocol::oauth::{Credentials, Parameters};
use genkan_store::SecretHash;
use http::{HeaderMap, header};

use crate::anonymous;
use crate::app::App;
use crate::cache::{CachedClient, Configuration};
use crate::web::oauth_error::OAuthError;
use crate::web::refused::{self, Refused};

/// A client and how it proved who it is.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    pub cached: Arc<CachedClient>,
    pub proof: Proof,
    /// What was in force when it was authenticated, for the rest of the request.
    pub configuration: Configuration,
}

/// What the client showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its secret.
    Secret,
    /// Nothing but its identifier: right for a public client, and for a
    /// confidential one only where its registration says so.
    None,
}

impl AuthenticatedClient {
    pub fn client(&self) -> &genkan_store::client::Client {
        &self.cached.client
    }
}

/// One answer for unknown clients and wrong secrets: the endpoint tells nobody
/// which clients exist.
const REFUSED: OAuthError = OAuthError::invalid_client("client authentication failed");

/// Authenticates the caller at `endpoint`.
///
/// # Errors
///
/// `invalid_client` if the client is unknown or its secret wrong;
/// `invalid_request` if it authenticates in two ways at once.
pub async fn authenticate(
    app: &App,
    endpoint: &'static str,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<AuthenticatedClient, OAuthError> {
    let authorization: Vec<&[u8]> = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect();
    let credentials = Credentials::parse(&authorization, parameters).map_err(|error| OAuthError::Client {
        code: error.code(),
        description: error.to_string().into(),
    })?;
    let configuration = app.configuration().await?;
    let (Credentials::Secret { client_id, .. } | Credentials::Public { client_id }) = &credentials;
    let Some(cached) = configuration.client(client_id).await? else {
        let reason = ("unknown_client", "there is no such client");
        return Err(refuse(app, endpoint, (client_id, false), reason).await);
    };
    match credentials {
        Credentials::Secret {
            client_id, secret, ..
        } => {
            let presented = SecretHash::of(secret.as_bytes());
            let now = app.now();
            // Hashes are compared, each in constant time, so timing tells nothing
            // about the secret; a match is looked for among all live secrets.
            let Some(matched) = cached
                .live_secrets(now)
                .filter(|known| known.hash == presented)
                .last()
            else {
                let reason = match cached.secrets.iter().any(|known| known.hash == presented) {
                    true => ("client_secret_expired", "the client secret no longer counts"),
                    false => (
                        "client_secret_wrong",
                        "the client secret is not one of this client",
                    ),
                };
                return Err(refuse(app, endpoint, (&client_id, true), reason).await);
            };
            app.tally().used(&matched.id, now);
            Ok(AuthenticatedClient {
                cached,
                proof: Proof::Secret,
                configuration,
            })
        }
        Credentials::Public { client_id } => {
            let allowed = cached.client.is_public() || cached.client.secret_optional_with_pkce;
            if !allowed {
                let reason = ("client_secret_missing", "no client secret was sent");
                return Err(refuse(app, endpoint, (&client_id, true), reason).await);
            }
            Ok(AuthenticatedClient {
                cached,
                proof: Proof::None,
                configuration,
            })
        }
    }
}

/// Tells the operator which client it was and why, and the caller nothing of it.
async fn refuse(
    app: &App,
    endpoint: &'static str,
    (client_id, is_known): (&str, bool),
    (reason, description): (&str, &str),
) -> OAuthError {
    let refused = Refused {
        endpoint,
        client_id,
        is_known,
        reason,
        description,
        redirect_uri: None,
    };
    refused::record(app, refused).await;
    match anonymous::wrong_credentials(app) {
        Ok(()) => REFUSED,
        Err(too_many) => too_many.into(),
    }
}
