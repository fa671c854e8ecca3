//! Where a connection is spoken to: below `/sso/v1/{kind}/{connection}`.

use std::fmt::Display;

use super::{Connection, Kind};

/// A page of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// What names us to the provider, and describes us there.
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

/// The path of a page; of a route with the name of its parameter as `connection`.
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
