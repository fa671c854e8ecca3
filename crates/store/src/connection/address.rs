//! The addresses of a connection's pages, below `/sso/v1/{kind}/{connection}`.

use std::fmt::Display;

use super::{Connection, Kind};

/// A page of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Our identifier and metadata for the provider.
    Entity,
    /// The provider's answer.
    Callback,
    /// A sign-in that begins at the provider.
    Init,
    /// Tries the connection.
    Test,
    /// The provider signs somebody out.
    Logout,
}

impl Page {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Entity => "",
            Self::Callback => "/callback",
            Self::Init => "/init",
            Self::Test => "/test",
            Self::Logout => "/slo",
        }
    }
}

/// The path of a page. For a route, `connection` is the name of its parameter.
pub fn path(kind: Kind, connection: impl Display, page: Page) -> String {
    let kind = kind.as_str().to_ascii_lowercase();
    format!("/sso/v1/{kind}/{connection}{}", page.suffix())
}

impl Connection {
    /// The path of one of its pages.
    pub fn path(&self, page: Page) -> String {
        path(self.kind(), &self.id, page)
    }
}
