//! The caller of a method, and what they may do.

use std::collections::BTreeSet;

use genkan_store::ClientId;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub client_id: ClientId,
    pub permissions: Permissions,
}

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    /// Everything: a management client that asked for no scope.
    All,
    /// Only what its scope lists.
    Only(BTreeSet<String>),
}

impl Permissions {
    /// Whether one of `any_of` is allowed. If a method names no permission, only a token
    /// without a scope may call it.
    pub fn allow(&self, any_of: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Only(granted) => any_of.iter().any(|name| granted.contains(name)),
        }
    }
}

/// The result of checking a presented token.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A management client's.
    Management(Caller),
    /// Genuine, but not one for the management API; the sentence says why.
    NotForManagement(&'static str),
    /// Genuine, of a client without management access. The SDKs expect
    /// `UNAUTHENTICATED`, ask for a new token, and then give up; the sentence says how to
    /// give access.
    NoAccess(String),
    /// Not ours, expired, or revoked.
    Invalid,
}
