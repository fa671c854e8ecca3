//! The parts of the process that the services use.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use genkan_db::Db;
use genkan_protocol::Timestamp;
use genkan_store::{Generator, InstanceKey, Secret};

use crate::caller::Credential;
use crate::rate_limit::RateLimit;

/// The gateway, as the services see it.
pub trait Host: Send + Sync + 'static {
    fn db(&self) -> &Db;
    fn ids(&self) -> &Generator;
    fn now(&self) -> Timestamp;

    /// The issuer: scheme, host and port, without a trailing slash.
    fn public_url(&self) -> &str;

    /// Development mode: plain HTTP and loopback addresses are accepted.
    fn is_development(&self) -> bool;

    /// Domains wait for their TXT record, also those that management credentials enter.
    fn requires_domain_proof(&self) -> bool {
        false
    }

    fn instance_key(&self) -> &InstanceKey;

    /// The simulator of `genkan dev`, if there is one.
    fn simulator(&self) -> Option<&Simulator> {
        None
    }

    /// Whether the identifier of an API token, which is no secret, counts as the token.
    fn validates_tokens_by_identifier(&self) -> bool {
        false
    }

    /// Whether mail can be sent: otherwise methods that need it are refused.
    fn sends_mail(&self) -> bool;

    /// The name server to ask for proof of a domain; the system's if `None`.
    fn name_server(&self) -> Option<SocketAddr> {
        None
    }

    /// Reads the metadata document of a SAML provider through the guard of outbound calls.
    /// `insecure_http`: the connection allows an address without TLS.
    fn fetch_metadata<'a>(
        &'a self,
        url: &'a str,
        insecure_http: bool,
    ) -> BoxFuture<'a, Result<String, Unreadable>>;

    /// Wakes the background jobs, because there is something to deliver.
    fn wake_jobs(&self);

    /// Something was committed, so cached values are stale.
    fn changed(&self) {}

    /// How often one client may call.
    fn rate_limit(&self) -> RateLimit;

    /// Finds the caller of a token.
    ///
    /// # Errors
    ///
    /// If that is not possible now.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Credential, HostError>>;
}

/// Why a document cannot be read, as text to put after the name of its address: "answers 404".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The settings of a connection to the simulator.
#[derive(Debug)]
pub struct Simulator {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
}

/// The host could not answer; it has logged why.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the host could not answer")]
pub struct HostError;
