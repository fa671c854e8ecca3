//! The identity-provider simulator: an OpenID Provider that lets anybody be anybody, and
//! misbehaves on request. It is a SAML provider as well ([`saml`]).
//!
//! It replaces a company's identity provider while an application or Genkan itself is
//! developed, so only `genkan dev` mounts it. Its protocol is real: discovery, keys that
//! rotate, codes that count once, PKCE, signed ID tokens. Its memory is bounded and gone
//! after a restart.
//!
//! Source: OpenID Connect Core 1.0 §3.1, Discovery 1.0, RFC 9207.

mod authorize;
mod fault;
mod landing;
mod metadata;
mod profile;
pub mod saml;
#[cfg(test)]
pub(crate) mod tests;
mod token;
mod userinfo;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::Timestamp;
use genkan_protocol::jose::{Algorithm, SigningKey};
use genkan_protocol::oauth::{CodeChallenge, Parameters};
use genkan_store::connection::{self, Kind};
use parking_lot::Mutex;

use crate::web::error::PageError;
use crate::web::memory::Memory;

pub use fault::{Fault, UnknownFault};

use profile::Profile;

/// The simulator's path below the public URL.
pub const PATH: &str = "/simulator";

/// How long a code waits for its exchange.
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// How long an access token opens the userinfo endpoint.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// The largest form that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The settings of a simulator.
#[derive(Clone)]
pub struct Config {
    /// The URL below which it is mounted, see [`issuer`].
    pub public_url: String,
    pub client_id: String,
    pub client_secret: String,
    /// The addresses that may get its answers. The callback of one connection stands for all
    /// connections of that gateway.
    pub redirect_uris: Vec<String>,
    /// The demo application, to which the simulator's first page leads.
    pub demo_url: Option<String>,
    pub saml: saml::Config,
}

/// Shows no secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

/// The issuer of a simulator that is mounted at `public_url`.
pub fn issuer(public_url: &str) -> String {
    format!("{public_url}{PATH}")
}

/// The simulator. Cloning is cheap.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Simulator").field(&self.0.config).finish()
    }
}

struct Inner {
    config: Config,
    issuer: String,
    /// The gateway whose connections it serves, and one of them.
    gateway_url: String,
    connection_id: String,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    codes: Mutex<Memory<Authorization>>,
    access_tokens: Mutex<Memory<Authorization>>,
    /// Made at first use, so that it does not slow down the start.
    key: tokio::sync::Mutex<Option<Arc<SigningKey>>>,
    saml: saml::State,
}

/// The person who signed in, and the request of the relying party.
#[derive(Debug, Clone)]
struct Authorization {
    redirect_uri: String,
    nonce: Option<String>,
    code_challenge: Option<CodeChallenge>,
    authenticated_at: Timestamp,
    profile: Profile,
    fault: Option<Fault>,
}

impl Simulator {
    /// `clock` tells the time; tests move it by hand.
    pub fn new(config: Config, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let callback = config.redirect_uris.iter().find_map(|uri| split_callback(uri));
        let (gateway_url, connection_id) = callback.unwrap_or((&config.public_url, ""));
        Self(Arc::new(Inner {
            issuer: issuer(&config.public_url),
            gateway_url: gateway_url.to_owned(),
            connection_id: connection_id.to_owned(),
            config,
            clock: Box::new(clock),
            codes: Mutex::default(),
            access_tokens: Mutex::default(),
            key: tokio::sync::Mutex::default(),
            saml: saml::State::default(),
        }))
    }

    /// Everything below [`PATH`].
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let path = |path: &str| format!("{PATH}{path}");
        Router::new()
            .route(PATH, get(landing::page))
            .route(&path("/"), get(landing::page))
            .route(&path("/initiate"), post(landing::initiate))
            .route(&path("/rotate"), post(landing::rotate))
            .route(
                &path("/.well-known/openid-configuration"),
                get(metadata::discovery),
            )
            .route(&path("/keys"), get(metadata::keys))
            .route(&path("/authorize"), get(authorize::page).post(authorize::answer))
            .route(&path("/token"), post(token::exchange))
            .route(&path("/userinfo"), get(userinfo::claims).post(userinfo::claims))
            .merge(saml::router())
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Signs with this key from now on, and publishes no other.
    pub async fn sign_with(&self, key: SigningKey) {
        *self.0.key.lock().await = Some(Arc::new(key));
    }

    /// The key that signs now.
    async fn key(&self) -> Result<Arc<SigningKey>, SimulatorError> {
        let mut current = self.0.key.lock().await;
        if let Some(key) = &*current {
            return Ok(Arc::clone(key));
        }
        Ok(Arc::clone(current.insert(generate_key().await?)))
    }

    /// Replaces the key at once: the old one is no longer published.
    async fn rotate(&self) -> Result<(), SimulatorError> {
        let key = generate_key().await?;
        *self.0.key.lock().await = Some(key);
        Ok(())
    }

    fn issue_code(&self, authorization: Authorization) -> Result<String, SimulatorError> {
        self.remember(&self.0.codes, authorization, CODE_LIFETIME)
    }

    /// Takes a code's authorization, once.
    fn redeem_code(&self, code: &str) -> Option<Authorization> {
        let mut codes = self.0.codes.lock();
        codes.take(code, self.now())
    }

    fn issue_access_token(&self, authorization: Authorization) -> Result<String, SimulatorError> {
        self.remember(&self.0.access_tokens, authorization, ACCESS_TOKEN_LIFETIME)
    }

    fn find_access_token(&self, token: &str) -> Option<Authorization> {
        let tokens = self.0.access_tokens.lock();
        tokens.find(token, self.now()).cloned()
    }

    fn remember(
        &self,
        memory: &Mutex<Memory<Authorization>>,
        authorization: Authorization,
        lifetime: Duration,
    ) -> Result<String, SimulatorError> {
        let name = random()?;
        let now = self.now();
        let mut memory = memory.lock();
        memory.insert(name.clone(), authorization, now, now + lifetime);
        Ok(name)
    }
}

/// The simulator's own failures.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("the system has no randomness")]
    Random,
    #[error("the signing key failed")]
    Key(#[from] genkan_protocol::jose::KeyError),
    #[error("the key could not be made")]
    Task(#[from] tokio::task::JoinError),
    #[error("the key for SAML could not be made")]
    MakeSamlKey(#[from] genkan_protocol::saml::OwnKeyError),
    #[error("the key for SAML failed")]
    SamlKey(#[from] genkan_protocol::saml::KeyError),
    #[error("the answer could not be written")]
    SamlAnswer(#[from] genkan_protocol::saml::idp::IdpError),
}

impl From<SimulatorError> for PageError {
    fn from(error: SimulatorError) -> Self {
        Self::internal(error)
    }
}

/// Makes a key beside the worker threads: an RSA key takes a tenth of a second or more.
async fn generate_key() -> Result<Arc<SigningKey>, SimulatorError> {
    let kid = format!("sim_{}", &random()?[..8]);
    let (key, _) = tokio::task::spawn_blocking(move || SigningKey::generate(kid, Algorithm::Rs256)).await??;
    Ok(Arc::new(key))
}

/// The gateway and the connection whose callback this is.
fn split_callback(redirect_uri: &str) -> Option<(&str, &str)> {
    let connection_id = redirect_uri
        .rsplit('/')
        .find(|segment| is_connection_id(segment))?;
    let path = connection::path(Kind::Oidc, connection_id, connection::Endpoint::Callback);
    Some((redirect_uri.strip_suffix(&path)?, connection_id))
}

/// `conn_` and digits: it is part of a path, so nothing else may pass.
fn is_connection_id(text: &str) -> bool {
    text.strip_prefix("conn_")
        .is_some_and(|digits| (1..=27).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()))
}

/// 256 random bits in base64url.
fn random() -> Result<String, SimulatorError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SimulatorError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A parameter that occurs once. The forms here are our own, so a repeated one is no honest
/// request and counts as absent.
fn field<'a>(parameters: &'a Parameters, name: &'static str) -> Option<&'a str> {
    parameters
        .one(name)
        .ok()
        .flatten()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}
