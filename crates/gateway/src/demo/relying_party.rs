//! The demo application's side of OpenID Connect.
//!
//! Source: OIDC Core §3.1.3, Discovery 1.0 §4, RP-Initiated Logout 1.0 §2.

use std::sync::Arc;
use std::time::Duration;

use genkan_protocol::jose::{self, JwkSet, JwtError, Verified};
use genkan_protocol::oauth::append_query;
use genkan_protocol::oidc::id_token::{self, ExpectedNonce, IdTokenExpectations};
use genkan_protocol::oidc::{IdTokenError, ProviderMetadata, well_known_url};
use genkan_protocol::{Timestamp, Trace};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::DemoConfig;
use super::session::Session;
use crate::web::error::PageError;

/// How far the clocks may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// The algorithms with which the gateway may sign.
const ALGORITHMS: [&str; 2] = ["RS256", "ES256"];

const SCOPE: &str = "openid profile email offline_access";

/// An error between the application and the gateway.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelyingPartyError {
    #[error("the gateway does not answer")]
    Http(#[from] reqwest::Error),
    #[error("the gateway's metadata is wrong")]
    Metadata(#[from] genkan_protocol::oidc::DiscoveryError),
    #[error("the gateway has no {0}")]
    NoEndpoint(&'static str),
    #[error("the gateway's keys are wrong")]
    Keys(#[from] jose::JwkSetError),
    #[error("the token endpoint refused: {0}")]
    Refused(String),
    #[error("a token does not verify")]
    Token(#[from] JwtError),
    #[error("the ID token is wrong")]
    IdToken(#[from] IdTokenError),
    #[error("{0}")]
    Claims(&'static str),
}

impl From<RelyingPartyError> for PageError {
    fn from(error: RelyingPartyError) -> Self {
        PageError::internal(error)
            .application(super::pages::NAME)
            .try_again("/")
    }
}

/// The tokens of an answer.
#[derive(Deserialize)]
pub(super) struct Tokens {
    access_token: String,
    id_token: String,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The gateway as this application knows it.
struct Provider {
    metadata: ProviderMetadata,
    keys: JwkSet,
}

pub(super) struct RelyingParty {
    config: DemoConfig,
    /// Fetched at first use, and again when a key is unknown.
    provider: Mutex<Option<Arc<Provider>>>,
}

impl RelyingParty {
    pub(super) fn new(config: DemoConfig) -> Self {
        Self {
            config,
            provider: Mutex::default(),
        }
    }

    pub(super) fn config(&self) -> &DemoConfig {
        &self.config
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("{}{}", self.config.url, super::CALLBACK_PATH)
    }

    /// Where a sign-in begins (OIDC Core §3.1.2.1).
    pub(super) async fn authorization_url(&self, more: &[(&str, &str)]) -> Result<String, RelyingPartyError> {
        let provider = self.provider(None).await?;
        let redirect_uri = self.redirect_uri();
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", &redirect_uri),
            ("scope", SCOPE),
            ("code_challenge_method", "S256"),
        ];
        query.extend_from_slice(more);
        let endpoint = required(
            &provider.metadata.authorization_endpoint,
            "authorization_endpoint",
        )?;
        Ok(append_query(endpoint, &query))
    }

    /// Where a sign-out goes (RP-Initiated Logout §2).
    pub(super) async fn end_session_url(&self, id_token: &str) -> Result<String, RelyingPartyError> {
        let provider = self.provider(None).await?;
        let endpoint = required(&provider.metadata.end_session_endpoint, "end_session_endpoint")?;
        Ok(append_query(
            endpoint,
            &[
                ("id_token_hint", id_token),
                ("post_logout_redirect_uri", self.config.url.as_str()),
            ],
        ))
    }

    /// Whether the gateway promises to name itself in its answers (RFC 9207 §3).
    pub(super) async fn promises_iss(&self) -> Result<bool, RelyingPartyError> {
        Ok(self
            .provider(None)
            .await?
            .metadata
            .authorization_response_iss_parameter_supported)
    }

    /// Asks the token endpoint (RFC 6749 §4.1.3 and §6).
    pub(super) async fn tokens(&self, grant: &[(&str, &str)]) -> Result<Tokens, RelyingPartyError> {
        let provider = self.provider(None).await?;
        let endpoint = required(&provider.metadata.token_endpoint, "token_endpoint")?;
        let credentials = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", &self.config.client_secret),
        ];
        let form = [grant, &credentials].concat();
        let response = self.config.http.post(endpoint).form(&form).send().await?;
        if response.status().is_client_error() {
            let TokenRefusal {
                error,
                error_description,
            } = response.json().await?;
            return Err(RelyingPartyError::Refused(format!("{error} {error_description}")));
        }
        Ok(response.error_for_status()?.json().await?)
    }

    /// Checks the tokens and reads userinfo.
    pub(super) async fn session(
        &self,
        tokens: Tokens,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Session, RelyingPartyError> {
        let id_token = self.verify(&tokens.id_token).await?;
        let expected = IdTokenExpectations {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            nonce: nonce.map(ExpectedNonce::Plain),
            now,
            skew: SKEW,
            access_token: Some(&tokens.access_token),
            max_age: None,
        };
        let id_claims = id_token::validate(&id_token, &expected, &mut Trace::default())?;
        let access_claims = self.verify(&tokens.access_token).await?.claims;
        let userinfo = self.userinfo(&tokens.access_token).await?;
        // OIDC Core §5.3.2: otherwise the claims may be somebody else's.
        if userinfo.get("sub") != id_claims.get("sub") {
            return Err(RelyingPartyError::Claims("userinfo speaks of another person"));
        }
        Ok(Session {
            id_token: tokens.id_token,
            refresh_token: tokens.refresh_token,
            id_claims,
            access_claims,
            userinfo,
        })
    }

    async fn userinfo(&self, access_token: &str) -> Result<Map<String, Value>, RelyingPartyError> {
        let provider = self.provider(None).await?;
        let endpoint = required(&provider.metadata.userinfo_endpoint, "userinfo_endpoint")?;
        let response = self
            .config
            .http
            .get(endpoint)
            .bearer_auth(access_token)
            .send()
            .await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// Verifies a signature of the gateway; if the key is unknown, fetches the keys once more.
    pub(super) async fn verify(&self, token: &str) -> Result<Verified, RelyingPartyError> {
        let provider = self.provider(None).await?;
        match jose::verify(token, &provider.keys, &ALGORITHMS) {
            Err(JwtError::UnknownKey { .. }) => {
                let provider = self.provider(Some(&provider)).await?;
                Ok(jose::verify(token, &provider.keys, &ALGORITHMS)?)
            }
            result => Ok(result?),
        }
    }

    /// The gateway's metadata and keys; fetched anew if they are still `stale`.
    async fn provider(&self, stale: Option<&Arc<Provider>>) -> Result<Arc<Provider>, RelyingPartyError> {
        let mut known = self.provider.lock().await;
        if let Some(provider) = &*known
            && !stale.is_some_and(|stale| Arc::ptr_eq(stale, provider))
        {
            return Ok(Arc::clone(provider));
        }
        let metadata: ProviderMetadata = self.get(&well_known_url(&self.config.issuer)).await?;
        metadata.validate(&self.config.issuer)?;
        let keys: Value = self.get(required(&metadata.jwks_uri, "jwks_uri")?).await?;
        let keys = JwkSet::parse(keys.to_string().as_bytes())?;
        Ok(Arc::clone(known.insert(Arc::new(Provider { metadata, keys }))))
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, RelyingPartyError> {
        Ok(self
            .config
            .http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?)
    }
}

fn required<'a>(endpoint: &'a Option<String>, name: &'static str) -> Result<&'a str, RelyingPartyError> {
    endpoint.as_deref().ok_or(RelyingPartyError::NoEndpoint(name))
}
