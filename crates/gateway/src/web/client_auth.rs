//! Client authentication at the token, revocation and introspection endpoints.
//!
//! Source: RFC 6749 §2.3, §3.2.1.

use std::sync::Arc;

use genkan_protocol::oauth::{Credentials, Parameters};
use genkan_store::SecretHash;
use http::{HeaderMap, header};

use crate::anonymous;
use crate::app::App;
use crate::cache::CachedClient;
use crate::configuration::Configuration;
use crate::web::oauth_error::OAuthError;
use crate::web::refused::{self, RefusedRequest};

/// A client, and how it authenticated.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    pub cached: Arc<CachedClient>,
    pub proof: Proof,
    /// The configuration of its authentication, for the rest of the request.
    pub configuration: Configuration,
}

/// What the client presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its secret.
    Secret,
    /// Only its identifier: enough for a public client, and for a confidential one only if
    /// its registration says so.
    None,
}

impl AuthenticatedClient {
    pub fn client(&self) -> &genkan_store::client::Client {
        &self.cached.client
    }
}

/// One answer for unknown clients and wrong secrets, so that it does not reveal which clients
/// exist.
const REFUSED: &str = "client authentication failed";

/// The same if a code comes with a verifier in place of a secret. Unknown clients get it, too,
/// so it does not reveal which clients exist.
const REFUSED_WITHOUT_SECRET: &str = "client authentication failed: a code_verifier came and no client secret. \
     Send the secret, or let the application do without: genkan app update APP --secret-optional-with-pkce";

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
    let by_pkce_alone = is_by_pkce_alone(&credentials, parameters);
    let answer = if by_pkce_alone {
        REFUSED_WITHOUT_SECRET
    } else {
        REFUSED
    };
    let refusal = |reason, description| Refusal {
        reason,
        description,
        answer,
    };
    let configuration = app.configuration().await?;
    let (Credentials::Secret { client_id, .. } | Credentials::Public { client_id }) = &credentials;
    if configuration.is_old() && !configuration.knows_client(client_id) {
        return Err(OAuthError::Unavailable);
    }
    let Some(cached) = configuration.client(client_id).await? else {
        let refusal = refusal("unknown_client", "there is no such client");
        return Err(refuse(app, &configuration, endpoint, (client_id, false), refusal).await);
    };
    match credentials {
        Credentials::Secret {
            client_id, secret, ..
        } => {
            let presented = SecretHash::of(secret.as_bytes());
            let now = app.now();
            // Hashes are compared with all live secrets, each in constant time, so
            // timing tells nothing about the secret.
            let Some(matched) = cached
                .live_secrets(now)
                .filter(|known| known.hash == presented)
                .last()
            else {
                let (reason, description) = match cached.secrets.iter().any(|known| known.hash == presented) {
                    true => ("client_secret_expired", "the client secret no longer counts"),
                    false => (
                        "client_secret_wrong",
                        "the client secret is not one of this client",
                    ),
                };
                let refusal = refusal(reason, description);
                return Err(refuse(app, &configuration, endpoint, (&client_id, true), refusal).await);
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
                let refusal = match by_pkce_alone {
                    true => refusal(
                        "client_secret_missing_with_pkce",
                        "a code_verifier came and no client secret: the application may not redeem by PKCE alone \
                         (--secret-optional-with-pkce)",
                    ),
                    false => refusal("client_secret_missing", "no client secret was sent"),
                };
                return Err(refuse(app, &configuration, endpoint, (&client_id, true), refusal).await);
            }
            Ok(AuthenticatedClient {
                cached,
                proof: Proof::None,
                configuration,
            })
        }
    }
}

/// Whether a code would be redeemed by PKCE alone: allowed for public clients, and for others
/// if their registration says so.
fn is_by_pkce_alone(credentials: &Credentials, parameters: &Parameters) -> bool {
    let is_sent = |name| parameters.one(name).is_ok_and(|value| value.is_some());
    matches!(credentials, Credentials::Public { .. }) && is_sent("code_verifier")
}

/// Why a client is refused.
struct Refusal {
    /// For the operator.
    reason: &'static str,
    description: &'static str,
    /// For the caller.
    answer: &'static str,
}

/// Tells the operator which client was refused and why; the caller learns nothing of it.
///
/// While the database is away, we cannot tell whether the client or its secret is new. Then the
/// answer is the same for all; otherwise it would reveal which clients are known here.
async fn refuse(
    app: &App,
    configuration: &Configuration,
    endpoint: &'static str,
    (client_id, is_known): (&str, bool),
    refusal: Refusal,
) -> OAuthError {
    if configuration.is_old() {
        return OAuthError::Unavailable;
    }
    let refused = RefusedRequest {
        endpoint,
        client_id,
        is_known,
        reason: refusal.reason,
        description: refusal.description,
        redirect_uri: None,
    };
    // First, so that a flood fills neither the log nor the table of events.
    if let Err(too_many) = anonymous::wrong_credentials(app) {
        return too_many.into();
    }
    refused::record(app, refused).await;
    OAuthError::invalid_client(refusal.answer)
}
