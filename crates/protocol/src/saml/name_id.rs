//! The formats of a person's name.
//!
//! Source: SAML 2.0 Core §8.3.

/// In which format an identity provider names a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameIdFormat {
    /// The provider decides.
    Unspecified,
    /// An e-mail address.
    Email,
    /// A new name at each sign-in.
    Transient,
    /// One name for one service, for ever.
    Persistent,
}

impl NameIdFormat {
    /// Its name in messages.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Unspecified => "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            Self::Email => "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
            Self::Transient => "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
            Self::Persistent => "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        }
    }

    /// The format of this name, if it is one of the four.
    pub fn from_uri(uri: &str) -> Option<Self> {
        [Self::Unspecified, Self::Email, Self::Transient, Self::Persistent]
            .into_iter()
            .find(|format| format.uri() == uri)
    }
}
