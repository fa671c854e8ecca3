//! The simulator as a SAML identity provider, for the same people and with faults of its own.
//!
//! It answers connections of its gateway alone, and verifies no signature of a request: nothing depends on it.
//! It signs both the response and the assertion, so that it suits every connection.
//!
//! Source: SAML 2.0 Profiles §4.1.

mod answer;
mod fault;
mod metadata;
mod sign_on;
mod tampered;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use genkan_protocol::saml::{KeyPurpose, OwnKey, SigningKey};
use genkan_store::connection::{self, Endpoint, Kind};
use parking_lot::Mutex;

pub use fault::{Fault, Must};

use super::{PATH, Simulator, SimulatorError, is_connection_id};
use crate::web::error::PageError;
use crate::web::memory::Memory;
use answer::EarlierAnswer;

/// The host in its certificates. Nobody reads it.
const HOST: &str = "idp-simulator";

/// The path of its metadata, whose address is also its entity id.
const METADATA: &str = "/saml/metadata";
const SIGN_ON: &str = "/saml/sso";

/// So many earlier answers are known. Anybody may ask for one, and for each connection there is another.
const EARLIER_ANSWERS: usize = 64;

/// A connection that takes all that the simulator says.
const CREATE: &str = "connection create --saml --provider idp_simulator --saml-idp-initiated on \
                      --attribute groups=groups --attribute roles=roles";

/// Finds the certificate (DER) to which assertions for a connection are encrypted. A provider usually reads it
/// in the metadata of the connection. The error is a page for the developer.
pub type EncryptionCertificates =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<Vec<u8>>, PageError>> + Send + Sync>;

/// What only the SAML side needs.
#[derive(Clone, Default)]
pub struct Config {
    /// The organization that the first page names in its command.
    pub organization_id: Option<String>,
    /// Without it nothing can be encrypted.
    pub encryption: Option<EncryptionCertificates>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

/// Its memory, which is gone after a restart.
#[derive(Default)]
pub(super) struct State {
    /// Made at first use, so that it does not slow down the start.
    key: tokio::sync::Mutex<Option<Arc<SigningKey>>>,
    /// The last answer to each address that was meant to sign somebody in.
    answered: Mutex<Memory<EarlierAnswer, EARLIER_ANSWERS>>,
}

pub(super) fn router() -> Router<Simulator> {
    let path = |path: &str| format!("{PATH}{path}");
    Router::new()
        .route(&path(METADATA), get(metadata::show))
        .route(&path(SIGN_ON), get(sign_on::by_redirect).post(sign_on::by_form))
        .route(&path("/saml/initiate"), get(sign_on::initiate))
        .route(&path("/saml/answer"), post(sign_on::answer))
}

/// The entity id of a simulator whose issuer is `issuer`.
pub fn entity_id(issuer: &str) -> String {
    format!("{issuer}{METADATA}")
}

impl Simulator {
    pub fn saml_entity_id(&self) -> String {
        entity_id(self.issuer())
    }

    fn sign_on_url(&self) -> String {
        format!("{}{SIGN_ON}", self.issuer())
    }

    /// The command that creates a connection to it.
    pub(super) fn saml_command(&self) -> String {
        let organization = &self.config().saml.organization_id;
        let organization = organization.as_deref().unwrap_or("ORGANIZATION");
        let url = self.saml_entity_id();
        format!("genkan {CREATE} --organization {organization} --saml-metadata-url {url}")
    }

    /// The key that signs now.
    async fn saml_key(&self) -> Result<Arc<SigningKey>, SimulatorError> {
        let mut current = self.0.saml.key.lock().await;
        if let Some(key) = &*current {
            return Ok(Arc::clone(key));
        }
        let made = self.make_saml_key(KeyPurpose::Signing).await?;
        let key = SigningKey::from_pkcs8(&made.pkcs8, &made.certificate)?;
        Ok(Arc::clone(current.insert(Arc::new(key))))
    }

    /// Makes a key beside the worker threads: it takes a tenth of a second or more.
    async fn make_saml_key(&self, purpose: KeyPurpose) -> Result<OwnKey, SimulatorError> {
        let now = self.now();
        let made = tokio::task::spawn_blocking(move || OwnKey::generate(HOST, purpose, now));
        Ok(made.await??)
    }

    /// The connection whose address for answers this is. Every connection of the gateway may use the simulator.
    fn saml_connection_of<'a>(&self, acs_url: &'a str) -> Option<&'a str> {
        let connection_id = acs_url.rsplit('/').find(|segment| is_connection_id(segment))?;
        (acs_url == self.address(connection_id, Endpoint::Callback)).then_some(connection_id)
    }

    /// An address of the gateway for a connection.
    fn address(&self, connection_id: &str, endpoint: Endpoint) -> String {
        let path = connection::path(Kind::Saml, connection_id, endpoint);
        format!("{}{path}", self.0.gateway_url)
    }
}
