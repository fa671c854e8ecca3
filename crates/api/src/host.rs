//! What the services need of the process that they run in.

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

    /// Development mode: plain HTTP and loopback addresses are acceptable.
    fn is_development(&self) -> bool;

    /// Domains wait for their TXT record, also those that come with management credentials.
    fn requires_domain_proof(&self) -> bool {
        false
    }

    fn instance_key(&self) -> &InstanceKey;

    /// The identity provider that `genkan dev` brings, if it is there.
    fn simulator(&self) -> Option<&Simulator> {
        None
    }

    /// Whether an API token counts by its identifier too, which is no secret.
    fn validates_tokens_by_identifier(&self) -> bool {
        false
    }

    /// Whether mail reaches anybody: what needs it is refused otherwise.
    fn sends_mail(&self) -> bool;

    /// The name server to ask for proof of a domain; the system's if `None`.
    fn name_server(&self) -> Option<SocketAddr> {
        None
    }

    /// Wakes the background jobs, because there is something to deliver.
    fn wake_jobs(&self);

    /// Something was committed: what is cached counts no more.
    fn changed(&self) {}

    /// How often one client may call.
    fn rate_limit(&self) -> RateLimit;

    /// Whose token it is.
    ///
    /// # Errors
    ///
    /// If that cannot be found out now.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Credential, HostError>>;
}

/// What a connection to the simulator needs.
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
