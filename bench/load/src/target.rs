//! The server that is measured: where it is, who its clients and sessions are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Failure;
use crate::http::{Connection, get};

/// What the file says that `bench/peer/provider.mjs` and `seed` write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Scheme, host and port, without a trailing slash.
    pub base: String,
    pub redirect_uri: String,
    pub scope: String,
    /// By algorithm: a client whose tokens are signed with it.
    pub clients: BTreeMap<String, Client>,
    /// `Cookie` headers of signed-in browsers. Without any, each connection
    /// signs in by following redirects.
    pub sessions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

impl Target {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub fn client(&self, algorithm: &str) -> Result<&Client, Failure> {
        Ok(self
            .clients
            .get(algorithm)
            .ok_or_else(|| format!("no client of the target signs with {algorithm}"))?)
    }
}

/// The paths of the endpoints, from the discovery document.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub authorize: String,
    pub token: String,
    pub jwks: String,
}

pub const DISCOVERY: &str = "/.well-known/openid-configuration";

impl Endpoints {
    pub async fn discover(target: &Target) -> Result<Self, Failure> {
        let mut connection = Connection::open(target.address()).await?;
        let answer = connection.exchange(&get(target.address(), DISCOVERY, "")).await?;
        let document: Value = serde_json::from_slice(answer.expect(200)?.body())?;
        let path = |name: &str| -> Result<String, Failure> {
            let url = document[name]
                .as_str()
                .ok_or_else(|| format!("discovery has no {name}"))?;
            Ok(path_of(url).to_owned())
        };
        Ok(Self {
            authorize: path("authorization_endpoint")?,
            token: path("token_endpoint")?,
            jwks: path("jwks_uri")?,
        })
    }
}

/// The path and query of an absolute or relative URL.
pub fn path_of(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => url,
    }
}
