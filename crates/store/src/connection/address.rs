//! The addresses of a connection's endpoints, below `/sso/v1/{kind}/{connection}`.

use std::fmt::Display;

use super::{Connection, Kind};

/// An endpoint of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Our identifier, and our metadata for the provider.
    Entity,
    /// The same metadata, at an address that says so.
    Metadata,
    /// The provider's answer.
    Callback,
    /// A sign-in that begins at the provider.
    Init,
    /// The browser hears of an answer that failed when another site posted it.
    Failure,
    /// Tries the connection.
    Test,
    /// The provider signs somebody out.
    Logout,
}

impl Endpoint {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Entity => "",
            Self::Metadata => "/metadata",
            Self::Callback => "/callback",
            Self::Init => "/init",
            Self::Failure => "/failure",
            Self::Test => "/test",
            Self::Logout => "/slo",
        }
    }
}

/// The path of an endpoint. For a route, `connection` is the name of its parameter.
pub fn path(kind: Kind, connection: impl Display, endpoint: Endpoint) -> String {
    let kind = kind.as_str().to_ascii_lowercase();
    format!("/sso/v1/{kind}/{connection}{}", endpoint.suffix())
}

impl Connection {
    /// The path of one of its endpoints.
    pub fn path(&self, endpoint: Endpoint) -> String {
        path(self.kind(), &self.id, endpoint)
    }
}
