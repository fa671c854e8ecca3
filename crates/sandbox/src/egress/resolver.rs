//! Names to addresses: the only resolver, so that tests can replace it.

use std::fmt;
use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// Answers which addresses a name has.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// All addresses of a lowercase name. The caller limits the time.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of this machine, `/etc/hosts` included.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
